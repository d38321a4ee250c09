import { resources, type UnknownObject, type WatchEvent } from '@serinus/kube'
import { expect, test } from 'vitest'
import {
  type ApiUnderTest,
  apiUnderTest,
  configMap,
  configMaps,
  definitions,
  deployment,
  deployments,
  type EmbeddedApiUnderTest,
  embeddedApiUnderTest,
  testEmbedded,
  widget,
  widgetDefinition,
  widgets,
} from './api-under-test.ts'

const names = (list: { items: readonly UnknownObject[] }) =>
  list.items.map(({ metadata }) => metadata.name)

test.each([
  ['app=web', ['a', 'b']],
  ['app in (web, api),tier', ['b']],
  ['app notin (web)', ['c', 'kube-root']],
  ['!tier,app', ['a', 'c']],
  ['tier!=front', ['a', 'c', 'kube-root']],
])('labelSelector=%s finds %j', async (selector, found) => {
  const { call } = apiUnderTest()
  await call('POST', configMaps, configMap('a', {}, { labels: { app: 'web' } }))
  await call('POST', configMaps, configMap('b', {}, { labels: { app: 'web', tier: 'front' } }))
  await call('POST', configMaps, configMap('c', {}, { labels: { app: 'api' } }))
  await call('POST', configMaps, configMap('kube-root'))
  const { body } = await call('GET', `${configMaps}?labelSelector=${encodeURIComponent(selector)}`)
  expect(names(body)).toEqual(found)
})

test('field selectors know name, namespace and the usual fields of a kind', async () => {
  const { call } = apiUnderTest()
  const pods = '/api/v1/namespaces/default/pods'
  const pod = (name: string, nodeName?: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'a', image: 'a' }], ...(nodeName && { nodeName }) },
  })
  await call('POST', pods, pod('a', 'node-1'))
  await call('POST', pods, pod('b'))
  const found = async (selector: string) =>
    names((await call('GET', `${pods}?fieldSelector=${selector}`)).body)
  expect(await found('spec.nodeName=node-1')).toEqual(['a'])
  expect(await found('spec.nodeName=')).toEqual(['b'])
  expect(await found('metadata.name!=a,status.phase=Pending')).toEqual(['b'])
  const { status, body } = await call('GET', `${pods}?fieldSelector=spec.color=red`)
  expect([status, body.message]).toEqual([400, 'field label not supported: spec.color'])
})

test('pages of a list show one state, whatever is written in between', async () => {
  const { call } = apiUnderTest()
  for (const name of ['a', 'b', 'c', 'd', 'e']) await call('POST', configMaps, configMap(name))
  const first = await call('GET', `${configMaps}?limit=2`)
  expect(first.body.metadata.remainingItemCount).toBe(3)
  await call('DELETE', `${configMaps}/c`)
  await call('POST', configMaps, configMap('bb'))
  const token = encodeURIComponent(first.body.metadata.continue)
  const second = await call('GET', `${configMaps}?limit=2&continue=${token}`)
  const rest = await call(
    'GET',
    `${configMaps}?limit=2&continue=${encodeURIComponent(second.body.metadata.continue)}`,
  )
  expect([first, second, rest].map(({ body }) => names(body))).toEqual([
    ['a', 'b'],
    ['c', 'd'],
    ['e'],
  ])
  expect(rest.body.metadata.continue).toBeUndefined()
  expect(rest.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion)
})

test('a list of a version of the future is told to wait', async () => {
  const { call, version } = apiUnderTest()
  const { status, body } = await call(
    'GET',
    `${configMaps}?resourceVersion=${(await version()) + 500}`,
  )
  expect([status, body.reason]).toEqual([504, 'Timeout'])
  expect(body.details).toMatchObject({
    causes: [{ reason: 'ResourceVersionTooLarge' }],
    retryAfterSeconds: 1,
  })
})

test('metadata alone can be asked for', async () => {
  const { call } = apiUnderTest()
  await call('POST', configMaps, configMap('a', { key: 'hidden' }))
  const { body } = await call('GET', configMaps, undefined, {
    accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
  })
  expect(body.kind).toBe('PartialObjectMetadataList')
  expect(body.items[0]).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'a' } })
  expect(JSON.stringify(body)).not.toContain('hidden')
})

