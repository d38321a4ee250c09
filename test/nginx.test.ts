import { kinds } from '@serinus/api'
import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { virtualCluster } from './virtual-cluster.ts'

const production = 'examples/articles/production'
const key = { namespace: 'default', name: 'my-app' }
const ingresses = async (world: Awaited<ReturnType<typeof virtualCluster>>) =>
  (await world.client.list(resources.ingresses)).items.map(({ metadata }) => metadata.name)

test('an Ingress without a path to the stable Service is told, and heals when it gets one [traffic-routing 33] [api 20]', async () => {
  await using world = await virtualCluster()
  const surroundings = readManifests(`${production}/surroundings.yaml`)
  const [ingress] = surroundings.filter(({ kind }) => kind === 'Ingress')
  const backend = (name: string) => ({ service: { name, port: { number: 80 } } })
  const spec = (name: string) => ({
    rules: [
      { host: 'a', http: { paths: [{ path: '/', pathType: 'Prefix', backend: backend(name) }] } },
    ],
  })
  await world.apply(...surroundings.filter(({ kind }) => kind !== 'Ingress'), {
    ...ingress,
    spec: spec('other'),
  } as never)
  await world.apply(...readManifests(`${production}/complete.yaml`))
  await world.pass(2_000)
  expect((await world.rollout('my-app')).status?.message).toContain(
    'ingress `my-app-ingress` has no rules using service my-app-stable backend',
  )
  const patch = { kind: 'merge', body: { spec: spec('my-app-stable') } } as const
  await world.client.patch(
    resources.ingresses,
    { namespace: 'default', name: 'my-app-ingress' },
    patch,
  )
  await world.pass(15_000)
  expect((await world.rollout('my-app')).status?.phase).toBe('Healthy')
})

test('the canary Ingress goes when routing is taken from the spec [traffic-routing 36]', async () => {
  await using world = await virtualCluster()
  await world.apply(...readManifests(`${production}/surroundings.yaml`))
  await world.apply(...readManifests(`${production}/complete.yaml`))
  await world.until('my-app', (rollout) => rollout.status?.phase === 'Healthy')
  expect(await ingresses(world)).toContain('my-app-my-app-ingress-canary')
  const steps = [{ setWeight: 50 }, { pause: {} }]
  const body = { spec: { strategy: { canary: { trafficRouting: null, steps } } } }
  await world.client.patch<KubeObject>(kinds.rollouts, key, { kind: 'merge', body })
  await world.pass(15_000)
  expect(await ingresses(world)).toEqual(['my-app-ingress'])
  expect((await world.rollout('my-app')).status?.phase).toBe('Healthy')
})
