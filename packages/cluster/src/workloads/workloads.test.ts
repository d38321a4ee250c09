import {
  ApiError,
  countRequests,
  type KubeObject,
  resources,
  SeededRandom,
  type UnknownObject,
  VirtualClock,
} from '@serinus/kube'
import { expect, test } from 'vitest'
import { ApiServer } from '../apiserver/server.ts'
import { isReady, type Pod } from '../pods/pod.ts'
import type { Deployment, EndpointSlice, ReplicaSet } from './objects.ts'
import {
  deployment,
  endpointsOf,
  podTemplate,
  replicaSet,
  service,
  TestCluster,
} from './test-cluster.ts'

test('a Deployment of ten is ready after about a second, with the events of a real cluster', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.deployments, deployment('web', { replicas: 10 }))
  await cluster.pass(2)
  const { status } = await cluster.get<Deployment>(resources.deployments, 'web')
  expect(status).toMatchObject({
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

test('a cluster at rest writes nothing and asks for nothing but its watches', async () => {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  using server = new ApiServer({ clock, random: new SeededRandom('test') })
  const counted = countRequests(server.client)
  using cluster = await TestCluster.start({}, { clock, server, client: counted.client })
  await cluster.create(resources.deployments, deployment('web'))
  await cluster.create(resources.services, service('web', { app: 'web' }))
  await cluster.create(
    resources.pods,
    bare('crashed', podTemplate('crashed', { image: 'web:missing-1' })),
  )
  await cluster.pass(60)
  await cluster.delete(resources.pods, 'crashed')
  // Until the last Event has expired.
  await cluster.pass(3_660)
  counted.reset()
  await cluster.pass(3_600)
  const kinds = [...counted.counts().byKind.keys()].filter((kind) => !kind.startsWith('watch '))
  expect(kinds).toEqual([])
  expect(cluster.errors).toEqual([])
})

test('a ReplicaSet of ten scaled to three deletes unready and youngest pods first [embedded-cluster 7]', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.replicaSets, replicaSet('web', 3))
  await cluster.pass(7_200)
  const oldest = (await cluster.pods()).map(({ metadata }) => metadata.name)
  await cluster.merge(resources.replicaSets, 'web', { spec: { replicas: 7 } })
  await cluster.pass(60)
  const never = podTemplate('web', { annotations: { 'sim.serinus.dev/ready': 'false' } })
  await cluster.merge(resources.replicaSets, 'web', { spec: { replicas: 10, template: never } })
  await cluster.pass(5)
  const before = await cluster.pods()
  expect(before.filter(isReady)).toHaveLength(7)

  await cluster.merge(resources.replicaSets, 'web', { spec: { replicas: 9 } })
  await cluster.pass(5)
  expect((await cluster.pods()).filter(isReady)).toHaveLength(7)
  await cluster.merge(resources.replicaSets, 'web', { spec: { replicas: 3 } })
  await cluster.pass(5)
  const left = (await cluster.pods()).map(({ metadata }) => metadata.name)
  expect(left.sort()).toEqual(oldest.sort())
  const deleted = await cluster.told('web', 'SuccessfulDelete')
  expect(deleted).toHaveLength(7)
  expect(deleted[0]).toMatch(/^Deleted pod: web-[a-z0-9]{5}$/)
})

test('a rolling update with a bad image stops at maxUnavailable and says ProgressDeadlineExceeded in time [embedded-cluster 8]', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(
    resources.deployments,
    deployment('web', { replicas: 10, progressDeadlineSeconds: 60 }),
  )
  await cluster.pass(10)
  const template = podTemplate('web', { image: 'web:missing-2' })
  await cluster.merge(resources.deployments, 'web', { spec: { template } })
  await cluster.pass(30)
  const during = await cluster.get<Deployment>(resources.deployments, 'web')
  expect(during.status).toMatchObject({ updatedReplicas: 5, availableReplicas: 8 })
  expect(progressing(during)?.status).toBe('True')
  const stuck = (await cluster.pods()).find((pod) => !isReady(pod))
  expect(stuck?.status?.containerStatuses?.[0]?.state.waiting?.reason).toBe('ImagePullBackOff')

  await cluster.pass(33)
  const after = await cluster.get<Deployment>(resources.deployments, 'web')
  expect(progressing(after)).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' })
  expect(after.status?.availableReplicas).toBe(8)

  // `kubectl rollout undo`: the template of the revision before.
  await cluster.merge(resources.deployments, 'web', { spec: { template: podTemplate('web') } })
  await cluster.pass(10)
  const back = await cluster.get<Deployment>(resources.deployments, 'web')
  expect(back.status).toMatchObject({ updatedReplicas: 10, availableReplicas: 10 })
  expect(back.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3')
})

