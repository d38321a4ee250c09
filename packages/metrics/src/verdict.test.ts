import { floats, fromJson } from '@serinus/expr'
import { describe, expect, test } from 'vitest'
import { formatFloat, formatGoFloat, verdictOn } from './verdict.ts'

describe('an answer without data', () => {
  const now = () => 0
  const handled = { successCondition: 'len(result) == 0 || result[0] < 1' }
  const onNoData = 'Inconclusive'
  const noData = {
    phase: 'Inconclusive',
    message: 'no data: onNoData is Inconclusive (query returned no series)',
  }
  const whyEmpty = 'query returned no series'

  test.each([
    ['nil', null],
    ['an empty list', floats([])],
    ['rows of which none has a value', fromJson([{ average: null }, { average: null }])],
  ])('is what onNoData says, whatever the conditions make of it: %s', (_, result) => {
    expect(verdictOn({ onNoData }, result, { now, whyEmpty })).toEqual(noData)
    const lenient = { successCondition: 'result == nil || len(result) >= 0', onNoData } as const
    expect(verdictOn(lenient, result, { now, whyEmpty })).toEqual(noData)
  })

  test('is NaN, too, where no other number came', () => {
    const metric = { successCondition: 'result[0] < 1', onNoData } as const
    const nan = { ...noData, message: 'no data: onNoData is Inconclusive (NaN is all there is)' }
    expect(verdictOn(metric, floats([Number.NaN, Number.NaN]), { now, whyEmpty })).toEqual(nan)
    expect(verdictOn(metric, floats([Number.NaN, 0.5]), { now })).toEqual({ phase: 'Failed' })
  })

  test.each([
    ['0', 0],
    ['false', false],
    ['an empty text', ''],
    ['infinity', Number.POSITIVE_INFINITY],
  ])('is not %s', (_, result) => {
    const metric = { successCondition: 'true', onNoData } as const
    expect(verdictOn(metric, result, { now })).toEqual({ phase: 'Successful' })
  })

  test('without onNoData is judged by the conditions', () => {
    expect(verdictOn(handled, floats([]), { now })).toEqual({ phase: 'Successful' })
    const nan = floats([Number.NaN])
    expect(verdictOn(handled, nan, { now })).toEqual({ phase: 'Failed' })
  })

  test('hides no mistake in a condition', () => {
    const mistaken = { successCondition: 'reslt[0] < 1', onNoData } as const
    expect(verdictOn(mistaken, floats([]), { now, whyEmpty })).toEqual({
      phase: 'Error',
      message: expect.stringMatching(/\(query returned no series; unknown name reslt\)$/),
    })
    expect(verdictOn(mistaken, floats([Number.NaN]), { now })).toMatchObject({ phase: 'Error' })
  })
})

test.each([
  [0.015, '0.015'],
  [1e21, '1000000000000000000000'],
  [-1.5e21, '-1500000000000000000000'],
  [1.2345e-9, '0.0000000012345'],
  [123456789.25, '123456789.25'],
  [-0, '-0'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
])('the number %d is stored as %s', (value, text) => {
  expect(formatFloat(value)).toBe(text)
})

test.each([
  [100000, '100000'],
  [123456.7, '123456.7'],
  [1e6, '1e+06'],
  [1234567.8, '1.2345678e+06'],
  [20971520, '2.097152e+07'],
  [1e21, '1e+21'],
  [-1e100, '-1e+100'],
  [0.0001, '0.0001'],
  [1e-5, '1e-05'],
  [0, '0'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, '+Inf'],
])('the number %d prints as Go prints it: %s', (value, text) => {
  expect(formatGoFloat(value)).toBe(text)
})
