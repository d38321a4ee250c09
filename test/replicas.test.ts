import { kinds } from '@serinus/api'
import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import {
  healthPage,
  metricsPage,
  servePages,
} from '../packages/cli/src/serinus/controller-servers.ts'
import { canary, isHealthy, isPaused, replicaWorld, settingsOf } from './replica-world.ts'
import { namespace, refusal } from './virtual-cluster.ts'

const gate = [{ setWeight: 50 }, { pause: {} }]

test('health and metrics answer right after the start, on the leader and on a standby [operations 1]', async () => {
  await using world = await replicaWorld()
  const replicas = [world.replica('a'), world.replica('b')]
  expect(settingsOf([])).toMatchObject({ healthzPort: 8080, metricsPort: 8090 })
  await world.pass(1_000)
  expect(await world.lease()).toBe('a')
  for (const { replica } of replicas) {
    const health = await servePages('--healthzPort', { port: 0 }, (path) =>
      healthPage(replica, path),
    )
    const metrics = await servePages('--metricsPort', { port: 0 }, (path) =>
      metricsPage(replica.metrics, path),
    )
    const alive = await fetch(`http://localhost:${health.port}/healthz`)
    expect([alive.status, await alive.text()]).toEqual([200, 'ok'])
    expect(alive.headers.get('content-type')).toContain('text/plain')
    expect((await fetch(`http://localhost:${health.port}/readyz`)).status).toBe(200)
    const text = await (await fetch(`http://localhost:${metrics.port}/metrics`)).text()
    expect(text).toContain('# TYPE rollout_info gauge')
    health.close()
    metrics.close()
  }
})

test('of two replicas exactly one holds the lease and writes; the other fills its caches [operations 2]', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a')
  const b = world.replica('b')
  await world.apply(canary('app'))
  await world.until('app', isHealthy)
  await world.pass(60_000)
  expect(await world.lease()).toBe('a')
  const writes = b.sent.filter(({ method }) => method !== 'GET')
  // Its one try for the lease, at the start, came second.
  expect(writes.every(({ path }) => path.endsWith('/leases'))).toBe(true)
  expect(a.sent.some(({ method }) => method === 'PATCH')).toBe(true)
  expect(await b.replica.metrics.text()).toContain('rollout_info{namespace="default",name="app"')
})

test('an instance id names the lease, and only objects with its label change [operations 3]', async () => {
  await using world = await replicaWorld()
  world.replica('a', ['--instance-id', 'blue'])
  const label = 'argo-rollouts.argoproj.io/controller-instance-id'
  await world.apply(
    canary('ours', { metadata: { labels: { [label]: 'blue' } } }),
    canary('green', { metadata: { labels: { [label]: 'green' } } }),
    canary('plain'),
  )
  await world.until('ours', isHealthy)
  expect(await world.lease('argo-rollouts-controller-lock-blue')).toBe('a')
  expect((await world.rollout('green')).status).toBeUndefined()
  expect((await world.rollout('plain')).status).toBeUndefined()
})

test('a controller without an instance id leaves Rollouts of others alone [operations 4]', async () => {
  await using world = await replicaWorld()
  world.replica('a')
  const labels = { 'argo-rollouts.argoproj.io/controller-instance-id': 'blue' }
  await world.apply(canary('theirs', { metadata: { labels } }), canary('ours'))
  await world.until('ours', isHealthy)
  expect((await world.rollout('theirs')).status).toBeUndefined()
})

test('POD_NAMESPACE is where the lease and the notification configuration are looked up [operations 6]', async () => {
  await using world = await replicaWorld()
  await world.client.create(resources.namespaces, namespace('ops'))
  const args = ['--self-service-notification-enabled=false']
  const a = world.replica('a', args, { POD_NAMESPACE: 'ops' })
  await world.pass(5_000)
  expect(await world.lease('argo-rollouts-controller-lock', 'ops')).toBe('a')
  const own = a.sent.filter(({ path }) => /leases|configmaps|secrets/.test(path))
  expect(own.length).toBeGreaterThan(3)
  expect(own.filter(({ path }) => !path.includes('/namespaces/ops/'))).toEqual([])
})

