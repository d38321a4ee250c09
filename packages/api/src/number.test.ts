import { expect, test } from 'vitest'
import { parseNumber } from './number.ts'

test.each([
  [0.01, 0.01],
  ['0.01', 0.01],
  ['1%', 0.01],
  ['0.1%', 0.001],
  [' 1.5 ', 1.5],
  ['1e-3', 0.001],
  ['1e1%', 0.1],
  ['-2', -2],
  ['', undefined],
  ['one', undefined],
  ['1%%', undefined],
  ['{{args.bound}}', undefined],
  [Number.NaN, undefined],
])('%j is read as %j', (text, value) => {
  expect(parseNumber(text)).toBe(value)
})
