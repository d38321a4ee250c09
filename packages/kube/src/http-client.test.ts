import { getEventListeners } from 'node:events'
import { expect, test, vi } from 'vitest'
import { ApiError, type Transport, Unreachable, type WatchEvent } from './client.ts'
import { httpClient } from './http-client.ts'
import type { UnknownObject } from './objects.ts'
import { resources } from './resources.ts'
import { status, TestApi } from './test-api.ts'
import { VirtualClock } from './virtual-clock.ts'

/** A client whose requests are kept and answered by `answer`. */
function clientOf(answer: (request: Request) => Response | Promise<Response>) {
  const requests: Request[] = []
  const transport: Transport = async (request) => {
    requests.push(request.clone() as Request)
    return answer(request)
  }
  return { client: httpClient(transport, { userAgent: 'serinus/1' }), requests }
}

const key = { namespace: 'shop', name: 'web' }
const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: key, data: { a: '1' } }
const ok = () => Response.json(object)

test.each([
  ['json', 'application/json-patch+json'],
  ['merge', 'application/merge-patch+json'],
  ['strategic', 'application/strategic-merge-patch+json'],
  ['apply', 'application/apply-patch+yaml'],
] as const)('a %s patch is sent as %s', async (kind, contentType) => {
  const { client, requests } = clientOf(ok)
  await client.patch(
    resources.configMaps,
    key,
    { kind, body: { data: null } },
    {
      fieldManager: 'rollouts-controller',
      force: true,
      subresource: 'status',
    },
  )
  const [request] = requests
  expect(request?.method).toBe('PATCH')
  expect(request?.headers.get('content-type')).toBe(contentType)
  expect(request?.url).toBe(
    'http://localhost/api/v1/namespaces/shop/configmaps/web/status?fieldManager=rollouts-controller&force=true',
  )
  expect(await request?.json()).toEqual({ data: null })
})

test('each verb speaks to the path of its resource, below the path of the server', async () => {
  const seen: string[] = []
  const client = httpClient(
    async (request) => {
      seen.push(`${request.method} ${request.url}`)
      return ok()
    },
    { baseUrl: 'https://proxy.example/k8s/clusters/c-1/' },
  )
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: key }
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } }
  await client.get(resources.leases, key)
  await client.create(resources.leases, lease, { dryRun: true })
  await client.update(resources.leases, lease, { subresource: 'status' })
  await client.create(resources.pods, object, { subresource: 'eviction' })
  await client.delete(resources.nodes, { name: 'n1' })
  await client.create(resources.nodes, node)
  await client.raw('/version')
  const root = 'https://proxy.example/k8s/clusters/c-1'
  expect(seen).toEqual([
    `GET ${root}/apis/coordination.k8s.io/v1/namespaces/shop/leases/web`,
    `POST ${root}/apis/coordination.k8s.io/v1/namespaces/shop/leases?dryRun=All`,
    `PUT ${root}/apis/coordination.k8s.io/v1/namespaces/shop/leases/web/status`,
    `POST ${root}/api/v1/namespaces/shop/pods/web/eviction`,
    `DELETE ${root}/api/v1/nodes/n1`,
    `POST ${root}/api/v1/nodes`,
    `GET ${root}/version`,
  ])
})

test('a key without a name is refused before it could delete a whole collection', async () => {
  const { client, requests } = clientOf(ok)
  await expect(client.delete(resources.pods, { namespace: 'shop', name: '' })).rejects.toThrow(
    TypeError,
  )
  await expect(client.delete(resources.pods, { name: 'web' })).rejects.toThrow('needs a namespace')
  expect(requests).toEqual([])
})

test('delete options travel in the body', async () => {
  const { client, requests } = clientOf(ok)
  await client.delete(resources.pods, key, {
    propagationPolicy: 'Foreground',
    gracePeriodSeconds: 5,
    preconditions: { uid: 'u1' },
  })
  expect(await requests[0]?.json()).toEqual({
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    propagationPolicy: 'Foreground',
    gracePeriodSeconds: 5,
    preconditions: { uid: 'u1' },
  })
})

