import type { RolloutStatus } from '@serinus/api'
import { expect, test } from 'vitest'
import { run, type SeenRequest, TestCluster } from './test-cluster.ts'
import { canary, rollout } from './test-objects.ts'

const four = [{ setWeight: 20 }, { pause: {} }, { setWeight: 60 }, { pause: {} }]
const paused = [{ reason: 'CanaryPauseStep', startTime: '2026-01-02T03:00:00Z' }]
const blueGreen = { strategy: { blueGreen: { activeService: 'x' } } }

async function promote(facts: {
  readonly spec?: object
  readonly status?: RolloutStatus
  readonly flags?: string
  readonly hasStatusPath?: boolean
}): Promise<{ code: number; out: string; err: string; writes: readonly SeenRequest[] }> {
  const cluster = new TestCluster().put(
    rollout('x', { spec: facts.spec ?? canary(four), status: facts.status ?? {} }),
  )
  cluster.hasStatusPath = facts.hasStatusPath ?? true
  const { code, out, err } = await run(cluster, `promote x ${facts.flags ?? ''}`)
  return { code, out, err, writes: cluster.writes }
}

const status = (body: object) => ({ text: 'patch rollouts/shop/x/status', body: { status: body } })
const main = (body: object) => ({ text: 'patch rollouts/shop/x', body })
const resume = main({ spec: { paused: false } })

test('at a pause step only the pause is cleared: the controller finishes the step itself [cli 4]', async () => {
  const { out, writes } = await promote({
    status: { currentStepIndex: 1, pauseConditions: paused },
  })
  expect(writes).toEqual([status({ pauseConditions: null })])
  expect(out).toBe("rollout 'x' promoted\n")
})

test('a step that runs is skipped [cli 5]', async () => {
  const { writes } = await promote({ status: { currentStepIndex: 2 } })
  expect(writes).toEqual([status({ pauseConditions: null, currentStepIndex: 3 })])
})

test('promotion never goes behind the last step [cli 6]', async () => {
  const { writes } = await promote({ status: { currentStepIndex: 4 } })
  expect(writes).toEqual([status({ pauseConditions: null, currentStepIndex: 4 })])
})

test('an inconclusive step analysis is overruled and its step left behind [cli 7]', async () => {
  const { writes } = await promote({
    status: {
      currentStepIndex: 1,
      controllerPause: true,
      pauseConditions: paused,
      canary: { currentStepAnalysisRunStatus: { name: 'run', status: 'Inconclusive' } },
    },
  })
  expect(writes).toEqual([
    status({ pauseConditions: null, controllerPause: false, currentStepIndex: 2 }),
  ])
})

test('a blue-green pause is cleared [cli 8]', async () => {
  const { writes } = await promote({
    spec: blueGreen,
    status: { pauseConditions: [{ reason: 'BlueGreenPause', startTime: '2026-01-02T03:00:00Z' }] },
  })
  expect(writes).toEqual([status({ pauseConditions: null })])
})

test('a full promotion writes the status first and then resumes [cli 9]', async () => {
  const { out, writes } = await promote({
    flags: '--full',
    spec: { ...canary(four), paused: true },
    status: { currentPodHash: 'new', stableRS: 'old' },
  })
  expect(writes).toEqual([status({ promoteFull: true }), resume])
  expect(out).toBe("rollout 'x' fully promoted\n")
})

test('a full promotion of a complete rollout writes nothing [cli 10]', async () => {
  const { code, out, writes } = await promote({
    flags: '--full',
    status: { currentPodHash: 'same', stableRS: 'same' },
  })
  expect({ code, out, writes }).toEqual({
    code: 0,
    out: "rollout 'x' fully promoted\n",
    writes: [],
  })
})

test('the two deprecated flags exclude each other [cli 11]', async () => {
  const { code, out, err, writes } = await promote({ flags: '-c -a' })
  expect({ code, out, writes }).toEqual({ code: 1, out: '', writes: [] })
  expect(err).toContain(
    'Error: Cannot use skip-current-step and skip-all-steps flags at the same time\n',
  )
})

test.each([
  ['-c', 2, 'Flag --skip-current-step has been deprecated, use without the flag instead'],
  ['-a', 4, 'Flag --skip-all-steps has been deprecated, use --full instead'],
])('the deprecated flag %s still sets the step index to %i', async (flags, index, warning) => {
  const { code, err, writes } = await promote({ flags, status: { currentStepIndex: 1 } })
  expect(code).toBe(0)
  expect(err).toContain(warning)
  expect(writes).toEqual([status({ currentStepIndex: index })])
})

test.each([
  [blueGreen, 'Cannot skip steps of a bluegreen rollout. Run without a flags'],
  [canary([]), 'Cannot skip steps of a rollout without steps'],
])('skipping is refused for %j', async (spec, message) => {
  const { code, err, writes } = await promote({ flags: '-a', spec })
  expect(code).toBe(1)
  expect(err).toMatch(new RegExp(`Error: ${message}\n$`))
  expect(writes).toEqual([])
})

test('a manual pause between steps is resumed and the step skipped', async () => {
  const { writes } = await promote({
    spec: { ...canary(four), paused: true },
    status: { currentStepIndex: 0 },
  })
  expect(writes).toEqual([status({ pauseConditions: null, currentStepIndex: 1 }), resume])
})

test('a canary without steps that is paused by hand is only resumed', async () => {
  const { writes } = await promote({ spec: { ...canary([]), paused: true } })
  expect(writes).toEqual([resume])
})

test.each([
  [
    '--full',
    { currentPodHash: 'new', stableRS: 'old' },
    { spec: { paused: false }, status: { promoteFull: true } },
  ],
  [
    '',
    { currentStepIndex: 1, pauseConditions: paused },
    { spec: { paused: false }, status: { pauseConditions: null } },
  ],
  [
    '',
    { currentStepIndex: 2 },
    { spec: { paused: false }, status: { pauseConditions: null, currentStepIndex: 3 } },
  ],
])('without a status path one patch does all: promote %s with %j', async (flags, status, body) => {
  const { code, writes } = await promote({
    flags,
    status,
    spec: { ...canary(four), paused: true },
    hasStatusPath: false,
  })
  expect(code).toBe(0)
  expect(writes.slice(1)).toEqual([main(body)])
})