test('large answers are compressed for those who ask', async () => {
  const { call, send } = apiUnderTest()
  await call('POST', configMaps, configMap('big', { text: 'x'.repeat(200_000) }))
  const request = new Request(`http://cluster${configMaps}`, {
    headers: { 'accept-encoding': 'gzip' },
  })
  const response = await send(request)
  expect(response.headers.get('content-encoding')).toBe('gzip')
})

interface OpenWatch {
  readonly next: () => Promise<{ type: string; object: UnknownObject }>
  readonly end: Promise<boolean>
  readonly cancel: () => Promise<void>
}

async function openWatch({ send }: ApiUnderTest, path: string): Promise<OpenWatch> {
  const response = await send(new Request(`http://cluster${path}`))
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const decoder = new TextDecoder()
  let text = ''
  return {
    async next() {
      while (!text.includes('\n')) {
        const { value, done } = await reader.read()
        if (done) throw new Error('the watch has ended')
        text += decoder.decode(value)
      }
      const end = text.indexOf('\n')
      const line = text.slice(0, end)
      text = text.slice(end + 1)
      return JSON.parse(line) as { type: string; object: UnknownObject }
    },
    end: reader.closed.then(() => true),
    cancel: () => reader.cancel(),
  }
}

const told = ({ type, object }: { type: string; object: UnknownObject }) =>
  `${type} ${object.metadata.name}`

test('a watch without version begins with what is there', async () => {
  const api = apiUnderTest()
  const { call } = api
  await call('POST', configMaps, configMap('a'))
  const watch = await openWatch(api, `${configMaps}?watch=true`)
  await call('DELETE', `${configMaps}/a`)
  expect([told(await watch.next()), told(await watch.next())]).toEqual(['ADDED a', 'DELETED a'])
  await watch.cancel()
})

test('a watch with a selector sees objects enter and leave it', async () => {
  const api = apiUnderTest()
  const { call } = api
  const watch = await openWatch(
    api,
    `${configMaps}?watch=1&labelSelector=on&resourceVersion=${await api.version()}`,
  )
  await call('POST', configMaps, configMap('a'))
  await call('PATCH', `${configMaps}/a`, { metadata: { labels: { on: '' } } })
  await call('PATCH', `${configMaps}/a`, { data: { x: 'y' } })
  await call('PATCH', `${configMaps}/a`, { metadata: { labels: { on: null } } })
  const seen = [told(await watch.next()), told(await watch.next()), told(await watch.next())]
  expect(seen).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a'])
  await watch.cancel()
})

test('sendInitialEvents closes the initial state with a marked bookmark', async () => {
  const api = apiUnderTest()
  const { call } = api
  await call('POST', configMaps, configMap('a'))
  const query =
    'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'
  const watch = await openWatch(api, `${configMaps}?${query}`)
  expect(told(await watch.next())).toBe('ADDED a')
  const { type, object } = await watch.next()
  expect(type).toBe('BOOKMARK')
  expect(object).toMatchObject({
    kind: 'ConfigMap',
    metadata: {
      resourceVersion: String(await api.version()),
      annotations: { 'k8s.io/initial-events-end': 'true' },
    },
  })
  await watch.cancel()
})