test('no argo-rollouts-config is needed, and a Rollout gets on without one [operations 7]', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a')
  await world.apply(canary('app'))
  await world.until('app', isHealthy)
  expect(a.log.filter((line) => /level=(warning|error)/.test(line))).toEqual([])
})

test('with --namespaced no request goes to another namespace or to a cluster-scoped kind [operations 11]', async () => {
  await using world = await replicaWorld()
  await world.client.create(resources.namespaces, namespace('shop'))
  const a = world.replica('a', ['--namespaced', '-n', 'shop'])
  await world.client.create(kinds.rollouts, {
    ...canary('app'),
    metadata: { name: 'app', namespace: 'shop' },
  })
  await world.apply(canary('elsewhere'))
  await world.pass(30_000)
  expect((await world.rollout('app', 'shop')).status?.phase).toBe('Healthy')
  expect((await world.rollout('elsewhere')).status).toBeUndefined()
  expect(a.sent.filter(({ path }) => !path.includes('/namespaces/shop/'))).toEqual([])
})

test('told to end, the leader finishes what it does, releases, and the standby leads within 3 s [operations 12]', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a')
  await world.pass(1_000)
  const b = world.replica('b')
  await world.apply(canary('app', { steps: gate }))
  await world.until('app', isHealthy)
  await world.setImage('app', 'app:v2')
  const ending = a.terminate()
  await world.pass(3_000)
  await ending
  expect(a.hasEnded()).toBe(true)
  expect(a.log.at(-1)).toContain('the lease is released')
  // The pass that was under way wrote all it had to: nothing is half done and nothing is doubled.
  const sets = await world.client.list(resources.replicaSets)
  expect(sets.items).toHaveLength(2)
  expect(await world.lease()).toBe('b')
  expect(b.log.some((line) => line.includes('the controller works'))).toBe(true)
  const paused = await world.until('app', isPaused)
  expect(paused.status?.currentStepIndex).toBe(1)
})

test('after the leader was killed the standby leads within lease duration, retry period and a second [operations 13]', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a')
  await world.pass(500)
  world.replica('b')
  await world.apply(canary('app', { steps: gate }))
  await world.until('app', isHealthy)
  a.kill()
  const killedAt = world.clock.now()
  await world.setImage('app', 'app:v2')
  await world.until('app', isPaused)
  expect(await world.lease()).toBe('b')
  const [set] = (await world.client.list(resources.replicaSets)).items
    .map(({ metadata }) => Date.parse(String(metadata.creationTimestamp)))
    .sort((x, y) => y - x)
  expect((set ?? 0) - killedAt).toBeLessThanOrEqual(15_000 + 2_000 + 1_000)
})

test('a standby sees all that the leader wrote before it acts, even where its watches had stopped telling', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a')
  await world.pass(500)
  const b = world.replica('b')
  const steps = [{ setWeight: 25 }, { pause: { duration: '30s' } }, { setWeight: 50 }]
  await world.apply(canary('app', { replicas: 4, steps }))
  await world.until('app', isHealthy)
  await world.setImage('app', 'app:v2')
  await world.until('app', isPaused)
  b.link.deaf = true
  const done = await world.until('app', isHealthy)
  // For b the pause is over and the next step due.
  expect(await b.replica.metrics.text()).toMatch(/^rollout_info\{.*status_phase="Paused"/m)
  b.link.deaf = false
  const before = b.sent.length
  const ending = a.terminate()
  await world.pass(10_000)
  await ending
  expect(await world.lease()).toBe('b')
  expect((await world.rollout('app')).status).toEqual(done.status)
  const writes = b.sent
    .slice(before)
    .filter(({ method, path }) => method !== 'GET' && !path.includes('leases'))
  expect(writes).toEqual([])
})

test('nothing is written for 1,000 healthy Rollouts at the start, no Event either [operations 14]', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a', ['--qps', '0'])
  const names = Array.from({ length: 1_000 }, (_, index) => `app-${index}`)
  for (const name of names) {
    await world.client.create(kinds.rollouts, {
      ...canary(name, { replicas: 0 }),
      metadata: { name, namespace: 'default' },
    })
  }
  await world.pass(60_000)
  const { items } = await world.client.list(kinds.rollouts)
  expect(items.every((item) => isHealthy(item as never))).toBe(true)
  await a.terminate()
  const b = world.replica('b', ['--qps', '0'])
  await world.pass(120_000)
  expect(b.log.some((line) => line.includes('the controller works'))).toBe(true)
  const writes = b.sent.filter(({ method, path }) => method !== 'GET' && !path.includes('/leases'))
  expect(writes).toEqual([])
}, 120_000)

