import type { AnalysisRun, Rollout } from '@serinus/api'
import { expect, test } from 'vitest'
import { deriveEvents, nextSeen, type Seen } from './derive.ts'
import { abortCause, aborted, analysisRun, healthy, rollout, updating } from './test-world.ts'

/** Reasons told for each state of a history, each state looked at once. */
function history(states: readonly Rollout[], runs: readonly AnalysisRun[] = []) {
  let seen: Seen | null = null
  return states.map((state) => {
    const events = deriveEvents(state, runs, seen)
    seen = nextSeen(state, runs, seen)
    return events
  })
}

const reasons = (events: readonly { readonly reason: string }[]) =>
  events.map(({ reason }) => reason)
const first = rollout({ revision: 1, status: healthy })
const second = { revision: 2, generation: 2 }
const update = (status: Partial<NonNullable<Rollout['status']>> = {}) =>
  rollout({ ...second, status: { ...updating, ...status } })

test('the same state looked at again tells nothing', () => {
  const told = history([
    first,
    first,
    update(),
    update(),
    rollout({ ...second, status: aborted }),
    rollout({ ...second, status: aborted }),
  ])
  expect(told.filter((_, index) => index % 2 === 1).flat()).toEqual([])
})

test('the same state gives the same ids, whoever looks', () => {
  const ids = (events: readonly { readonly id: string }[]) => events.map(({ id }) => id)
  const seen = nextSeen(first, [], null)
  const state = rollout({ ...second, status: aborted })
  expect(ids(deriveEvents(state, [], seen))).toEqual(
    ids(deriveEvents(structuredClone(state), [], structuredClone(seen))),
  )
})

test('a first deploy is added, updated, completed and healthy, and no step counts as completed', () => {
  const [events = []] = history([first])
  expect(reasons(events)).toEqual([
    'RolloutAddedToInformer',
    'RolloutUpdated',
    'RolloutCompleted',
    'RolloutHealthy',
  ])
  expect(events.find(({ reason }) => reason === 'RolloutCompleted')?.initial).toBe(true)
})

test('an update that aborts is told once, with the cause', () => {
  const [, , events = []] = history([first, update(), rollout({ ...second, status: aborted })])
  expect(events).toMatchObject([
    {
      reason: 'RolloutAborted',
      type: 'Warning',
      message: abortCause,
      triggers: ['on-rollout-aborted'],
      revision: 2,
    },
  ])
})

test('a status about the spec before an edit tells nothing of the edit', () => {
  const stale = rollout({
    revision: 2,
    generation: 3,
    status: { ...aborted, observedGeneration: '2' },
  })
  const [, events = []] = history([rollout({ revision: 1, generation: 2, status: aborted }), stale])
  expect(events).toEqual([])
})

test('steps are completed one by one, and a gap tells each of them', () => {
  const [, one = [], rest = []] = history([first, update(), update({ currentStepIndex: 2 })])
  expect(reasons(one)).toEqual(['RolloutUpdated'])
  expect(rest).toMatchObject([
    {
      reason: 'RolloutStepCompleted',
      stepIndex: 0,
      message: 'Rollout step 1/3 completed (setWeight: 10)',
    },
    { reason: 'RolloutStepCompleted', stepIndex: 1 },
  ])
})

test('a full promotion completes no single step', () => {
  const promoted = update({ promoteFull: true, currentStepIndex: 3 })
  const [, , events = []] = history([first, update(), promoted])
  expect(reasons(events)).toEqual([])
})

test('a rollback to the stable version skips steps and completes nothing anew', () => {
  const back = rollout({
    revision: 3,
    generation: 3,
    status: { ...healthy, observedGeneration: '3', phase: 'Progressing' },
  })
  const [, , events = []] = history([first, update(), back])
  expect(reasons(events)).toEqual(['RolloutUpdated', 'SkipSteps'])
})

test('pause, resumption, retry and a pause by hand are told', () => {
  const pauseConditions = [{ reason: 'CanaryPauseStep', startTime: '2026-08-01T12:01:00Z' }]
  const byHand = rollout({ ...second, status: updating, spec: { paused: true } })
  const told = history([
    first,
    update(),
    update({ pauseConditions }),
    update(),
    rollout({ ...second, status: aborted }),
    update(),
    byHand,
  ])
  expect(told.slice(2).map(reasons)).toEqual([
    ['RolloutPaused'],
    ['RolloutResumed'],
    ['RolloutAborted'],
    ['RolloutRetried'],
    ['RolloutManuallyPaused'],
  ])
})

