import { readFileSync } from 'node:fs'
import type { UnknownObject } from '@serinus/kube'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { checkManifests } from './check.ts'

const page = readFileSync(new URL('../../../../../docs/query-doctor.md', import.meta.url), 'utf8')

/** The findings that have a section of their own, with what is wrong and what is right. */
const sections = page
  .split(/^### /m)
  .slice(1)
  .map((section) => {
    const [wrong = '', right = ''] = [...section.matchAll(/^```yaml\n(.*?)^```$/gms)].map(
      ([, text = '']) => text,
    )
    return { finding: section.slice(0, section.indexOf('\n')), wrong, right }
  })

/** What `lint` says of an example; a list of metrics stands for a template of them. */
function reasonsFor(text: string): readonly string[] {
  const documents = parseAllDocuments(text).map((document) => document.toJS() as unknown)
  const objects = documents.map((value) => (Array.isArray(value) ? templateOf(value) : value))
  const found = checkManifests(
    objects.map((object, index) => ({
      file: 'page',
      document: index + 1,
      object: object as UnknownObject,
    })),
  )
  return [...new Set(found.map(({ reason }) => reason))]
}

function templateOf(metrics: readonly unknown[]): object {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name: 'example' },
    spec: { args: [{ name: 'service' }, { name: 'most' }], metrics },
  }
}

describe('the page about the query doctor', () => {
  test.each(sections)('shows $finding as it is told', ({ finding, wrong }) => {
    expect(reasonsFor(wrong)).toContain(finding)
  })

  test.each(sections)('shows how to be rid of $finding', ({ finding, right }) => {
    expect(right).not.toBe('')
    // A count over both versions is what that example is about, and the page says so.
    const expected = finding === 'QueryRangeLongerThanStep' ? ['QueryDiluted'] : []
    expect(reasonsFor(right)).toEqual(expected)
  })

  test('has every finding', () => {
    const folder = new URL('../../../../engine/src/doctor/rules/', import.meta.url)
    const registry = readFileSync(new URL('registry.ts', folder), 'utf8')
    const files = [...registry.matchAll(/from '\.\/(.*?)'/g)].map(([, file = '']) => file)
    const ids = files.flatMap((file) =>
      [...readFileSync(new URL(file, folder), 'utf8').matchAll(/^ {2}id: '(\w+)'/gm)].map(
        ([, id]) => id,
      ),
    )
    expect(ids.length).toBeGreaterThan(15)
    expect(sections.map(({ finding }) => finding).sort()).toEqual(ids.sort())
  })
})
