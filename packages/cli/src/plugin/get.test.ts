import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { forbidden, run, start, startAt, TestCluster } from './test-cluster.ts'
import { analysisRun, canary, pod, replicaSet, rollout } from './test-objects.ts'

const minute = 60
const day = 24 * 60 * minute
const esc = '\u001b'

/** The example of the specification: a paused canary with background and step analysis. */
function checkout(): TestCluster {
  const fresh = replicaSet('checkout', {
    hash: '7d9c5b6f4',
    revision: 12,
    image: 'shop/checkout:1.9.0',
    replicas: 2,
    age: 6 * minute + 12,
  })
  const stable = replicaSet('checkout', {
    hash: '5f8c79d6bb',
    revision: 11,
    image: 'shop/checkout:1.8.0',
    replicas: 2,
    age: 9 * day,
  })
  const steps = [
    { setWeight: 20 },
    { analysis: {} },
    { setWeight: 40 },
    { pause: {} },
    { setWeight: 60 },
    { pause: {} },
    { setWeight: 80 },
    { pause: {} },
  ]
  const job = {
    phase: 'Successful',
    startedAt: new Date(startAt - 4 * minute * 1000).toISOString(),
    metadata: { 'job-name': '0c1e6a52-7f5b-4a0e-9a53-0b7b1f0f8f11.smoke.1' },
  }
  return new TestCluster().put(
    rollout('checkout', {
      age: 9 * day,
      spec: canary(steps),
      status: {
        phase: 'Paused',
        message: 'CanaryPauseStep',
        currentStepIndex: 3,
        currentPodHash: '7d9c5b6f4',
        stableRS: '5f8c79d6bb',
        replicas: 5,
        updatedReplicas: 2,
        readyReplicas: 4,
        availableReplicas: 4,
      },
    }),
    fresh,
    stable,
    replicaSet('checkout', {
      hash: '6c7bd49cf',
      revision: 10,
      image: 'shop/checkout:1.7.0',
      age: 21 * day,
    }),
    pod(fresh, 'tx7lw', { containers: 2, restarts: 1, age: 3 * minute + 2 }),
    pod(fresh, '4kq8z', { containers: 2, age: 6 * minute + 11 }),
    pod(stable, 'zp5rk', { containers: 2, ready: 0, deleted: true, age: 9 * day }),
    pod(stable, '2xv9c', { containers: 2, age: 9 * day }),
    pod(stable, '7nq4m', { containers: 2, age: 9 * day }),
    analysisRun('checkout', {
      name: 'checkout-7d9c5b6f4-12',
      hash: '7d9c5b6f4',
      revision: 12,
      phase: 'Running',
      age: 5 * minute + 40,
      results: [{ name: 'errors', phase: 'Running', successful: 5, failed: 1 }],
    }),
    analysisRun('checkout', {
      name: 'checkout-7d9c5b6f4-12-2',
      hash: '7d9c5b6f4',
      revision: 12,
      phase: 'Successful',
      age: 4 * minute,
      results: [{ name: 'smoke', phase: 'Successful', successful: 1, measurements: [{ ...job }] }],
    }),
  )
}

const example = readFileSync(new URL('fixtures/paused-canary.txt', import.meta.url), 'utf8')

test('a paused canary is shown with its revisions, pods, runs and jobs [cli 34]', async () => {
  const { code, out, err } = await run(checkout(), 'get rollout checkout --no-color')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out.replaceAll(/ +$/gm, '')).toBe(example)
  expect(out).not.toContain(esc)
})

test.each(['get ro checkout', 'get rollouts checkout'])('%s is the same command', async (words) => {
  const { out } = await run(checkout(), words, { env: { TERM: 'dumb' } })
  expect(out.replaceAll(/ +$/gm, '')).toBe(example)
})

test('colours are on by default and fall on icons, tags and the names of sets and runs', async () => {
  const { out } = await run(checkout(), 'get rollout checkout')
  expect(out).toContain(`Status:          ${esc}[0m॥${esc}[0m Paused\n`)
  expect(out).toContain(`shop/checkout:1.9.0 (${esc}[33mcanary${esc}[0m)\n`)
  expect(out).toContain(`├──⧉ ${esc}[33mcheckout-7d9c5b6f4${esc}[0m `)
  expect(out).toContain(`└──⧉ ${esc}[32mcheckout-5f8c79d6bb${esc}[0m `)
  expect(out).toContain(`└──⧉ checkout-6c7bd49cf `)
  expect(out).toContain(`├──α ${esc}[94mcheckout-7d9c5b6f4-12${esc}[0m `)
  expect(out).toContain(`└──α ${esc}[0mcheckout-7d9c5b6f4-12-2${esc}[0m `)
  expect(out).toContain(`${esc}[32m✔${esc}[0m 5,${esc}[31m✖${esc}[0m 1\n`)
  expect(out).toContain(`${esc}[94m◌${esc}[0m Terminating`)
})

