import { defaults, type Rollout, resolveFenceposts } from '@serinus/api'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import type { RolloutPlan } from './plan.ts'
import type { ReplicaSet } from './snapshot.ts'
import { doDeed, type Story, stories, worldOf } from './testing/stories.ts'
import type { World } from './testing/world.ts'

vi.setConfig({ testTimeout: 600_000 })

/** How slowly the world follows, and when this process dies. */
interface Weather {
  readonly endpointLagMs: number
  readonly routerLagMs: number
  readonly routerVerifies: boolean
  /** Dies after every effect whose number is divisible by it; 0: never. */
  readonly diesEvery: number
}

const routerSettleMs = 10_000
const weather: fc.Arbitrary<Weather> = fc
  .record({
    endpointLagMs: fc.constantFrom(0, 0, 1_000, 20_000, 120_000),
    routerLagMs: fc.constantFrom(0, 0, 1_000, 9_000, 120_000),
    diesEvery: fc.constantFrom(0, 0, 3, 7),
    routerVerifies: fc.boolean(),
  })
  // A router that cannot tell when it is done is trusted to be within the time that it is given.
  .map((one) => ({
    ...one,
    routerVerifies: one.routerVerifies || one.routerLagMs > routerSettleMs,
  }))

/** The world of a story in that weather, with a look at every instant at which something happened. */
function live(
  story: Story,
  facts: Weather,
  look: (world: World, plan: RolloutPlan) => void,
): World {
  const world = worldOf(story.rollout)
  world.options = { ...world.options, routerSettleMs }
  world.endpointLagMs = facts.endpointLagMs
  world.routerLagMs = facts.routerLagMs
  world.routerVerifies = facts.routerVerifies
  if (facts.diesEvery > 0) world.diesAfter = (effect) => effect % facts.diesEvery === 0
  let busy = { state: '', plans: 0 }
  world.observe = ({ now, plan }) => {
    const state = `${now} ${positionOf(world)}`
    const isWriting = plan.writes.length > 0
    busy = { state, plans: (busy.state === state ? busy.plans : 0) + (isWriting ? 1 : 0) }
    // A process that dies repeats what was lost with it.
    if (facts.diesEvery === 0) expect(busy.plans, `plans at ${state}`).toBeLessThanOrEqual(5)
    look(world, plan)
  }
  for (const deed of story.deeds) {
    busy = { state: '', plans: 0 }
    doDeed(world, deed)
  }
  return world
}

function positionOf({ status }: World): string {
  const { currentStepIndex, currentPodHash, stableRS, abort } = status
  return [currentStepIndex, currentPodHash, stableRS, abort].join()
}

/** The share of all requests that each Service gets, at most. */
function sharesOf({ rollout, weightInEffect }: World): Record<string, number> {
  const { canary, blueGreen } = rollout.spec.strategy ?? {}
  if (blueGreen) return { [blueGreen.activeService ?? '']: 1 }
  // Whoever uses the Services of a canary without routing finds somebody behind each, however few.
  if (!canary?.trafficRouting) return { stable: 0.001, canary: 0.001 }
  const max = canary.trafficRouting.maxTrafficWeight ?? 100
  const weight = weightInEffect ?? 0
  return { stable: (max - weight) / max, canary: weight / max }
}

function unavailableOf(rollout: Rollout): number {
  const { maxSurge, maxUnavailable } = rollout.spec.strategy?.canary ?? {}
  const replicas = defaults.replicas(rollout)
  return resolveFenceposts({ maxSurge, maxUnavailable, replicas }).unavailable
}

/** Without replicas there is nothing to lose. */
function withPods({ rollout, deeds }: Story): Story {
  const replicas = Math.max(1, rollout.spec.replicas ?? 1)
  return {
    rollout: { ...rollout, spec: { ...rollout.spec, replicas } } as Rollout,
    deeds: deeds.map((deed) =>
      deed.kind === 'replicas' ? { ...deed, replicas: Math.max(1, deed.replicas) } : deed,
    ),
  }
}

function withServices({ rollout, deeds }: Story): Story {
  const canary = {
    ...rollout.spec.strategy?.canary,
    stableService: 'stable',
    canaryService: 'canary',
  }
  const spec = { ...rollout.spec, strategy: { canary } }
  return { rollout: { ...rollout, spec } as Rollout, deeds }
}

const lives = fc
  .oneof(stories('routed'), stories('basic').map(withServices), stories('blue-green'))
  .map(withPods)

/** The size that a plan takes a ReplicaSet down to; null: it does not. */
function shrunkTo({ metadata, spec }: ReplicaSet, plan: RolloutPlan): number | null {
  const write = plan.writes.find(({ id }) => id === `scale/${metadata.name}`)
  const body = write?.kind === 'patch' ? (write.patch.body as Partial<ReplicaSet>) : {}
  const to = body.spec?.replicas
  return to !== undefined && to < (spec.replicas ?? 1) ? to : null
}

/** Who gets more requests has pods that answer, unless nobody has any. Returns 1 where a plan moves requests. */
function checkMove(world: World, plan: RolloutPlan): number {
  const weight = plan.routes?.weight ?? null
  if (weight === null || world.weight === null || weight === world.weight) return 0
  const answers = (service: string) => {
    const images = world.imagesBehind(service)
    const ready = images.filter((image) => world.setOf(image).status?.availableReplicas)
    return images.length > 0 && ready.length === images.length
  }
  const [more, less] = weight > world.weight ? ['canary', 'stable'] : ['stable', 'canary']
  if (answers(less)) {
    expect(answers(more), `${more} for a weight from ${world.weight} to ${weight}`).toBe(true)
  }
  return 1
}

const usesPins = ({ rollout, deeds }: Story) =>
  JSON.stringify([rollout.spec.strategy, deeds]).includes('setCanaryScale')

test('requests lost because of Serinus: 0 in 10,000 lives of a Rollout, whatever lags, fails, restarts or is asked for', () => {
  let looks = 0
  let moved = 0
  fc.assert(
    fc.property(lives, weather, (story, facts) => {
      const isPinned = usesPins(story)
      live(story, facts, (world, plan) => {
        looks++
        moved += checkMove(world, plan)
        const replicas = defaults.replicas(world.rollout)
        for (const [service, share] of Object.entries(sharesOf(world))) {
          if (share === 0) continue
          const images = world.imagesBehind(service)
          for (const image of images) {
            const what = `${image} behind ${service} with ${share}`
            const set = world.setOf(image)
            const to = shrunkTo(set, plan)
            // Pods that have failed by themselves answer nobody.
            if (to === null || !set.status?.availableReplicas) continue
            const isWhole = images.length === 1 && !isPinned
            const needed = Math.floor(share * replicas) - unavailableOf(world.rollout)
            expect(to, what).toBeGreaterThanOrEqual(isWhole ? Math.max(1, needed) : 1)
          }
        }
      })
    }),
    { seed: 20260101, numRuns: 10_000 },
  )
  expect(looks).toBeGreaterThan(10_000)
  expect(moved).toBeGreaterThan(1_000)
})
