import { kinds } from '@serinus/api'
import type { KubeObject, Resource } from '@serinus/kube'
import { expect, test } from 'vitest'
import { openDefinition, webRollout, webService } from './routed-web.ts'
import { type VirtualCluster, virtualCluster } from './virtual-cluster.ts'

const group = 'getambassador.io'
const mappings: Resource = {
  group,
  version: 'v2',
  plural: 'mappings',
  kind: 'Mapping',
  namespaced: true,
}

interface Mapping extends KubeObject {
  readonly spec: { readonly weight?: number }
}

const mapping = {
  apiVersion: `${group}/v2`,
  kind: 'Mapping',
  metadata: { name: 'web', namespace: 'default' },
  spec: { prefix: '/', service: 'web-stable:80' },
} as KubeObject

const rollout = webRollout({
  stableService: 'web-stable',
  canaryService: 'web-canary',
  trafficRouting: { ambassador: { mappings: ['web'] } },
  steps: [{ setWeight: 25 }, { pause: {} }],
})

const weights = async ({ client }: VirtualCluster) =>
  (await client.list<Mapping>(mappings)).items.map(({ spec }) => spec.weight)

/** In the middle of an update, a quarter of the requests with the canary. */
async function atPause(): Promise<VirtualCluster> {
  const world = await virtualCluster()
  await world.apply(openDefinition(mappings))
  await world.pass(1_000)
  await world.apply(mapping, webService('web-stable'), webService('web-canary'), rollout)
  await world.until('web', ({ status }) => status?.phase === 'Healthy')
  await world.setImage('web', 'web:v2')
  await world.until('web', ({ status }) => status?.phase === 'Paused')
  return world
}

test('what a router made goes ten seconds after it was told to carry nothing, and is made again for the next update', async () => {
  await using world = await atPause()
  expect(await weights(world)).toEqual([undefined, 25])
  await world.promote('web')
  let last: readonly unknown[] = []
  const since = new Map<string, number>()
  for (let second = 0; second < 120 && last.length !== 1; second++) {
    await world.pass(1_000)
    last = await weights(world)
    const text = JSON.stringify(last)
    since.set(text, since.get(text) ?? world.clock.now())
  }
  const [carrying, gone] = ['[null,0]', '[null]'].map((text) => since.get(text))
  expect((gone ?? 0) - (carrying ?? 0)).toBe(10_000)
  await world.setImage('web', 'web:v3')
  await world.until('web', ({ status }) => status?.phase === 'Paused')
  expect(await weights(world)).toEqual([undefined, 25])
  expect(world.errors).toEqual([])
})

test('what a router made goes although the controller died before it could take it away', async () => {
  await using world = await atPause()
  await world.promote('web')
  await world.until('web', ({ status }) => status?.phase === 'Healthy')
  await world.pass(120_000)
  const { metadata } = await world.rollout('web')
  world.stopController()
  const owner = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name: 'web' }
  await world.apply({
    ...mapping,
    metadata: {
      name: 'web-canary',
      namespace: 'default',
      ownerReferences: [{ ...owner, uid: metadata.uid ?? '', controller: true }],
    },
    spec: { prefix: '/', service: 'web-canary:80', weight: 0 },
  } as KubeObject)
  await world.restartController()
  await world.pass(5_000)
  expect(await weights(world)).toEqual([undefined, 0])
  await world.pass(30_000)
  expect(await weights(world)).toEqual([undefined])
})

test('what a router made goes although its block has left the spec, once the update is over', async () => {
  await using world = await atPause()
  const body = { spec: { strategy: { canary: { trafficRouting: null } } } }
  const key = { namespace: 'default', name: 'web' }
  await world.client.patch(kinds.rollouts, key, { kind: 'merge', body })
  await world.pass(30_000)
  expect(await weights(world)).toEqual([undefined, 25])
  await world.promote('web')
  await world.until('web', ({ status }) => status?.phase === 'Healthy')
  await world.pass(5_000)
  expect(await weights(world)).toEqual([undefined])
})
