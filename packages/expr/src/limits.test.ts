import { describe, expect, test } from 'vitest'
import { evaluateCondition } from './conditions.ts'
import { compile, evaluate } from './expr.ts'
import { floats } from './host-values.ts'

function problemOf(source: string): string | null {
  const compiled = compile(source)
  if (!compiled.ok) return compiled.problem.message
  const evaluated = evaluate(compiled.program, { values: {} })
  return evaluated.ok ? null : evaluated.problem.message
}

describe('a hostile expression ends', () => {
  test.each([
    ['too large a range', '1..1000000', 'memory budget exceeded'],
    ['a range beyond all numbers', '1..9223372036854775807', 'memory budget exceeded'],
    ['ranges within ranges', 'map(1..2000, 1..2000)', 'memory budget exceeded'],
    ['too long a text repeated', 'repeat("ab", 500000)', 'memory budget exceeded'],
    ['too many repeats', 'repeat("a", 1000001)', 'memory budget exceeded'],
    ['loops within loops', 'let a = 1..900000; all(a, all(a, true))', 'evaluation budget exceeded'],
    ['text that doubles', 'reduce(1..60, #acc + #acc, "aaaa")', 'evaluation budget exceeded'],
    [
      'a regular expression with very many states',
      'let s = repeat("a", 90000); s matches "(a?){1000}b"',
      'evaluation budget exceeded',
    ],
    [
      'replacing nothing by much',
      'let s = repeat("a", 900000); replace(s, "", s)',
      'evaluation budget exceeded',
    ],
    [
      'values that share themselves',
      `let a0 = [1, 2]; ${Array.from({ length: 30 }, (_, i) => `let a${i + 1} = [a${i}, a${i}]; `).join('')}string(a30)`,
      'evaluation budget exceeded',
    ],
    [
      'comparing what shares itself',
      `let a0 = [1.5]; let b0 = [1.5]; ${Array.from({ length: 40 }, (_, i) => `let a${i + 1} = [a${i}, a${i}]; let b${i + 1} = [b${i}, b${i}]; `).join('')}a40 == b40`,
      'evaluation budget exceeded',
    ],
    ['unique among very many', 'uniq(1..900000)', 'evaluation budget exceeded'],
  ])('for %s', (_, source, message) => {
    const started = performance.now()
    expect(problemOf(source)).toBe(message)
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})

test('a regular expression that others choke on is answered at once', () => {
  const started = performance.now()
  expect(evaluateCondition('result matches "^(a|aa)*(a*)*b$"', 'a'.repeat(5_000))).toEqual({
    ok: true,
    value: false,
  })
  expect(performance.now() - started).toBeLessThan(1_000)
})

test('an expression of more than ten thousand nodes is refused', () => {
  const terms = (count: number): string => Array.from({ length: count }, () => 'a').join(', ')
  expect(problemOf(`[${terms(9_000)}]`)).toBeNull()
  expect(problemOf(`[${terms(10_001)}]`)).toBe(
    'compilation failed: expression exceeds maximum allowed nodes',
  )
})

test('a long chain of alternatives is no problem', () => {
  const source = Array.from({ length: 1_500 }, (_, i) => `result[0] == ${i}`).join(' || ')
  expect(evaluateCondition(source, floats([1_499]))).toEqual({ ok: true, value: true })
})

test('an honest condition over a large result stays within the budgets', () => {
  const result = floats(Array.from({ length: 100_000 }, (_, i) => i / 100_000))
  const source =
    'count(result, # > 0.5 && # < 0.75 || # == 0) > 10 and max(result) < 1 and sum(result) > 1'
  expect(evaluateCondition(source, result)).toEqual({ ok: true, value: true })
})
