import { hashLabel, type Rollout } from '@serinus/api'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { asksAfter, asksBefore, blueGreenRollout } from './testing/blue-green.ts'
import { type Deed, doDeed, routing, stories, worldOf } from './testing/stories.ts'
import { canaryRollout, type World } from './testing/world.ts'

vi.setConfig({ testTimeout: 30_000 })

const check = { analysis: { templates: [{ templateName: 'check' }] } }
const steps = [{ setWeight: 40 }, check, { pause: {} }, { setWeight: 80 }]
const rollouts: Record<string, Rollout> = {
  'without traffic routing': canaryRollout({ steps }, { replicas: 5 }),
  'with traffic routing': canaryRollout({ steps, ...routing }, { replicas: 5 }),
  'blue-green': blueGreenRollout({
    ...asksBefore,
    ...asksAfter,
    autoPromotionEnabled: false,
    previewReplicaCount: 2,
  }),
}

const minutes = (count: number): Deed => ({ kind: 'pass', ms: count * 60_000 })

/** A release that a failed analysis aborts, that is retried, found good, promoted by hand and done. */
const deeds: readonly Deed[] = [
  { kind: 'set-image', image: 'h2' },
  minutes(1),
  { kind: 'verdict', phase: 'Failed' },
  minutes(2),
  { kind: 'retry' },
  minutes(1),
  { kind: 'verdict', phase: 'Successful' },
  minutes(1),
  { kind: 'promote' },
  minutes(1),
  // Of blue-green, which asks again after the switch.
  { kind: 'verdict', phase: 'Successful' },
  minutes(5),
]

function play(rollout: Rollout, diesAfter: (effect: number) => boolean): World {
  const world = worldOf(rollout)
  const before = world.effects
  world.diesAfter = (effect) => diesAfter(effect - before)
  for (const deed of deeds) doDeed(world, deed)
  return world
}

/** What users can see of a world, without the instants at which it came about. */
function endOf(world: World): unknown {
  const { status } = world
  return {
    phase: [status.phase, status.message],
    step: status.currentStepIndex,
    versions: [status.stableRS, status.currentPodHash],
    abort: status.abort,
    pauses: status.pauseConditions?.map((pause) => pause.reason),
    weights: status.canary?.weights,
    blueGreen: status.blueGreen,
    conditions: status.conditions?.map(({ type, status: state }) => `${type} ${state}`).sort(),
    sizes: world.replicaSets.map((set) => [
      set.metadata.name,
      set.spec.replicas,
      set.metadata.annotations,
    ]),
    weight: world.weight,
    services: world.services.map((service) => service.spec?.selector?.[hashLabel]),
  }
}

const runsOf = (world: World) =>
  world.analysisRuns.map((run) => [run.metadata.name, run.status?.phase, run.spec.terminate])

for (const [where, rollout] of Object.entries(rollouts)) {
  test(`a release, its failed analysis, retry and promotion end alike when the process dies after every write, ${where}`, () => {
    const calm = play(rollout, () => false)
    expect([calm.status.phase, calm.size('h2')]).toEqual(['Healthy', 5])
    expect(calm.reasons()).toContain('RolloutAborted')
    const dying = play(rollout, () => true)
    expect(endOf(dying)).toEqual(endOf(calm))
    expect(runsOf(dying)).toEqual(runsOf(calm))
  })

  test(`a release ends alike whichever single write the process dies after, ${where}`, () => {
    const calm = play(rollout, () => false)
    for (let fatal = 1; fatal < calm.effects; fatal++) {
      const dying = play(rollout, (effect) => effect === fatal)
      expect(endOf(dying), `effect ${fatal}`).toEqual(endOf(calm))
      expect(runsOf(dying), `effect ${fatal}`).toEqual(runsOf(calm))
    }
  })
}

test('any story ends alike when the process dies after every write', () => {
  fc.assert(
    fc.property(stories('any'), ({ rollout, deeds: any }) => {
      const [calm, dying] = [worldOf(rollout), worldOf(rollout)]
      dying.diesAfter = () => true
      for (const deed of [...any, minutes(60)]) {
        doDeed(calm, deed)
        doDeed(dying, deed)
      }
      expect(endOf(dying)).toEqual(endOf(calm))
    }),
    { seed: 20260101, numRuns: 200 },
  )
})
