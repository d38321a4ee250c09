import type { CanaryStep, RolloutStatus, StepPluginStatus } from '@serinus/api'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { PluginHost, reply } from '../testing/plugin-host.ts'
import { type Deed, doDeed } from '../testing/stories.ts'
import { canaryRollout, type Pass, World } from '../testing/world.ts'
import { itemsOf, toEnd } from './items.ts'

vi.setConfig({ testTimeout: 30_000 })

const plugin = (name: string): CanaryStep => ({ plugin: { name } }) as CanaryStep
const step = fc.constantFrom<CanaryStep>(
  plugin('org/a'),
  plugin('org/a'),
  plugin('org/b'),
  { setWeight: 50 },
  { pause: {} },
)
const steps = fc.array(step, { minLength: 1, maxLength: 5 })

const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: pauses() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('abort', 'retry', 'promote', 'promote-full', 'pause', 'resume'),
    }) as fc.Arbitrary<Deed>,
  },
  fc.record({ kind: fc.constant('set-image' as const), image: fc.constantFrom('h1', 'h2', 'h3') }),
  fc.record({ kind: fc.constant('steps' as const), steps }),
)

function pauses(): fc.Arbitrary<number> {
  return fc.constantFrom(0, 1_000, 10_000, 20_000, 60_000, 600_000)
}

const outcome = fc.oneof(
  fc
    .constantFrom('', 'Running', 'Successful', 'Successful', 'Failed', 'Error', 'Nonsense')
    .map((phase) => reply(phase)),
  fc.constant({ kind: 'error' as const, message: 'broken pipe' }),
)

const stories = fc.record({
  steps,
  deeds: fc.array(deed, { minLength: 3, maxLength: 14, size: 'max' }),
  /** What plugins say, one after the other, from the beginning again after the last. */
  outcomes: fc.array(outcome, { minLength: 1, maxLength: 12, size: 'max' }),
  lagMs: fc.constantFrom(0, 0, 5_000, 25_000),
})
type Story = typeof stories extends fc.Arbitrary<infer T> ? T : never

function play(story: Story, observe: (pass: Pass) => void): World {
  const world = new World(canaryRollout({ steps: story.steps }, { replicas: 2 }))
  world.pass(10_000)
  let said = 0
  const say = () => story.outcomes[said++ % story.outcomes.length] ?? reply('')
  world.plugins = new PluginHost({ 'org/a': say, 'org/b': say })
  world.plugins.lagMs = story.lagMs
  world.observe = observe
  world.setImage('h2')
  for (const one of story.deeds) doDeed(world, one)
  return world
}

/** What the pass changes in the status. */
function changedBy(plan: Pass['plan']): Partial<RolloutStatus> {
  const write = plan.writes.find(({ id }) => id === 'status')
  const body = write?.kind === 'patch' ? write.patch.body : {}
  return (body as { status?: RolloutStatus }).status ?? {}
}

const isUntried = (item: StepPluginStatus) => item.phase === 'Running' && !item.executions

const runs = { seed: 20260101, numRuns: 200 }

test('plugins are called one at a time, each execution once, and never while a user holds the update', () => {
  fc.assert(
    fc.property(stories, (story) => {
      let last = ''
      play(story, ({ snapshot, plan }) => {
        const { spec, status = {} } = snapshot.rollout
        const calls = plan.pluginCalls ?? []
        // A new try begins again at the first execution.
        if (itemsOf(changedBy(plan)).some(isUntried)) last = ''
        const inFlight = snapshot.stepPlugins?.inFlight ?? []
        expect(calls.length + inFlight.length).toBeLessThanOrEqual(1)
        for (const { index, name, method, serial } of calls) {
          const item = itemsOf(status).find((one) => one.index === index && one.operation === 'Run')
          expect(item, 'what is called is on record').toMatchObject({ name })
          const key = `${method} ${index} ${serial}`
          expect(key).not.toBe(last)
          last = key
          if (method !== 'run') continue
          expect([spec.paused, status.abort, status.promoteFull]).not.toContain(true)
          expect([index, serial]).toEqual([status.currentStepIndex, (item?.executions ?? 0) + 1])
        }
      })
    }),
    runs,
  )
})

test('whatever users do, in the end nothing is left that had to be aborted or terminated', () => {
  fc.assert(
    fc.property(stories, (story) => {
      const world = play(story, () => {})
      world.edit(({ paused: _, ...spec }) => spec)
      world.patchStatus({ abort: true, promoteFull: null })
      world.pass(600_000)
      expect(toEnd(world.status)).toEqual([])
      const executed = itemsOf(world.status).filter(({ operation }) => operation === 'Run')
      for (const run of executed) {
        const ended = itemsOf(world.status).some(
          ({ index, operation }) => index === run.index && operation !== 'Run',
        )
        const isWhole = run.phase === 'Failed' || run.phase === 'Successful'
        expect(ended || isWhole, JSON.stringify(run)).toBe(true)
      }
    }),
    runs,
  )
})

test('a step whose plugin has not said Successful is passed by nobody but a user', () => {
  fc.assert(
    fc.property(stories, (story) => {
      play(story, ({ snapshot, plan }) => {
        const before = snapshot.rollout.status ?? {}
        const after = { ...before, ...changedBy(plan) }
        const [from, to] = [before.currentStepIndex ?? 0, after.currentStepIndex ?? 0]
        const isOther = after.currentPodHash !== before.currentPodHash || before.promoteFull
        if (to <= from || isOther || after.currentStepHash !== before.currentStepHash) return
        const items = after.canary?.stepPluginStatuses ?? before.canary?.stepPluginStatuses ?? []
        const passed = snapshot.rollout.spec.strategy?.canary?.steps?.slice(from, to) ?? []
        for (const [offset, { plugin }] of passed.entries()) {
          if (!plugin) continue
          const item = items.find(
            ({ index, operation }) => index === from + offset && operation === 'Run',
          )
          expect(item?.phase).toBe('Successful')
        }
      })
    }),
    runs,
  )
})
