import { expect, test } from 'vitest'
import { analysisRunEvents, experimentEvents, rolloutEvents, triggerOf } from './events.ts'

const scaling = { replicaSet: 'rs', revision: 2, from: 1, to: 3 }
const plugin = { index: 1, name: 'org/gate' } as const
const run = { kind: 'Step', run: 'r', phase: 'Running' } as const

test.each([
  [rolloutEvents.rolloutUpdated(2), 'Rollout updated to revision 2'],
  [rolloutEvents.newReplicaSetCreated('rs', 2), 'Created ReplicaSet rs (revision 2)'],
  [
    rolloutEvents.rolloutNotCompleted(2, 'abc'),
    'Rollout not completed, started update to revision 2 (abc)',
  ],
  [rolloutEvents.scalingReplicaSet(scaling), 'Scaled up ReplicaSet rs (revision 2) from 1 to 3'],
  [
    rolloutEvents.scalingReplicaSet({ ...scaling, to: 0 }),
    'Scaled down ReplicaSet rs (revision 2) from 1 to 0',
  ],
  [rolloutEvents.trafficWeightUpdated(undefined, 10), 'Traffic weight updated to 10'],
  [rolloutEvents.trafficWeightUpdated(10, 20), 'Traffic weight updated from 10 to 20'],
  [
    rolloutEvents.rolloutStepCompleted({ index: 0, steps: 5, label: 'setWeight: 10' }),
    'Rollout step 1/5 completed (setWeight: 10)',
  ],
  [rolloutEvents.rolloutPaused('CanaryPauseStep'), 'Rollout is paused (CanaryPauseStep)'],
  [rolloutEvents.rolloutResumed(), 'Rollout is resumed'],
  [
    rolloutEvents.analysisRun(run),
    "Step Analysis Run 'r' Status New: 'Running' Previous: 'NoPreviousStatus'",
  ],
  [rolloutEvents.experimentCreated('e'), "Created Experiment 'e'"],
  [
    rolloutEvents.rolloutCompleted({ revision: 2, hash: 'abc', why: 'Initial deploy' }),
    'Rollout completed update to revision 2 (abc): Initial deploy',
  ],
  [rolloutEvents.skipSteps('stable'), 'Rollback to stable ReplicaSets'],
  [
    rolloutEvents.skipSteps('rollback-window'),
    'Rollback to active ReplicaSets within RollbackWindow',
  ],
  [
    rolloutEvents.switchService({ service: 's', from: 'a', to: 'b' }),
    "Switched selector for service 's' from 'a' to 'b'",
  ],
  [
    rolloutEvents.stepPluginTransition({ ...plugin, operation: 'Run', phase: 'Running' }),
    'Step plugin org/gate (step 2) transitioned to Running',
  ],
  [
    rolloutEvents.stepPluginTransition({ ...plugin, operation: 'Abort', phase: 'Successful' }),
    'Step plugin org/gate (step 2) aborted (Successful)',
  ],
])('%j is Normal', (event, message) => {
  expect(event).toMatchObject({ type: 'Normal', message })
})

test.each([
  [rolloutEvents.rolloutAborted(2, 'm'), 'Rollout aborted update to revision 2: m'],
  [rolloutEvents.replicaSetCreateError('rs', 'e'), 'Failed to create new replica set "rs": e'],
  [rolloutEvents.trafficRoutingError('e'), 'e'],
  [rolloutEvents.weightVerifyError('e'), 'Failed to verify weight: e'],
  [
    rolloutEvents.analysisRun({ ...run, phase: 'Failed', previous: 'Running' }),
    "Step Analysis Run 'r' Status New: 'Failed' Previous: 'Running'",
  ],
  [
    rolloutEvents.stepPluginTransition({ ...plugin, operation: 'Terminate', phase: 'Error' }),
    'Step plugin org/gate (step 2) terminated (Error)',
  ],
  [
    rolloutEvents.stepPluginTransition({ ...plugin, operation: 'Run', phase: 'Failed' }),
    'Step plugin org/gate (step 2) transitioned to Failed',
  ],
  [rolloutEvents.reconciliationError('e'), 'Reconciliation failed with error: e'],
])('%j is a Warning', (event, message) => {
  expect(event).toMatchObject({ type: 'Warning', message })
})

test.each([
  ['RolloutStepCompleted', 'on-rollout-step-completed'],
  ['ScalingReplicaSet', 'on-scaling-replica-set'],
  ['PatchingALBIngress', 'on-patching-alb-ingress'],
])('the Event %s fires the trigger %s', (reason, trigger) => {
  expect(triggerOf(reason)).toBe(trigger)
})

test('Experiments and runs warn of what went wrong', () => {
  const change = { name: 'r', from: 'Running', to: 'Inconclusive', message: 'm' }
  expect(experimentEvents.experiment(change)).toEqual({
    type: 'Warning',
    reason: 'ExperimentInconclusive',
    message: 'Experiment transitioned from Running -> Inconclusive',
  })
  expect(experimentEvents.analysisRun(change)).toEqual({
    type: 'Warning',
    reason: 'AnalysisRunInconclusive',
    message: "AnalysisRun 'r' transitioned from Running -> Inconclusive: m",
  })
  expect(experimentEvents.analysisRun({ ...change, to: 'Successful' }).type).toBe('Normal')
  expect(analysisRunEvents.metricCompleted('m', 'Failed')).toEqual({
    type: 'Warning',
    reason: 'MetricFailed',
    message: "Metric 'm' Completed. Result: Failed",
  })
  expect(analysisRunEvents.analysisCompleted('Inconclusive')).toEqual({
    type: 'Normal',
    reason: 'AnalysisRunInconclusive',
    message: 'Analysis Completed. Result: Inconclusive',
  })
})
