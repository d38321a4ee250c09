import { hashLabel } from '@serinus/api'
import { expect, test } from 'vitest'
import type { Service } from '../snapshot.ts'
import { canaryRollout, World } from '../testing/world.ts'

const service = (name: string): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { selector: { app: 'app' }, ports: [{ port: 80 }] },
})

function pingPongWorld(): World {
  const canary = {
    pingPong: { pingService: 'ping', pongService: 'pong' },
    steps: [{ setWeight: 50 }, { pause: {} }],
  }
  const world = new World(canaryRollout(canary, { replicas: 4 }), {
    services: [service('ping'), service('pong')],
  })
  world.pass(60_000)
  return world
}

const selected = (world: World) =>
  ['ping', 'pong'].map((name) => {
    const hash = world.services.find(({ metadata }) => metadata.name === name)?.spec?.selector?.[
      hashLabel
    ]
    const set = world.replicaSets.find(({ metadata }) => metadata.labels?.[hashLabel] === hash)
    return set?.spec.template.spec?.containers?.[0]?.image
  })

test('two Services swap roles at each promotion, and no Service of the stable side changes its pods', () => {
  const world = pingPongWorld()
  expect([world.status.canary?.stablePingPong, ...selected(world)]).toEqual([
    'ping',
    'h1',
    undefined,
  ])
  world.setImage('h2')
  expect(selected(world)).toEqual(['h1', 'h2'])
  world.pass(10_000)
  world.patchStatus({ pauseConditions: null })
  world.pass(60_000)
  expect([world.status.canary?.stablePingPong, ...selected(world)]).toEqual(['pong', 'h1', 'h2'])
  expect([world.size('h1'), world.size('h2'), world.status.phase]).toEqual([0, 4, 'Healthy'])
  world.setImage('h3')
  expect(selected(world)).toEqual(['h3', 'h2'])
})