test('an outage of 60 s ends no process, and the due step happens within 3 s of its end [operations 23]', async () => {
  await using world = await replicaWorld()
  const steps = [{ setWeight: 50 }, { pause: { duration: '30s' } }]
  const a = world.replica('a')
  await world.apply(canary('app', { steps }))
  await world.until('app', isHealthy)
  await world.setImage('app', 'app:v2')
  await world.until('app', isPaused)
  world.api.down = true
  await world.pass(60_000)
  expect(a.hasEnded()).toBe(false)
  expect(a.replica.unhealthy()).toBeNull()
  expect(a.log.some((line) => line.includes('the lease is lost'))).toBe(true)
  world.api.down = false
  await world.pass(3_000)
  expect((await world.rollout('app')).status?.currentStepIndex).toBe(2)
})

test('while the lease may be lost no write is sent, whatever is under way', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a')
  await world.apply(canary('app', { steps: gate }))
  await world.until('app', isHealthy)
  // Renewing fails, everything else works: the worst that can happen to a leader.
  a.refuse = ({ url, method }) =>
    url.includes('/leases') && method !== 'GET'
      ? refusal({ code: 503, reason: 'ServiceUnavailable', message: 'etcd has no leader' })
      : null
  const brokenAt = world.clock.now()
  for (let second = 0; second < 30; second++) {
    await world.pass(1_000)
    await world.setImage('app', `app:v${second + 2}`)
  }
  const late = a.sent.filter(
    ({ at, method, path }) =>
      method !== 'GET' && !path.includes('/leases') && at > brokenAt + 10_000,
  )
  expect(late).toEqual([])
  a.refuse = () => null
  await world.pass(3_000)
  expect((await world.until('app', isPaused)).metadata.annotations).toMatchObject({
    'rollout.argoproj.io/revision': expect.stringMatching(/^[2-9]\d*$|^\d{2,}$/),
  })
})

test('time without a controller does not count towards the progress deadline [operations 24]', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a')
  await world.apply(canary('app', { spec: { progressDeadlineSeconds: 60 } }))
  await world.until('app', isHealthy)
  const annotations = { 'sim.serinus.dev/ready': 'false' }
  await world.patch('app', { spec: { template: { metadata: { annotations } } } })
  await world.pass(20_000)
  expect((await world.rollout('app')).status?.phase).toBe('Progressing')
  const ending = a.terminate()
  await world.pass(1_000)
  await ending
  await world.pass(120_000)
  const b = world.replica('b')
  await world.pass(58_000)
  expect(b.log.some((line) => line.includes('the controller works'))).toBe(true)
  expect((await world.rollout('app')).status?.phase).toBe('Progressing')
  await world.pass(5_000)
  expect((await world.rollout('app')).status?.phase).toBe('Degraded')
})

test('a pause goes on while no controller runs and ends within a second of the start [operations 25]', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a')
  const steps = [{ setWeight: 50 }, { pause: { duration: '10m' } }]
  await world.apply(canary('app', { steps }))
  await world.until('app', isHealthy)
  await world.setImage('app', 'app:v2')
  await world.until('app', isPaused)
  await world.pass(120_000)
  await a.terminate()
  await world.pass(600_000)
  world.replica('b')
  await world.pass(1_000)
  expect((await world.rollout('app')).status?.currentStepIndex).toBe(2)
})

