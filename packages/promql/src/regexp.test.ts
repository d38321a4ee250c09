import { expect, test } from 'vitest'
import { compileWhole } from './regexp.ts'

test.each([
  ['5..', '503', true],
  ['5..', '5030', false],
  ['5.*', '5', true],
  ['a|b|c', 'b', true],
  ['a|b|c', 'ab', false],
  ['', '', true],
  ['', 'x', false],
  ['.+', '', false],
  ['.*', 'two\nlines', true],
  ['(?-s).*', 'two\nlines', false],
  ['(?i)get', 'GeT', true],
  ['(?i:get)x', 'GETX', false],
  ['web-(?P<n>\\d+)', 'web-12', true],
  ['[^a-c]+', 'xyz', true],
  ['[^a-c]+', 'xbz', false],
  ['[]a]+', ']a', true],
  ['[[:alpha:]_]+', 'ab_', true],
  ['[[:^digit:]]+', 'a1', false],
  ['\\pL+', 'äöü', true],
  ['\\p{Greek}', 'λ', true],
  ['\\P{Greek}', 'λ', false],
  ['a{2,3}', 'aa', true],
  ['a{2,3}', 'aaaa', false],
  ['a{,2}', 'a{,2}', true],
  ['\\Qa.b\\E.', 'a.bc', true],
  ['\\bfoo\\b.*', 'foo bar', true],
  ['\\x41\\x{1F600}', 'A😀', true],
  ['.', '😀', true],
  ['a??b', 'ab', true],
  ['(a*)*b', 'aaab', true],
  ['\\Aa\\z', 'a', true],
  ['(?m)a$\nb', 'a\nb', true],
  ['a\\.b', 'axb', false],
])('the pattern %j on %j gives %s', (pattern, text, expected) => {
  expect(compileWhole(pattern).matches(text)).toBe(expected)
})

test.each([
  ['(', 'missing closing ): `^(?s:()$`'],
  ['a)', 'unexpected ): `^(?s:a))$`'],
  ['*', 'missing argument to repetition operator: `*`'],
  ['a**', 'invalid nested repetition operator: `**`'],
  ['(?=x)', 'invalid or unsupported Perl syntax: `(?=`'],
  ['(?<!x)', 'invalid or unsupported Perl syntax: `(?<!`'],
  ['[z-a]', 'invalid character class range: `z-a`'],
  ['a{1001}', 'invalid repeat count: `{1001}`'],
  ['\\q', 'invalid escape sequence: `\\q`'],
  ['\\1', 'invalid escape sequence: `\\1`'],
  ['a\\', 'trailing backslash at end of expression: ``'],
])('the pattern %j is refused as RE2 refuses it', (pattern, problem) => {
  expect(() => compileWhole(pattern)).toThrow(`error parsing regexp: ${problem}`)
})

test('a pattern that hangs a backtracking engine is answered at once', () => {
  const pattern = compileWhole('(a+)+(b|c+)*(a|aa)+')
  expect(pattern.matches(`${'a'.repeat(5000)}!`)).toBe(false)
})

test('groups are the leftmost, greedy ones and expand like in Go', () => {
  const pattern = compileWhole('(?P<app>.*)-(\\w+)(-x)?')
  const groups = pattern.groups('checkout-api-7d') as readonly (string | null)[]
  expect(groups).toEqual(['checkout-api-7d', 'checkout-api', '7d', null])
  expect(pattern.expand('$app/$2/${3}/$4/$$/${app}_$2x', groups)).toBe(
    'checkout-api/7d///$/checkout-api_',
  )
  expect(pattern.groups('nothing')).toBeNull()
})
