import { readFileSync } from 'node:fs'
import type { KubeObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { canaryIngress, ingress, myApp, pod, service, slice, TrafficWorld } from './test-world.ts'

/** Which versions answered how many of `count` requests. */
async function answered(
  world: TrafficWorld,
  count: number,
  headers: Record<string, string> = {},
): Promise<Record<string, number>> {
  const by: Record<string, number> = {}
  for (let n = 0; n < count; n++) {
    const answer = await world.get('/', headers)
    const version = answer.headers.get('x-version') ?? String(answer.status)
    by[version] = (by[version] ?? 0) + 1
  }
  return by
}

test('of 2,000 requests at weight 20 between 17 % and 23 % reach the canary, with the header all do [embedded-cluster 10]', async () => {
  await using world = new TrafficWorld()
  await world.put(
    ...myApp(),
    canaryIngress({
      'canary-weight': '20',
      'canary-by-header': 'X-Canary-User',
      'canary-by-header-value': 'true',
    }),
  )
  const { c1 = 0, s1 = 0 } = await answered(world, 2_000)
  expect(c1 + s1).toBe(2_000)
  expect(c1 / 2_000).toBeGreaterThan(0.17)
  expect(c1 / 2_000).toBeLessThan(0.23)
  expect(await answered(world, 200, { 'x-canary-user': 'true' })).toEqual({ c1: 200 })
})

test('an answer says which pod, version and image gave it', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp({ stable: { image: 'argoproj/rollouts-demo:blue' } }))
  const answer = await world.get('/')
  expect(answer.status).toBe(200)
  expect(answer.headers.get('x-version')).toBe('s1')
  expect(await answer.json()).toEqual({
    pod: expect.stringMatching(/^stable-[ab]$/),
    version: 's1',
    image: 'argoproj/rollouts-demo:blue',
    color: 'blue',
  })
})

test('weights are counted on the scale of canary-weight-total', async () => {
  await using world = new TrafficWorld()
  await world.put(
    ...myApp(),
    canaryIngress({ 'canary-weight': '200', 'canary-weight-total': '1000' }),
  )
  const { c1 = 0 } = await answered(world, 2_000)
  expect(c1 / 2_000).toBeGreaterThan(0.17)
  expect(c1 / 2_000).toBeLessThan(0.23)
})

test('a new weight holds from the next request on', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp(), canaryIngress({ 'canary-weight': '0' }))
  expect(await answered(world, 100)).toEqual({ s1: 100 })
  await world.put(canaryIngress({ 'canary-weight': '100' }))
  expect(await answered(world, 100)).toEqual({ c1: 100 })
})

test('a host or path that no Ingress has is answered with 404', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp())
  expect((await world.get('/', { host: 'other.example.com' })).status).toBe(404)
  expect((await world.get('/', { host: 'my-app.example.com:8080' })).status).toBe(200)
})

test('a Service without pods is answered with 503 and the truth counts the request as lost', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp(), slice('my-app-stable'))
  expect((await world.get('/')).status).toBe(503)
  expect(world.traffic.truth('')).toEqual({ requests: 1, errors: 0, lost: 1 })
})

test('a canary without pods leaves its share to stable, as ingress-nginx does', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp(), slice('my-app-canary'), canaryIngress({ 'canary-weight': '50' }))
  expect(await answered(world, 100)).toEqual({ s1: 100 })
})

test('a pod that is not ready gets nothing, neither real nor generated requests', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp({ rps: '100' }), slice('my-app-stable', 'stable-a', '!stable-b'))
  await world.pass(30)
  const pods = new Set<string | null>()
  for (let n = 0; n < 100; n++) pods.add((await world.get('/')).headers.get('x-pod'))
  expect([...pods]).toEqual(['stable-a'])
  await world.pass(5)
  expect(world.query('sum(http_requests_total{pod="stable-a"})')).toBeGreaterThan(2_000)
  expect(world.query('sum(http_requests_total{pod="stable-b"})')).toBeNaN()
})

