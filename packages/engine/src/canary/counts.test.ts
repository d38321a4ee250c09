import { hashLabel } from '@serinus/api'
import { expect, test } from 'vitest'
import { routing, worldOf } from '../testing/stories.ts'
import { type Canary, canaryRollout, type World } from '../testing/world.ts'

interface Row {
  readonly replicas: number
  readonly weights?: readonly number[]
  readonly index?: number
  readonly options?: Partial<Canary>
  /** Weight in effect on the router. */
  readonly effective?: number
  readonly stable: number
  readonly canary?: number
  readonly abort?: boolean
  readonly promoteFull?: boolean
  readonly pin?: Record<string, unknown>
  readonly max?: number
  /** Canary and stable pods to be asked for. */
  readonly expected: readonly [number, number]
}

const dynamic = { dynamicStableScale: true }

/** Spec rollout-controller 3.6, row by row; the weight in effect stands for upstream's recorded one. */
const rows: Record<string, Row> = {
  T1: { replicas: 10, weights: [20], stable: 10, expected: [2, 10] },
  T2: { replicas: 4, weights: [25], stable: 4, expected: [1, 4] },
  T3: {
    replicas: 10,
    weights: [5],
    options: { minPodsPerReplicaSet: 2 },
    stable: 10,
    expected: [2, 10],
  },
  T4: { replicas: 10, weights: [33], stable: 10, expected: [4, 10] },
  T5: {
    replicas: 10,
    weights: [0],
    options: { minPodsPerReplicaSet: 2 },
    stable: 10,
    expected: [0, 10],
  },
  T6: { replicas: 3, weights: [1], stable: 3, expected: [1, 3] },
  T7: {
    replicas: 1,
    weights: [100],
    options: { minPodsPerReplicaSet: 2 },
    promoteFull: true,
    stable: 1,
    expected: [1, 1],
  },
  T8: { replicas: 10, weights: [90], pin: { replicas: 3 }, stable: 10, expected: [3, 10] },
  T9: { replicas: 10, weights: [90], pin: { weight: 25 }, stable: 10, expected: [3, 10] },
  T10: { replicas: 4, weights: [50], pin: { weight: 200 }, stable: 4, expected: [8, 4] },
  T11: { replicas: 10, weights: [20, 40], index: 2, stable: 10, expected: [10, 10] },
  T12: { replicas: 10, weights: [20], stable: 10, abort: true, expected: [0, 10] },
  T13: {
    replicas: 10,
    weights: [20],
    options: { abortScaleDownDelaySeconds: 0 },
    stable: 10,
    abort: true,
    expected: [0, 10],
  },
  T14: {
    replicas: 10,
    weights: [20],
    options: { abortScaleDownDelaySeconds: 0 },
    canary: 3,
    abort: true,
    stable: 10,
    expected: [3, 10],
  },
  T15: { replicas: 10, weights: [20], options: dynamic, stable: 10, expected: [2, 10] },
  T16: {
    replicas: 10,
    weights: [20],
    options: dynamic,
    effective: 20,
    canary: 2,
    stable: 10,
    expected: [2, 8],
  },
  T17: {
    replicas: 10,
    weights: [20, 60],
    index: 1,
    options: dynamic,
    effective: 20,
    canary: 2,
    stable: 10,
    expected: [6, 8],
  },
  T18: {
    replicas: 10,
    weights: [20, 60],
    index: 1,
    options: dynamic,
    effective: 60,
    canary: 6,
    stable: 10,
    expected: [6, 4],
  },
  // Upstream has 0 stable pods here; ours go once the stable Service, a way past the router, leads to the new ones.
  T19: {
    replicas: 10,
    weights: [20, 60],
    index: 2,
    options: dynamic,
    effective: 100,
    canary: 10,
    stable: 4,
    expected: [10, 4],
  },
  T20: {
    replicas: 10,
    weights: [20, 60],
    options: dynamic,
    effective: 60,
    canary: 6,
    stable: 4,
    abort: true,
    expected: [6, 8],
  },
  T21: {
    replicas: 10,
    weights: [20, 60],
    options: dynamic,
    effective: 20,
    canary: 2,
    stable: 8,
    abort: true,
    expected: [2, 10],
  },
  T22: {
    replicas: 10,
    weights: [20, 60],
    options: dynamic,
    canary: 2,
    stable: 10,
    abort: true,
    expected: [0, 10],
  },
  T23: {
    replicas: 10,
    weights: [20, 60],
    options: { ...dynamic, abortScaleDownDelaySeconds: 600 },
    effective: 20,
    canary: 6,
    stable: 8,
    abort: true,
    expected: [6, 10],
  },
  T24: {
    replicas: 10,
    weights: [50],
    pin: { replicas: 3 },
    options: dynamic,
    effective: 50,
    canary: 3,
    stable: 10,
    expected: [3, 10],
  },
  T25: {
    replicas: 10,
    weights: [50],
    pin: { weight: 20 },
    options: dynamic,
    effective: 50,
    canary: 2,
    stable: 10,
    expected: [2, 8],
  },
  T26: { replicas: 1000, weights: [7], max: 1000, stable: 1000, expected: [7, 1000] },
}

