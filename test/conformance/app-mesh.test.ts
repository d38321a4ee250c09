import type { KubeObject, Resource } from '@serinus/kube'
import { expect } from 'vitest'
import { clusterUnderTest } from '../cluster-under-test.ts'
import { install, published, renew, testWithCorpus, untilSaid } from './published-example.ts'
import { isDone, isPausedAt, patchStatus } from './web-rollout.ts'

const kind = (plural: string, kind: string): Resource => ({
  group: 'appmesh.k8s.aws',
  version: 'v1beta2',
  plural,
  kind,
  namespaced: true,
})
const virtualServices = kind('virtualservices', 'VirtualService')
const virtualRouters = kind('virtualrouters', 'VirtualRouter')
const virtualNodes = kind('virtualnodes', 'VirtualNode')

interface VirtualRouter extends KubeObject {
  readonly spec: {
    readonly routes: readonly {
      readonly httpRoute: {
        readonly action: { readonly weightedTargets: readonly { readonly weight: number }[] }
      }
    }[]
  }
}

interface VirtualNode extends KubeObject {
  readonly spec: { readonly podSelector: { readonly matchLabels: Record<string, string> } }
}

testWithCorpus(
  "Argo Rollouts' App Mesh example runs unchanged under the released definitions and the shipped role",
  async () => {
    await using world = await clusterUnderTest()
    for (const one of [virtualServices, virtualRouters, virtualNodes]) {
      await install(world, `crds/appmesh/appmesh.k8s.aws_${one.plural}.yaml`, one)
    }
    await world.startController()
    const wanted = ['Service', 'VirtualService', 'VirtualRouter', 'VirtualNode', 'Rollout']
    const folder = 'upstream/examples/appmesh'
    await world.apply(
      ...['canary-service', 'canary-rollout']
        .flatMap((name) => published(`${folder}/${name}.yaml`))
        .filter((object) => wanted.includes(object.kind)),
    )
    const weights = (...expected: readonly number[]) =>
      untilSaid<VirtualRouter>(world, virtualRouters, {
        read: ([router]) =>
          router?.spec.routes[0]?.httpRoute.action.weightedTargets.map(({ weight }) => weight),
        expected,
      })
    const selected = (canary: string | undefined, stable: string | undefined) =>
      untilSaid<VirtualNode>(world, virtualNodes, {
        read: (nodes) =>
          ['my-vn-canary', 'my-vn-stable', 'wrk-tester'].map((name) => {
            const node = nodes.find(({ metadata }) => metadata.name === name)
            return node?.spec.podSelector.matchLabels
          }),
        expected: [
          { app: 'my-app', 'rollouts-pod-template-hash': canary },
          { app: 'my-app', 'rollouts-pod-template-hash': stable },
          { app: 'wrk-tester' },
        ],
      })
    const first = await world.untilRollout('my-rollout', isDone)
    await weights(0, 100)
    await selected('canary-hash', first.status?.stableRS)
    await renew(world, 'my-rollout', 'argoproj/rollouts-demo:yellow')
    const paused = await world.untilRollout('my-rollout', isPausedAt(1))
    await weights(25, 75)
    await selected(paused.status?.currentPodHash, first.status?.stableRS)
    await patchStatus(world, 'my-rollout', { pauseConditions: null, promoteFull: true })
    const second = await world.untilRollout('my-rollout', isDone)
    expect(second.status?.stableRS).toBe(paused.status?.currentPodHash)
    await weights(0, 100)
    await selected('canary-hash', second.status?.stableRS)
    expect(world.errors).toEqual([])
  },
)