function progressing(of: Deployment) {
  return of.status?.conditions?.find(({ type }) => type === 'Progressing')
}

test('availability waits for minReadySeconds', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.deployments, deployment('web', { minReadySeconds: 30 }))
  await cluster.pass(20)
  const { status } = await cluster.get<Deployment>(resources.deployments, 'web')
  expect(status?.readyReplicas).toBe(3)
  expect(status?.availableReplicas ?? 0).toBe(0)
  await cluster.pass(15)
  const later = await cluster.get<Deployment>(resources.deployments, 'web')
  expect(later.status?.availableReplicas).toBe(3)
})

test('a terminating pod leaves the ready endpoints before it stops answering [embedded-cluster 11]', async () => {
  using cluster = await TestCluster.start()
  const template = podTemplate('web', { annotations: { 'sim.serinus.dev/stop-after': '20s' } })
  await cluster.create(resources.deployments, deployment('web', { replicas: 2, template }))
  await cluster.create(resources.services, service('web', { app: 'web' }))
  await cluster.pass(5)
  const [victim] = await cluster.pods()
  const name = victim?.metadata.name ?? ''
  await cluster.delete(resources.pods, name)
  await cluster.pass(1)
  const conditions = async () => {
    const slices = await cluster.list<EndpointSlice>(resources.endpointSlices)
    return endpointsOf(slices).find(({ targetRef }) => targetRef.name === name)?.conditions
  }
  expect(await conditions()).toEqual({ ready: false, serving: true, terminating: true })
  const { pods } = cluster.workloads
  expect(pods.canServe(`default/${name}`, cluster.clock.now())).toBe(true)
  expect(pods.answer(`default/${name}`, { method: 'GET', path: '/', headers: {} }).status).toBe(200)

  await cluster.pass(20)
  expect(await conditions()).toBeUndefined()
  expect(pods.canServe(`default/${name}`, cluster.clock.now())).toBe(false)
  expect(pods.answer(`default/${name}`, { method: 'GET', path: '/', headers: {} })).toMatchObject({
    status: 503,
    refused: true,
  })
  const slices = await cluster.list<EndpointSlice>(resources.endpointSlices)
  expect(endpointsOf(slices).filter(({ conditions: { ready } }) => ready)).toHaveLength(2)
})

test('a pod with a grace period of 30 s is gone as soon as its process has exited', async () => {
  using cluster = await TestCluster.start()
  const deaf = podTemplate('deaf', { annotations: { 'sim.serinus.dev/ignore-sigterm': 'true' } })
  await cluster.create(resources.pods, bare('polite', podTemplate('polite')))
  await cluster.create(resources.pods, bare('deaf', deaf))
  await cluster.pass(5)
  await cluster.delete(resources.pods, 'polite')
  await cluster.delete(resources.pods, 'deaf')
  await cluster.pass(1.1)
  expect((await cluster.pods()).map(({ metadata }) => metadata.name)).toEqual(['deaf'])
  await cluster.pass(28)
  expect(await cluster.pods()).toHaveLength(1)
  await cluster.pass(2)
  expect(await cluster.pods()).toEqual([])
})

function bare(name: string, template: Deployment['spec']['template']): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...template.metadata, name, namespace: 'default' },
    spec: template.spec,
  }
}