/** A world in exactly the state of a row, made by hand: the planner has not come there by itself. */
function worldAt(row: Row): World {
  const { replicas, weights = [], pin, max } = row
  const steps = [
    ...(pin ? [{ setCanaryScale: pin }] : []),
    ...weights.map((setWeight) => ({ setWeight })),
    { pause: {} },
  ]
  const canary = {
    ...routing,
    ...(max ? { trafficRouting: { ...routing.trafficRouting, maxTrafficWeight: max } } : {}),
    ...row.options,
    steps: row.index === 2 ? steps.slice(0, 2) : steps,
  }
  const world = worldOf(canaryRollout(canary, { replicas }))
  world.fails = (id) => id !== 'status'
  world.setImage('h2')
  world.fails = () => false
  const [h1] = world.replicaSets
  if (!h1) throw new Error('no stable ReplicaSet')
  const template = {
    ...h1.spec.template,
    spec: { containers: [{ name: 'app', image: 'h2' }] },
  }
  const set = (base: typeof h1, name: string, pods: number) => ({
    ...base,
    metadata: { ...base.metadata, name },
    spec: { ...base.spec, replicas: pods },
    status: { replicas: pods, readyReplicas: pods, availableReplicas: pods, observedGeneration: 9 },
  })
  const h2 = {
    ...h1,
    metadata: { ...h1.metadata, labels: { ...h1.metadata.labels, [hashLabel]: 'h2' } },
    spec: { ...h1.spec, template },
  }
  world.replicaSets = [set(h1, h1.metadata.name, row.stable), set(h2, 'app-h2', row.canary ?? 0)]
  world.services = world.services.map((service) =>
    // After an abort it leads to the canary only as long as some weight does.
    service.metadata.name === 'canary' && row.canary && (row.effective || !row.abort)
      ? { ...service, spec: { ...service.spec, selector: { app: 'app', [hashLabel]: 'h2' } } }
      : service,
  )
  world.weight = row.effective ?? 0
  world.rollout = {
    ...world.rollout,
    status: {
      ...world.status,
      currentPodHash: 'h2',
      currentStepIndex: (row.index ?? 0) + (pin ? 1 : 0),
      ...(row.abort ? { abort: true, abortedAt: '2026-01-01T00:00:00Z' } : {}),
      ...(row.promoteFull ? { promoteFull: true } : {}),
    },
  }
  return world
}

test.each(Object.entries(rows))('the counts of row %s with traffic routing', (_, row) => {
  const world = worldAt(row)
  world.planOnce()
  expect([world.size('h2'), world.size('h1')]).toEqual(row.expected)
})
