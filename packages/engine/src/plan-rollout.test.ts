import type { Rollout } from '@serinus/api'
import { expect, test } from 'vitest'
import type { Service } from './snapshot.ts'
import { canaryRollout, healthyWorld, World } from './testing/world.ts'

test('blue-green with one Service for both sides is refused and no ReplicaSet is touched [api 8]', () => {
  const rollout = canaryRollout({}, { replicas: 2 })
  const blueGreen = { activeService: 'svc', previewService: 'svc' }
  const world = new World({
    ...rollout,
    spec: { ...rollout.spec, strategy: { blueGreen } },
  } as Rollout)
  expect(world.status.message).toContain(
    'This rollout uses the same service for the active and preview services, but two different services are required.',
  )
  expect(world.replicaSets).toEqual([])
})

test('a Service that is no longer referenced is given back to the user [api 46]', () => {
  const world = healthyWorld({})
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'old',
      namespace: 'default',
      annotations: { 'argo-rollouts.argoproj.io/managed-by-rollouts': 'app', mine: 'x' },
    },
    spec: { selector: { app: 'app', 'rollouts-pod-template-hash': 'abc' } },
  }
  world.services = [service]
  world.settle()
  expect(world.services[0]?.metadata.annotations).toEqual({ mine: 'x' })
  expect(world.services[0]?.spec?.selector).toEqual({ app: 'app' })
})

test('everything wrong is said at once, with what this version does not carry', () => {
  const rollout = canaryRollout(
    { steps: [{ setWeight: 101 }, { pause: { duration: '1d' } }] },
    { replicas: 2 },
  )
  const world = new World({
    ...rollout,
    spec: { ...rollout.spec, progressDeadlineSeconds: 5, minReadySeconds: 9 },
  } as Rollout)
  const { message } = world.status
  for (const part of [
    'SetWeight needs to be between 0 and 100',
    '"1d"',
    'must be greater than minReadySeconds',
  ]) {
    expect(message).toContain(part)
  }
  expect(world.transitions.map((transition) => transition.reason)).toEqual(['InvalidSpec'])
})
