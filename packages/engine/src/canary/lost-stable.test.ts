import { expect, test } from 'vitest'
import { routing, worldOf } from '../testing/stories.ts'
import { type Canary, canaryRollout, type World } from '../testing/world.ts'

function lost(canary: Canary): World {
  const steps = [{ setWeight: 20 }, { pause: {} }, { setWeight: 60 }, { pause: {} }]
  const world = worldOf(canaryRollout({ ...canary, steps }, { replicas: 5 }))
  world.setImage('h2')
  world.pass(20_000)
  world.replicaSets = world.replicaSets.filter((set) => set !== world.setOf('h1'))
  world.settle()
  world.pass(20_000)
  return world
}

test('when the stable version is deleted in mid-update the new one takes over its work, but is not promoted unasked', () => {
  const world = lost(routing)
  expect([world.size('h2'), world.weight]).toEqual([5, 100])
  expect(world.status.stableRS).not.toBe(world.status.currentPodHash)
  expect([world.status.phase, world.status.message]).toEqual([
    'Degraded',
    expect.stringMatching(/^StableReplicaSetLost: .* promote the new version in full/),
  ])
  expect(world.plans.at(-1)?.waits[0]?.kind).toBe('stable-lost')
})

test('a full promotion makes the version that is left the stable one', () => {
  for (const canary of [routing, {}]) {
    const world = lost(canary)
    world.patchStatus({ promoteFull: true })
    world.pass(60_000)
    expect([world.status.phase, world.size('h2')]).toEqual(['Healthy', 5])
    expect(world.status.stableRS).toBe(world.status.currentPodHash)
  }
})
