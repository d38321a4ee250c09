import { expect, test } from 'vitest'
import { countsForPass, idealSplit } from './replica-counts.ts'

/** R, weight, surge, canary, stable: spec rollout-controller 3.3. */
const splits = [
  [1, 1, 1, 1, 1],
  [3, 33, 1, 1, 2],
  [10, 19, 1, 2, 9],
  [1, 49, 0, 0, 1],
  [3, 49, 1, 2, 2],
  [10, 23, 1, 2, 8],
  [1, 50, 0, 1, 0],
  [3, 50, 0, 2, 1],
  [10, 24, 1, 3, 8],
  [2, 50, 1, 1, 1],
  [5, 50, 2, 3, 3],
  [10, 99, 0, 9, 1],
  [2, 99, 1, 2, 1],
  [5, 50, 0, 3, 2],
  [10, 99, 1, 10, 1],
  [4, 10, 1, 1, 4],
  [10, 14, 0, 1, 9],
  [10, 15, 0, 2, 8],
] as const

test.each(splits)(
  '%i replicas at weight %i with surge %i split into %i canary and %i stable',
  (replicas, weight, surge, canary, stable) => {
    expect(idealSplit({ replicas, weight, max: 100, surge })).toEqual({ canary, stable })
  },
)

/** Row, R, weight, surge, unavailable, S, Sa, N, Na, O, new, stable: spec rollout-controller 3.5 (resolved limits). */
const rows = [
  [1, 5, 20, 2, 1, 5, 5, 0, 0, 0, 1, 4],
  [2, 5, 20, 2, 1, 4, 4, 0, 0, 0, 1, 4],
  [3, 5, 60, 2, 1, 4, 4, 1, 1, 0, 3, 3],
  [4, 5, 60, 2, 1, 3, 3, 3, 0, 0, 3, 3],
  [5, 5, 60, 2, 1, 3, 3, 3, 3, 0, 3, 2],
  [6, 5, 100, 2, 1, 2, 2, 3, 3, 0, 5, 1],
  [7, 10, 10, 1, 0, 10, 10, 0, 0, 0, 1, 10],
  [8, 10, 10, 1, 0, 10, 10, 1, 1, 0, 1, 9],
  [9, 10, 30, 0, 5, 10, 10, 0, 0, 0, 0, 7],
  [10, 10, 30, 3, 0, 10, 10, 0, 0, 0, 3, 10],
  [11, 10, 41, 0, 1, 10, 10, 0, 0, 0, 0, 9],
  [12, 10, 41, 0, 1, 9, 9, 1, 1, 0, 1, 8],
  [13, 10, 5, 1, 1, 10, 10, 0, 0, 0, 1, 10],
  [14, 10, 5, 0, 1, 10, 10, 0, 0, 0, 0, 9],
  [15, 10, 5, 0, 1, 9, 9, 0, 0, 0, 1, 9],
  [16, 1, 5, 1, 0, 1, 1, 0, 0, 0, 1, 1],
  [17, 1, 95, 1, 0, 1, 1, 0, 0, 0, 1, 1],
  [18, 1, 49, 0, 1, 1, 1, 0, 0, 0, 0, 1],
  [19, 1, 50, 0, 1, 1, 1, 0, 0, 0, 0, 0],
  [20, 1, 50, 0, 1, 0, 0, 0, 0, 0, 1, 0],
  [21, 1, 20, 1, 0, 1, 1, 0, 0, 0, 1, 1],
  [22, 2, 1, 1, 0, 2, 2, 0, 0, 0, 1, 2],
  [23, 3, 50, 0, 1, 3, 3, 0, 0, 0, 0, 2],
  [24, 3, 50, 1, 0, 3, 3, 2, 2, 0, 2, 2],
  [25, 10, 100, 1, 1, 1, 1, 10, 10, 0, 10, 0],
  [26, 10, 0, 1, 1, 10, 10, 1, 1, 0, 0, 10],
  [27, 4, 100, 1, 0, 4, 1, 0, 0, 0, 1, 4],
  [28, 4, 100, 1, 0, 4, 1, 1, 1, 0, 1, 3],
  [29, 4, 0, 1, 0, 0, 0, 4, 4, 0, 4, 1],
  [30, 4, 0, 1, 0, 1, 1, 4, 4, 0, 3, 1],
  [31, 5, 0, 2, 1, 2, 2, 3, 3, 0, 2, 4],
  [32, 4, 100, 3, 0, 4, 4, 0, 0, 0, 3, 4],
  [33, 4, 100, 4, 4, 4, 4, 0, 0, 0, 4, 0],
  [34, 10, 30, 1, 0, 1, 1, 0, 0, 3, 1, 7],
  [35, 10, 30, 0, 1, 8, 6, 4, 2, 3, 4, 8],
  [36, 10, 100, 1, 0, 10, 2, 10, 8, 0, 9, 2],
  [37, 10, 30, 0, 3, 8, 5, 4, 4, 0, 3, 7],
  [38, 10, 10, 0, 1, 10, 10, 0, 0, 0, 0, 9],
  [40, 10, 20, 1, 0, 10, 10, 0, 0, 0, 1, 10],
  [41, 0, 20, 0, 0, 3, 3, 1, 1, 0, 0, 0],
] as const

test.each(rows)(
  'row %i of the replica-count table: %i replicas, weight %i',
  (_row, replicas, weight, surge, unavailable, s, sa, n, na, othersSpec, canary, stable) => {
    expect(
      countsForPass({
        replicas,
        weight,
        max: 100,
        surge,
        unavailable,
        stable: { spec: s, available: sa },
        canary: { spec: n, available: na },
        othersSpec,
      }),
    ).toEqual({ canary, stable })
  },
)

test('row 39 of the replica-count table: without a stable ReplicaSet the new one gets all replicas', () => {
  expect(
    countsForPass({
      replicas: 10,
      weight: 20,
      max: 100,
      surge: 3,
      unavailable: 2,
      stable: null,
      canary: { spec: 6, available: 6 },
      othersSpec: 0,
    }).canary,
  ).toBe(10)
})