test('a list follows its pages and gives each item its kind', async () => {
  const api = new TestApi(new VirtualClock(0))
  for (let index = 0; index < 7; index++) api.put('configmaps', `shop/c${index}`)
  const list = await httpClient(api.transport).list(resources.configMaps, {
    limit: 3,
    labelSelector: 'a=b',
  })
  expect(list.items.map((item) => item.metadata.name)).toEqual([
    'c0',
    'c1',
    'c2',
    'c3',
    'c4',
    'c5',
    'c6',
  ])
  expect(list.items[6]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' })
  expect(list.resourceVersion).toBe('107')
  expect(list.continue).toBeUndefined()
  expect(api.requests).toHaveLength(3)
  expect(api.requests[2]?.query.get('labelSelector')).toBe('a=b')
})

test('a list whose pages expire on the way is asked for again in one piece', async () => {
  const api = new TestApi(new VirtualClock(0))
  for (let index = 0; index < 4; index++) api.put('configmaps', `shop/c${index}`)
  api.intercept = (request) => {
    if (!request.url.includes('continue')) return undefined
    api.put('configmaps', 'shop/c4')
    api.compact()
    return undefined
  }
  const list = await httpClient(api.transport).list(resources.configMaps, { limit: 3 })
  expect(list.items).toHaveLength(5)
  expect(api.requests.at(-1)?.query.has('limit')).toBe(false)
})

test('an empty list that Go prints as null is empty', async () => {
  const { client } = clientOf(() =>
    Response.json({ metadata: { resourceVersion: '5' }, items: null }),
  )
  expect(await client.list(resources.pods)).toEqual({ items: [], resourceVersion: '5' })
})

test('a failure of the server keeps its code, reason, message and object', async () => {
  const { client } = clientOf(() => status(409, 'Conflict', 'the object has been modified'))
  const error = await client.update(resources.configMaps, object).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(ApiError)
  expect(error).toMatchObject({
    code: 409,
    reason: 'Conflict',
    message: 'the object has been modified',
    object: { kind: 'ConfigMap', namespace: 'shop', name: 'web' },
    retryAfterMs: undefined,
  })
})

const date = 'Sat, 01 Aug 2026 12:00:00 GMT'
test.each([
  ['details', () => status(429, 'TooManyRequests', 'slow', { retryAfterSeconds: 3 }), 3_000],
  [
    'a header of seconds',
    () => new Response('', { status: 429, headers: { 'retry-after': '7' } }),
    7_000,
  ],
  [
    'a header with an instant of the server’s clock',
    () =>
      new Response('', {
        status: 503,
        headers: { 'retry-after': 'Sat, 01 Aug 2026 12:00:09 GMT', date },
      }),
    9_000,
  ],
  ['nothing', () => new Response('', { status: 503 }), undefined],
])('the wait that the server asks for is read from %s', async (_, answer, retryAfterMs) => {
  const { client } = clientOf(answer)
  await expect(client.get(resources.pods, key)).rejects.toMatchObject({ retryAfterMs })
})

test('the page of a proxy becomes an error with the reason of its status code', async () => {
  const { client } = clientOf(() => new Response('<h1>bad gateway</h1>', { status: 502 }))
  await expect(client.get(resources.pods, key)).rejects.toMatchObject({
    code: 502,
    reason: 'Unknown',
    message: '<h1>bad gateway</h1>',
  })
  const forbidden = clientOf(() => new Response('no', { status: 403 }))
  await expect(forbidden.client.raw('/version')).rejects.toMatchObject({ reason: 'Forbidden' })
})

test('no answer is Unreachable and names what happened below fetch', async () => {
  const { client } = clientOf(() => {
    throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 10.0.0.1:443') })
  })
  const error = await client.get(resources.pods, key).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(Unreachable)
  expect(String(error)).toContain('ECONNREFUSED 10.0.0.1:443')
})

test('an answer that breaks off is Unreachable', async () => {
  const { client } = clientOf(() => new Response('{"kind":"Conf'))
  await expect(client.get(resources.pods, key)).rejects.toBeInstanceOf(Unreachable)
})

test('an abort frees the caller even when the handler never answers', async () => {
  const { client } = clientOf(() => new Promise<Response>(() => {}))
  const stop = new AbortController()
  const call = client.get(resources.pods, key, { signal: stop.signal })
  stop.abort(new Error('enough'))
  await expect(call).rejects.toThrow('enough')
})

test('calls with a signal that lives as long as the process leave nothing behind on it', async () => {
  const { client } = clientOf(ok)
  const { signal } = new AbortController()
  await client.get(resources.configMaps, key, { signal })
  await client.delete(resources.configMaps, key, { signal })
  const failing = clientOf(() => status(500, 'InternalError', 'no'))
  await failing.client.list(resources.configMaps, { signal }).catch(() => {})
  const watching = clientOf(() => pieces([`${added('a')}\n`]))
  await collect(watching.client.watch(resources.pods, { signal }))
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('warnings of the server are told, with commas and quotes as they were', async () => {
  const onWarning = vi.fn()
  const headers = {
    warning: '299 - "unknown field \\"spec.a\\"", 299 serinus "b, c", 199 - "not ours"',
  }
  const client = httpClient(async () => Response.json(object, { headers }), { onWarning })
  await client.get(resources.pods, key)
  expect(onWarning.mock.calls).toEqual([['unknown field "spec.a"'], ['b, c']])
})

/** A body that sends exactly these pieces, then ends or breaks. */
function pieces(list: readonly string[], end: 'close' | 'error' = 'close'): Response {
  const encoder = new TextEncoder()
  const queue = [...list]
  return new Response(
    new ReadableStream({
      pull(controller) {
        const next = queue.shift()
        if (next !== undefined) controller.enqueue(encoder.encode(next))
        else if (end === 'close') controller.close()
        else controller.error(new Error('socket hang up'))
      },
    }),
  )
}

async function collect(events: AsyncIterable<WatchEvent<UnknownObject>>): Promise<string[]> {
  const seen: string[] = []
  for await (const event of events) {
    seen.push(
      event.type === 'BOOKMARK'
        ? `BOOKMARK ${event.resourceVersion}`
        : `${event.type} ${event.object.metadata.name}`,
    )
  }
  return seen
}

const added = (name: string) =>
  JSON.stringify({ type: 'ADDED', object: { ...object, metadata: { name } } })

test('events arrive however the stream is cut into pieces, even inside a letter', async () => {
  const bytes = new TextEncoder().encode(`${added('grün')}\n${added('b')}\r\n\n${added('c')}`)
  for (const size of [1, 2, 7, 64, 1000]) {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size)
          controller.enqueue(bytes.slice(at, at + size))
        controller.close()
      },
    })
    const { client } = clientOf(() => new Response(body))
    expect(await collect(client.watch(resources.pods))).toEqual([
      'ADDED grün',
      'ADDED b',
      'ADDED c',
    ])
  }
})