test('only what belongs to the one rollout is read out of a thousand', async () => {
  const cluster = checkout()
  for (let i = 0; i < 1000; i++) {
    const set = replicaSet(`r${i}`, { hash: `h${i}`, revision: 1, replicas: 1 })
    cluster.put(rollout(`r${i}`), set, pod(set, 'p', {}))
    cluster.put(
      analysisRun(`r${i}`, { name: `a${i}`, hash: `h${i}`, revision: 1, phase: 'Running' }),
    )
  }
  const { out } = await run(cluster, 'get rollout checkout --no-color')
  expect(out.replaceAll(/ +$/gm, '')).toBe(example)
  expect(cluster.requests.map(({ text }) => text)).toEqual([
    'get rollouts/shop/checkout',
    'list replicasets in shop where rollouts-pod-template-hash,app=checkout',
    'list pods in shop where rollouts-pod-template-hash,app=checkout',
    'list events in shop where involvedObject.uid=uid-checkout,type=Warning',
    'list analysisruns in shop where rollouts-pod-template-hash in (5f8c79d6bb,6c7bd49cf,7d9c5b6f4)',
    'list experiments in shop where rollouts-pod-template-hash in (5f8c79d6bb,6c7bd49cf,7d9c5b6f4)',
  ])
})

test('a ReplicaSet of another owner is left out, even with the labels of the rollout', async () => {
  const cluster = checkout()
  const foreign = replicaSet('stranger', { hash: 'zzz', revision: 12, replicas: 1 })
  const labels = { ...foreign.metadata.labels, app: 'checkout' }
  cluster.put({ ...foreign, metadata: { ...foreign.metadata, labels } })
  const { out } = await run(cluster, 'get rollout checkout --no-color')
  expect(out.replaceAll(/ +$/gm, '')).toBe(example)
  expect(cluster.requests.map(({ text }) => text).join('\n')).not.toContain('zzz')
})

test('a watch follows only what belongs to the one rollout', async () => {
  const cluster = checkout()
  const watch = start(cluster, 'get rollout checkout -w')
  await watch.clock.advance(0)
  cluster.put(replicaSet('checkout', { hash: 'new', revision: 13 }))
  await watch.clock.advance(1000)
  watch.interrupt()
  await watch.ended
  expect(cluster.requests.map(({ text }) => text).filter((text) => /^watch/.test(text))).toEqual([
    'watch rollouts in shop where metadata.name=checkout',
    'watch replicasets in shop where rollouts-pod-template-hash,app=checkout',
    'watch pods in shop where rollouts-pod-template-hash,app=checkout',
    'watch analysisruns in shop where rollouts-pod-template-hash in (5f8c79d6bb,6c7bd49cf,7d9c5b6f4)',
    'watch experiments in shop where rollouts-pod-template-hash in (5f8c79d6bb,6c7bd49cf,7d9c5b6f4)',
    'watch analysisruns in shop where rollouts-pod-template-hash in (5f8c79d6bb,6c7bd49cf,7d9c5b6f4,new)',
    'watch experiments in shop where rollouts-pod-template-hash in (5f8c79d6bb,6c7bd49cf,7d9c5b6f4,new)',
  ])
})

test('with a workload reference the pods are found by the selector of the workload', async () => {
  const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
  const cluster = new TestCluster().put(
    rollout('x', { spec: { workloadRef, selector: undefined, template: undefined } }),
    { ...rollout('web'), apiVersion: 'apps/v1', kind: 'Deployment' },
    replicaSet('x', { hash: 'h', revision: 1, replicas: 1 }),
  )
  await run(cluster, 'get rollout x')
  expect(cluster.requests.map(({ text }) => text)).toContain(
    'list pods in shop where rollouts-pod-template-hash,app=web',
  )
})

test('a rollout without ReplicaSets is a tree of one row, without images [cli 35]', async () => {
  const cluster = new TestCluster().put(
    rollout('x', {
      spec: { strategy: { canary: {} }, template: undefined },
      status: { phase: 'Degraded', message: 'InvalidSpec: The Rollout "x" is invalid: why' },
    }),
  )
  const { out } = await run(cluster, 'get rollout x --no-color')
  expect(out.replaceAll(/ +$/gm, '')).toBe(`Name:            x
Namespace:       shop
Status:          ✖ Degraded
Message:         InvalidSpec: The Rollout "x" is invalid: why
Strategy:        Canary
  Step:
  SetWeight:     100
  ActualWeight:  100
Replicas:
  Desired:       5
  Current:       0
  Updated:       0
  Ready:         0
  Available:     0

NAME  KIND     STATUS      AGE  INFO
⟳ x   Rollout  ✖ Degraded  0s
`)
})