test('deleting an owner removes what it owns, orphaning keeps it', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.deployments, deployment('gone'))
  await cluster.create(resources.deployments, deployment('kept'))
  await cluster.pass(5)
  await cluster.delete(resources.deployments, 'gone', { propagationPolicy: 'Background' })
  await cluster.delete(resources.deployments, 'kept', { propagationPolicy: 'Orphan' })
  await cluster.pass(5)
  expect(await cluster.list(resources.deployments)).toEqual([])
  const sets = await cluster.list<ReplicaSet>(resources.replicaSets)
  expect(sets.map(({ spec }) => spec.selector.matchLabels?.['app'])).toEqual(['kept'])
  expect(sets[0]?.metadata.ownerReferences ?? []).toEqual([])
  const left = await cluster.pods()
  expect(left.map(({ metadata }) => metadata.labels?.['app'])).toEqual(['kept', 'kept', 'kept'])
})

test('an owner deleted in the foreground goes last', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.deployments, deployment('web'))
  await cluster.pass(5)
  await cluster.delete(resources.deployments, 'web', { propagationPolicy: 'Foreground' })
  await cluster.pass(0.5)
  const { metadata } = await cluster.get<Deployment>(resources.deployments, 'web')
  expect(metadata.finalizers).toEqual(['foregroundDeletion'])
  expect(await cluster.pods()).toHaveLength(3)
  await cluster.pass(5)
  expect(await cluster.pods()).toEqual([])
  expect(await cluster.list(resources.replicaSets)).toEqual([])
  expect(await cluster.list(resources.deployments)).toEqual([])
})

test('deleting a Rollout removes its ReplicaSets and pods, orphaning keeps them [embedded-cluster 9]', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.customResourceDefinitions, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'rollouts.argoproj.io' },
    spec: {
      group: 'argoproj.io',
      scope: 'Namespaced',
      names: { plural: 'rollouts', singular: 'rollout', kind: 'Rollout' },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          },
        },
      ],
    },
  } as UnknownObject)
  await cluster.pass(1)
  const rollouts = {
    group: 'argoproj.io',
    version: 'v1alpha1',
    plural: 'rollouts',
    kind: 'Rollout',
    namespaced: true,
  }
  for (const name of ['gone', 'kept']) {
    const owner = await cluster.create<KubeObject>(rollouts, {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      metadata: { name, namespace: 'default' },
    })
    const set = replicaSet(name, 2)
    const reference = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      name,
      uid: owner.metadata.uid ?? '',
      controller: true,
      blockOwnerDeletion: true,
    }
    const metadata = { ...set.metadata, ownerReferences: [reference] }
    await cluster.create(resources.replicaSets, { ...set, metadata })
  }
  await cluster.pass(5)
  await cluster.delete(rollouts, 'gone')
  await cluster.delete(rollouts, 'kept', { propagationPolicy: 'Orphan' })
  await cluster.pass(5)
  const sets = await cluster.list<ReplicaSet>(resources.replicaSets)
  expect(sets.map(({ metadata }) => metadata.name)).toEqual(['kept'])
  const left = await cluster.pods()
  expect(left.map(({ metadata }) => metadata.labels?.['app'])).toEqual(['kept', 'kept'])
})

test('a namespace has its ServiceAccount and root certificate, and takes everything with it', async () => {
  using cluster = await TestCluster.start({ rootCertificate: 'PEM' })
  await cluster.create(resources.namespaces, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop' },
  })
  await cluster.pass(1)
  const inShop = { namespace: 'shop' }
  const certificate = await cluster.client.get(resources.configMaps, {
    ...inShop,
    name: 'kube-root-ca.crt',
  })
  expect(certificate['data']).toEqual({ 'ca.crt': 'PEM' })
  await cluster.client.get(resources.serviceAccounts, { ...inShop, name: 'default' })
  const web = deployment('web')
  await cluster.create(resources.deployments, { ...web, metadata: { name: 'web', ...inShop } })
  await cluster.pass(5)
  expect((await cluster.client.list(resources.pods, inShop)).items).toHaveLength(3)

  await cluster.delete(resources.namespaces, 'shop')
  await cluster.pass(0.5)
  const leaving = await cluster.get<UnknownObject>(resources.namespaces, 'shop')
  expect(leaving['status']).toMatchObject({ phase: 'Terminating' })
  await cluster.pass(40)
  await expect(cluster.get(resources.namespaces, 'shop')).rejects.toMatchObject({ code: 404 })
  expect((await cluster.client.list(resources.pods, inShop)).items).toEqual([])
  expect((await cluster.client.list(resources.events, inShop)).items).toEqual([])
})

