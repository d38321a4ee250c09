import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { httpClient } from './http-client.ts'
import { KubeconfigError, type KubeconfigOptions, kubeconfigTransport } from './kubeconfig.ts'
import { resources } from './resources.ts'
import { VirtualClock } from './virtual-clock.ts'

const fixture = (name: string) => join(import.meta.dirname, 'fixtures', name)
const base64 = (name: string) => readFileSync(fixture(name)).toString('base64')

let folder: string
const servers: Server[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'serinus-kube-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

function write(name: string, content: string | object): string {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

interface Seen {
  url: string | undefined
  method: string | undefined
  headers: IncomingMessage['headers']
  raw: readonly string[]
  peer: string | undefined
  body: string
}

/** An API server that remembers what it was asked. */
async function listen(options: { tls?: boolean; answer?: (seen: Seen) => number } = {}) {
  const seen: Seen[] = []
  const handler: Parameters<typeof createServer>[1] = async (request, response) => {
    request.setEncoding('utf8')
    let body = ''
    for await (const chunk of request) body += chunk
    const socket = request.socket as TLSSocket
    const entry = {
      url: request.url,
      method: request.method,
      headers: request.headers,
      raw: request.rawHeaders,
      peer: socket.authorized ? String(socket.getPeerCertificate().subject.CN) : undefined,
      body,
    }
    seen.push(entry)
    response.writeHead(options.answer?.(entry) ?? 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ kind: 'Pod', apiVersion: 'v1', metadata: { name: 'web' } }))
  }
  const server = options.tls
    ? createTlsServer(
        {
          key: readFileSync(fixture('server.key')),
          cert: readFileSync(fixture('server.crt')),
          ca: readFileSync(fixture('ca.crt')),
          requestCert: true,
          rejectUnauthorized: false,
        },
        handler,
      )
    : createServer(handler)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { seen, port, url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}` }
}

function config(server: string, user: object, cluster: object = {}, context: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', ...context } }],
    'current-context': 'x',
  }
}

const noEnv = { HOME: '/nonexistent' }

async function ask(options: KubeconfigOptions) {
  const { transport, baseUrl, namespace } = kubeconfigTransport({ env: noEnv, ...options })
  const client = httpClient(transport, { baseUrl, userAgent: 'serinus/1' })
  await client.get(resources.pods, { namespace, name: 'web' })
  return client
}

test('a token and the namespace of the context reach the server', async () => {
  const { url, seen } = await listen()
  const kubeconfig = write(
    'config',
    config(`${url}/`, { token: 't0k3n' }, {}, { namespace: 'shop' }),
  )
  await ask({ kubeconfig })
  expect(seen[0]).toMatchObject({ url: '/api/v1/namespaces/shop/pods/web' })
  expect(seen[0]?.headers).toMatchObject({
    authorization: 'Bearer t0k3n',
    'user-agent': 'serinus/1',
  })
})

test('a body is sent whole with its type', async () => {
  const { url, seen } = await listen()
  const client = await ask({ content: JSON.stringify(config(url, {})) })
  const body = { data: { a: 'ü'.repeat(100_000) } }
  await client.patch(resources.pods, { namespace: 'shop', name: 'web' }, { kind: 'merge', body })
  expect(JSON.parse(seen[1]?.body ?? '')).toEqual(body)
  expect(seen[1]?.headers['content-type']).toBe('application/merge-patch+json')
})

test('user name and password are sent as basic authentication', async () => {
  const { url, seen } = await listen()
  await ask({ kubeconfig: write('config', config(url, { username: 'jane', password: 'pw' })) })
  expect(seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from('jane:pw').toString('base64')}`)
})

