import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { execute, type Mode, parse, timeVariable } from './index.ts'

/** Spec notifications 6.8: results of the real engine. Template, output or null, then error and default-mode result. */
type Row = readonly [
  template: string,
  output: string | null,
  ...rest: (string | { default: string })[],
]

const NOW = Date.parse('2026-08-01T12:00:00Z')

function fixture(name: string): string {
  return readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')
}

const rows = fixture('verified-rows.jsonl')
  .trim()
  .split('\n')
  .map((line): Row => JSON.parse(line))

const data = {
  ...JSON.parse(fixture('verified-data.json')),
  time: timeVariable(NOW),
  secrets: { tok: new TextEncoder().encode('abc') },
}

/** `parse: …` and `exec: …` as the rows spell errors: without the place. */
function render(template: string, mode: Mode): string {
  const parsed = parse('notice', template)
  if (!parsed.ok) return `parse: ${parsed.problem.message.replace(/^template: notice:\d+: /, '')}`
  const executed = execute(parsed.template, data, { now: NOW, mode })
  if (executed.ok) return executed.text
  const where = /^template: notice:\d+:\d+: executing "\w+" at /
  expect(executed.problem.message).toMatch(where)
  return `exec: ${executed.problem.message.replace(where, '')}`
}

function expectation([, output, ...rest]: Row): string {
  return output ?? rest.find((extra) => typeof extra === 'string') ?? 'missing'
}

function defaultExpectation(row: Row): string {
  const own = row.find((extra) => typeof extra === 'object' && extra !== null)
  return typeof own === 'object' && own !== null ? own.default : expectation(row)
}

test('the table holds every verified row [notifications 30]', () => {
  expect(rows).toHaveLength(290)
})

describe('a template renders as upstream does', () => {
  test.each(rows.map((row) => [row[0], expectation(row)]))(
    '%s [notifications 30]',
    (template, expected) => {
      expect(render(template, 'upstream')).toBe(expected)
    },
  )
})

describe('a template fails or renders byte for byte as Go 1.26 and sprig 3.3.0 do', () => {
  const reference = fixture('reference-rows.jsonl')
    .trim()
    .split('\n')
    .map((line): [string, string] => JSON.parse(line))

  test.each(reference)('%s', (template, expected) => {
    const parsed = parse('notice', template)
    if (!parsed.ok) return expect(`parse: ${parsed.problem.message}`).toBe(expected)
    const executed = execute(parsed.template, data, { now: NOW, mode: 'upstream' })
    expect(executed.ok ? executed.text : `exec: ${executed.problem.message}`).toBe(expected)
  })
})

describe('a template renders in the default mode', () => {
  test.each(rows.map((row) => [row[0], defaultExpectation(row)]))(
    '%s [notifications 30]',
    (template, expected) => {
      expect(render(template, 'default')).toBe(expected)
    },
  )
})
