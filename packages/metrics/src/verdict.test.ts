import { expect, test } from 'vitest'
import { formatFloat } from './verdict.ts'

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
