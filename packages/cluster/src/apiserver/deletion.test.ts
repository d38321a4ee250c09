import { expect, test } from 'vitest'
import {
  type ApiUnderTest,
  apiUnderTest,
  configMap,
  configMaps,
  deployment,
  deployments,
  embeddedApiUnderTest,
  instant,
  testEmbedded,
} from './api-under-test.ts'

const pods = '/api/v1/namespaces/default/pods'

function pod(name: string, spec: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'web' } },
    spec: { containers: [{ name: 'main', image: 'nginx:1' }], ...spec },
  }
}

test('a deleted object is gone and the answer says which it was', async () => {
  const { call } = apiUnderTest()
  const created = await call('POST', deployments, deployment('web'))
  const { status, body } = await call('DELETE', `${deployments}/web`)
  expect([status, body]).toEqual([
    200,
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name: 'web', group: 'apps', kind: 'deployments', uid: created.body.metadata.uid },
    },
  ])
  expect((await call('GET', `${deployments}/web`)).body.message).toBe(
    'deployments.apps "web" not found',
  )
})

test('finalizers hold an object until the last one is taken off', async () => {
  const { call } = apiUnderTest()
  await call('POST', configMaps, configMap('one', {}, { finalizers: ['example.com/hold'] }))
  const held = await call('DELETE', `${configMaps}/one`)
  expect(held.body.metadata).toMatchObject({
    deletionTimestamp: instant('2026-01-01T00:00:00Z'),
    deletionGracePeriodSeconds: 0,
    finalizers: ['example.com/hold'],
  })
  const more = await call('PATCH', `${configMaps}/one`, {
    metadata: { finalizers: ['example.com/hold', 'example.com/new'] },
  })
  expect(more.body.message).toBe(
    'ConfigMap "one" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/new"}',
  )
  await call('PATCH', `${configMaps}/one`, { metadata: { finalizers: null } })
  expect((await call('GET', `${configMaps}/one`)).status).toBe(404)
})

test.each([
  ['Foreground', ['foregroundDeletion']],
  ['Orphan', ['orphan']],
])('propagationPolicy %s leaves the work to the garbage collector', async (policy, finalizers) => {
  const { call } = apiUnderTest()
  await call('POST', deployments, deployment('web'))
  const { body } = await call('DELETE', `${deployments}/web`, {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    propagationPolicy: policy,
  })
  expect(body.metadata).toMatchObject({
    finalizers,
    deletionTimestamp: instant('2026-01-01T00:00:00Z'),
    generation: 2,
  })
})

test('preconditions protect another object of the same name', async () => {
  const { call } = apiUnderTest()
  const { body: created } = await call('POST', configMaps, configMap('one'))
  const { status, body } = await call('DELETE', `${configMaps}/one`, {
    preconditions: { uid: 'other' },
  })
  expect([status, body.message]).toEqual([
    409,
    `Operation cannot be fulfilled on ConfigMap "one": the UID in the precondition (other) does not match the UID in record (${created.metadata.uid}). The object might have been deleted and then recreated`,
  ])
})

test('a pod on a node ends by its grace period, which can be shortened', async () => {
  const { call } = apiUnderTest()
  await call('POST', pods, pod('web', { nodeName: 'node-1', terminationGracePeriodSeconds: 60 }))
  const ending = await call('DELETE', `${pods}/web`)
  expect(ending.body.metadata).toMatchObject({
    deletionTimestamp: instant('2026-01-01T00:01:00Z'),
    deletionGracePeriodSeconds: 60,
  })
  const sooner = await call('DELETE', `${pods}/web?gracePeriodSeconds=10`)
  expect(sooner.body.metadata.deletionTimestamp).toEqual(instant('2026-01-01T00:00:10Z'))
  const later = await call('DELETE', `${pods}/web?gracePeriodSeconds=90`)
  expect(later.body.metadata.deletionTimestamp).toEqual(instant('2026-01-01T00:00:10Z'))
  await call('DELETE', `${pods}/web?gracePeriodSeconds=0`)
  expect((await call('GET', `${pods}/web`)).status).toBe(404)
})

test('a pod that was never scheduled goes at once', async () => {
  const { call } = apiUnderTest()
  await call('POST', pods, pod('web'))
  await call('DELETE', `${pods}/web`)
  expect((await call('GET', `${pods}/web`)).status).toBe(404)
})

