import type { Rollout } from '@serinus/api'
import { expect, test } from 'vitest'
import type { RolloutPlan } from '../plan.ts'
import { planRollout } from '../plan-rollout.ts'
import type { ReferencedWorkload, RolloutSnapshot, Workload } from '../snapshot.ts'
import { canaryRollout, World } from '../testing/world.ts'

type Ref = NonNullable<Rollout['spec']['workloadRef']>

const labels = { app: 'app' }

function deployment(replicas: number, from?: number): Workload {
  const notes =
    from === undefined
      ? {}
      : {
          'serinus.dev/scaled-down-by': 'app',
          'serinus.dev/scaled-down-from': String(from),
        }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app', namespace: 'default', annotations: notes },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'h1' }] } },
    },
  }
}

const found = (object: Workload): ReferencedWorkload => ({
  kind: 'found',
  object,
  generation: '4',
})

/** A Rollout of that size, of whose pods so many are available. */
function snapshotOf(facts: {
  readonly scaleDown: Ref['scaleDown']
  readonly replicas: number
  readonly available: number
  readonly object: Workload
}): { readonly snapshot: RolloutSnapshot; readonly now: number } {
  const { scaleDown, replicas, available, object } = facts
  const world = new World(canaryRollout({}, { replicas }))
  world.mostReady.set('h1', available)
  world.pass(60_000)
  const { template: _t, selector: _s, ...spec } = world.rollout.spec
  const workloadRef = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: 'app',
    ...(scaleDown ? { scaleDown } : {}),
  } as const
  const rollout = { ...world.rollout, spec: { ...spec, workloadRef } } as Rollout
  return {
    snapshot: { ...world.snapshot(), rollout, workload: found(object) },
    now: world.now,
  }
}

function sizeWritten({ writes }: RolloutPlan): unknown {
  const write = writes.find(({ id }) => id === 'workload/app')
  return write?.kind === 'patch' ? write.patch.body : undefined
}

const to = (replicas: number, from: number) => ({
  metadata: {
    annotations: {
      'serinus.dev/scaled-down-by': 'app',
      'serinus.dev/scaled-down-from': String(from),
    },
  },
  spec: { replicas },
})

test.each([
  ['keeps as many pods as the Rollout lacks', 'progressively', 5, 3, deployment(5), to(2, 5)],
  ['gives way completely to a healthy Rollout', 'progressively', 5, 5, deployment(2, 5), to(0, 5)],
  ['gets pods back that the Rollout lost', 'progressively', 5, 1, deployment(2, 5), to(4, 5)],
  ['never gets more than it had', 'progressively', 9, 1, deployment(2, 5), to(5, 5)],
  ['stays at 0 once it has given way', 'progressively', 5, 3, deployment(0, 5), undefined],
  ['waits for a healthy Rollout', 'onsuccess', 5, 4, deployment(5), undefined],
  ['gives way to a healthy Rollout', 'onsuccess', 5, 5, deployment(5), to(0, 5)],
  ['stays where it shall never be scaled', 'never', 5, 5, deployment(5), undefined],
  ['stays where nothing is said', undefined, 5, 5, deployment(5), undefined],
  ['stays beside a Rollout of no pods', 'onsuccess', 0, 0, deployment(5), undefined],
] as const)(
  'a Deployment %s [rollout-controller 55]',
  (_, scaleDown, replicas, available, object, expected) => {
    const { snapshot, now } = snapshotOf({ scaleDown, replicas, available, object })
    expect(sizeWritten(planRollout(snapshot, now))).toEqual(expected)
  },
)

test('no write of the Rollout contains what was taken from its workload', () => {
  const world = new World(canaryRollout({}, { replicas: 5 }))
  const { template: _t, selector: _s, ...spec } = world.rollout.spec
  const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' }
  const rollout = { ...world.rollout, spec: { ...spec, workloadRef }, status: {} } as Rollout
  const { writes } = planRollout(
    { ...world.snapshot(), rollout, replicaSets: [], workload: found(deployment(5)) },
    world.now,
  )
  const own = writes.filter(({ resource }) => resource.plural === 'rollouts')
  expect(own.map(({ id }) => id)).toEqual(['revision', 'status'])
  expect(JSON.stringify(own)).not.toMatch(/containers|matchLabels/)
  expect(JSON.stringify(own)).toContain('"rollout.argoproj.io/workload-generation":"4"')
  expect(JSON.stringify(own)).toContain('"workloadObservedGeneration":"4"')
  expect(writes.find(({ kind }) => kind === 'create')).toMatchObject({
    object: { spec: { template: { spec: { containers: [{ image: 'h1' }] } } } },
  })
})

test('a Rollout of fewer pods than the Deployment that gives way to it is warned of', () => {
  const { snapshot, now } = snapshotOf({
    scaleDown: 'onsuccess',
    replicas: 2,
    available: 2,
    object: deployment(20),
  })
  expect(planRollout(snapshot, now).warnings).toMatchObject([
    { reason: 'WorkloadLarger', path: 'spec.workloadRef.scaleDown' },
  ])
})