test('a pod that is gone while still routed gives a 503 and is counted', async () => {
  await using world = new TrafficWorld({ propagationDelayMs: 10_000 })
  await world.put(...myApp({ rps: '100' }))
  await world.pass(20)
  expect(world.traffic.truth('').lost).toBe(0)
  await world.put(slice('my-app-stable', 'stable-a'))
  await world.remove(pod('stable-b'))
  await world.pass(8)
  const { lost } = world.traffic.truth('')
  expect(lost).toBeGreaterThan(300)
  expect(lost).toBeLessThan(500)
  const seen = await answered(world, 40)
  expect(seen['503']).toBeGreaterThan(5)
  await world.pass(5)
  const settled = world.traffic.truth('').lost
  await world.pass(60)
  expect(world.traffic.truth('').lost).toBe(settled)
  expect(world.query('sum(nginx_ingress_controller_requests{status="503"})')).toBe(settled)
  expect(await answered(world, 40)).toEqual({ s1: 40 })
})

test('a pod whose container has ended answers nothing although it is still routed', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp({ stable: { running: false } }))
  expect((await world.get('/')).status).toBe(503)
})

test('lost requests show in the metrics of the ingress and of the mesh, not in those of pods', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp({ rps: '100' }), slice('my-app-stable'))
  await world.pass(30)
  const { lost } = world.traffic.truth('')
  expect(lost).toBeGreaterThan(2_500)
  expect(world.query('sum(nginx_ingress_controller_requests{status="503"})')).toBe(lost)
  expect(world.query('sum(istio_requests_total{response_code="503",reporter="source"})')).toBe(lost)
  expect(world.query('sum(http_requests_total)')).toBeNaN()
})

test('generated load takes the way that real requests take', async () => {
  await using world = new TrafficWorld()
  await world.put(
    ...myApp({ rps: '200', canary: { annotations: { 'sim.serinus.dev/error-rate': '0.1' } } }),
    canaryIngress({ 'canary-weight': '20' }),
  )
  await world.pass(600)
  const flow = { stable: world.traffic.truth('s1'), canary: world.traffic.truth('c1') }
  const total = flow.stable.requests + flow.canary.requests
  expect(total / 600).toBeGreaterThan(195)
  expect(total / 600).toBeLessThan(205)
  const share = flow.canary.requests / total
  const errors = flow.canary.errors / flow.canary.requests
  let canary = 0
  let failed = 0
  for (let n = 0; n < 4_000; n++) {
    const answer = await world.get('/')
    if (answer.headers.get('x-version') !== 'c1') continue
    canary++
    if (answer.status === 500) failed++
  }
  expect(Math.abs(canary / 4_000 - share)).toBeLessThan(0.03)
  expect(Math.abs(failed / canary - errors)).toBeLessThan(0.04)
  expect(flow.stable.errors).toBe(0)
})

test.each([
  ['X-Canary-User: true', 1],
  ['X-Canary-User: false', 0],
])('generated requests with the header %s follow the header rule', async (header, share) => {
  await using world = new TrafficWorld()
  const load = {
    'sim.serinus.dev/requests-per-second': '50',
    'sim.serinus.dev/request-headers': header,
  }
  await world.put(
    ...myApp(),
    ingress('my-app-ingress', 'my-app-stable', load),
    canaryIngress({
      'canary-weight': '0',
      'canary-by-header': 'X-Canary-User',
      'canary-by-header-value': 'true',
    }),
  )
  await world.pass(10)
  expect(world.traffic.canaryShare('default', 'my-app-ingress')).toBe(share)
})

test('the share of the canary is what the last second showed, and none where nothing flows', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp({ rps: '1000' }), canaryIngress({ 'canary-weight': '30' }))
  expect(world.traffic.canaryShare('default', 'my-app-ingress')).toBeNull()
  await world.pass(2)
  const share = world.traffic.canaryShare('default', 'my-app-ingress') ?? Number.NaN
  expect(Math.abs(share - 0.3)).toBeLessThan(0.06)
  await world.put(ingress('my-app-ingress', 'my-app-stable'))
  await world.pass(1)
  expect(world.traffic.canaryShare('default', 'my-app-ingress')).toBeNull()
})