test('a collection is deleted by selector and the answer lists what went', async () => {
  const { call } = apiUnderTest()
  await call('POST', configMaps, configMap('a', {}, { labels: { go: '' } }))
  await call('POST', configMaps, configMap('b'))
  const { body } = await call('DELETE', `${configMaps}?labelSelector=go`)
  expect(body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual([
    'a',
  ])
  const left = await call('GET', configMaps)
  expect(
    left.body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name),
  ).toEqual(['b'])
})

test('a namespace takes nothing new while it ends, and goes when it is finalized', async () => {
  const { call } = apiUnderTest()
  await call('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'a' },
  })
  const ending = await call('DELETE', '/api/v1/namespaces/a')
  expect(ending.body).toMatchObject({
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Terminating' },
  })
  const { status, body } = await call('POST', '/api/v1/namespaces/a/configmaps', configMap('one'))
  expect([status, body.message]).toEqual([
    403,
    'configmaps "one" is forbidden: unable to create new content in namespace a because it is being terminated',
  ])
  await call('PUT', '/api/v1/namespaces/a/finalize', { ...ending.body, spec: { finalizers: [] } })
  expect((await call('GET', '/api/v1/namespaces/a')).status).toBe(404)
})

async function withBudget(api: ApiUnderTest, disruptionsAllowed: number, ready = 'True') {
  await api.call('POST', pods, pod('web', { nodeName: 'node-1' }))
  await api.call('PATCH', `${pods}/web/status`, {
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready }] },
  })
  const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
  await api.call('POST', budgets, {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
  })
  await api.call('PATCH', `${budgets}/web/status`, {
    status: {
      observedGeneration: 1,
      disruptionsAllowed,
      currentHealthy: 1,
      desiredHealthy: 1,
      expectedPods: 1,
    },
  })
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'web' } }
  const answer = await api.call('POST', `${pods}/web/eviction`, eviction)
  return { answer, budget: await api.call('GET', `${budgets}/web`) }
}

test('an eviction within the budget deletes the pod and is counted', async () => {
  const api = apiUnderTest()
  const { answer, budget } = await withBudget(api, 1)
  expect([answer.status, answer.body.status]).toEqual([201, 'Success'])
  const evicted = (await api.call('GET', `${pods}/web`)).body
  expect(evicted.metadata.deletionTimestamp).toBeDefined()
  expect(evicted.status.conditions).toContainEqual(
    expect.objectContaining({
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'EvictionByEvictionAPI',
      message: 'Eviction API: evicting',
    }),
  )
  expect(budget.body.status).toMatchObject({
    disruptionsAllowed: 0,
    disruptedPods: { web: instant('2026-01-01T00:00:00Z') },
  })
})

test('a pod that is not ready is evicted beside a budget that is kept without it', async () => {
  const { answer, budget } = await withBudget(apiUnderTest(), 0, 'False')
  expect(answer.status).toBe(201)
  expect(budget.body.status.disruptedPods).toBeUndefined()
})

test('an eviction beyond the budget is refused with 429', async () => {
  const { answer } = await withBudget(apiUnderTest(), 0)
  expect(answer.status).toBe(429)
  expect(answer.body).toMatchObject({
    reason: 'TooManyRequests',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      causes: [
        {
          reason: 'DisruptionBudget',
          message: 'The disruption budget web needs 1 healthy pods and has 1 currently',
        },
      ],
    },
  })
})

test('a bound pod keeps its node', async () => {
  const { call } = apiUnderTest()
  await call('POST', pods, pod('web'))
  const binding = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name: 'web' },
    target: { kind: 'Node', name },
  })
  expect((await call('POST', `${pods}/web/binding`, binding('node-1'))).status).toBe(201)
  const { body } = await call('GET', `${pods}/web`)
  expect(body.spec.nodeName).toBe('node-1')
  expect(body.status.conditions[0]).toMatchObject({ type: 'PodScheduled', status: 'True' })
  expect((await call('POST', `${pods}/web/binding`, binding('node-2'))).body.message).toBe(
    'Operation cannot be fulfilled on pods/binding "web": pod web is already assigned to node "node-1"',
  )
})

testEmbedded('doors that somebody else serves get the parsed request', async () => {
  const { call, server } = embeddedApiUnderTest()
  await call('POST', pods, pod('web'))
  expect((await call('GET', `${pods}/web/log`)).body.message).toBe(
    'pods/log is not available: nothing runs the pods of this cluster',
  )
  using _log = server.setSubresourceHandler('pods/log', async ({ name, query, object }) => {
    return new Response(`${name} ${query.get('tailLines')} ${object.kind}`)
  })
  expect((await call('GET', `${pods}/web/log?tailLines=3`)).body).toBe('web 3 Pod')
  expect((await call('GET', `${pods}/none/log`)).status).toBe(404)
})