testEmbedded(
  'bookmarks come every minute and a timeout ends the watch (needs virtual time)',
  async () => {
    const api = embeddedApiUnderTest()
    const { clock, server } = api
    const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=90&resourceVersion=${server.store.version}`
    const watch = await openWatch(api, `${configMaps}?${query}`)
    await clock.advance(60_000)
    expect((await watch.next()).type).toBe('BOOKMARK')
    await clock.advance(30_000)
    expect((await watch.next()).type).toBe('BOOKMARK')
    await expect(watch.next()).rejects.toThrow('the watch has ended')
    expect(await watch.end).toBe(true)
  },
)

test('a watch from a forgotten version gets 410 Expired', async () => {
  const api = apiUnderTest()
  await api.call('POST', configMaps, configMap('a'))
  const definition = widgetDefinition({ type: 'object' })
  await api.call('POST', definitions, definition)
  await api.call('POST', widgets, widget('one', {}))
  // A kube-apiserver has forgotten all that was before the kind.
  if ('server' in api) (api as EmbeddedApiUnderTest).server.store.compact()
  const watch = await openWatch(api, `${widgets}?watch=1&resourceVersion=1`)
  const { type, object } = await watch.next()
  expect(type).toBe('ERROR')
  expect(object).toMatchObject({ kind: 'Status', code: 410, reason: 'Expired' })
})

testEmbedded('the direct client sees the same objects and events without HTTP', async () => {
  const { server, call } = embeddedApiUnderTest()
  const { client } = server
  await client.create(resources.configMaps, {
    ...configMap('a'),
    metadata: { name: 'a', namespace: 'default' },
  })
  const { resourceVersion } = await client.list(resources.configMaps, { namespace: 'default' })
  const stop = new AbortController()
  const events: WatchEvent<UnknownObject>[] = []
  const watching = (async () => {
    const watch = client.watch(resources.configMaps, { resourceVersion, signal: stop.signal })
    for await (const event of watch) {
      events.push(event)
      if (event.type === 'DELETED') stop.abort()
    }
  })()
  await call('PATCH', `${configMaps}/a`, { data: { x: '1' } })
  await client.delete(resources.configMaps, { namespace: 'default', name: 'a' })
  await watching
  expect(events.map(({ type }) => type)).toEqual(['MODIFIED', 'DELETED'])
  await expect(
    client.get(resources.configMaps, { namespace: 'default', name: 'a' }),
  ).rejects.toMatchObject({
    code: 404,
    reason: 'NotFound',
    message: 'configmaps "a" not found',
  })
})

testEmbedded('a table shows the columns of kubectl (its age in virtual time)', async () => {
  const { call, clock } = embeddedApiUnderTest()
  await call('POST', deployments, deployment('web'))
  await clock.advance(5 * 60_000 + 12_000)
  const { body } = await call('GET', deployments, undefined, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  })
  const columns = body.columnDefinitions.map(
    ({ name, priority }: { name: string; priority: number }) =>
      `${name}${priority > 0 ? ' (wide)' : ''}`,
  )
  expect(columns).toEqual([
    'Name',
    'Ready',
    'Up-to-date',
    'Available',
    'Age',
    'Containers (wide)',
    'Images (wide)',
    'Selector (wide)',
  ])
  expect(body.rows[0].cells).toEqual(['web', '0/2', 0, 0, '5m12s', 'main', 'nginx:1', 'app=web'])
})

test('discovery lists groups, versions, kinds and subresources, plain and aggregated', async () => {
  const { call } = apiUnderTest()
  const groups = await call('GET', '/apis')
  expect(groups.body.groups.map(({ name }: { name: string }) => name)).toContain('apps')
  const list = await call('GET', '/apis/apps/v1')
  expect(list.body.resources).toContainEqual(
    expect.objectContaining({
      name: 'deployments/scale',
      kind: 'Scale',
      group: 'autoscaling',
      version: 'v1',
    }),
  )
  const aggregated = await call('GET', '/apis', undefined, {
    accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json',
  })
  expect(aggregated.headers.get('content-type')).toBe(
    'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  )
  const apps = aggregated.body.items.find(({ metadata }: UnknownObject) => metadata.name === 'apps')
  expect(apps.versions[0].resources).toContainEqual(
    expect.objectContaining({
      resource: 'deployments',
      scope: 'Namespaced',
      shortNames: ['deploy'],
      categories: ['all'],
    }),
  )
})

test('OpenAPI v3 names each group by a hash, and holds its kinds and patch parameters', async () => {
  const { call } = apiUnderTest()
  const index = await call('GET', '/openapi/v3')
  const { paths } = typeof index.body === 'string' ? JSON.parse(index.body) : index.body
  const { serverRelativeURL } = paths['apis/apps/v1']
  const { body } = await call('GET', serverRelativeURL)
  expect(
    body.components.schemas['io.k8s.api.apps.v1.Deployment']['x-kubernetes-group-version-kind'],
  ).toEqual([{ group: 'apps', kind: 'Deployment', version: 'v1' }])
  const { patch } = body.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']
  expect(patch.parameters.map(({ name }: { name: string }) => name)).toContain('fieldValidation')
})

test('a resource that is not there answers 404 as a Status, a path of nobody as text', async () => {
  const { call } = apiUnderTest()
  for (const path of ['/nope', '/apis/nope/v1/things']) {
    const { status, body } = await call('GET', path)
    expect([path, status, body]).toEqual([path, 404, '404 page not found\n'])
  }
  for (const path of [
    '/apis/apps/v1/things',
    '/api/v1/things',
    '/api/v1/namespaces/default/nodes',
  ]) {
    const { status, body } = await call('GET', path)
    expect([path, status, body.kind, body.message]).toEqual([
      path,
      404,
      'Status',
      'the server could not find the requested resource',
    ])
  }
})
