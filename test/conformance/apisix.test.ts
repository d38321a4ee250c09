import type { KubeObject, Resource } from '@serinus/kube'
import { expect } from 'vitest'
import { clusterUnderTest } from '../cluster-under-test.ts'
import { install, published, renew, testWithCorpus, untilSaid } from './published-example.ts'
import { isDone, isPausedAt, patchStatus } from './web-rollout.ts'

const apisixRoutes: Resource = {
  group: 'apisix.apache.org',
  version: 'v2',
  plural: 'apisixroutes',
  kind: 'ApisixRoute',
  namespaced: true,
}

interface ApisixRoute extends KubeObject {
  readonly spec: {
    readonly http: readonly {
      readonly match: { readonly exprs?: readonly object[] }
      readonly backends: readonly { readonly serviceName: string; readonly weight?: number }[]
    }[]
  }
}

testWithCorpus(
  "Argo Rollouts' APISIX example with a header route runs unchanged under the released definition and the shipped role",
  async () => {
    await using world = await clusterUnderTest()
    await install(world, 'crds/apisix/apisix.apache.org_apisixroutes.yaml', apisixRoutes)
    await world.startController()
    const folder = 'upstream/examples/apisix'
    await world.apply(
      ...['services', 'route', 'rollout'].flatMap((name) => published(`${folder}/${name}.yaml`)),
    )
    const name = 'rollout-apisix-canary'
    const routes = (canary: number, ...header: readonly unknown[]) =>
      untilSaid<ApisixRoute>(world, apisixRoutes, {
        read: (objects) =>
          objects.map(({ metadata, spec }) => [
            metadata.name,
            ...spec.http.flatMap(({ match, backends }) => [
              ...(match.exprs ?? []),
              ...backends.map(({ serviceName, weight }) => `${serviceName} ${weight}`),
            ]),
          ]),
        expected: [
          ['rollouts-apisix-route', `${name}-stable ${100 - canary}`, `${name}-canary ${canary}`],
          ...header,
        ],
      })
    const setHeader = [
      'set-header',
      { op: 'Equal', subject: { name: 'trace', scope: 'Header' }, value: 'debug' },
      `${name}-canary 100`,
    ]
    await world.untilRollout(name, isDone)
    await routes(0)
    await renew(world, name, 'argoproj/rollouts-demo:yellow')
    const first = await world.untilRollout(name, isPausedAt(1))
    expect(first.status?.updatedReplicas).toBe(1)
    await routes(0, setHeader)
    await patchStatus(world, name, { pauseConditions: null })
    await world.untilRollout(name, isPausedAt(3))
    await routes(20, setHeader)
    await patchStatus(world, name, { abort: true })
    await world.untilRollout(name, ({ status }) => status?.phase === 'Degraded')
    await routes(0)
    expect(world.errors).toEqual([])
  },
)