test('a pod that fits nowhere says why, and starts as soon as there is room', async () => {
  using cluster = await TestCluster.start({ nodes: [{ name: 'small', cpu: '1' }] })
  const template = podTemplate('web')
  const [app] = template.spec.containers
  const sized = {
    ...template,
    spec: { containers: [{ ...app, name: 'app', resources: { requests: { cpu: '600m' } } }] },
  }
  await cluster.create(resources.pods, bare('first', sized))
  await cluster.pass(2)
  await cluster.create(resources.pods, bare('second', sized))
  await cluster.pass(2)
  const message =
    '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.'
  expect(await cluster.told('second', 'FailedScheduling')).toEqual([message])
  const waiting = await cluster.get<Pod>(resources.pods, 'second')
  expect(waiting.status?.conditions).toEqual([
    expect.objectContaining({ type: 'PodScheduled', reason: 'Unschedulable', message }),
  ])
  await cluster.delete(resources.pods, 'first')
  await cluster.pass(4)
  expect(isReady(await cluster.get<Pod>(resources.pods, 'second'))).toBe(true)
})

test('an eviction that a budget forbids is refused with 429, and allowed once a pod more is ready', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.deployments, deployment('web', { replicas: 2 }))
  await cluster.create(
    {
      group: 'policy',
      version: 'v1',
      plural: 'poddisruptionbudgets',
      kind: 'PodDisruptionBudget',
      namespaced: true,
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web', namespace: 'default' },
      spec: { minAvailable: 2, selector: { matchLabels: { app: 'web' } } },
    } as UnknownObject,
  )
  await cluster.pass(5)
  const [pod] = await cluster.pods()
  const name = pod?.metadata.name ?? ''
  const evict = () =>
    cluster.client.raw(`/api/v1/namespaces/default/pods/${name}/eviction`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name, namespace: 'default' },
      }),
    })
  const refused = await evict()
  expect(refused.status).toBe(429)
  expect(await refused.json()).toMatchObject({
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      causes: [{ message: 'The disruption budget web needs 2 healthy pods and has 2 currently' }],
    },
  })
  await cluster.merge(resources.deployments, 'web', { spec: { replicas: 3 } })
  await cluster.pass(5)
  expect((await evict()).status).toBe(201)
  await cluster.pass(5)
  await expect(cluster.get(resources.pods, name)).rejects.toBeInstanceOf(ApiError)
})

test('kubectl logs answers what a pod printed, its tail, and what follows', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.pods, bare('web', podTemplate('web')))
  await cluster.pass(2)
  const { pods } = cluster.workloads
  for (const path of ['/a', '/b']) {
    pods.answer('default/web', { method: 'GET', path, headers: {} })
  }
  const read = (query: string) =>
    cluster.client.raw(`/api/v1/namespaces/default/pods/web/log?${query}`)
  const lines = (await (await read('')).text()).split('\n')
  expect(lines[0]).toBe('listening on :8080')
  expect(lines[1]).toMatch(/^"GET \/a HTTP\/1.1" 200 \d+ms$/)
  expect(await (await read('tailLines=1')).text()).toMatch(/^"GET \/b HTTP\/1.1" 200 \d+ms\n$/)
  expect(await (await read('container=other')).json()).toMatchObject({
    message: 'container other is not valid for pod web',
  })
  const followed = await read('follow=true&tailLines=0')
  pods.recordFlow('default/web', { requests: 40, errors: 2 })
  await cluster.delete(resources.pods, 'web')
  await cluster.pass(3)
  expect(await followed.text()).toBe('served 40 requests, 2 failed\n')
})