test('a watch asks for its version, bookmarks and time-out, and passes bookmarks on', async () => {
  const bookmark = JSON.stringify({
    type: 'BOOKMARK',
    object: { metadata: { resourceVersion: '9' } },
  })
  const { client, requests } = clientOf(() => pieces([`${bookmark}\n`]))
  const events = client.watch(resources.pods, {
    namespace: 'shop',
    resourceVersion: '7',
    timeoutSeconds: 30,
    allowBookmarks: true,
    fieldSelector: 'metadata.name=web',
  })
  expect(await collect(events)).toEqual(['BOOKMARK 9'])
  expect(requests[0]?.url).toBe(
    'http://localhost/api/v1/namespaces/shop/pods?watch=true&fieldSelector=metadata.name%3Dweb&resourceVersion=7&allowWatchBookmarks=true&timeoutSeconds=30',
  )
})

test('a version that is too old rejects with code 410, as answer and as first event', async () => {
  const gone = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }
  const asEvent = clientOf(() => Response.json({ type: 'ERROR', object: gone }))
  await expect(collect(asEvent.client.watch(resources.pods))).rejects.toMatchObject({
    code: 410,
    reason: 'Expired',
  })
  const asAnswer = clientOf(() => status(410, 'Expired', 'too old'))
  await expect(collect(asAnswer.client.watch(resources.pods))).rejects.toMatchObject({ code: 410 })
})

test('a broken connection and an event cut in half are Unreachable', async () => {
  const broken = clientOf(() => pieces([`${added('a')}\n`], 'error'))
  await expect(collect(broken.client.watch(resources.pods))).rejects.toBeInstanceOf(Unreachable)
  const half = clientOf(() => pieces([`${added('a')}\n`, added('b').slice(0, 20)]))
  await expect(collect(half.client.watch(resources.pods))).rejects.toBeInstanceOf(Unreachable)
})

test('a watch ends quietly when its signal aborts, before the answer or in the middle', async () => {
  const stop = new AbortController()
  const silent = clientOf(() => new Promise<Response>(() => {}))
  const waiting = collect(silent.client.watch(resources.pods, { signal: stop.signal }))
  stop.abort()
  expect(await waiting).toEqual([])

  const stopLater = new AbortController()
  const cancelled = vi.fn()
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(`${added('a')}\n`)),
    cancel: cancelled,
  })
  const open = clientOf(() => new Response(body))
  const seen: string[] = []
  for await (const event of open.client.watch(resources.pods, { signal: stopLater.signal })) {
    seen.push(event.type)
    stopLater.abort()
  }
  expect(seen).toEqual(['ADDED'])
  expect(cancelled).toHaveBeenCalledOnce()
})

test('leaving the loop tells the server that nobody listens any more', async () => {
  const api = new TestApi(new VirtualClock(0))
  const client = httpClient(api.transport)
  api.put('configmaps', 'shop/a')
  for await (const _ of client.watch(resources.configMaps, { resourceVersion: '100' })) break
  expect(api.watchers).toBe(0)
})
