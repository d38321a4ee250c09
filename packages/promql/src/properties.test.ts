import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseQuery } from './parser.ts'
import { queryInstant } from './query.ts'
import { compileWhole, RegexpError } from './regexp.ts'
import { SeriesStore } from './store.ts'

const PIECES = [
  'sum',
  'rate',
  '(',
  ')',
  '{',
  '}',
  '[5m]',
  '[5m:1m]',
  '[',
  ']',
  'a',
  'by',
  'on',
  'offset',
  '-',
  '+',
  '^',
  '1',
  '5m',
  '"x"',
  "'",
  '=',
  '=~',
  '!',
  ',',
  ':',
  '@',
  'start()',
  'and',
  'bool',
  'group_left',
  'le',
  '\n',
  '#',
  '\\',
  'ä',
  ' ',
  '.',
  '==',
  'quantile',
  'fill',
  'Inf',
  '</',
  '\u0000',
  '😀',
]

const anyQuery = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }).map((pieces) => pieces.join('')),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }).map((pieces) => pieces.join(' ')),
)

function onlyValue(store: SeriesStore, query: string, at: number): number | undefined {
  const answer = queryInstant(store, query, at)
  if (!answer.ok || answer.value.resultType !== 'vector') throw new Error(JSON.stringify(answer))
  const text = answer.value.result[0]?.value[1]
  return text === undefined ? undefined : Number(text)
}

test('no text makes the parser throw, and every refusal has a place', () => {
  fc.assert(
    fc.property(anyQuery, (query) => {
      const parsed = parseQuery(query)
      if (!parsed.ok) expect(parsed.error).toMatch(/^(\d+:\d+|unknown position): parse error: ./s)
    }),
    { numRuns: 1500 },
  )
})

test('no query that parses makes the evaluation throw', () => {
  const store = new SeriesStore()
  store.append({ __name__: 'a', le: '1' }, 0, 1)
  fc.assert(
    fc.property(anyQuery, (query) => {
      expect(queryInstant(store, query, 1000)).toHaveProperty('ok')
    }),
    { numRuns: 1500 },
  )
})

test('the rate of a counter is never negative, whatever resets and gaps it has', () => {
  const samples = fc.array(
    fc.record({
      gap: fc.integer({ min: 1, max: 90_000 }),
      value: fc.double({ min: 0, max: 1e12, noNaN: true }),
    }),
    { minLength: 2, maxLength: 40 },
  )
  fc.assert(
    fc.property(samples, fc.integer({ min: 1, max: 600 }), (list, seconds) => {
      const store = new SeriesStore()
      let at = 0
      for (const { gap, value } of list) {
        at += gap
        store.append({ __name__: 'c_total' }, at, value)
      }
      for (const name of ['rate', 'irate', 'increase'])
        expect(onlyValue(store, `${name}(c_total[${seconds}s])`, at) ?? 0).toBeGreaterThanOrEqual(0)
    }),
  )
})

test('sum by () is sum, and sums by label add up to the sum', () => {
  const series = fc.array(
    fc.record({ pod: fc.constantFrom('a', 'b', 'c'), value: fc.integer({ min: -1e6, max: 1e6 }) }),
    { minLength: 1, maxLength: 30 },
  )
  fc.assert(
    fc.property(series, (list) => {
      const store = new SeriesStore()
      list.forEach(({ pod, value }, i) => {
        store.append({ __name__: 'x', pod, i: `${i}` }, 0, value)
      })
      const total = list.reduce((sum, { value }) => sum + value, 0)
      for (const query of [
        'sum(x)',
        'sum by () (x)',
        'sum(sum by (pod) (x))',
        'sum(sum without (i) (x))',
        'count(x) * avg(x)',
      ])
        expect(onlyValue(store, query, 0)).toBeCloseTo(total, 6)
    }),
  )
})

test('and plus unless give back the left side', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 20 })),
      fc.uniqueArray(fc.integer({ min: 0, max: 20 })),
      (left, right) => {
        const store = new SeriesStore()
        for (const i of left) store.append({ __name__: 'l', i: `${i}` }, 0, 1)
        for (const i of right) store.append({ __name__: 'r', i: `${i}` }, 0, 1)
        const count = (query: string) => onlyValue(store, `count(${query})`, 0) ?? 0
        expect(count('l and r') + count('l unless r')).toBe(left.length)
        expect(count('l or r')).toBe(new Set([...left, ...right]).size)
      },
    ),
  )
})

test('on patterns that both know, RE2 and JavaScript agree', () => {
  const atom = fc.constantFrom(
    'a',
    'b',
    '.',
    '[ab]',
    '[^a]',
    '(a|b)',
    '(?:ab)',
    '(a*)',
    '\\d',
    '\\w',
  )
  const piece = fc
    .tuple(atom, fc.constantFrom('', '*', '+', '?', '{1,2}', '*?'))
    .map((parts) => parts.join(''))
  const pattern = fc.array(piece, { maxLength: 5 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(
      pattern,
      fc.string({ unit: fc.constantFrom('a', 'b', '1', '\n'), maxLength: 8 }),
      (source, text) => {
        const expected = new RegExp(`^(?:${source})$`, 's').test(text)
        expect(compileWhole(source).matches(text)).toBe(expected)
        expect(compileWhole(source).groups(text) !== null).toBe(expected)
      },
    ),
    { numRuns: 1000 },
  )
})

test('a pattern compiles or is refused with a reason, never anything else', () => {
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom(
          'a',
          '(',
          ')',
          '[',
          ']',
          '{',
          '}',
          '?',
          '*',
          '|',
          '\\',
          '^',
          '1',
          ',',
          '-',
          ':',
          'P',
          '<',
        ),
        maxLength: 12,
      }),
      (source) => {
        try {
          compileWhole(source).matches('aa')
        } catch (cause) {
          expect(cause).toBeInstanceOf(RegexpError)
        }
      },
    ),
    { numRuns: 1000 },
  )
})
