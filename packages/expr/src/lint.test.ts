import { describe, expect, test } from 'vitest'
import { constancyOf, identifiersOf } from './lint.ts'

describe('the names an expression takes from its environment', () => {
  test.each([
    ['result[0] >= 0.95 && asInt(result[1]) > 1', ['result', 'asInt']],
    ['let limit = threshold; result < limit', ['threshold', 'result']],
    ['all(result, # > len(other)) and .5 < 1', ['result', 'other']],
    ['rollout.status.phase in phases', ['rollout', 'phases']],
    ['1 + 1', []],
  ])('of %s are %j', (source, names) => {
    expect(identifiersOf(source)).toEqual({ ok: true, names })
  })

  test('are not known where the text does not parse', () => {
    expect(identifiersOf('result >')).toMatchObject({
      ok: false,
      problem: { message: 'unexpected token EOF' },
    })
  })
})

describe('a condition that never changes', () => {
  test.each([
    ['true', true],
    ['1 > 2', false],
    ['result > 1 || true', true],
    ['result < 1 && result > 2', false],
    ['0 > result and result >= 0', false],
    ['result == 1 && result == 2', false],
    ['not (result > 1 and result < 1)', true],
    ['result != 1 || result != 2', true],
    ['len(result) >= 0', true],
    ['len(result) < 0', false],
    ['len(result) > 0 || len(result) == 0', true],
    ['result[0] < 0.5 && result[0] > 0.7 && isNaN(result[1])', false],
    ['result.ok || not result.ok', true],
  ])('%s is always %s', (source, constant) => {
    expect(constancyOf(source)).toBe(constant)
  })
})

describe('a condition that may change', () => {
  test.each([
    'result > 1',
    'result < 1 || result >= 1',
    'result[0] < 1 && result[1] > 2',
    'len(result) > 0 && result[0] < 0.95',
    'result.ok',
    'result > 1 && result > 2',
    'now() > date("2020-01-01")',
    'isNaN(result) || result >= 0.95',
    'result >',
    'foo(1)',
  ])('%s', (source) => {
    expect(constancyOf(source)).toBeNull()
  })
})
