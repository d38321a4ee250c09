import { expect, test } from 'vitest'
import { formatFloat, formatGoFloat } from './verdict.ts'

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
