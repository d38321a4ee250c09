import type { KubeObject, Resource } from '@serinus/kube'
import { createRouters, type KnownKind, kindId } from '@serinus/traffic'
import { expect } from 'vitest'
import { type ClusterUnderTest, clusterUnderTest } from '../cluster-under-test.ts'
import { install, testWithCorpus, untilSaid } from './published-example.ts'
import { isDone, isPausedAt, patchStatus, rollout, setImage } from './web-rollout.ts'

const group = 'gateway.networking.k8s.io'
const httpRoutes: Resource = {
  group,
  version: 'v1',
  plural: 'httproutes',
  kind: 'HTTPRoute',
  namespaced: true,
}
const grpcRoutes: Resource = { ...httpRoutes, plural: 'grpcroutes', kind: 'GRPCRoute' }

interface Route extends KubeObject {
  readonly spec: {
    readonly rules: readonly {
      readonly name?: string
      readonly backendRefs: readonly { readonly name: string; readonly weight?: number }[]
    }[]
  }
}

const service = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
})

const route = (kind: string, matches: readonly object[]) => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: { name: 'web' },
  spec: {
    rules: [
      {
        matches,
        backendRefs: [
          { name: 'web-stable', port: 80 },
          { name: 'web-canary', port: 80 },
        ],
      },
    ],
  },
})

testWithCorpus(
  'weights, a header route and a mirror route go into routes of the Gateway API under its released definitions and the shipped role',
  async () => {
    await using world = await clusterUnderTest()
    const folder = `crds/gateway-api/${group}`
    await install(world, `${folder}_httproutes.yaml`, httpRoutes)
    await install(world, `${folder}_grpcroutes.yaml`, grpcRoutes)
    await world.startController()
    await world.apply(
      service('web-stable'),
      service('web-canary'),
      route('HTTPRoute', [{ path: { type: 'PathPrefix', value: '/shop' } }]),
      route('GRPCRoute', [{ headers: [{ name: 'tenant', value: 'a' }] }]),
    )
    const headers = [{ headerName: 'X-Canary', headerValue: { exact: 'true' } }]
    await world.apply(
      rollout(
        'web',
        {},
        {
          stableService: 'web-stable',
          canaryService: 'web-canary',
          trafficRouting: {
            managedRoutes: [{ name: 'testers' }, { name: 'shadow' }],
            plugins: {
              'argoproj-labs/gatewayAPI': { httpRoute: 'web', grpcRoute: 'web', mirror: true },
            },
          },
          steps: [
            { setWeight: 20 },
            { setHeaderRoute: { name: 'testers', match: headers } },
            { setMirrorRoute: { name: 'shadow', match: [{ path: { prefix: '/shop/a' } }] } },
            { pause: {} },
            { setHeaderRoute: { name: 'testers' } },
            { setWeight: 50 },
            { pause: {} },
          ],
        },
      ),
    )
    await world.untilRollout('web', isDone)
    const quiet = ['web', ['web-stable 100', 'web-canary 0']]
    await says(world, httpRoutes, quiet)
    await says(world, grpcRoutes, quiet)
    await setImage(world, 'web', 'web:v2')
    await world.untilRollout('web', isPausedAt(3))
    const split = ['web-stable 80', 'web-canary 20']
    const testers = ['testers', 'web-canary 1']
    await says(world, httpRoutes, ['web in-progress', split, testers, ['shadow', ...split]])
    await says(world, grpcRoutes, ['web in-progress', split, testers])
    await isSettled(world)
    await patchStatus(world, 'web', { pauseConditions: null })
    await world.untilRollout('web', isPausedAt(6))
    const half = ['web-stable 50', 'web-canary 50']
    await says(world, httpRoutes, ['web in-progress', half, ['shadow', ...half]])
    await patchStatus(world, 'web', { abort: true })
    await world.untilRollout('web', ({ status }) => status?.phase === 'Degraded')
    await says(world, httpRoutes, quiet)
    await says(world, grpcRoutes, quiet)
    expect(world.errors).toEqual([])
  },
)