test('a client certificate in data or files, relative to the kubeconfig, logs in over TLS', async () => {
  const { url, seen } = await listen({ tls: true })
  const inData = config(
    url,
    { 'client-certificate-data': base64('client.crt'), 'client-key-data': base64('client.key') },
    { 'certificate-authority-data': base64('ca.crt') },
  )
  await ask({ kubeconfig: write('data', inData) })
  for (const name of ['client.crt', 'client.key', 'ca.crt'])
    write(name, readFileSync(fixture(name), 'utf8'))
  const inFiles = config(
    url,
    { 'client-certificate': 'client.crt', 'client-key': './client.key' },
    { 'certificate-authority': 'ca.crt' },
  )
  await ask({ kubeconfig: write('files', inFiles) })
  expect(seen.map(({ peer }) => peer)).toEqual(['jane', 'jane'])
})

test('a server that nobody vouches for is refused, unless that is wanted', async () => {
  const { url, port } = await listen({ tls: true })
  const content = (cluster: object, server = url) => JSON.stringify(config(server, {}, cluster))
  await expect(ask({ content: content({}) })).rejects.toThrow('certificate')
  await ask({ content: content({ 'insecure-skip-tls-verify': true }) })
  await ask({ content: content({}), insecureSkipTlsVerify: true })
  const ca = { 'certificate-authority-data': base64('ca.crt') }
  const named = content(ca, `https://localhost:${port}`)
  await expect(ask({ content: named })).rejects.toThrow(/altnames|ECONNREFUSED/)
  await ask({ content: content({ ...ca, 'tls-server-name': 'kube.test' }) })
  await ask({ content: content({}), certificateAuthority: fixture('ca.crt') })
})

test('a server that offers HTTP/2 is spoken to in HTTP/1.1', async () => {
  const versions: string[] = []
  const server = createSecureServer(
    {
      key: readFileSync(fixture('server.key')),
      cert: readFileSync(fixture('server.crt')),
      allowHTTP1: true,
    },
    (request, response) => {
      versions.push(request.httpVersion)
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ kind: 'Pod', apiVersion: 'v1', metadata: { name: 'web' } }))
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    await ask({
      content: JSON.stringify(config(`https://127.0.0.1:${port}`, {})),
      insecureSkipTlsVerify: true,
    })
  } finally {
    server.close()
  }
  expect(versions).toEqual(['1.1'])
})

test('impersonation is sent with one line for each group', async () => {
  const { url, seen } = await listen()
  const user = { token: 't', 'as-user-extra': { Scopes: ['a', 'b'] } }
  await ask({
    content: JSON.stringify(config(url, user)),
    as: 'jane',
    asGroups: ['devs', 'ops'],
    asUid: '7',
  })
  const lines: string[] = []
  const raw = seen[0]?.raw ?? []
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index]?.startsWith('impersonate')) lines.push(`${raw[index]}: ${raw[index + 1]}`)
  }
  expect(lines.sort()).toEqual([
    'impersonate-extra-scopes: a',
    'impersonate-extra-scopes: b',
    'impersonate-group: devs',
    'impersonate-group: ops',
    'impersonate-uid: 7',
    'impersonate-user: jane',
  ])
})

test('a token file is read again after a minute, and at once when the server refuses the token', async () => {
  let wanted = 'one'
  const { url, seen } = await listen({
    answer: ({ headers }) => (headers.authorization === `Bearer ${wanted}` ? 200 : 401),
  })
  const clock = new VirtualClock(0)
  const token = write('token', 'one\n')
  const client = await ask({ content: JSON.stringify(config(url, { tokenFile: token })), clock })
  const get = () => client.get(resources.pods, { namespace: 'default', name: 'web' })
  write('token', 'two\n')
  await get()
  expect(seen.at(-1)?.headers.authorization).toBe('Bearer one')
  await clock.advance(60_000)
  wanted = 'two'
  await get()
  expect(seen).toHaveLength(3)
  write('token', 'three')
  wanted = 'three'
  await get()
  expect(seen.map(({ headers }) => headers.authorization).slice(3)).toEqual([
    'Bearer two',
    'Bearer three',
  ])
})

