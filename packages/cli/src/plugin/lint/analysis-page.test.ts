import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { checkManifests } from './check.ts'

const page = readFileSync(new URL('../../../../../docs/analysis.md', import.meta.url), 'utf8')
const examples = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text = '']) => text)

test('the page about analysis shows metrics that lint finds nothing wrong with', () => {
  expect(examples.length).toBeGreaterThan(0)
  for (const text of examples) {
    const object = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'AnalysisTemplate',
      metadata: { name: 'example' },
      spec: { args: [{ name: 'service' }], ...parse(text) },
    }
    expect(checkManifests([{ file: 'analysis.md', document: 1, object }])).toEqual([])
  }
})
