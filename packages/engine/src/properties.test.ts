import { hashLabel, type Rollout } from '@serinus/api'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { planRollout } from './plan-rollout.ts'
import type { ReplicaSet, RolloutSnapshot } from './snapshot.ts'
import { type Deed, doDeed, stories, worldOf } from './testing/stories.ts'
import type { Pass, World } from './testing/world.ts'

const runs = { seed: 20260101, numRuns: 200 }

/** Every pass of a story, and every rest between its deeds. */
function tell(
  story: { readonly rollout: Rollout; readonly deeds: readonly Deed[] },
  law: {
    readonly pass?: (seen: Pass) => void
    readonly rest?: (world: World) => void
  },
): World {
  const world = worldOf(story.rollout, law.pass)
  law.rest?.(world)
  for (const deed of story.deeds) {
    doDeed(world, deed)
    law.rest?.(world)
  }
  return world
}

/** `spec.replicas` by name that a plan leaves behind. */
function sizesAfter({ snapshot, plan }: Pick<Pass, 'snapshot' | 'plan'>): Map<string, number> {
  const sizes = new Map(
    snapshot.replicaSets.map((set) => [set.metadata.name, set.spec.replicas ?? 1]),
  )
  for (const write of plan.writes) {
    if (write.resource.plural !== 'replicasets') continue
    if (write.kind === 'create') {
      sizes.set(write.object.metadata.name, (write.object as ReplicaSet).spec.replicas ?? 1)
    }
    if (write.kind !== 'patch') continue
    const body = write.patch.body as { spec?: { replicas?: number } }
    if (body.spec?.replicas !== undefined) sizes.set(write.key.name, body.spec.replicas)
  }
  return sizes
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const field of Object.values(value)) frozen(field)
  return Object.freeze(value)
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, one) => total + one, 0)

test('every story comes to rest after each deed', () => {
  fc.assert(
    fc.property(stories('any'), (story) => {
      tell(story, {})
    }),
    runs,
  )
})

test('whoever stands still is healthy, degraded or says what is waited for', () => {
  fc.assert(
    fc.property(stories('any'), (story) => {
      tell(story, {
        rest: (world) => {
          const last = world.plans.at(-1)
          if (['Healthy', 'Degraded'].includes(world.status.phase ?? '')) return
          expect(last?.waits, `${world.status.phase}: ${world.status.message}`).not.toEqual([])
        },
      })
    }),
    runs,
  )
})

test('weights stay between nothing and everything and always add up', () => {
  fc.assert(
    fc.property(stories('routed'), (story) => {
      const max = story.rollout.spec.strategy?.canary?.trafficRouting?.maxTrafficWeight ?? 100
      tell(story, {
        pass: ({ plan }) => {
          if (!plan.routes) return
          expect(plan.routes.max).toBe(max)
          expect(Number.isInteger(plan.routes.weight)).toBe(true)
          expect(plan.routes.weight).toBeGreaterThanOrEqual(0)
          expect(plan.routes.weight).toBeLessThanOrEqual(max)
        },
        rest: (world) => {
          const weights = world.status.canary?.weights
          if (weights) expect(sum([weights.canary.weight, weights.stable.weight])).toBe(max)
        },
      })
    }),
    runs,
  )
})

test('an aborted canary never grows, in pods or in traffic', () => {
  fc.assert(
    fc.property(stories('any'), (story) => {
      tell(story, {
        pass: ({ snapshot, plan }) => {
          const { status } = snapshot.rollout
          if (!status?.abort || !status.abortedAt || !status.currentPodHash) return
          if (status.stableRS === status.currentPodHash) return
          const isReset = plan.routes !== null && plan.routes.canary.hash !== status.currentPodHash
          if (isReset || !stillAborted(plan)) return
          const after = sizesAfter({ snapshot, plan })
          for (const set of snapshot.replicaSets) {
            if (set.metadata.labels?.[hashLabel] !== status.currentPodHash) continue
            expect(after.get(set.metadata.name)).toBeLessThanOrEqual(set.spec.replicas ?? 1)
          }
          const weight = snapshot.routers[0]?.weight
          if (plan.routes && weight != null) expect(plan.routes.weight).toBeLessThanOrEqual(weight)
        },
      })
    }),
    runs,
  )
})

/** Whether the plan leaves the abort as it is. */
function stillAborted(plan: Pass['plan']): boolean {
  return !plan.writes.some(
    (write) =>
      write.id === 'status' &&
      write.kind === 'patch' &&
      (write.patch.body as { status: { abort?: unknown } }).status.abort === null,
  )
}

test('the same snapshot gives the same plan, is left untouched and survives JSON', () => {
  fc.assert(
    fc.property(stories('any'), (story) => {
      tell(story, {
        pass: ({ snapshot, now, plan }) => {
          const copy = frozen(JSON.parse(JSON.stringify(snapshot)) as RolloutSnapshot)
          const again = planRollout(copy, now)
          expect(JSON.stringify(again)).toBe(JSON.stringify(plan))
          expect(JSON.parse(JSON.stringify(again))).toEqual(again)
        },
      })
    }),
    runs,
  )
})