test('a token that never changes is not sent twice after a refusal', async () => {
  const { url, seen } = await listen({ answer: () => 401 })
  const asked = ask({ content: JSON.stringify(config(url, { token: 'bad' })) })
  await expect(asked).rejects.toMatchObject({ code: 401 })
  expect(seen).toHaveLength(1)
})

test('an exec plugin is run once for many requests, told what client-go tells it, and again after a refusal', async () => {
  let wanted = 'run-1'
  const { url, seen } = await listen({
    answer: ({ headers }) => (headers.authorization === `Bearer ${wanted}` ? 200 : 401),
  })
  const counter = write('runs', '0')
  const script = write(
    'plugin.mjs',
    `import { readFileSync, writeFileSync } from 'node:fs'
const runs = Number(readFileSync(${JSON.stringify(counter)}, 'utf8')) + 1
writeFileSync(${JSON.stringify(counter)}, String(runs))
writeFileSync(${JSON.stringify(join(folder, 'info'))}, process.env.KUBERNETES_EXEC_INFO + ' ' + process.env.REGION)
console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token: 'run-' + runs } }))`,
  )
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: process.execPath,
    args: [script],
    env: [{ name: 'REGION', value: 'eu' }],
    provideClusterInfo: true,
  }
  const client = await ask({ content: JSON.stringify(config(url, { exec })) })
  await client.get(resources.pods, { namespace: 'default', name: 'web' })
  expect(readFileSync(counter, 'utf8')).toBe('1')
  const [info, region] = readFileSync(join(folder, 'info'), 'utf8').split(' ')
  expect(JSON.parse(info as string)).toEqual({
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: { interactive: false, cluster: { server: url } },
  })
  expect(region).toBe('eu')
  wanted = 'run-2'
  await client.get(resources.pods, { namespace: 'default', name: 'web' })
  expect(seen.map(({ headers }) => headers.authorization)).toEqual([
    'Bearer run-1',
    'Bearer run-1',
    'Bearer run-1',
    'Bearer run-2',
  ])
})

test('an exec plugin that is missing fails with its installation hint', async () => {
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: './no-such-plugin',
    installHint: 'Install it from example.com',
  }
  const kubeconfig = write('config', config('http://127.0.0.1:1', { exec }))
  await expect(ask({ kubeconfig })).rejects.toThrow(
    /getting credentials: .*ENOENT\nInstall it from example.com/s,
  )
})

test('an OIDC token that is still valid is sent', async () => {
  const { url, seen } = await listen()
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const idToken = `${part({ alg: 'none' })}.${part({ exp: 4_000_000_000 })}.x`
  const provider = { name: 'oidc', config: { 'id-token': idToken, 'client-id': 'c' } }
  await ask({ content: JSON.stringify(config(url, { 'auth-provider': provider })) })
  expect(seen[0]?.headers.authorization).toBe(`Bearer ${idToken}`)
})

test('in a pod without kubeconfig the service account is used', async () => {
  const { port, seen } = await listen({ tls: true })
  write('ca.crt', readFileSync(fixture('ca.crt'), 'utf8'))
  write('token', 'pod-token')
  write('namespace', 'argo-rollouts\n')
  const env = {
    ...noEnv,
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT: String(port),
  }
  await ask({ env, serviceAccountFolder: folder })
  await ask({ env, serviceAccountFolder: folder, inCluster: true })
  expect(seen[0]).toMatchObject({ url: '/api/v1/namespaces/argo-rollouts/pods/web' })
  expect(seen[1]?.headers.authorization).toBe('Bearer pod-token')
})

