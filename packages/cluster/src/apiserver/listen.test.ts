import { X509Certificate } from 'node:crypto'
import { request } from 'node:https'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { CoreV1Api, KubeConfig, makeInformer, type V1ConfigMap } from '@kubernetes/client-node'
import { RealClock, resources, SeededRandom } from '@serinus/kube'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { configMap } from './api-under-test.ts'
import { type Listening, listen } from './listen.ts'
import { ApiServer } from './server.ts'
import { textAt } from './values.ts'

async function listening(): Promise<{ server: ApiServer } & Listening & AsyncDisposable> {
  const server = new ApiServer({ clock: new RealClock(), random: new SeededRandom(1) })
  const address = await listen(server, { host: '127.0.0.1', port: 0, tls: true })
  return { server, ...address, [Symbol.asyncDispose]: () => address.close() }
}

function credentials(kubeconfig: string) {
  const { clusters, users } = parse(kubeconfig)
  const text = (base64: string) => Buffer.from(base64, 'base64').toString()
  return {
    ca: text(clusters[0].cluster['certificate-authority-data']),
    cert: text(users[0].user['client-certificate-data']),
    key: text(users[0].user['client-key-data']),
    token: users[0].user.token as string,
  }
}

function get(url: string, options: object): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent: false, ...options }, (incoming) => {
      let body = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => {
        body += chunk
      })
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body }))
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

test('the CA of the kubeconfig vouches for the server, and signs for loopback and cluster names', async () => {
  await using served = await listening()
  const { ca, cert } = credentials(served.kubeconfig)
  const authority = new X509Certificate(ca)
  const client = new X509Certificate(cert)
  expect(authority.ca).toBe(true)
  expect(client.checkIssued(authority)).toBe(true)
  expect(client.verify(authority.publicKey)).toBe(true)
  expect((await get(`${served.url}/livez`, { ca })).body).toBe('ok')
  const byName = await get(`${served.url}/livez`, { ca, servername: 'kubernetes.default.svc' })
  expect(byName.body).toBe('ok')
})

test('token and client certificate each open the API; neither does not', async () => {
  await using served = await listening()
  const { ca, cert, key, token } = credentials(served.kubeconfig)
  const url = `${served.url}/api/v1/namespaces`
  const statuses = await Promise.all([
    get(url, { ca, headers: { authorization: `Bearer ${token}` } }),
    get(url, { ca, cert, key }),
    get(url, { ca }),
  ])
  expect(statuses.map(({ status }) => status)).toEqual([200, 200, 403])
})

test('the informer of the JavaScript client keeps up while its connections are cut', async () => {
  await using served = await listening()
  await using network = await fragileNetwork(Number(new URL(served.url).port))
  const { client } = served.server
  const config = new KubeConfig()
  config.loadFromString(served.kubeconfig.replace(served.url, `https://127.0.0.1:${network.port}`))
  const api = config.makeApiClient(CoreV1Api)
  const informer = makeInformer<V1ConfigMap>(config, '/api/v1/namespaces/default/configmaps', () =>
    api.listNamespacedConfigMap({ namespace: 'default' }),
  )
  const seen = new Map<string, string>()
  const remember = (object: V1ConfigMap) => {
    seen.set(object.metadata?.name ?? '', object.data?.['n'] ?? '')
  }
  informer.on('add', remember)
  informer.on('update', remember)
  informer.on('error', () => void informer.start())
  const saw = (name: string) =>
    new Promise<void>((resolve) => {
      informer.on('add', (object) => object.metadata?.name === name && resolve())
    })
  const gone = new Promise<void>((resolve) => {
    informer.on('delete', (object) => {
      seen.delete(object.metadata?.name ?? '')
      resolve()
    })
  })
  await informer.start()
  for (let round = 0; round < 3; round++) {
    const marker = saw(`marker-${round}`)
    for (let count = 0; count < 20; count++) {
      const object = configMap(`n${count}`, { n: `${round}-${count}` }, { namespace: 'default' })
      if (round === 0) await client.create(resources.configMaps, object)
      else await client.update(resources.configMaps, object)
      if (count === 10) network.cut()
    }
    await client.create(
      resources.configMaps,
      configMap(`marker-${round}`, {}, { namespace: 'default' }),
    )
    await marker
  }
  await client.delete(resources.configMaps, { namespace: 'default', name: 'n0' })
  await gone
  await informer.stop()
  const { items } = await client.list(resources.configMaps, { namespace: 'default' })
  const stored = items.map(({ metadata, ...object }) => [
    metadata.name,
    textAt(object, 'data', 'n'),
  ])
  expect([...seen].sort()).toEqual(stored.sort())
}, 20_000)

/** A way to the server that can break: `cut` ends every connection at once. */
async function fragileNetwork(target: number) {
  const sockets = new Set<Socket>()
  const proxy = createServer((incoming) => {
    const outgoing = connect(target, '127.0.0.1')
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        incoming.destroy()
        outgoing.destroy()
      })
    }
    incoming.pipe(outgoing)
    outgoing.pipe(incoming)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', () => resolve()))
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (proxy.address() as AddressInfo).port,
    cut,
    async [Symbol.asyncDispose]() {
      cut()
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}