test('the load of an Ingress is shared by its paths, not repeated for each', async () => {
  await using world = new TrafficWorld()
  const one = ingress('my-app-ingress', 'my-app-stable', {
    'sim.serinus.dev/requests-per-second': '100',
  })
  const rules = [...(one.spec?.rules ?? []), { ...one.spec?.rules?.[0], host: 'b.example.com' }]
  await world.put(...myApp(), { ...one, spec: { rules } } as typeof one)
  await world.pass(100)
  const { requests } = world.traffic.truth('s1')
  expect(requests / 100).toBeGreaterThan(95)
  expect(requests / 100).toBeLessThan(105)
})

test('load on a Service reaches its pods without any Ingress', async () => {
  await using world = new TrafficWorld()
  const load = { 'sim.serinus.dev/requests-per-second': '100' }
  await world.put(
    ...myApp().filter((object) => object.kind !== 'Ingress'),
    service('my-app', { app: 'my-app' }, load),
  )
  await world.pass(60)
  const canary = world.traffic.truth('c1').requests
  const stable = world.traffic.truth('s1').requests
  expect((canary + stable) / 60).toBeGreaterThan(90)
  expect(canary / (canary + stable)).toBeGreaterThan(0.28)
  expect(canary / (canary + stable)).toBeLessThan(0.39)
  expect(world.query('count(nginx_ingress_controller_requests)')).toBeNaN()
})

test('requests to one side of a canary are told as those of the Service that clients know, those to other pods are not', async () => {
  await using world = new TrafficWorld()
  const load = { 'sim.serinus.dev/requests-per-second': '100' }
  const hash = { 'rollouts-pod-template-hash': 's1' }
  await world.put(
    ...myApp().filter((object) => object.kind !== 'Ingress'),
    service('my-app', { app: 'my-app' }),
    service('my-app-stable', { app: 'my-app', ...hash }, load),
    service('side', { app: 'my-app', ...hash, experiment: 'a' }, load),
    slice('side', 'stable-a'),
  )
  await world.pass(60)
  const told = (name: string) =>
    world.query(`sum(istio_requests_total{destination_service_name="${name}"})`)
  expect(told('my-app')).toBeGreaterThan(4_000)
  expect(told('side')).toBeGreaterThan(4_000)
  expect(told('my-app-stable')).toBeNaN()
})

test('a request from inside the cluster reaches a pod of the Service', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp())
  const ask = (name: string) =>
    world.traffic.handleService('default', name, new Request(`http://${name}/`))
  expect(ask('my-app-canary').headers.get('x-version')).toBe('c1')
  expect(ask('nobody').status).toBe(503)
})

test('a pod that plays another API answers with the body, type and status of its manifest, and is counted by that status', async () => {
  await using world = new TrafficWorld()
  const annotations = {
    'sim.serinus.dev/answer': '{"series":[]}',
    'sim.serinus.dev/answer-type': 'application/vnd.vendor+json',
    'sim.serinus.dev/answer-status': '202',
  }
  await world.put(...myApp({ canary: { annotations } }))
  const request = new Request('http://my-app-canary/api/v1/query')
  const answer = world.traffic.handleService('default', 'my-app-canary', request)
  expect(answer.status).toBe(202)
  expect(answer.headers.get('content-type')).toBe('application/vnd.vendor+json')
  expect(answer.headers.get('x-pod')).toBe('canary-a')
  expect(await answer.text()).toBe('{"series":[]}')
  await world.pass(5)
  expect(world.query('sum(http_requests_total{status="202"})')).toBe(1)
})

test('the same seed tells the same story, another seed another one', async () => {
  const story = async (seed: string) => {
    await using world = new TrafficWorld({ seed })
    await world.put(
      ...myApp({ rps: '100', canary: { image: 'my-app:bad-v2' } }),
      canaryIngress({ 'canary-weight': '20' }),
    )
    await world.pass(120)
    const real = await answered(world, 50)
    return JSON.stringify([
      world.traffic.truthByMinute('s1'),
      world.traffic.truthByMinute('c1'),
      real,
    ])
  }
  expect(await story('a')).toBe(await story('a'))
  expect(await story('a')).not.toBe(await story('b'))
})

