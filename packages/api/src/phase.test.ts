import { expect, test } from 'vitest'
import { conditionFacts, setCondition } from './conditions.ts'
import { clientPhase, rolloutPhase } from './phase.ts'
import { problemText } from './problem.ts'
import { myApp, nginx } from './test-rollout.ts'
import type { RolloutStatus } from './types.ts'
import { validateRollout } from './validation/rollout.ts'

const full: RolloutStatus = {
  replicas: 5,
  updatedReplicas: 5,
  availableReplicas: 5,
  currentPodHash: 'new',
  stableRS: 'new',
}
const basic = (status: RolloutStatus, spec: object = {}) =>
  myApp({ replicas: 5, strategy: { canary: {} }, ...spec }, { ...full, ...status })

test('without a strategy the phase is Degraded and the message names both fields [api 4]', () => {
  const rollout = myApp({})
  const [first] = validateRollout(rollout)
  const facts = conditionFacts.invalidSpec('my-app', first ? problemText(first) : '')
  const conditions = setCondition([], facts, { at: '2026-08-17T10:00:00Z' })
  const { phase, message } = rolloutPhase({ ...rollout, status: { conditions } })
  expect(phase).toBe('Degraded')
  expect(message).toBe(
    'InvalidSpec: The Rollout "my-app" is invalid: spec.strategy: Required value: Rollout has missing field \'.spec.strategy.canary or .spec.strategy.blueGreen\'',
  )
})

test('a user’s pause shows as manually paused and wins over a pause step [api 38]', () => {
  const manually = { phase: 'Paused', message: 'manually paused' }
  expect(rolloutPhase(basic({}, { paused: true }))).toEqual(manually)
  const pauseConditions = [{ reason: 'CanaryPauseStep', startTime: '2026-08-17T10:00:00Z' }]
  expect(rolloutPhase(basic({ pauseConditions }, { paused: true }))).toEqual(manually)
  expect(rolloutPhase(basic({ pauseConditions }))).toEqual({
    phase: 'Paused',
    message: 'CanaryPauseStep',
  })
})

test('clients show Progressing until the spec is observed and the resumption acted on [api 39]', () => {
  const seen = (status: RolloutStatus) => {
    const rollout = basic({ phase: 'Healthy', ...status })
    return clientPhase({ ...rollout, metadata: { ...rollout.metadata, generation: 5 } })
  }
  expect(seen({ observedGeneration: '4' })).toEqual({
    phase: 'Progressing',
    message: 'waiting for rollout spec update to be observed',
  })
  expect(seen({ observedGeneration: '5', controllerPause: true })).toEqual({
    phase: 'Progressing',
    message: 'waiting for rollout to unpause',
  })
  for (const observedGeneration of ['5', '6', 'f6c4c9fcd', '']) {
    expect(seen({ observedGeneration }).phase).toBe('Healthy')
  }
})

test('old pods and open steps keep a canary Progressing [api 40]', () => {
  expect(rolloutPhase(basic({ replicas: 6 }))).toEqual({
    phase: 'Progressing',
    message: 'old replicas are pending termination',
  })
  const steps = [{ setWeight: 10 }, { setWeight: 50 }, { setWeight: 90 }]
  const routed = basic(
    { replicas: 10, stableRS: 'old', currentStepIndex: 3 },
    { strategy: { canary: { ...nginx, steps } } },
  )
  expect(rolloutPhase(routed)).toEqual({
    phase: 'Progressing',
    message: 'waiting for all steps to complete',
  })
})

test('a blue-green update waits for its post-promotion run [api 41]', () => {
  const postPromotionAnalysis = { templates: [{ templateName: 't' }] }
  const spec = { strategy: { blueGreen: { activeService: 'a', postPromotionAnalysis } } }
  const at = (status: string) =>
    rolloutPhase(
      basic(
        {
          stableRS: 'old',
          blueGreen: {
            activeSelector: 'new',
            postPromotionAnalysisRunStatus: { name: 'run', status: status as 'Running' },
          },
        },
        spec,
      ),
    ).message
  expect(at('Running')).toBe('waiting for analysis to complete')
  expect(at('Successful')).toBe('waiting for post-promotion verification to complete')
})

test.each([
  [{ updatedReplicas: 4 }, 'more replicas need to be updated'],
  [{ availableReplicas: 4 }, 'updated replicas are still becoming available'],
])('with status %j a Rollout is Progressing', (status, message) => {
  expect(rolloutPhase(basic(status))).toEqual({ phase: 'Progressing', message })
})

test('a complete Rollout is Healthy and says nothing', () => {
  expect(rolloutPhase(basic({}))).toEqual({ phase: 'Healthy', message: '' })
})

test('a restart shows only once it is due', () => {
  const restartAt = '2026-08-17T10:00:00Z'
  const rollout = basic({}, { restartAt })
  const due = Date.parse(restartAt)
  expect(rolloutPhase(rollout, due - 1).phase).toBe('Healthy')
  expect(rolloutPhase(rollout, due).message).toBe('rollout is restarting')
  expect(rolloutPhase(basic({ restartedAt: restartAt }, { restartAt }), due).phase).toBe('Healthy')
})

test('an abort shows with its cause', () => {
  const facts = conditionFacts.progressing({ reason: 'RolloutAborted', revision: 2, cause: 'm' })
  const conditions = setCondition([], facts, { at: '2026-08-17T10:00:00Z' })
  expect(rolloutPhase(basic({ conditions }))).toEqual({
    phase: 'Degraded',
    message: 'RolloutAborted: Rollout aborted update to revision 2: m',
  })
})

test('a referenced workload that changed shows until it is observed', () => {
  const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
  const rollout = basic({ phase: 'Healthy', workloadObservedGeneration: '1' }, { workloadRef })
  const annotations = { 'rollout.argoproj.io/workload-generation': '2' }
  expect(clientPhase({ ...rollout, metadata: { ...rollout.metadata, annotations } }).message).toBe(
    'waiting for rollout spec update to be observed for the reference workload',
  )
})
