import { expect, test } from 'vitest'
import type { Pod } from '../pods/pod.ts'
import { planBudgetStatus } from './disruption.ts'
import type { DisruptionBudget } from './objects.ts'

const now = Date.parse('2026-01-01T12:00:00Z')

function pod(index: number, ready = true): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `web-${index}`,
      namespace: 'default',
      labels: { app: 'web' },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'rs-1', controller: true },
      ],
    },
    spec: { nodeName: 'node-1', containers: [{ name: 'app' }] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }
}

function budget(
  spec: DisruptionBudget['spec'],
  status?: DisruptionBudget['status'],
): DisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: 'default', generation: 1 },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
    ...(status && { status }),
  }
}

const pods = [pod(1), pod(2), pod(3), pod(4, false)]

test.each<[string, DisruptionBudget['spec'], object]>([
  [
    'minAvailable: 2',
    { minAvailable: 2 },
    { currentHealthy: 3, desiredHealthy: 2, disruptionsAllowed: 1 },
  ],
  [
    'minAvailable: 75%',
    { minAvailable: '75%' },
    { expectedPods: 4, desiredHealthy: 3, disruptionsAllowed: 0 },
  ],
  [
    'maxUnavailable: 2',
    { maxUnavailable: 2 },
    { expectedPods: 4, desiredHealthy: 2, disruptionsAllowed: 1 },
  ],
  [
    'maxUnavailable: 30%, rounded up',
    { maxUnavailable: '30%' },
    { desiredHealthy: 2, disruptionsAllowed: 1 },
  ],
])('with %s the status says how many pods may go', (_title, spec, expected) => {
  const { status } = planBudgetStatus({ budget: budget(spec), pods, replicasOf: () => 4, now })
  expect(status).toMatchObject(expected)
  const again = planBudgetStatus({
    budget: budget(spec, status ?? {}),
    pods,
    replicasOf: () => 4,
    now: now + 60_000,
  })
  expect(again.status).toBeNull()
})

test('a granted eviction counts until its pod begins to go, at most two minutes', () => {
  const disruptedPods = { 'web-1': '2026-01-01T12:00:00Z' }
  const spec = { minAvailable: 2 }
  const granted = budget(spec, { disruptedPods })
  const plan = planBudgetStatus({ budget: granted, pods, replicasOf: () => 4, now })
  expect(plan.status).toMatchObject({ currentHealthy: 2, disruptionsAllowed: 0, disruptedPods })
  expect(plan.checkAt).toBe(now + 120_000)
  const later = planBudgetStatus({ budget: granted, pods, replicasOf: () => 4, now: now + 120_000 })
  expect(later.status).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 1 })
})