testWithCorpus(
  'a weight counts when the parents of the route have taken it, and is waited for until then [traffic-routing 70]',
  async () => {
    await using world = await clusterUnderTest()
    await install(world, `crds/gateway-api/${group}_httproutes.yaml`, httpRoutes)
    await world.startController()
    await world.apply(
      service('web-stable'),
      service('web-canary'),
      route('HTTPRoute', [{ path: { type: 'PathPrefix', value: '/' } }]),
    )
    const canary = {
      stableService: 'web-stable',
      canaryService: 'web-canary',
      trafficRouting: { gatewayAPI: { httpRoute: 'web' } },
      steps: [{ setWeight: 20 }, { pause: {} }],
    }
    await world.apply(rollout('web', {}, canary))
    await world.untilRollout('web', isDone)
    await says(world, httpRoutes, ['web', ['web-stable 100', 'web-canary 0']])
    await takenBy(world)
    await setImage(world, 'web', 'web:v2')
    await says(world, httpRoutes, ['web in-progress', ['web-stable 80', 'web-canary 20']])
    const waiting = await world.untilRollout(
      'web',
      ({ status }) => status?.canary?.weights?.verified === false,
    )
    expect(waiting.status?.currentStepIndex).toBe(0)
    await takenBy(world)
    const paused = await world.untilRollout('web', isPausedAt(1))
    expect(paused.status?.canary?.weights).toMatchObject({ canary: { weight: 20 }, verified: true })
    expect(world.errors).toEqual([])
  },
)

/** The gateway says that it has taken the route as it is now. */
async function takenBy(world: ClusterUnderTest): Promise<void> {
  const [object] = await world.until<Route, readonly Route[]>(httpRoutes, (all) => all)
  const conditions = ['Accepted', 'ResolvedRefs'].map((type) => ({
    type,
    status: 'True',
    reason: type,
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
    observedGeneration: object?.metadata.generation,
  }))
  const parents = [
    { parentRef: { name: 'gateway' }, controllerName: 'example.com/gateway', conditions },
  ]
  const key = { namespace: world.namespace, name: 'web' }
  const patch = { kind: 'merge', body: { status: { parents } } } as const
  await world.client.patch(httpRoutes, key, patch, { subresource: 'status' })
}

/** Waits until the only route of a kind has this name, label and rules. */
function says(world: ClusterUnderTest, kind: Resource, expected: unknown): Promise<void> {
  return untilSaid<Route>(world, kind, {
    read: ([object]) => {
      const label = object?.metadata.labels?.['rollouts.argoproj.io/gatewayapi-canary']
      return [
        `${object?.metadata.name}${label ? ` ${label}` : ''}`,
        ...(object?.spec.rules ?? []).map(({ name, backendRefs }) => [
          ...(name ? [name] : []),
          ...backendRefs.map((ref) => `${ref.name} ${ref.weight}`),
        ]),
      ]
    },
    expected,
  })
}

/** What an API server adds to the rules on its own must not be taken for a difference, pass after pass. */
async function isSettled(world: ClusterUnderTest): Promise<void> {
  const web = await world.rollout('web')
  const objects = new Map<string, KnownKind>()
  for (const resource of [httpRoutes, grpcRoutes]) {
    const found = await world.until<KubeObject, readonly KubeObject[]>(resource, (all) => all)
    objects.set(kindId(resource), { state: 'served', resource, objects: found })
  }
  const { namespace = 'default', name, uid = '' } = web.metadata
  const { steps = [] } = web.spec.strategy?.canary ?? {}
  const header = steps[1]?.setHeaderRoute
  const mirror = steps[2]?.setMirrorRoute
  const plans = createRouters().plan(web, objects, {
    rollout: { namespace, name, uid },
    weight: 20,
    max: 100,
    stable: { service: 'web-stable', hash: '', available: true },
    canary: { service: 'web-canary', hash: '', available: true },
    additional: [],
    removeManagedRoutes: false,
    managedRoutes: [
      { kind: 'header', name: 'testers', match: header?.match ?? [] },
      { kind: 'mirror', name: 'shadow', match: mirror?.match ?? [], percentage: 100 },
    ],
  })
  const nothing = { ok: true, writes: [], transitions: [] }
  expect(plans).toEqual([nothing, nothing])
}