test('of several files in KUBECONFIG the first to name something wins, and missing ones are left out', () => {
  const first = write('first', {
    clusters: [{ name: 'c', cluster: { server: 'https://first' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', namespace: 'one' } }],
  })
  const second = write('second', {
    clusters: [
      { name: 'c', cluster: { server: 'https://second' } },
      { name: 'd', cluster: { server: 'https://other' } },
    ],
    contexts: [{ name: 'y', context: { cluster: 'd' } }],
    'current-context': 'x',
  })
  const env = { ...noEnv, KUBECONFIG: [join(folder, 'missing'), first, '', second].join(':') }
  expect(kubeconfigTransport({ env })).toMatchObject({ baseUrl: 'https://first', namespace: 'one' })
  expect(kubeconfigTransport({ env, context: 'y' })).toMatchObject({
    baseUrl: 'https://other',
    namespace: 'default',
  })
})

test('flags go before the kubeconfig', async () => {
  const { url, seen } = await listen()
  const content = JSON.stringify(
    config('https://elsewhere', { exec: { command: 'never' } }, {}, { namespace: 'shop' }),
  )
  await ask({ content, server: url, token: 'flag', namespace: 'bank' })
  expect(seen[0]).toMatchObject({ url: '/api/v1/namespaces/bank/pods/web' })
  expect(seen[0]?.headers.authorization).toBe('Bearer flag')
})

test('~/.kube/config is found in the home of the environment', async () => {
  const { mkdirSync } = await import('node:fs')
  mkdirSync(join(folder, '.kube'))
  write('.kube/config', config('https://home', {}))
  expect(kubeconfigTransport({ env: { HOME: folder } }).baseUrl).toBe('https://home')
})

test.each<[string, () => KubeconfigOptions, string]>([
  ['nothing is configured', () => ({}), 'no cluster is configured'],
  ['a named file is missing', () => ({ kubeconfig: '/no/such/file' }), '/no/such/file: ENOENT'],
  [
    'a context is missing',
    () => ({ context: 'prod', content: '{}' }),
    'context "prod" does not exist',
  ],
  [
    'a user is missing',
    () => ({ content: JSON.stringify({ ...config('https://c', {}), users: [] }) }),
    'user "u" does not exist',
  ],
  ['the cluster has no server', () => ({ content: JSON.stringify(config('', {})) }), 'no server'],
  [
    'the server is no URL',
    () => ({ content: JSON.stringify(config('ftp://c', {})) }),
    'not an http',
  ],
  ['a pod is asked for outside one', () => ({ inCluster: true }), 'not in a cluster'],
])('when %s the error says so', (_, options, message) => {
  const read = () => kubeconfigTransport({ env: noEnv, ...options() })
  expect(read).toThrow(KubeconfigError)
  expect(read).toThrow(message)
})

test('a kubeconfig that is not YAML names the line and shows none of it', () => {
  const kubeconfig = write('config', 'users:\n- name: u\n  user: {token: s3cr3t\n')
  const read = () => kubeconfigTransport({ env: noEnv, kubeconfig })
  expect(read).toThrow(/config is not YAML \(line \d\)/)
  expect(read).not.toThrow('s3cr3t')
})

test('a proxy of the cluster is used', async () => {
  const through: string[] = []
  const proxy = createServer((request, response) => {
    through.push(`${request.method} ${request.url}`)
    response.end(JSON.stringify({ kind: 'Pod', metadata: { name: 'web' } }))
  })
  proxy.on('connect', (request, socket) => {
    through.push(`CONNECT ${request.url}`)
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
  })
  servers.push(proxy)
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const inConfig = JSON.stringify(config('https://kube.test:6443', {}, { 'proxy-url': proxyUrl }))
  await expect(ask({ content: inConfig })).rejects.toThrow('no answer')
  const plain = JSON.stringify(config('https://kube.test:6443', {}))
  const env = { ...noEnv, HTTPS_PROXY: proxyUrl, NO_PROXY: 'other.test' }
  await expect(ask({ content: plain, env })).rejects.toThrow('no answer')
  expect(through).toEqual(['CONNECT kube.test:6443', 'CONNECT kube.test:6443'])
})
