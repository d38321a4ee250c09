import { describe, expect, test } from 'vitest'
import { callsOf, comparisonsOf, constancyOf, divisionOf, identifiersOf } from './lint.ts'

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

describe('where no measured number is below zero', () => {
  test.each([
    ['result[0] >= 0', true],
    ['result < 0', false],
    ['result[0] > -1 || result[0] < -5', true],
    ['result[0] > 0', null],
    ['result[0] - 1 >= 0', null],
    ['result[0] >= 0 && result[0] < 0.05', null],
  ])('%s is always %s', (source, constant) => {
    expect(constancyOf(source, { fromZero: true })).toBe(constant)
  })
})

describe('two conditions', () => {
  test.each([
    ['result[0] < 0.01', 'result[0] >= 0.02', { both: null, neither: 'result[0] = 0.015' }],
    [
      'result[0] < 0.05',
      'result[0] < 0.1',
      { both: 'result[0] = 0.025', neither: 'result[0] = 0.1' },
    ],
    ['result >= 0.95', 'result < 0.95', { both: null, neither: null }],
    ['0.95 <= result', '!(result >= 0.95)', { both: null, neither: null }],
  ])('%s and %s divide the numbers', (success, failure, division) => {
    expect(divisionOf(success, failure, { fromZero: true })).toEqual(division)
  })

  test.each([
    ['result.rate != nil && result.rate < 1', 'result.rate > 1'],
    ['result[0] < 1', 'result[1] > 2'],
    ['result <', 'result > 1'],
    ['isNaN(result)', 'result > 1'],
  ])('%s and %s are left alone', (success, failure) => {
    expect(divisionOf(success, failure)).toBeNull()
  })
})

test('comparisons with constants are found with the constant on the right', () => {
  expect(comparisonsOf('len(result) > 0 && 0.95 <= result[0] && !(result[0] > 3)')).toEqual([
    { subject: 'len(result)', operator: '>', constant: 0 },
    { subject: 'result[0]', operator: '>=', constant: 0.95 },
  ])
  expect(comparisonsOf('result <')).toEqual([])
})

test('calls of functions of the environment are found with their arguments', () => {
  expect(callsOf('default(result[0], 0) < 0.05 && len(result) > asInt("1")')).toEqual([
    { name: 'default', args: ['result[0]', '0'] },
    { name: 'asInt', args: ['"1"'] },
  ])
  expect(callsOf('result <')).toEqual([])
})
