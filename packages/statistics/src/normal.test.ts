import { expect, test } from 'vitest'
import { normalProbability, normalQuantile } from './normal.ts'

test.each([
  [0.5, 0],
  [0.975, 1.959963984540054],
  [0.99, 2.3263478740408408],
  [0.9995, 3.2905267314919255],
  [1e-6, -4.753424308822899],
])('the standard normal variable stays below with probability %d: %d', (probability, x) => {
  expect(normalQuantile(probability)).toBeCloseTo(x, 7)
  expect(normalProbability(x)).toBeCloseTo(probability, 12)
})
