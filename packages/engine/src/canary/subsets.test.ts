import { expect, test } from 'vitest'
import { type Canary, canaryRollout, World } from '../testing/world.ts'

/** A router whose objects select the pods themselves; no Service is named. */
function subsetWorld(canary: Canary, replicas = 10): World {
  const world = new World(
    canaryRollout(
      {
        trafficRouting: {
          istio: {
            virtualService: { name: 'web' },
            destinationRule: {
              name: 'web',
              canarySubsetName: 'canary',
              stableSubsetName: 'stable',
            },
          },
        },
        ...canary,
      },
      { replicas },
    ),
    { weight: 0, subsets: { stable: '', canary: '' } },
  )
  world.pass(60_000)
  world.forget()
  return world
}

const imageOf = (world: World, hash: string) =>
  world.replicaSets.find((set) => set.metadata.labels?.['rollouts-pod-template-hash'] === hash)
    ?.spec.template.spec?.containers?.[0]?.image

/** Images behind the subsets: stable, canary. */
const led = (world: World) => [
  imageOf(world, world.subsets?.stable ?? ''),
  imageOf(world, world.subsets?.canary ?? ''),
]

const steps = [{ setWeight: 50 }, { pause: {} }]

test('subsets lead to the new version before a weight does, and the weight goes once stable leads there too', () => {
  const world = subsetWorld({ steps })
  const seen: string[] = []
  world.observe = () => {
    const now = `${world.weight} ${led(world).join(' ')}`
    if (seen.at(-1) !== now) seen.push(now)
  }
  world.setImage('h2')
  world.pass(20_000)
  world.patchStatus({ pauseConditions: null })
  world.pass(120_000)
  expect(seen).toEqual(['0 h1 h1', '0 h1 h2', '50 h1 h2', '100 h1 h2', '100 h2 h2', '0 h2 h2'])
  expect([world.status.phase, world.size('h1')]).toEqual(['Healthy', 0])
})

test('the next version takes the subset over only at weight 0 and with a pod of its own [traffic-routing 6]', () => {
  const world = subsetWorld({ steps })
  world.setImage('h2')
  world.pass(20_000)
  expect([world.weight, ...led(world)]).toEqual([50, 'h1', 'h2'])
  world.setImage('h3')
  world.pass(4_000)
  expect([world.weight, ...led(world)]).toEqual([0, 'h1', 'h2'])
  world.pass(16_000)
  expect([world.weight, ...led(world)]).toEqual([50, 'h1', 'h3'])
})

test('an abort gives stable all that its pods can carry, although one of them is not ready [traffic-routing 58]', () => {
  const world = subsetWorld({ steps, maxUnavailable: 0, maxSurge: 1 })
  world.setImage('h2')
  world.pass(20_000)
  world.restartPods('h1', 1)
  world.patchStatus({ abort: true })
  expect([world.weight, ...led(world)]).toEqual([10, 'h1', 'h2'])
  world.pass(10_000)
  expect(world.weight).toBe(0)
})

test('pods that a subset still leads a share to stay, although no step needs them', () => {
  const world = subsetWorld({ steps })
  world.setImage('h2')
  world.pass(20_000)
  world.routerWorks = false
  world.setImage('h3')
  world.pass(120_000)
  expect([world.weight, ...led(world)]).toEqual([50, 'h1', 'h2'])
  expect(world.size('h2')).toBe(5)
})

test('an update that is pending hashes goes on with everything else', () => {
  const world = subsetWorld({ steps })
  world.broken.add('h2')
  world.setImage('h2')
  world.pass(60_000)
  expect([world.weight, ...led(world)]).toEqual([0, 'h1', 'h1'])
  expect(world.size('h2')).toBe(5)
  world.patchStatus({ abort: true })
  world.pass(60_000)
  expect([world.status.phase, world.size('h2')]).toEqual(['Degraded', 0])
})
