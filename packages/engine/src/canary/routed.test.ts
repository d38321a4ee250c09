import { expect, test } from 'vitest'
import type { Ingress, Service } from '../snapshot.ts'
import { canaryRollout, World } from '../testing/world.ts'

type Canary = Parameters<typeof canaryRollout>[0]

const service = (name: string): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { selector: { app: 'app' }, ports: [{ port: 80 }] },
})

const ingress: Ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    rules: [
      {
        host: 'a',
        http: {
          paths: [
            {
              path: '/',
              pathType: 'Prefix',
              backend: { service: { name: 'stable', port: { number: 80 } } },
            },
          ],
        },
      },
    ],
  },
}

function routedWorld(canary: Canary, replicas = 10): World {
  const world = new World(
    canaryRollout(
      {
        stableService: 'stable',
        canaryService: 'canary',
        trafficRouting: { nginx: { stableIngress: 'web' } },
        ...canary,
      },
      { replicas },
    ),
    { services: [service('stable'), service('canary')], ingresses: [ingress], weight: 0 },
  )
  world.pass(60_000)
  world.forget()
  return world
}

const hashOf = (world: World, name: string) =>
  world.services.find((one) => one.metadata.name === name)?.spec?.selector?.[
    'rollouts-pod-template-hash'
  ]

test('with routing the canary has its share of pods and stable keeps all of its own [rollout-controller 26]', () => {
  const world = routedWorld({ steps: [{ setWeight: 33 }, { pause: {} }] })
  world.setImage('h2')
  world.pass(10_000)
  expect([world.size('h2'), world.size('h1'), world.weight]).toEqual([4, 10, 33])
})

test('the weight moves only when the pods behind it are available', () => {
  const world = routedWorld({ steps: [{ setWeight: 20 }, { pause: {} }] })
  world.setImage('h2')
  world.pass(4_000)
  expect(world.weight).toBe(0)
  world.pass(2_000)
  expect(world.weight).toBe(20)
  expect(world.status.canary?.weights).toMatchObject({
    canary: { weight: 20 },
    stable: { weight: 80 },
  })
  expect(world.transitions.find((t) => t.reason === 'TrafficWeightUpdated')?.message).toBe(
    'Traffic weight updated from 0 to 20',
  )
})

test('an abort gives the traffic back at once and keeps the canary for its delay [rollout-controller 32]', () => {
  const world = routedWorld({ steps: [{ setWeight: 20 }, { pause: {} }] })
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ abort: true })
  expect(world.weight).toBe(0)
  expect(world.status.canary?.weights).toMatchObject({
    canary: { weight: 0 },
    stable: { weight: 100 },
  })
  expect(world.size('h2')).toBe(2)
  world.pass(29_000)
  expect(world.size('h2')).toBe(2)
  world.pass(2_000)
  expect(world.size('h2')).toBe(0)
})

test('after an abort the canary Service is switched exactly once [rollout-controller 59]', () => {
  const world = routedWorld({ steps: [{ setWeight: 20 }, { pause: {} }] })
  world.setImage('h2')
  world.pass(10_000)
  world.forget()
  world.patchStatus({ abort: true })
  world.pass(120_000)
  expect(world.writes.filter((write) => write.id === 'service/canary')).toHaveLength(1)
  expect(hashOf(world, 'canary')).toBe(hashOf(world, 'stable'))
})

test('an abort is decided and stored although the router does not react', () => {
  const world = routedWorld({ steps: [{ setWeight: 20 }, { pause: {} }] })
  world.setImage('h2')
  world.pass(10_000)
  world.routerWorks = false
  world.patchStatus({ abort: true })
  world.pass(60_000)
  expect(world.status.phase).toBe('Degraded')
  expect(world.size('h2')).toBe(2)
  world.routerWorks = true
  world.settle()
  world.pass(60_000)
  expect([world.weight, world.size('h2')]).toEqual([0, 0])
})

