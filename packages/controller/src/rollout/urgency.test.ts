import { parseRollout } from '@serinus/api'
import { expect, test } from 'vitest'
import { urgencyOf } from './urgency.ts'

const urgency = (generation: number, status?: object) =>
  urgencyOf(
    parseRollout({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      metadata: { name: 'app', generation },
      status,
    }).value,
  )
const healthy = {
  observedGeneration: '3',
  currentPodHash: 'h1',
  stableRS: 'h1',
  phase: 'Healthy',
}
const updating = { ...healthy, currentPodHash: 'h2', phase: 'Progressing' }

test('an update that is promoted goes first, then one under way, then a new change, then rest', () => {
  expect(urgency(3, { ...healthy, phase: 'Progressing' })).toBe(0)
  expect(urgency(3, updating)).toBe(1)
  expect(urgency(4, healthy)).toBe(2)
  expect(urgency(1)).toBe(2)
  expect(urgency(3, healthy)).toBe(3)
})

test('a change in the middle of an update is part of it, and so is an abort', () => {
  expect(urgency(4, updating)).toBe(1)
  expect(urgency(3, { ...updating, abort: true, phase: 'Degraded' })).toBe(1)
})

test('a first revision is under way from its first status until it is Healthy', () => {
  const first = { observedGeneration: '1', currentPodHash: 'h1', phase: 'Progressing' }
  expect(urgency(1, first)).toBe(1)
  expect(urgency(1, { ...first, stableRS: 'h1' })).toBe(0)
  expect(urgency(1, { ...first, stableRS: 'h1', phase: 'Healthy' })).toBe(3)
})

test('what is left of a deleted Rollout is done at once', () => {
  expect(urgencyOf(undefined)).toBe(0)
})
