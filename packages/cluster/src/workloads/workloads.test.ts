import { type KubeObject, resources, type UnknownObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { isReady, type Pod } from '../pods/pod.ts'
import type { Deployment, EndpointSlice, Namespace, ReplicaSet } from './objects.ts'
import { deployment, endpointsOf, podTemplate, replicaSet, service, TestCluster } from './test-cluster.ts'

test('a Deployment of ten is ready after about a second, with the events of a real cluster', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.deployments, deployment('web', { replicas: 10 }))
  await cluster.pass(2)
  const { status } = await cluster.get<Deployment>(resources.deployments, 'web')
  expect(status).toMatchObject({
    observedGeneration: 1,
    replicas: 10,
    updatedReplicas: 10,
    readyReplicas: 10,
    availableReplicas: 10,
  })
  expect(status?.conditions?.map(({ type, status: is, reason }) => [type, is, reason])).toEqual(
    expect.arrayContaining([
      ['Available', 'True', 'MinimumReplicasAvailable'],
      ['Progressing', 'True', 'NewReplicaSetAvailable'],
    ]),
  )
  const [set] = await cluster.list<ReplicaSet>(resources.replicaSets)
  expect(await cluster.told('web', 'ScalingReplicaSet')).toEqual([
    `Scaled up replica set ${set?.metadata.name} from 0 to 10`,
  ])
  const [pod] = await cluster.pods()
  const name = pod?.metadata.name ?? ''
  expect(await cluster.told(set?.metadata.name ?? '', 'SuccessfulCreate')).toContain(
    `Created pod: ${name}`,
  )
  expect(await cluster.told(name, 'Scheduled')).toEqual([
    `Successfully assigned default/${name} to ${pod?.spec.nodeName}`,
  ])
  expect(cluster.errors).toEqual([])
})
