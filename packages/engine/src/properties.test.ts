import {
  type AnalysisRun,
  defaults,
  finalPhases,
  hashLabel,
  type Rollout,
  resolveFenceposts,
} from '@serinus/api'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { planRollout } from './plan-rollout.ts'
import type { RolloutSnapshot } from './snapshot.ts'
import { doDeed, type Story, stories } from './testing/stories.ts'
import { effects, hindered, sizesAfter, sizesBefore, tell } from './testing/telling.ts'
import type { Pass, World } from './testing/world.ts'

vi.setConfig({ testTimeout: 30_000 })

const runs = { seed: 20260101, numRuns: 120 }

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const field of Object.values(value)) frozen(field)
  return Object.freeze(value)
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, one) => total + one, 0)

test('every story comes to rest after each deed, whatever fails', () => {
  fc.assert(
    fc.property(
      stories('any'),
      fc.constantFrom('nothing', 'status', ...effects),
      (story, effect) => {
        hindered(story, effect)
      },
    ),
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
    fc.property(stories('canary'), (story) => {
      tell(story, {
        pass: ({ snapshot, plan }) => {
          const { status } = snapshot.rollout
          if (!isAborted({ snapshot, plan }) || status?.stableRS === status?.currentPodHash) return
          const after = sizesAfter({ snapshot, plan })
          for (const set of snapshot.replicaSets) {
            if (set.metadata.labels?.[hashLabel] !== status?.currentPodHash) continue
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

/** Whether the update stands aborted once the plan is applied. */
function isAborted({ snapshot, plan }: Pick<Pass, 'snapshot' | 'plan'>): boolean {
  const write = plan.writes.find(({ id }) => id === 'status')
  const body = write?.kind === 'patch' ? write.patch.body : {}
  const { abort } = (body as { status?: { abort?: boolean | null } }).status ?? {}
  return (abort === undefined ? snapshot.rollout.status?.abort : abort) === true
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

test('without routing a plan never has more pods than allowed, nor takes away pods that are needed', () => {
  fc.assert(
    fc.property(stories('basic'), (story) => {
      tell(story, {
        pass: (seen) => {
          const { snapshot } = seen
          const { surge, unavailable, replicas } = limitsOf(snapshot.rollout)
          const before = snapshot.replicaSets.map((set) => set.spec.replicas ?? 1)
          const after = sizesAfter(seen)
          const most = Math.max(sum(before), replicas + surge)
          expect(sum(after.values())).toBeLessThanOrEqual(most)
          const available = (sizes: (name: string) => number | undefined) =>
            sum(
              snapshot.replicaSets.map((set) =>
                Math.min(set.status?.availableReplicas ?? 0, sizes(set.metadata.name) ?? 0),
              ),
            )
          const were = available((name) => sizesBefore(snapshot).get(name))
          const are = available((name) => after.get(name))
          expect(are).toBeGreaterThanOrEqual(Math.min(were, replicas - unavailable))
        },
      })
    }),
    runs,
  )
})

function limitsOf(rollout: Rollout): { surge: number; unavailable: number; replicas: number } {
  const { maxSurge, maxUnavailable } = rollout.spec.strategy?.canary ?? {}
  const replicas = defaults.replicas(rollout)
  return { replicas, ...resolveFenceposts({ maxSurge, maxUnavailable, replicas }) }
}

test('an effect that fails for ever keeps no progress deadline from being decided', () => {
  fc.assert(
    fc.property(stories('any'), fc.constantFrom(...effects), (story, effect) => {
      const world = hindered(story, effect)
      doDeed(world, { kind: 'resume' })
      world.pass(3 * 3_600_000)
      const { status } = world
      const step = world.rollout.spec.strategy?.canary?.steps?.[status.currentStepIndex ?? 0]
      if (status.stableRS === status.currentPodHash || step?.analysis) return
      if (world.analysisRuns.some((run) => isAsked(world, run))) return
      expect(['Paused', 'Degraded']).toContain(status.phase)
      if (world.condition('Progressing')?.reason !== 'ProgressDeadlineExceeded') return
      expect(status.message).toMatch(/^ProgressDeadlineExceeded: /)
    }),
    runs,
  )
})

/** Whether a blue-green update waits for that run, which has limits of its own. */
function isAsked({ status }: World, run: AnalysisRun): boolean {
  const { prePromotionAnalysisRunStatus: pre, postPromotionAnalysisRunStatus: post } =
    status.blueGreen ?? {}
  return [pre, post].some((one) => one !== undefined && isOpen(run, one.name))
}

test('an effect that fails for ever keeps no verdict from being decided', () => {
  let decided = 0
  fc.assert(
    fc.property(stories('canary'), fc.constantFrom(...effects), (story, effect) => {
      const world = hindered(watched(story), effect)
      const { canary, promoteFull } = world.status
      const name = canary?.currentBackgroundAnalysisRunStatus?.name
      if (!name || promoteFull || !world.analysisRuns.some((run) => isOpen(run, name))) return
      world.analysisRuns = world.analysisRuns.map((run) =>
        isOpen(run, name)
          ? ({ ...run, status: { phase: 'Failed', message: 'no' } } as typeof run)
          : run,
      )
      world.settle()
      expect(world.status.message).toMatch(
        /^RolloutAborted: .*: Background analysis phase error\/failed: no$/,
      )
      decided++
    }),
    runs,
  )
  expect(decided).toBeGreaterThan(20)
})

/** The story with an analysis in the background from the first step to the last. */
function watched({ rollout, deeds }: Story): Story {
  const analysis = { templates: [{ templateName: 'watch' }] }
  const strategy = { canary: { ...rollout.spec.strategy?.canary, analysis } }
  return { deeds, rollout: { ...rollout, spec: { ...rollout.spec, strategy } } as Rollout }
}

function isOpen(run: AnalysisRun, name: string): boolean {
  return run.metadata.name === name && !finalPhases.has(run.status?.phase ?? '')
}

test('whatever happened and failed, mended pods and a full promotion end it well', () => {
  fc.assert(
    fc.property(stories('any'), fc.constantFrom(...effects), (story, effect) => {
      const world = hindered(story, effect)
      world.fails = () => false
      world.broken.clear()
      doDeed(world, { kind: 'resume' })
      doDeed(world, { kind: 'retry' })
      doDeed(world, { kind: 'promote-full' })
      world.pass(3_600_000)
      expect([world.status.phase, world.status.message]).toEqual(['Healthy', undefined])
      expect(world.status.stableRS).toBe(world.status.currentPodHash)
    }),
    runs,
  )
})
