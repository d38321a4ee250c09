import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRun } from '../run.ts'
import { GoRegexp } from './regexp.ts'

function compile(source: string): GoRegexp {
  const compiled = GoRegexp.compile(source)
  if (!compiled.ok) throw new Error(compiled.problem)
  return compiled.regexp
}

function run() {
  return createRun({
    mode: 'default',
    now: undefined,
    random: undefined,
    timeZone: undefined,
    budget: 1e7,
  })
}

/** Expressions that mean the same in Go and JavaScript; no empty rounds of a star, where the two differ. */
const expression = fc.letrec((tie) => ({
  atom: fc.oneof(
    fc.constantFrom('a', 'b', 'c', '.', '[ab]', '[^a]', '\\w', '\\d', '\\b', '^', '$'),
    tie('node').map((node) => `(${node})`),
    tie('node').map((node) => `(?:${node})`),
  ),
  counted: fc
    .tuple(
      fc.constantFrom('a', 'b', '.', '[ab]', '\\w'),
      fc.constantFrom('*', '+', '?', '*?', '+?', '??', '{2}', '{1,3}', '{1,}?'),
    )
    .map((parts) => parts.join('')),
  node: fc.oneof(
    { depthSize: 'small' },
    tie('atom'),
    tie('counted'),
    fc.tuple(tie('node'), tie('node')).map((parts) => parts.join('')),
    fc.tuple(tie('node'), tie('node')).map((parts) => `(?:${parts.join('|')})`),
  ),
})).node as fc.Arbitrary<string>

const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', '1'), maxLength: 12 })

test('finds, replaces and groups as JavaScript does where both have the same rules', () => {
  fc.assert(
    fc.property(expression, text, (source, subject) => {
      const ours = compile(source)
      expect(ours.find(subject, run())).toBe(new RegExp(source).exec(subject)?.[0] ?? '')
      expect(ours.matches(subject, run())).toBe(new RegExp(source).test(subject))
    }),
    { numRuns: 1000 },
  )
})

test('never throws on arbitrary expressions', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'ab()[]{}|*+?^$\\.,:-1209PpdQEx<>!=i') }),
      text,
      (source, subject) => {
        const compiled = GoRegexp.compile(source)
        if (compiled.ok) compiled.regexp.findAll(subject, -1, run())
        else expect(compiled.problem).toMatch(/^error parsing regexp: /)
      },
    ),
    { numRuns: 2000 },
  )
})

test('work grows with the text, not with the ways to match it', () => {
  let steps = 0
  const counting = {
    ...run(),
    spend: (n: number) => {
      steps += n
    },
  }
  compile('(a|a)*(a|aa)*b').matches('a'.repeat(2000), counting)
  expect(steps).toBeLessThan(2000 * 20)
})

test('an expression that would grow too large is refused', () => {
  expect(GoRegexp.compile('((a{100}){100}){100}')).toEqual({
    ok: false,
    problem: 'error parsing regexp: expression too large',
  })
})