test('the truth is kept by version and minute and adds up', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp({ rps: '100', stable: { image: 'my-app:bad-v1' } }))
  await world.pass(180)
  const minutes = world.traffic.truthByMinute('s1')
  expect(minutes.map(({ at }) => (at - Date.parse('2026-01-01T00:00:00Z')) / 60_000)).toEqual([
    0, 1, 2, 3,
  ])
  const { requests, errors } = world.traffic.truth('s1')
  expect(minutes.reduce((sum, minute) => sum + minute.requests, 0)).toBe(requests)
  expect(minutes.reduce((sum, minute) => sum + minute.errors, 0)).toBe(errors)
  expect(errors / requests).toBeGreaterThan(0.13)
  expect(errors / requests).toBeLessThan(0.17)
})

test('no counter ever falls while a pod lives', async () => {
  await using world = new TrafficWorld()
  await world.put(
    ...myApp({ rps: '100', canary: { image: 'my-app:bad-v2' } }),
    canaryIngress({ 'canary-weight': '20' }),
  )
  await world.pass(60)
  await world.put(canaryIngress({ 'canary-weight': '80' }))
  await world.pass(60)
  await world.put(slice('my-app-canary'))
  await world.pass(60)
  for (const family of [
    'http_requests_total',
    'requests_total',
    'istio_requests_total',
    'istio_request_duration_milliseconds_bucket',
    'istio_request_duration_milliseconds_sum',
    'nginx_ingress_controller_requests',
    'nginx_ingress_controller_request_duration_seconds_count',
    'container_cpu_usage_seconds_total',
  ]) {
    expect(world.query(`count(${family})`), family).toBeGreaterThan(0)
    expect(world.query(`sum(resets(${family}[10m]))`), family).toBe(0)
  }
})

test('the series of a pod end with it', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp({ rps: '100' }), canaryIngress({ 'canary-weight': '50' }))
  await world.pass(30)
  expect(world.query('count(http_requests_total{pod="canary-a"})')).toBe(1)
  expect(world.query('kube_pod_status_ready{pod="canary-a",condition="true"}')).toBe(1)
  await world.put(slice('my-app-canary'))
  await world.remove(pod('canary-a'))
  await world.pass(10)
  expect(world.query('count({pod="canary-a"})')).toBeNaN()
  expect(
    world.query('sum(nginx_ingress_controller_requests{service="my-app-canary"})'),
  ).toBeGreaterThan(0)
})

test('readiness and CPU of pods are told as in a real cluster', async () => {
  await using world = new TrafficWorld()
  await world.put(
    ...myApp({ rps: '100', stable: { annotations: { 'sim.serinus.dev/cpu-per-request': '5m' } } }),
    pod('late', { ready: false }),
  )
  await world.pass(300)
  expect(world.query('kube_pod_status_ready{pod="late",condition="true"}')).toBe(0)
  expect(world.query('kube_pod_status_ready{pod="late",condition="false"}')).toBe(1)
  const cores = world.query('sum(rate(container_cpu_usage_seconds_total{container="app"}[1m]))')
  expect(cores).toBeGreaterThan(0.45)
  expect(cores).toBeLessThan(0.55)
})

test('an object that cannot be read is reported and ends nobody else’s traffic', async () => {
  await using world = new TrafficWorld()
  const broken = { ...pod('broken'), spec: { containers: [] } }
  await world.put(...myApp({ rps: '10' }), broken, slice('my-app-broken', 'broken'))
  await world.put(
    ingress('broken', 'my-app-broken', { 'sim.serinus.dev/requests-per-second': '10' }),
  )
  await world.pass(5)
  expect(world.errors.length).toBeGreaterThan(0)
  expect(world.traffic.truth('s1').requests).toBeGreaterThan(0)
})

/** The query of a metric in one of the articles' manifests, with its arguments filled in. */
function articleQuery(
  file: string,
  metric: string,
  args: Readonly<Record<string, string>>,
): string {
  const text = readFileSync(
    new URL(`../../../../examples/articles/${file}`, import.meta.url),
    'utf8',
  )
  for (const document of parseAllDocuments(text)) {
    const metrics: { name: string; provider: { prometheus: { query: string } } }[] =
      document.toJS()?.spec?.metrics ?? []
    const found = metrics.find(({ name }) => name === metric)?.provider.prometheus.query
    if (found) return found.replace(/\{\{args\.([\w-]+)\}\}/g, (_, name) => args[name] ?? '')
  }
  throw new Error(`${file} has no metric ${metric}`)
}