test('a forwarded port reaches the answer that a manifest gives its pod', async () => {
  using cluster = await TestCluster.start()
  const annotations = {
    'sim.serinus.dev/answer': 'up',
    'sim.serinus.dev/answer-type': 'text/plain',
  }
  await cluster.create(resources.pods, bare('web', podTemplate('web', { annotations })))
  await cluster.pass(2)
  const { pods } = cluster.workloads
  expect(pods.answer('default/web', { method: 'GET', path: '/', headers: {} })).toMatchObject({
    status: 200,
    headers: { 'content-type': 'text/plain', 'x-pod': 'web' },
    body: 'up',
  })
})

test('a pod bound to a bad version fails the share of requests that its tag says', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.pods, bare('web', podTemplate('web', { image: 'web:bad-2' })))
  await cluster.pass(2)
  const { pods } = cluster.workloads
  const statuses = Array.from(
    { length: 2_000 },
    () => pods.answer('default/web', { method: 'GET', path: '/', headers: {} }).status,
  )
  const failed = statuses.filter((status) => status === 500).length
  expect(failed).toBeGreaterThan(240)
  expect(failed).toBeLessThan(360)
  expect(pods.usage('default/web')).toMatchObject({ requests: 2_000, errors: failed })
})

test('a ReplicaSet whose pods are refused says so, and recovers by itself', async () => {
  using cluster = await TestCluster.start()
  using refusal = cluster.server.addAdmission(({ object }) => {
    if (object.kind !== 'Pod') return object
    throw new ApiError({
      code: 403,
      reason: 'Forbidden',
      message: 'pods "web-" is forbidden: exceeded quota: small',
    })
  })
  await cluster.create(resources.deployments, deployment('web'))
  await cluster.pass(1)
  const [set] = await cluster.list<ReplicaSet>(resources.replicaSets)
  expect(set?.status?.conditions).toMatchObject([
    {
      type: 'ReplicaFailure',
      status: 'True',
      reason: 'FailedCreate',
      message: 'pods "web-" is forbidden: exceeded quota: small',
    },
  ])
  expect((await cluster.told(set?.metadata.name ?? '', 'FailedCreate'))[0]).toBe(
    'Error creating: pods "web-" is forbidden: exceeded quota: small',
  )
  const failed = await cluster.get<Deployment>(resources.deployments, 'web')
  expect(failed.status?.conditions?.map(({ type }) => type)).toContain('ReplicaFailure')

  refusal[Symbol.dispose]()
  await cluster.pass(60)
  const healed = await cluster.get<Deployment>(resources.deployments, 'web')
  expect(healed.status).toMatchObject({ availableReplicas: 3 })
  expect(healed.status?.conditions?.map(({ type }) => type)).not.toContain('ReplicaFailure')
})

test('a pod without an owner that matches is adopted, one that is relabelled is let go and replaced', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.pods, bare('early', podTemplate('web')))
  await cluster.pass(2)
  await cluster.create(resources.replicaSets, replicaSet('web', 2))
  await cluster.pass(3)
  const adopted = await cluster.get<Pod>(resources.pods, 'early')
  expect(adopted.metadata.ownerReferences?.[0]).toMatchObject({ name: 'web', controller: true })
  expect(await cluster.pods()).toHaveLength(2)

  await cluster.merge(resources.pods, 'early', { metadata: { labels: { app: 'debug' } } })
  await cluster.pass(3)
  const released = await cluster.get<Pod>(resources.pods, 'early')
  expect(released.metadata.ownerReferences ?? []).toEqual([])
  expect(await cluster.pods()).toHaveLength(3)
})

test('after a restart of the process the same pods run on and serve', async () => {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  using server = new ApiServer({ clock, random: new SeededRandom('test') })
  const parts = { clock, server, client: server.client }
  const first = await TestCluster.start({}, parts)
  await first.create(resources.deployments, deployment('web'))
  await first.pass(5)
  const before = await first.pods()
  first.stop()
  await clock.advance(60_000)

  const second = await TestCluster.start({}, parts)
  await second.pass(5)
  expect(await second.pods()).toEqual(before)
  const { name } = before[0]?.metadata ?? { name: '' }
  expect(second.workloads.pods.canServe(`default/${name}`, clock.now())).toBe(true)
  second.stop()
})