test('mistakes that the controller warned about follow the header', async () => {
  const event = (reason: string, uid: string) => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${reason}-${uid}`, namespace: 'shop' },
    type: 'Warning',
    reason,
    message: 'read "10m." as 10m',
    involvedObject: { uid },
  })
  const cluster = new TestCluster().put(
    rollout('x'),
    event('DurationNormalized', 'uid-x'),
    event('DurationNormalized', 'uid-other'),
    event('RolloutAborted', 'uid-x'),
  )
  const { out } = await run(cluster, 'get rollout x --no-color')
  expect(out.match(/^Warnings: .*$|^ {17}.*$/gm)).toEqual([
    'Warnings:        DurationNormalized: read "10m." as 10m',
  ])
})

test('a rollout that does not exist is named in the singular', async () => {
  for (const words of ['get rollout x', 'get rollout x -w']) {
    expect(await run(new TestCluster(), words)).toMatchObject({
      code: 1,
      out: '',
      err: 'Error: rollout.argoproj.io "x" not found\n',
    })
  }
})

test('a missing permission is told at once [cli 48]', async () => {
  const message = 'pods is forbidden: User "dev" cannot list resource "pods" in API group ""'
  for (const words of ['get rollout checkout', 'get rollout checkout -w']) {
    const cluster = checkout()
    cluster.fail = (text) => (text.startsWith('list pods') ? forbidden(message) : undefined)
    expect(await run(cluster, words)).toMatchObject({
      code: 1,
      out: '',
      err: `Error: ${message}\n`,
    })
  }
})

test('somebody who may not read events still gets the page', async () => {
  const cluster = checkout()
  cluster.fail = (text) => (text.startsWith('list events') ? forbidden('no events') : undefined)
  const { code, out } = await run(cluster, 'get rollout checkout --no-color')
  expect(code).toBe(0)
  expect(out.replaceAll(/ +$/gm, '')).toBe(example)
})

const clear = `${esc}[H${esc}[2J${esc}[0;0H`

test('a watch repaints each second for the ages, and at once for a change', async () => {
  const cluster = checkout()
  const watch = start(cluster, 'get rollout checkout -w --no-color')
  await watch.clock.advance(0)
  expect(watch.screens.map((screen) => screen.startsWith(`${clear}Name: `))).toEqual([true])
  await watch.clock.advance(2000)
  expect(watch.screens).toHaveLength(3)
  expect(watch.screens[2]).toMatch(/checkout-7d9c5b6f4 .* 6m14s /)

  await watch.clock.advance(300)
  expect(watch.screens).toHaveLength(3)
  cluster.put(rollout('checkout', { status: { phase: 'Healthy' } }))
  await watch.clock.advance(1)
  expect(watch.screens).toHaveLength(4)
  expect(watch.screens[3]).toContain('Status:          ✔ Healthy\n')
  watch.interrupt()
  expect(await watch.ended).toMatchObject({ code: 0, err: '' })
})

test('a storm of changes repaints at most once in 200 ms', async () => {
  const cluster = checkout()
  const watch = start(cluster, 'get rollout checkout -w --no-color')
  await watch.clock.advance(0)
  for (let change = 1; change <= 40; change++) {
    cluster.put(rollout('checkout', { status: { phase: 'Progressing', message: `${change}` } }))
    await watch.clock.advance(10)
  }
  await watch.clock.advance(200)
  // At the start, after 200 ms and after 400 ms.
  expect(watch.screens).toHaveLength(3)
  expect(watch.screens[2]).toContain('Message:         40\n')
  watch.interrupt()
  await watch.ended
})

test('a new revision and its runs appear in the watch', async () => {
  const cluster = checkout()
  const watch = start(cluster, 'get rollout checkout -w --no-color')
  await watch.clock.advance(500)
  cluster.put(
    replicaSet('checkout', { hash: 'new', revision: 13, replicas: 1 }),
    analysisRun('checkout', { name: 'later', hash: 'new', revision: 13, phase: 'Pending' }),
  )
  await watch.clock.advance(500)
  expect(watch.screens.at(-1)).toMatch(
    /revision:13 +\n.*checkout-new .*\n.*α later +AnalysisRun +◷/,
  )
  // The runs of other revisions are still there.
  expect(watch.screens.at(-1)).toContain('checkout-7d9c5b6f4-12-2')
  watch.interrupt()
  await watch.ended
})

test('--timeout-seconds ends a watch with exit code 0', async () => {
  const watch = start(checkout(), 'get rollout checkout -w --timeout-seconds 3')
  await watch.clock.advance(2900)
  expect(watch.screens).toHaveLength(3)
  await watch.clock.advance(100)
  expect(await watch.ended).toMatchObject({ code: 0, err: '' })
})

test('a watch ends with an error when its rollout is deleted', async () => {
  const cluster = checkout()
  const watch = start(cluster, 'get rollout checkout -w')
  await watch.clock.advance(500)
  cluster.remove('rollouts/shop/checkout')
  await watch.clock.advance(0)
  expect(await watch.ended).toMatchObject({
    code: 1,
    err: 'Error: rollout.argoproj.io "checkout" not found\n',
  })
})