const myAppName = 'my-app.default.svc.cluster.local'

test.each([
  ['production/complete.yaml', 'success-rate', { service: myAppName }, (v: number) => 1 - v],
  [
    'production/standard-health-check.yaml',
    'success-rate',
    { service: myAppName },
    (v: number) => 1 - v,
  ],
  [
    'production/error-rate-check.yaml',
    'success-rate',
    { 'service-name': myAppName },
    (v: number) => 1 - v,
  ],
  [
    'notifications/analysis-template.yaml',
    'error-rate',
    { namespace: 'default' },
    (v: number) => v,
  ],
])(
  'the query of %s, %s, answers the injected error rate within a tenth after one window [embedded-cluster 12]',
  async (file, metric, args, errorRateOf) => {
    await using world = new TrafficWorld()
    const everywhere = { annotations: { 'sim.serinus.dev/error-rate': '0.1' } }
    await world.put(
      ...myApp({ rps: '100', stable: everywhere, canary: everywhere }),
      canaryIngress({ 'canary-weight': '20' }),
    )
    await world.pass(310)
    const rate = errorRateOf(world.query(articleQuery(file, metric, args)))
    expect(rate).toBeGreaterThan(0.09)
    expect(rate).toBeLessThan(0.11)
  },
)

test('a canary that fails shows in the common error rate by its share of the traffic', async () => {
  await using world = new TrafficWorld()
  await world.put(
    ...myApp({ rps: '200', canary: { annotations: { 'sim.serinus.dev/error-rate': '0.5' } } }),
    canaryIngress({ 'canary-weight': '20' }),
  )
  await world.pass(310)
  const query = articleQuery('production/complete.yaml', 'success-rate', { service: myAppName })
  expect(Math.abs(1 - world.query(query) - 0.1)).toBeLessThan(0.01)
})

test('the p95 query of the production article tells the latency that was asked for', async () => {
  await using world = new TrafficWorld()
  const slow = {
    annotations: { 'sim.serinus.dev/latency': '120ms', 'sim.serinus.dev/latency-p95': '900ms' },
  }
  await world.put(...myApp({ rps: '100', stable: slow }))
  await world.pass(310)
  const query = articleQuery('production/complete.yaml', 'p95-latency', { service: myAppName })
  // Between the bounds 500 and 1000 of Istio's histogram it is a straight line.
  expect(world.query(query)).toBeGreaterThan(810)
  expect(world.query(query)).toBeLessThan(990)
})

test('an hour of load in virtual time is made and counted whole', async () => {
  await using world = new TrafficWorld()
  await world.put(...myApp({ rps: '200' }), canaryIngress({ 'canary-weight': '20' }))
  await world.pass(3_600)
  const { requests } = world.traffic.truth('s1')
  expect(requests / (3_600 * 200 * 0.8)).toBeGreaterThan(0.99)
  expect(requests / (3_600 * 200 * 0.8)).toBeLessThan(1.01)
})

test('the Prometheus scrapes every 5 s, and as often as an Ingress or a Service asks for more', async () => {
  await using world = new TrafficWorld()
  const samples = () => world.query('count_over_time(http_requests_total{pod="stable-a"}[10s])')
  const asking = (object: KubeObject, interval: string) => ({
    ...object,
    metadata: {
      ...object.metadata,
      annotations: { ...object.metadata.annotations, 'sim.serinus.dev/scrape-interval': interval },
    },
  })
  await world.put(...myApp({ rps: '100' }))
  await world.pass(30)
  expect(samples()).toBe(2)
  await world.put(asking(service('other', { app: 'other' }), '1s'))
  await world.pass(30)
  expect(samples()).toBe(10)
  await world.put(asking(service('other', { app: 'other' }), 'often'))
  await world.pass(30)
  expect(samples()).toBe(2)
  await world.put(
    ...myApp({ rps: '100' }).map((one) => (one.kind === 'Ingress' ? asking(one, '2s') : one)),
  )
  await world.pass(30)
  expect(samples()).toBe(5)
})
