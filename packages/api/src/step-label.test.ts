import { expect, test } from 'vitest'
import { stepLabel } from './step-label.ts'
import type { CanaryStep } from './types.ts'

test.each([
  [{ setWeight: 0 }, 'setWeight: 0'],
  [{ pause: {} }, 'pause'],
  [{ pause: { duration: '10m' } }, 'pause: 10m'],
  [{ pause: { duration: 30 } }, 'pause: 30'],
  [{ experiment: { templates: [] } }, 'experiment'],
  [{ analysis: {} }, 'analysis'],
  [{ setCanaryScale: { weight: 5, replicas: 3 } }, 'setCanaryScale{weight: 5}'],
  [{ setCanaryScale: { matchTrafficWeight: true } }, 'setCanaryScale{matchTrafficWeight: true}'],
  [{ setCanaryScale: { replicas: 3 } }, 'setCanaryScale{replicas: 3}'],
  [{ plugin: { name: 'a/b' } }, 'plugin: a/b'],
  [{ setHeaderRoute: { name: 'h' } }, 'setHeaderRoute: h'],
  [{ setMirrorRoute: { name: 'm' } }, 'setMirrorRoute: m'],
  [{}, 'invalid'],
] satisfies [CanaryStep, string][])('%j is called %s', (step, label) => {
  expect(stepLabel(step)).toBe(label)
})