test('a second abort of one revision after a retry is another event', () => {
  const again = { ...aborted, abortedAt: '2026-08-01T12:30:00Z' }
  const told = history([
    first,
    rollout({ ...second, status: aborted }),
    update(),
    rollout({ ...second, status: again }),
  ])
  expect(reasons(told[3] ?? [])).toEqual(['RolloutAborted'])
})

test('a missed progress deadline is told although nothing aborts', () => {
  const late = update({
    phase: 'Degraded',
    message: 'ProgressDeadlineExceeded: ReplicaSet "x" has timed out progressing.',
  })
  const [, , events = []] = history([first, update(), late])
  expect(events).toMatchObject([
    { reason: 'RolloutDegraded', type: 'Warning', message: late.status?.message },
  ])
})

test('weights are told as they change', () => {
  const weights = (weight: number) => ({
    canary: { weights: { canary: { weight }, stable: { weight: 100 - weight } } },
  })
  const told = history([first, update(weights(10)), update(weights(10)), update(weights(50))])
  expect(
    told.map((events) =>
      events
        .filter(({ reason }) => reason === 'TrafficWeightUpdated')
        .map(({ message }) => message),
    ),
  ).toEqual([[], ['Traffic weight updated to 10'], [], ['Traffic weight updated from 10 to 50']])
})

test.each([
  ['Running', ['AnalysisRunStarted', 'AnalysisRunRunning']],
  ['Failed', ['AnalysisRunStarted', 'AnalysisRunFailed']],
  ['Inconclusive', ['AnalysisRunStarted', 'AnalysisRunInconclusive']],
])('a run in phase %s tells %j', (phase, expected) => {
  const seen = nextSeen(update(), [], null)
  const events = deriveEvents(update(), [analysisRun(update(), { phase })], seen)
  expect(reasons(events)).toEqual(expected)
  const isFinal = phase !== 'Running'
  expect(events[1]?.triggers.includes('on-analysis-run-completed')).toBe(isFinal)
})

test('a run that the controller ended because the update needs it no more tells no result', () => {
  const run = analysisRun(update(), { phase: 'Successful' })
  const events = deriveEvents(
    update(),
    [{ ...run, spec: { ...run.spec, terminate: true } }],
    nextSeen(update(), [], null),
  )
  expect(events).toEqual([])
})

test('runs of other Rollouts tell nothing here', () => {
  const other = analysisRun(rollout({ name: 'other' }), { phase: 'Failed' })
  expect(deriveEvents(update(), [other], nextSeen(update(), [], null))).toEqual([])
})

test('an experiment of a step is told once, and its runs as those of the step', () => {
  const name = 'my-service-bbb-2-1'
  const owner = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Experiment',
    uid: 'uid-exp',
    controller: true,
  }
  const runOf = (experiment: string): AnalysisRun => {
    const run = analysisRun(update(), { phase: 'Failed', name: `${experiment}-compare` })
    const ownerReferences = [{ ...owner, name: experiment }]
    return { ...run, metadata: { ...run.metadata, ownerReferences } }
  }
  const runs = [runOf(name), runOf('other-bbb-2-1')]
  const running = { canary: { currentExperiment: name } }
  const [, created = [], again = []] = history([first, update(running), update(running)])
  expect(created.filter(({ reason }) => reason === 'ExperimentCreated')).toMatchObject([
    { message: `Created Experiment '${name}'`, triggers: ['on-experiment-created'] },
  ])
  expect(again).toEqual([])
  const failed = deriveEvents(update(running), runs, null)
  expect(failed.filter(({ reason }) => reason === 'AnalysisRunFailed')).toMatchObject([
    { type: 'Warning', run: `${name}-compare`, failedMetrics: [{ name: 'error-rate' }] },
  ])
  const [abort] = deriveEvents(rollout({ ...second, status: aborted }), runs, null).filter(
    ({ reason }) => reason === 'RolloutAborted',
  )
  expect(abort?.failedMetrics).toMatchObject([{ name: 'error-rate' }])
})
