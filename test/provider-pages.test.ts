import { existsSync, readdirSync, readFileSync } from 'node:fs'
import {
  type AnalysisTemplate,
  parseAnalysisTemplate,
  problemText,
  validateMetrics,
} from '@serinus/api'
import { examineTemplate } from '@serinus/engine'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'

const folder = 'docs/providers'
const pages = readdirSync(folder).filter((file) => file.endsWith('.md'))

test('each example of a metric provider has a page of the same name', () => {
  const examples = readdirSync('examples/providers').map((file) => file.replace(/\.yaml$/, ''))
  expect(examples.filter((name) => !existsSync(`${folder}/${name}.md`))).toEqual([])
})

/** The metrics that a page shows, as templates whose arguments are declared. */
function templatesIn(text: string): readonly AnalysisTemplate[] {
  return [...text.matchAll(/```yaml\n(metrics:.*?|args:.*?)```/gs)].map(([, block = '']) => {
    const args = [...block.matchAll(/\{\{args\.([\w-]+)\}\}/g)].map(([, name]) => ({ name }))
    const { metrics } = parse(block)
    return {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'AnalysisTemplate',
      metadata: { name: 'page' },
      spec: { args, metrics },
    } as AnalysisTemplate
  })
}

describe.each(pages)('the page %s', (file) => {
  const text = readFileSync(`${folder}/${file}`, 'utf8')

  test('names its example', () => {
    const example = `examples/providers/${file.replace(/\.md$/, '.yaml')}`
    expect(text).toContain(`[${example}](../../${example})`)
    expect(existsSync(example)).toBe(true)
  })

  test('shows metrics that Serinus takes as they are', () => {
    const templates = templatesIn(text)
    expect(templates.length).toBeGreaterThan(0)
    for (const template of templates) {
      const { value, problems, unknownFields } = parseAnalysisTemplate(template)
      const found = [...problems, ...unknownFields, ...validateMetrics(value.spec.metrics ?? [])]
      expect(found.map(problemText)).toEqual([])
      expect(examineTemplate(value.spec)).toEqual([])
    }
  })
})
