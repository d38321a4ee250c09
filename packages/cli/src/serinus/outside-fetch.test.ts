import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openCluster, startCluster } from '@serinus/cluster'
import { VirtualClock } from '@serinus/kube'
import { expect, onTestFinished, test } from 'vitest'
import { outsideFetch } from './outside-fetch.ts'

interface Listening {
  readonly url: string
  readonly server: Server
  readonly seen: {
    readonly line: string
    readonly headers: IncomingHttpHeaders
    readonly port: number
  }[]
}

/** Answers everything with its name. */
async function listening(name: string): Promise<Listening> {
  const seen: Listening['seen'] = []
  const server = createServer((request, response) => {
    const { headers, socket } = request
    seen.push({ line: `${request.method} ${request.url}`, headers, port: socket.remotePort ?? 0 })
    response.end(name)
  })
  server.on('connect', (request, socket) => {
    seen.push({ line: `CONNECT ${request.url}`, headers: request.headers, port: 0 })
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, seen }
}

test('requests take the proxies of the environment, also where certificates are not checked', async () => {
  const proxy = await listening('proxy')
  const fetch = outsideFetch({
    HTTP_PROXY: proxy.url,
    HTTPS_PROXY: proxy.url,
    NO_PROXY: '.internal',
  })
  for (const insecure of [false, true]) {
    const answer = await fetch(new Request('http://vendor.test/a?b=1'), { insecure })
    expect(await answer.text()).toBe('proxy')
    await expect(fetch(new Request('https://vendor.test/'), { insecure })).rejects.toThrow()
  }
  const lines = ['GET http://vendor.test/a?b=1', 'CONNECT vendor.test:443']
  expect(proxy.seen.map(({ line }) => line)).toEqual([...lines, ...lines])
})

test('what is exempt from the proxy is asked directly', async () => {
  const proxy = await listening('proxy')
  const vendor = await listening('vendor')
  const fetch = outsideFetch({ HTTP_PROXY: proxy.url })
  expect(await (await fetch(new Request(vendor.url))).text()).toBe('vendor')
  expect(proxy.seen).toEqual([])
})

test('a Host header of the caller arrives', async () => {
  const vendor = await listening('vendor')
  const fetch = outsideFetch({})
  await fetch(new Request(vendor.url, { headers: { Host: 'metrics.example.com' } }))
  await fetch(new Request(vendor.url))
  expect(vendor.seen.map(({ headers }) => headers.host)).toEqual([
    'metrics.example.com',
    new URL(vendor.url).host,
  ])
})

test('one connection serves request after request', async () => {
  const vendor = await listening('vendor')
  const fetch = outsideFetch({})
  for (const headers of [{}, { Host: 'metrics.example.com' }, {}]) {
    await (await fetch(new Request(vendor.url, { headers }))).text()
    await (await fetch(new Request(vendor.url, { headers }), { insecure: true })).text()
  }
  expect(new Set(vendor.seen.map(({ port }) => port)).size).toBe(2)
})

test('a certificate is checked, unless the user asked not to', async () => {
  const ended = new AbortController()
  const cluster = startCluster({
    clock: new VirtualClock(Date.parse('2026-01-01T00:00:00Z')),
    signal: ended.signal,
    seed: 'tls',
    home: 'default',
    useInbox: false,
  })
  const opened = await openCluster(cluster, { host: '127.0.0.1', port: 0, insecureHttp: false })
  onTestFinished(async () => {
    ended.abort()
    await opened.close()
  })
  const url = `${opened.addresses.server}/version`
  const fetch = outsideFetch({})
  await expect(fetch(new Request(url))).rejects.toMatchObject({
    cause: { code: expect.stringMatching(/CERT|UNABLE_TO_VERIFY/) },
  })
  expect((await fetch(new Request(url), { insecure: true })).status).toBeLessThan(500)
})
