import { expect, test } from 'vitest'
import quantities from './fixtures/quantities.json' with { type: 'json' }
import {
  addQuantities,
  canonicalQuantity,
  parseQuantity,
  quantityProblem,
  quantityToNumber,
} from './quantity.ts'

test.each([
  ['1000m', '1'],
  ['0.5', '500m'],
  ['1024Mi', '1Gi'],
  ['1.5Gi', '1536Mi'],
])('a cluster stores %s as %s', (written, stored) => {
  expect(canonicalQuantity(written)).toBe(stored)
})

test.each(Object.entries(quantities))('Go reads and prints %j the same way', (written, stored) => {
  expect(canonicalQuantity(written) ?? null).toBe(stored)
})

test('an amount becomes a plain number', () => {
  expect(quantityToNumber('250m')).toBe(0.25)
  expect(quantityToNumber('1.5Gi')).toBe(1.5 * 1024 ** 3)
  expect(quantityToNumber('-2k')).toBe(-2000)
  expect(quantityToNumber('1e3')).toBe(1000)
  expect(quantityToNumber('1KiB')).toBeUndefined()
})

test('anything finer than a billionth is rounded up to it', () => {
  expect(parseQuantity('0.0000000001')?.nanos).toBe(1n)
  expect(parseQuantity('-0.1n')?.nanos).toBe(-1n)
})

test('an absurd exponent costs no memory', () => {
  expect(parseQuantity('1e1001')).toBeUndefined()
  expect(parseQuantity('1e999999999')).toBeUndefined()
  expect(parseQuantity('1e-999999999')?.nanos).toBe(1n)
})

test('a sum keeps the format of its first part', () => {
  const sum = (a: string, b: string) => {
    const [x, y] = [parseQuantity(a), parseQuantity(b)]
    return x && y && addQuantities(x, y).canonical
  }
  expect(sum('512Mi', '512Mi')).toBe('1Gi')
  expect(sum('1Gi', '1')).toBe('1073741825')
  expect(sum('250m', '0.75')).toBe('1')
  expect(sum('0', '64Mi')).toBe('64Mi')
  expect(sum('64Mi', '0')).toBe('64Mi')
})

test('a bad quantity is told in the words of a server', () => {
  expect(quantityProblem('1x')).toBe(
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  )
  expect(quantityProblem('1mm')).toBe("unable to parse quantity's suffix")
  expect(quantityProblem('1m')).toBeUndefined()
})
