import { hashLabel, kinds } from '@serinus/api'
import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { webKey, webRollout, webService } from './routed-web.ts'
import { type VirtualCluster, virtualCluster } from './virtual-cluster.ts'

const rootAction = 'alb.ingress.kubernetes.io/actions.web-root'

const path = (name: string) => ({
  path: '/*',
  pathType: 'ImplementationSpecific',
  backend: { service: { name, port: { name: 'use-annotation' } } },
})

const ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { ...webKey, annotations: { 'kubernetes.io/ingress.class': 'alb' } },
  spec: { rules: [{ http: { paths: [path('web-root')] } }] },
} as KubeObject

const rollout = (canary: object) =>
  webRollout({
    trafficRouting: {
      managedRoutes: [{ name: 'testers' }],
      alb: { ingress: 'web', rootService: 'web-root', servicePort: 80 },
    },
    ...canary,
  })

const sides = { stableService: 'web-stable', canaryService: 'web-canary' }
const isHealthy = ({ status }: { status?: { phase?: string } }) => status?.phase === 'Healthy'
const isPaused = ({ status }: { status?: { phase?: string } }) => status?.phase === 'Paused'

async function seen(world: VirtualCluster) {
  const object = (await world.client.get(resources.ingresses, webKey)) as unknown as {
    readonly metadata: { readonly annotations: Readonly<Record<string, string>> }
    readonly spec: { readonly rules: readonly { readonly http: { readonly paths: unknown } }[] }
  }
  const { annotations } = object.metadata
  const groups = (
    JSON.parse(annotations[rootAction] ?? '{}') as {
      ForwardConfig?: { TargetGroups: { ServiceName: string; Weight: number }[] }
    }
  ).ForwardConfig?.TargetGroups.map(({ ServiceName, Weight }) => `${ServiceName} ${Weight}`)
  return { annotations, groups, paths: object.spec.rules[0]?.http.paths }
}

async function hashOf(world: VirtualCluster, name: string): Promise<string | undefined> {
  const object = await world.client.get<
    KubeObject & { spec: { selector: Record<string, string> } }
  >(resources.services, { namespace: 'default', name })
  return object.spec.selector[hashLabel]
}

test('Services that swap roles keep their pods, and the weight stays where the new pods are [traffic-routing 42]', async () => {
  await using world = await virtualCluster()
  await world.apply(ingress, webService('web-root'), webService('ping'), webService('pong'))
  const pingPong = { pingService: 'ping', pongService: 'pong' }
  await world.apply(rollout({ pingPong, steps: [{ setWeight: 30 }, { pause: {} }] }))
  await world.until('web', isHealthy)
  expect((await world.rollout('web')).status?.canary?.stablePingPong).toBe('ping')
  await world.setImage('web', 'web:v2')
  const paused = await world.until('web', isPaused)
  expect((await seen(world)).groups).toEqual(['pong 30', 'ping 70'])
  const hash = await hashOf(world, 'pong')
  expect(hash).toBe(paused.status?.currentPodHash)
  await world.promote('web')
  await world.until('web', isHealthy)
  await world.pass(60_000)
  expect((await world.rollout('web')).status?.canary?.stablePingPong).toBe('pong')
  expect((await seen(world)).groups).toEqual(['ping 0', 'pong 100'])
  expect(await hashOf(world, 'pong')).toBe(hash)
  expect(world.errors).toEqual([])
})

test('a Rollout with a root Service that is deleted in its update leaves all to stable within ten seconds [traffic-routing 46]', async () => {
  await using world = await virtualCluster()
  await world.apply(ingress, ...['web-root', 'web-stable', 'web-canary'].map(webService))
  const match = [{ headerName: 'x-tester', headerValue: { exact: 'yes' } }]
  const steps = [{ setWeight: 30 }, { setHeaderRoute: { name: 'testers', match } }, { pause: {} }]
  await world.apply(rollout({ ...sides, steps }))
  await world.until('web', isHealthy)
  await world.setImage('web', 'web:v2')
  await world.until('web', isPaused)
  const before = await seen(world)
  expect(before.groups).toEqual(['web-canary 30', 'web-stable 70'])
  expect(before.paths).toEqual([path('testers'), path('web-root')])
  await world.client.delete(kinds.rollouts, webKey)
  await world.pass(10_000)
  const after = await seen(world)
  expect(after.annotations).toEqual({
    'kubernetes.io/ingress.class': 'alb',
    [rootAction]:
      '{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"web-stable","ServicePort":"80","Weight":100}]}}',
  })
  expect(after.paths).toEqual([path('web-root')])
})

test('an aborted update takes its header route away, and a change by hand is put right', async () => {
  await using world = await virtualCluster()
  await world.apply(ingress, ...['web-root', 'web-stable', 'web-canary'].map(webService))
  const match = [{ headerName: 'x-tester', headerValue: { exact: 'yes' } }]
  const steps = [{ setHeaderRoute: { name: 'testers', match } }, { setWeight: 30 }, { pause: {} }]
  await world.apply(rollout({ ...sides, steps }))
  await world.until('web', isHealthy)
  await world.setImage('web', 'web:v2')
  await world.until('web', isPaused)
  const { annotations } = await seen(world)
  const none = { metadata: { annotations: { [rootAction]: null } } }
  await world.client.patch(resources.ingresses, webKey, { kind: 'merge', body: none })
  await world.pass(5_000)
  expect((await seen(world)).annotations).toEqual(annotations)
  const body = { status: { abort: true } }
  await world.client.patch(
    kinds.rollouts,
    webKey,
    { kind: 'merge', body },
    { subresource: 'status' },
  )
  await world.pass(5_000)
  const { groups, paths } = await seen(world)
  expect(groups).toEqual(['web-canary 0', 'web-stable 100'])
  expect(paths).toEqual([path('web-root')])
  expect(world.errors).toEqual([])
})
