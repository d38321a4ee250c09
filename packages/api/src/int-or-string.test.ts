import { expect, test } from 'vitest'
import { intOrStringCount, resolveFenceposts, resolveUnavailable } from './int-or-string.ts'
import { canaryApp } from './test-rollout.ts'
import { lintRollout } from './warnings.ts'

test('10 replicas without limits surge by 3 and may lack 2; "3" means 3% and a warning says so [api 2]', () => {
  const of = (maxSurge?: string) =>
    resolveFenceposts({ maxSurge, maxUnavailable: undefined, replicas: 10 })
  expect(of()).toEqual({ surge: 3, unavailable: 2 })
  expect(of('3').surge).toBe(1)
  expect(lintRollout(canaryApp({ maxSurge: '3' }))).toEqual([
    {
      reason: 'PercentWithoutSign',
      path: 'spec.strategy.canary.maxSurge',
      message: expect.stringContaining('3%'),
    },
  ])
})

test.each([
  [1, undefined, undefined, 1, 0],
  [3, 0, '25%', 0, 1],
  [10, 0, 0, 0, 1],
  [10, 'abc', 5, 0, 0],
  [4, 2, 9, 2, 4],
  [0, undefined, undefined, 0, 0],
])(
  '%d replicas with maxSurge %s and maxUnavailable %s surge by %d and may lack %d',
  (replicas, maxSurge, maxUnavailable, surge, unavailable) => {
    expect(resolveFenceposts({ maxSurge, maxUnavailable, replicas })).toEqual({
      surge,
      unavailable,
    })
  },
)

test('a restart may take at least one pod away', () => {
  expect(resolveUnavailable('25%', 2)).toBe(1)
})

test('a limit that is no number counts as 0', () => {
  expect(['3', '10%', 4, undefined].map((value) => intOrStringCount(value))).toEqual([
    3,
    0,
    4,
    undefined,
  ])
})
