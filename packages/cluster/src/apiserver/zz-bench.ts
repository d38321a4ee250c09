import { rmSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { httpClient, kubeconfigTransport, RealClock, resources, SeededRandom } from '@serinus/kube'
import { listen } from './listen.ts'
import { ApiServer } from './server.ts'
import { SqliteJournal } from './sqlite-journal.ts'

for (const f of ['', '-wal', '-shm']) rmSync('/tmp/bench.db' + f, { force: true })
const journal = process.argv[2] === 'j' ? new SqliteJournal('/tmp/bench.db') : undefined
const server = new ApiServer({
  clock: new RealClock(),
  random: new SeededRandom(1),
  ...(journal && { journal }),
})
const pod = (i: number) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `p-${i}`, namespace: 'default', labels: { app: 'a' } },
  spec: {
    containers: [
      {
        name: 'a',
        image: 'nginx:1',
        env: [{ name: 'A', value: 'b' }],
        ports: [{ containerPort: 80 }],
        readinessProbe: { httpGet: { path: '/', port: 80 } },
      },
    ],
  },
})
let t = performance.now()
for (let i = 0; i < 2000; i++) await server.client.create(resources.pods, pod(i) as never)
console.log('direct create/s', (2000 / (performance.now() - t)) * 1000)
t = performance.now()
for (let i = 0; i < 2000; i++)
  await server.handleTrusted(new Request(`http://x/api/v1/namespaces/default/pods/p-${i}`))
console.log('handler get us', ((performance.now() - t) / 2000) * 1000)
t = performance.now()
for (let i = 0; i < 2000; i++)
  await (
    await server.handleTrusted(
      new Request(`http://x/api/v1/namespaces/default/pods/p-${i}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/merge-patch+json' },
        body: `{"metadata":{"labels":{"x":"${i}"}}}`,
      }),
    )
  ).text()
console.log('handler patch us', ((performance.now() - t) / 2000) * 1000)
t = performance.now()
for (let i = 0; i < 2000; i++)
  await server.client.patch(
    resources.pods,
    { namespace: 'default', name: `p-${i}` },
    { kind: 'merge', body: { status: { phase: 'Running', podIP: '1.1.1.' + i } } },
    { subresource: 'status' },
  )
console.log('direct status patch us', ((performance.now() - t) / 2000) * 1000)
const l = await listen(server, { host: '127.0.0.1', port: 0, tls: true })
const agent = new Agent({ keepAlive: true, maxSockets: 50, rejectUnauthorized: false })
const call = (method: string, path: string, body?: string, headers = {}) =>
  new Promise<string>((resolve, reject) => {
    const r = request(
      l.url + path,
      {
        method,
        agent,
        headers: {
          authorization: `Bearer ${server.authenticator.adminToken}`,
          'content-type': 'application/json',
          ...headers,
        },
      },
      (res) => {
        let s = ''
        res.setEncoding('utf8')
        res.on('data', (d) => {
          s += d
        })
        res.on('end', () => resolve(s))
      },
    )
    r.on('error', reject)
    r.end(body)
  })
t = performance.now()
for (let i = 2000; i < 3000; i++)
  await call('POST', '/api/v1/namespaces/default/pods', JSON.stringify(pod(i)))
console.log('http create/s sequential', (1000 / (performance.now() - t)) * 1000)
t = performance.now()
const q = Array.from({ length: 2000 }, (_, i) => i + 3000)
await Promise.all(
  Array.from({ length: 10 }, async () => {
    for (let i = q.pop(); i !== undefined; i = q.pop())
      await call('POST', '/api/v1/namespaces/default/pods', JSON.stringify(pod(i)))
  }),
)
console.log('http create/s 10 in flight', (2000 / (performance.now() - t)) * 1000)
for (let k = 0; k < 3; k++) {
  t = performance.now()
  const s = await call('GET', '/api/v1/pods')
  console.log('list', JSON.parse(s).items.length, 'pods ms', performance.now() - t, s.length)
  t = performance.now()
  await call('GET', '/api/v1/pods', undefined, { 'accept-encoding': 'gzip' })
  console.log('gzip list ms', performance.now() - t)
}
// watchers
const lat: number[] = []
let sentAt = 0
for (let i = 0; i < 50; i++) {
  const r = request(
    l.url + `/api/v1/pods?watch=1&resourceVersion=${server.store.version}`,
    {
      agent: new Agent({ rejectUnauthorized: false }),
      headers: { authorization: `Bearer ${server.authenticator.adminToken}` },
    },
    (res) => res.on('data', () => lat.push(performance.now() - sentAt)),
  )
  r.end()
}
await new Promise((r) => setTimeout(r, 1000))
for (let i = 0; i < 100; i++) {
  sentAt = performance.now()
  await call(
    'PATCH',
    `/api/v1/namespaces/default/pods/p-${i}`,
    `{"metadata":{"labels":{"y":"${i}"}}}`,
    { 'content-type': 'application/merge-patch+json' },
  )
  await new Promise((r) => setTimeout(r, 20))
}
lat.sort((a, b) => a - b)
console.log(
  'watch events',
  lat.length,
  'p50',
  lat[Math.floor(lat.length / 2)],
  'p99',
  lat[Math.floor(lat.length * 0.99)],
)
console.log('rss MB', process.memoryUsage().rss / 1e6)
process.exit(0)
