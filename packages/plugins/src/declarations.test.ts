import { expect, test } from 'vitest'
import { parseDeclarations } from './declarations.ts'

test.each([
  [
    'aliases that explode',
    `a: &a [x, x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
d: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]`,
    /^stepPlugins: Excessive alias count/,
  ],
  ['an alias of nothing', '- name: *nobody', /^stepPlugins: Unresolved alias.*nobody/],
  ['endless nesting', '['.repeat(100_000), /^stepPlugins: .{1,200}$/],
])('a list with %s is refused as one that is no YAML, and does no harm', (_, text, problem) => {
  expect(parseDeclarations('step', text)).toEqual({
    ok: false,
    problem: expect.stringMatching(problem),
  })
})

function problemOf(entry: object): string {
  const list = parseDeclarations('metric', JSON.stringify([{ name: 'org/x', ...entry }]))
  if (!list.ok) throw new Error(list.problem)
  const [declared] = list.plugins.values()
  if (declared?.kind !== 'wrong') throw new Error(JSON.stringify(declared))
  return declared.problem
}

test.each([
  'https://bot:hunter2@host/x.mjs',
  'http+rpc://bot:hunter2@host/rpc',
  'https://hunter2@host/x.mjs',
])('a password in a location is refused, and not repeated: %s', (location) => {
  const problem = problemOf({ location })
  expect(problem).toBe(
    'metricProviderPlugins[0].location: an address with a user name or password would be read by many; put them into a Secret, as the value of Authorization, and name that in headersFrom',
  )
})

test('a location that is none is shown without its password and query', () => {
  expect(problemOf({ location: 'ftp://bot:hunter2@host/x?key=hunter2' })).toBe(
    'plugin location must be of http(s) or file scheme, got "ftp://…@host/x?…"',
  )
})

test('a mistake of any length is told in few words', () => {
  expect(problemOf({ location: 'x'.repeat(500_000) }).length).toBeLessThanOrEqual(1_000)
  expect(problemOf({ name: 'x'.repeat(500_000), location: 'file:///x' }).length).toBe(1_000)
})