test('a pinned canary gets its pods back before it gets all traffic [rollout-controller 28] [api 52]', () => {
  const world = routedWorld({
    steps: [
      { setWeight: 10 },
      { setCanaryScale: { replicas: 3 } },
      { pause: { duration: '10m' } },
      { setWeight: 30 },
      { pause: {} },
      { setWeight: 60 },
      { pause: { duration: '10m' } },
      { setWeight: 100 },
    ],
  })
  world.setImage('h2')
  world.pass(20_000)
  expect([world.size('h2'), world.weight]).toEqual([3, 10])
  expect(world.transitions.filter((t) => t.reason === 'CanaryUnderscaled')).toHaveLength(1)
  world.pass(610_000)
  expect([world.status.currentStepIndex, world.weight, world.size('h2')]).toEqual([4, 30, 3])
  world.pass(3_600_000)
  expect(world.status.currentStepIndex).toBe(4)
  world.patchStatus({ pauseConditions: null })
  world.pass(10_000)
  expect([world.weight, world.size('h2')]).toEqual([60, 3])
  world.pass(592_000)
  expect([world.weight, world.size('h2')]).toEqual([60, 10])
  world.pass(10_000)
  expect(world.status.stableRS).toBe(world.status.currentPodHash)
  world.pass(60_000)
  expect([world.weight, world.size('h1'), world.status.phase]).toEqual([0, 0, 'Healthy'])
})

test('the old version keeps its pods for the scale-down delay after the switch [rollout-controller 34]', () => {
  const world = routedWorld({ steps: [{ setWeight: 50 }] })
  world.setImage('h2')
  world.pass(20_000)
  expect(world.status.stableRS).toBe(world.status.currentPodHash)
  expect(hashOf(world, 'stable')).toBe(world.status.currentPodHash)
  expect(world.size('h1')).toBe(10)
  world.pass(40_000)
  expect(world.size('h1')).toBe(0)
})

test('without steps the traffic moves by promotion alone, once every new pod is available [traffic-routing 8]', () => {
  const world = routedWorld({})
  const stable = hashOf(world, 'stable')
  world.mostReady.set('h2', 9)
  world.setImage('h2')
  world.pass(60_000)
  expect([world.weight, hashOf(world, 'stable')]).toEqual([0, stable])
  world.mostReady.delete('h2')
  world.pass(1_000)
  world.settle()
  expect(world.status.stableRS).toBe(world.status.currentPodHash)
  expect([world.weight, hashOf(world, 'stable')]).toEqual([0, world.status.currentPodHash])
  const moves = world.transitions.filter((one) => one.reason === 'TrafficWeightUpdated')
  expect(moves).toEqual([])
})

test('a weight of 15 of 1000 needs one pod of ten and leaves 985 to stable [traffic-routing 10]', () => {
  const world = routedWorld({
    trafficRouting: { maxTrafficWeight: 1000, nginx: { stableIngress: 'web' } },
    steps: [{ setWeight: 15 }, { pause: {} }],
  })
  world.setImage('h2')
  world.pass(10_000)
  expect([world.size('h2'), world.weight]).toEqual([1, 15])
  expect(world.status.canary?.weights?.stable?.weight).toBe(985)
})

test('a canary that loses pods loses the share that they carried, until they are back', () => {
  const world = routedWorld({ steps: [{ setWeight: 60 }, { pause: {} }] })
  world.setImage('h2')
  world.pass(10_000)
  world.mostReady.set('h2', 2)
  world.restartPods('h2', 0)
  expect(world.weight).toBe(20)
  world.mostReady.delete('h2')
  world.restartPods('h2', 0)
  expect(world.weight).toBe(60)
})

test('a canary whose size the user has set keeps the weight that it was given', () => {
  const steps = [{ setCanaryScale: { replicas: 4 } }, { setWeight: 60 }, { pause: {} }]
  const world = routedWorld({ steps })
  world.setImage('h2')
  world.pass(10_000)
  world.mostReady.set('h2', 1)
  world.restartPods('h2', 0)
  expect(world.weight).toBe(60)
})
