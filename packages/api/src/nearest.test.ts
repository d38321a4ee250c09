import { expect, test } from 'vitest'
import { nearest } from './nearest.ts'

test.each([
  ['step', ['steps', 'stableService'], 'steps'],
  [
    'on-analysis-run-faild',
    ['on-analysis-run-failed', 'on-analysis-run-error'],
    'on-analysis-run-failed',
  ],
  ['onSuccess', ['never', 'onsuccess'], 'onsuccess'],
  ['setWieght', ['setWeight', 'setCanaryScale'], 'setWeight'],
  ['Pod', ['Percent', 'Pods'], 'Pods'],
  ['banana', ['setWeight', 'pause'], undefined],
  ['x', [], undefined],
])('of %s and %j the nearest is %s', (wrong, known, meant) => {
  expect(nearest(wrong, known)).toBe(meant)
})
