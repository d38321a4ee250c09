import { expect, test } from 'vitest'
import { conditionFacts, conditionOf, setCondition, withoutCondition } from './conditions.ts'

const first = '2026-08-17T10:00:00Z'
const later = '2026-08-17T10:05:00Z'
const updated = conditionFacts.progressing({ reason: 'ReplicaSetUpdated', replicaSet: 'rs' })
const start = setCondition([], updated, { at: first })

test('the same condition changes nothing unless it is renewed', () => {
  expect(setCondition(start, updated, { at: later })).toBe(start)
  expect(setCondition(start, updated, { at: later, renew: true })).toEqual([
    { ...updated, lastUpdateTime: later, lastTransitionTime: first },
  ])
})

test('a new reason with the same status keeps the time of the transition', () => {
  const available = conditionFacts.progressing({
    reason: 'NewReplicaSetAvailable',
    replicaSet: 'rs',
  })
  expect(setCondition(start, available, { at: later })).toEqual([
    { ...available, lastUpdateTime: later, lastTransitionTime: first },
  ])
})

test('a new message alone is taken over without touching the times', () => {
  const facts = (cause: string) =>
    conditionFacts.progressing({ reason: 'RolloutAborted', revision: 2, cause })
  const aborted = setCondition([], facts('a'), { at: first })
  expect(setCondition(aborted, facts('b'), { at: later })).toEqual([
    { ...facts('b'), lastUpdateTime: first, lastTransitionTime: first },
  ])
})

test('a changed condition moves to the end and starts anew', () => {
  const two = setCondition(start, conditionFacts.available(true), { at: first })
  const paused = conditionFacts.progressing({ reason: 'RolloutPaused' })
  const after = setCondition(two, paused, { at: later })
  expect(after.map((condition) => condition.type)).toEqual(['Available', 'Progressing'])
  expect(conditionOf(after, 'Progressing')?.lastTransitionTime).toBe(later)
  expect(withoutCondition(after, 'Progressing')).toHaveLength(1)
  expect(withoutCondition(after, 'Healthy')).toBe(after)
})

test.each([
  [{ reason: 'NewReplicaSetCreated', replicaSet: 'rs' }, 'True', 'Created new replica set "rs"'],
  [{ reason: 'FoundNewReplicaSet', replicaSet: 'rs' }, 'True', 'Found new replica set "rs"'],
  [
    { reason: 'ReplicaSetCreateError', replicaSet: 'rs', error: 'e' },
    'False',
    'Failed to create new replica set "rs": e',
  ],
  [{ reason: 'ReplicaSetUpdated', replicaSet: 'rs' }, 'True', 'ReplicaSet "rs" is progressing.'],
  [{ reason: 'ReplicaSetNotAvailable' }, 'True', 'Rollout does not have minimum availability'],
  [
    { reason: 'NewReplicaSetAvailable', replicaSet: 'rs' },
    'True',
    'ReplicaSet "rs" has successfully progressed.',
  ],
  [
    { reason: 'ProgressDeadlineExceeded', replicaSet: 'rs' },
    'False',
    'ReplicaSet "rs" has timed out progressing.',
  ],
  [{ reason: 'RolloutPaused' }, 'Unknown', 'Rollout is paused'],
  [{ reason: 'RolloutResumed' }, 'Unknown', 'Rollout is resumed'],
  [{ reason: 'RolloutAborted', revision: 2 }, 'False', 'Rollout aborted update to revision 2'],
  [{ reason: 'RolloutRetry' }, 'Unknown', 'Retrying Rollout after abort'],
] as const)('Progressing for %j says %s, %s', (cause, status, message) => {
  expect(conditionFacts.progressing(cause)).toEqual({
    type: 'Progressing',
    status,
    reason: cause.reason,
    message,
  })
})

test('the other conditions say what they are, also when they are not', () => {
  const { available, paused, completed, healthy } = conditionFacts
  expect(
    [available, paused, completed, healthy].map((facts) => [
      facts(true).message,
      facts(false).message,
    ]),
  ).toEqual([
    ['Rollout has minimum availability', 'Rollout does not have minimum availability'],
    ['Rollout is paused', 'Rollout is not paused'],
    ['RolloutCompleted', 'Rollout is not completed'],
    ['Rollout is healthy', 'Rollout is not healthy'],
  ])
})
