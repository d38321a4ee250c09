import { kinds } from '@serinus/api'
import { type KubeObject, resources, type UnknownObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { readManifests } from '../../packages/cli/src/serinus/manifests.ts'
import { type ClusterUnderTest, clusterUnderTest } from '../cluster-under-test.ts'

interface Pod extends KubeObject {
  readonly spec: { readonly nodeName?: string }
  readonly status?: {
    readonly phase?: string
    readonly podIP?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

const isReady = ({ status }: Pod) =>
  status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true

/** The pods of an application, once so many are ready. */
const untilReady = (world: ClusterUnderTest, count: number) =>
  world.until<Pod, readonly Pod[]>(resources.pods, (pods) => {
    const ready = pods.filter((pod) => isReady(pod) && !pod.metadata.deletionTimestamp)
    return ready.length === count ? ready : undefined
  })

function replicaSet(name: string, replicas: number): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'app', image: 'web:v1', ports: [{ containerPort: 8080 }] }],
        },
      },
    },
  }
}

test('pods of a ReplicaSet are placed, started and given addresses of their own', async () => {
  await using world = await clusterUnderTest()
  await world.apply(replicaSet('web', 3))
  const pods = await untilReady(world, 3)
  expect(pods.map(({ metadata }) => metadata.name)).toEqual(
    pods.map(() => expect.stringMatching(/^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/)),
  )
  expect(new Set(pods.map(({ status }) => status?.podIP)).size).toBe(3)
  expect(pods.every(({ spec }) => spec.nodeName?.startsWith('node-'))).toBe(true)
  expect(pods[0]?.metadata.ownerReferences).toMatchObject([
    { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', controller: true },
  ])
})

test('a pod that is deleted runs for its grace period, goes, and is replaced', async () => {
  await using world = await clusterUnderTest()
  await world.apply(replicaSet('web', 1))
  const [pod] = await untilReady(world, 1)
  const key = { namespace: world.namespace, name: pod?.metadata.name ?? '' }
  await world.client.delete(resources.pods, key)
  expect((await world.client.get(resources.pods, key)).metadata.deletionTimestamp).toBeDefined()
  await world.until<Pod, true>(resources.pods, (pods) =>
    pods.length === 1 && pods[0]?.metadata.uid !== pod?.metadata.uid ? true : undefined,
  )
})

test('an eviction within the budget is granted, one beyond it is refused with 429', async () => {
  await using world = await clusterUnderTest()
  const budgets = { group: 'policy', version: 'v1', plural: 'poddisruptionbudgets' }
  await world.apply(replicaSet('web', 2), {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
  })
  const [one, two] = await untilReady(world, 2)
  await world.until<UnknownObject, true>(
    { ...budgets, kind: 'PodDisruptionBudget', namespaced: true },
    ([budget]) => {
      const { disruptionsAllowed } = (budget?.['status'] ?? {}) as { disruptionsAllowed?: number }
      return disruptionsAllowed === 1 ? true : undefined
    },
  )
  const evict = (pod: Pod | undefined) => {
    const name = pod?.metadata.name
    const path = `/api/v1/namespaces/${world.namespace}/pods/${name}/eviction`
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } }
    return world.call('POST', path, body)
  }
  expect((await evict(one)).status).toBe(201)
  const refused = await evict(two)
  expect([refused.status, refused.body.message]).toEqual([
    429,
    "Cannot evict pod as it would violate the pod's disruption budget.",
  ])
  expect(refused.body.details.causes[0].message).toBe(
    'The disruption budget web needs 1 healthy pods and has 1 currently',
  )
})

test('what belongs to an owner that is gone is collected, unless the owner still waits for it', async () => {
  await using world = await clusterUnderTest()
  await world.apply(...readManifests('examples/gate.yaml'))
  const { metadata } = await world.rollout('gate')
  const owned = (name: string, uid: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      ownerReferences: [{ apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name: 'gate', uid }],
    },
  })
  await world.apply(owned('kept', metadata.uid ?? ''), owned('dangling', 'no-such-uid'))
  const names = (objects: readonly KubeObject[]) => objects.map((one) => one.metadata.name)
  await world.until(resources.configMaps, (objects) =>
    names(objects).includes('kept') && !names(objects).includes('dangling') ? true : undefined,
  )
  await world.client.delete(kinds.rollouts, { namespace: world.namespace, name: 'gate' })
  await world.until(resources.configMaps, (objects) =>
    names(objects).includes('kept') ? undefined : true,
  )
})

test('a namespace that is deleted takes all that is in it along', async () => {
  await using world = await clusterUnderTest()
  const name = `${world.namespace}-more`
  await world.client.create(resources.namespaces, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
  })
  await world.client.create(resources.configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: name },
  })
  await world.client.delete(resources.namespaces, { name })
  // Namespaces lie in none: the wait looks at all of them.
  await world.until(resources.namespaces, (all) =>
    all.some(({ metadata }) => metadata.name === name) ? undefined : true,
  )
  expect((await world.call('GET', `/api/v1/namespaces/${name}/configmaps/a`)).status).toBe(404)
})

test('a Job runs its pod and tells how it ended', async () => {
  await using world = await clusterUnderTest()
  const job = (name: string, command: readonly string[]) => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: {
      backoffLimit: 0,
      template: {
        spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox', command }] },
      },
    },
  })
  await world.apply(job('good', ['true']), job('bad', ['sh', '-c', 'exit 3']))
  const ended = (name: string, type: string) =>
    world.until<UnknownObject, true>(resources.jobs, (jobs) => {
      const found = jobs.find(({ metadata }) => metadata.name === name)
      const { conditions = [] } = (found?.['status'] ?? {}) as {
        conditions?: readonly { readonly type: string; readonly status: string }[]
      }
      return conditions.some((one) => one.type === type && one.status === 'True') ? true : undefined
    })
  await ended('good', 'Complete')
  await ended('bad', 'Failed')
})

test('a watch tells of every change once, also to who comes back with the last version seen', async () => {
  await using world = await clusterUnderTest()
  const { client, namespace } = world
  const { resourceVersion } = await client.list(resources.configMaps, { namespace })
  const configMap = (name: string) =>
    client.create(resources.configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace },
    })
  const watch = async (from: string, count: number) => {
    const seen: string[] = []
    let last = from
    const stop = new AbortController()
    const events = client.watch(resources.configMaps, {
      namespace,
      resourceVersion: from,
      fieldSelector: 'metadata.name!=kube-root-ca.crt',
      signal: stop.signal,
    })
    for await (const event of events) {
      if (event.type === 'BOOKMARK') continue
      seen.push(`${event.type} ${event.object.metadata.name}`)
      last = event.object.metadata.resourceVersion ?? ''
      if (seen.length === count) break
    }
    stop.abort()
    return { seen, last }
  }
  await configMap('a')
  await client.delete(resources.configMaps, { namespace, name: 'a' })
  const first = await watch(resourceVersion, 2)
  expect(first.seen).toEqual(['ADDED a', 'DELETED a'])
  await configMap('b')
  expect((await watch(first.last, 1)).seen).toEqual(['ADDED b'])
})