test('a Rollout is valid within a second of the creation of its Service, and no error was counted meanwhile [operations 26]', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a')
  const strategy = { canaryService: 'app-canary', stableService: 'app-stable' }
  await world.apply(canary('app', { strategy }))
  await world.pass(60_000)
  const invalid = await world.rollout('app')
  expect(invalid.status?.conditions).toContainEqual(
    expect.objectContaining({ type: 'InvalidSpec', status: 'True' }),
  )
  expect(await a.replica.metrics.text()).toContain(
    'rollout_info{namespace="default",name="app",strategy="canary",traffic_router="",phase="InvalidSpec"',
  )
  for (const name of ['app-canary', 'app-stable']) {
    await world.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { selector: { app: 'app' }, ports: [{ port: 80 }] },
    })
  }
  await world.pass(1_000)
  const { status } = await world.rollout('app')
  expect(status?.conditions?.some(({ type }) => type === 'InvalidSpec')).toBe(false)
  expect(await a.replica.metrics.text()).not.toMatch(/^rollout_reconcile_error\{/m)
})

test('a kind that may not be read is named and holds back only the Rollouts that use it', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a')
  a.refuse = ({ url }) =>
    /networking.k8s.io\/v1\/ingresses/.test(url)
      ? refusal({ code: 403, reason: 'Forbidden', message: 'ingresses is forbidden: no' })
      : null
  const services = { canaryService: 'app-canary', stableService: 'app-stable' }
  const trafficRouting = { nginx: { stableIngress: 'app' } }
  await world.apply(
    canary('plain'),
    canary('routed', { strategy: { ...services, trafficRouting } }),
  )
  await world.until('plain', isHealthy)
  expect((await world.rollout('routed')).status).toBeUndefined()
  const page = healthPage(a.replica, '/readyz')
  expect(page?.status).toBe(503)
  expect(page?.text).toContain('ingresses cannot be read in all namespaces')
  expect(page?.text).toContain('list and watch on ingresses')
  expect(healthPage(a.replica, '/healthz')?.status).toBe(200)
  expect(a.log.filter((line) => line.includes('ingresses cannot be read')).length).toBeLessThan(5)
  a.refuse = () => null
  await world.pass(20_000)
  expect(healthPage(a.replica, '/readyz')?.status).toBe(200)
  expect((await world.rollout('routed')).status?.phase).toBe('Degraded')
})

test('--controllers=analysis measures runs under a lease of its own and leaves Rollouts alone', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a', ['--controllers=analysis'])
  await world.apply(canary('app'), {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisRun',
    metadata: { name: 'check' },
    spec: {
      metrics: [
        {
          name: 'job',
          provider: {
            job: {
              spec: {
                template: {
                  metadata: { annotations: { 'sim.serinus.dev/duration': '3s' } },
                  spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a:1' }] },
                },
              },
            },
          },
        },
      ],
    },
  })
  await world.pass(30_000)
  const key = { namespace: 'default', name: 'check' }
  const run = await world.client.get<KubeObject & { status?: { phase?: string } }>(
    kinds.analysisRuns,
    key,
  )
  expect(run.status?.phase).toBe('Successful')
  expect(await world.lease('argo-rollouts-analysis-controller-lock')).toBe('a')
  expect((await world.rollout('app')).status).toBeUndefined()
  expect(a.sent.filter(({ path }) => /rollouts$|services|replicasets/.test(path))).toEqual([])
  // A full controller beside it does not wait for it.
  world.replica('b')
  await world.until('app', isHealthy)
})

test('a port that is taken is told with the flag that names it', async () => {
  const page = () => null
  const first = await servePages('--healthzPort', { port: 0 }, page)
  const second = servePages('--healthzPort', { port: first.port }, page)
  await expect(second).rejects.toThrow(`--healthzPort: port ${first.port} is taken`)
  expect((await fetch(`http://localhost:${first.port}/else`)).status).toBe(404)
  first.close()
})

test('what the loss of the lease cuts off is told once, by the lease, and tried again by who leads next', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a')
  await world.apply(canary('app', { steps: gate }))
  await world.until('app', isHealthy)
  a.link.hanging = true
  await world.setImage('app', 'app:v2')
  await world.pass(30_000)
  expect(a.hasEnded()).toBe(false)
  expect(healthPage(a.replica, '/healthz')?.status).toBe(200)
  a.link.hanging = false
  await world.pass(10_000)
  const paused = await world.until('app', isPaused)
  expect(paused.status?.currentStepIndex).toBe(1)
  expect(a.log.filter((line) => line.includes('the lease is lost'))).toHaveLength(1)
  expect(a.log.filter((line) => line.includes('reconcile failed'))).toEqual([])
})
