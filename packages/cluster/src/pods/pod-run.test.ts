import { expect, test } from 'vitest'
import type { Container, Pod, PodSpec, PodStatus } from './pod.ts'
import { conditionOf, isReady } from './pod.ts'
import { advance, beginRun, hasEnded, type Printed, stop, type Told } from './pod-run.ts'
import { renderStatus } from './pod-status.ts'

const origin = Date.parse('2026-01-01T00:00:00Z')
const pace = { startMs: 1_000, stopMs: 1_000 }

/** One pod on a node that has no image, followed by its own timers only. */
function live(
  spec: Partial<PodSpec> & { container?: Partial<Container> },
  annotations: Record<string, string> = {},
) {
  const { container, ...rest } = spec
  let pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-1', namespace: 'default', uid: 'u-1', annotations },
    spec: {
      nodeName: 'node-1',
      restartPolicy: 'Always',
      containers: [{ name: 'app', image: 'web:v1', ...container }],
      ...rest,
    },
  }
  const run = beginRun(pod, origin)
  const images = new Set<string>()
  const events: { at: number; reason: string; message: string }[] = []
  let now = origin
  let wakes = 0

  function step(): number | null {
    const { told, nextAt } = advance(run, {
      pod,
      now,
      node: {
        pace,
        hasImage: (image) => images.has(image),
        keepImage: (image) => void images.add(image),
        takeIp: () => '10.244.0.1',
      },
    })
    note(told)
    pod = { ...pod, status: renderStatus(pod, run, { now, hostIp: '192.168.0.11' }) }
    return nextAt
  }

  function note(told: readonly (Told | Printed)[]): void {
    for (const fact of told) {
      if (fact.kind !== 'event') continue
      events.push({ at: (now - origin) / 1000, reason: fact.reason, message: fact.message })
    }
  }

  return {
    events,
    /** Runs all timers up to that many seconds after the start. */
    until(seconds: number): PodStatus {
      const end = origin + seconds * 1000
      for (let nextAt = step(); nextAt !== null && nextAt <= end; nextAt = step()) {
        now = nextAt
        wakes++
      }
      now = end
      step()
      return pod.status ?? {}
    },
    terminate(graceSeconds: number): void {
      note(stop(run, { pod, now, pace, graceMs: graceSeconds * 1000, why: 'deleted' }))
      step()
    },
    get ready() {
      return isReady(pod)
    },
    get ended() {
      return hasEnded(run, pod)
    },
    get wakes() {
      return wakes
    },
    get pod() {
      return pod
    },
    messages(reason: string) {
      return events.filter((event) => event.reason === reason).map(({ message }) => message)
    },
  }
}

const wish = (name: string) => `sim.serinus.dev/${name}`

test('a pod is pulled, created, started and ready about a second after it was bound', () => {
  const pod = live({})
  expect(pod.until(0.9).phase).toBe('Pending')
  expect(pod.pod.status?.containerStatuses?.[0]?.state.waiting?.reason).toBe('ContainerCreating')
  expect(pod.until(1)).toMatchObject({ phase: 'Running', podIP: '10.244.0.1' })
  expect(pod.ready).toBe(true)
  expect(pod.events.map(({ reason }) => reason)).toEqual([
    'Pulling',
    'Pulled',
    'Created',
    'Started',
  ])
  expect(pod.events.map(({ message }) => message)).toEqual([
    'Pulling image "web:v1"',
    'Successfully pulled image "web:v1" in 600ms (600ms including waiting). Image size: 20971520 bytes.',
    'Created container: app',
    'Started container app',
  ])
})

test('a healthy pod with all three probes needs no timer once it is ready', () => {
  const probe = { httpGet: { port: 8080 }, periodSeconds: 1 }
  const pod = live({
    container: { readinessProbe: probe, livenessProbe: probe, startupProbe: probe },
  })
  pod.until(60)
  const wakes = pod.wakes
  pod.until(86_400)
  expect(pod.ready).toBe(true)
  expect(pod.wakes).toBe(wakes)
})

test('a readiness probe passes at its first tick after the start-up, with the failures before told', () => {
  const pod = live(
    {
      container: {
        readinessProbe: {
          httpGet: { port: 8080, path: '/ok' },
          initialDelaySeconds: 2,
          periodSeconds: 5,
        },
      },
    },
    { [wish('startup')]: '8s' },
  )
  // Started at 1 s: probes at 3 s and 8 s fail, the one at 13 s passes.
  pod.until(12.9)
  expect(pod.ready).toBe(false)
  expect(conditionOf(pod.pod, 'Ready')).toMatchObject({
    reason: 'ContainersNotReady',
    message: 'containers with unready status: [app]',
  })
  pod.until(13)
  expect(pod.ready).toBe(true)
  const refused =
    'Readiness probe failed: Get "http://10.244.0.1:8080/ok": dial tcp 10.244.0.1:8080: connect: connection refused'
  expect(pod.messages('Unhealthy')).toEqual([refused, refused])
})

test('a pod that wishes ready=false runs without ever being ready', () => {
  const pod = live({}, { [wish('ready')]: 'false' })
  expect(pod.until(3_600).phase).toBe('Running')
  expect(pod.ready).toBe(false)
})

test('a crashing container restarts at once, then after 10 s, 20 s, 40 s and at most 300 s', () => {
  const pod = live({}, { [wish('crash')]: 'on-start', [wish('exit-code')]: '3' })
  pod.until(4_000)
  const starts = pod.events.filter(({ reason }) => reason === 'Started').map(({ at }) => at)
  const gaps = starts.slice(1).map((at, index) => Math.floor(at - (starts[index] ?? 0)))
  expect(gaps.slice(0, 8)).toEqual([0, 10, 20, 40, 80, 160, 300, 300])
  const status = pod.pod.status?.containerStatuses?.[0]
  expect(status?.state.waiting).toEqual({
    reason: 'CrashLoopBackOff',
    message: 'back-off 5m0s restarting failed container=app pod=web-1_default(u-1)',
  })
  expect(status?.lastState.terminated).toMatchObject({ exitCode: 3, reason: 'Error' })
  expect(status?.restartCount).toBe(starts.length - 1)
  expect(pod.messages('BackOff')[0]).toBe(
    'Back-off restarting failed container app in pod web-1_default(u-1)',
  )
})

test('an image that is missing shows ErrImagePull, then ImagePullBackOff, and stays pending', () => {
  const pod = live({ container: { image: 'web:missing-1' } })
  expect(pod.until(1).containerStatuses?.[0]?.state.waiting?.reason).toBe('ErrImagePull')
  const status = pod.until(5)
  expect(status.phase).toBe('Pending')
  expect(status.containerStatuses?.[0]?.state.waiting).toEqual({
    reason: 'ImagePullBackOff',
    message:
      'Back-off pulling image "web:missing-1": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/web:missing-1": failed to resolve reference "docker.io/library/web:missing-1": docker.io/library/web:missing-1: not found',
  })
  pod.until(100)
  expect(pod.messages('Pulling')).toHaveLength(4)
})

test('a container that wants more memory than its limit is OOMKilled and restarted', () => {
  const pod = live(
    { container: { resources: { limits: { memory: '64Mi' } } } },
    { [wish('memory')]: '120Mi' },
  )
  const status = pod.until(2).containerStatuses?.[0]
  expect(status?.lastState.terminated ?? status?.state.terminated).toMatchObject({
    reason: 'OOMKilled',
    exitCode: 137,
  })
})

test('a liveness probe that meets a process still starting kills it', () => {
  const pod = live(
    {
      container: {
        livenessProbe: { httpGet: { port: 80 }, periodSeconds: 5, failureThreshold: 2 },
      },
    },
    { [wish('startup')]: '60s' },
  )
  pod.until(8)
  expect(pod.messages('Killing')).toEqual([
    'Container app failed liveness probe, will be restarted',
  ])
  expect(pod.pod.status?.containerStatuses?.[0]?.restartCount).toBe(1)
})

test('init containers run one after the other before the main container is created', () => {
  const init = (name: string) => ({ name, image: 'busybox', command: ['sleep', '5'] })
  const pod = live({ initContainers: [init('one'), init('two')] })
  const status = pod.until(4)
  expect(status.containerStatuses?.[0]?.state.waiting?.reason).toBe('PodInitializing')
  expect(conditionOf(pod.pod, 'Initialized')?.message).toBe(
    'containers with incomplete status: [one two]',
  )
  expect(pod.until(9).phase).toBe('Pending')
  expect(pod.until(15).phase).toBe('Running')
  const started = pod.messages('Started')
  expect(started).toEqual([
    'Started container one',
    'Started container two',
    'Started container app',
  ])
})

test('an init container that fails in a pod that is never restarted fails the pod', () => {
  const pod = live({
    restartPolicy: 'Never',
    initContainers: [{ name: 'one', image: 'busybox', command: ['false'] }],
  })
  expect(pod.until(10).phase).toBe('Failed')
})

test('a sidecar starts before the main container and is stopped after it', () => {
  const pod = live({
    restartPolicy: 'Never',
    initContainers: [{ name: 'proxy', image: 'proxy', restartPolicy: 'Always' }],
    container: { command: ['sleep', '10'] },
  })
  expect(pod.until(5).phase).toBe('Running')
  expect(pod.messages('Started')[0]).toBe('Started container proxy')
  expect(pod.until(30).phase).toBe('Succeeded')
})

test.each<
  [string, Partial<PodSpec> & { container?: Partial<Container> }, Record<string, string>, number]
>([
  ['a server exits a second after SIGTERM', {}, {}, 1],
  [
    'a preStop sleep delays SIGTERM',
    { container: { lifecycle: { preStop: { sleep: { seconds: 5 } } } } },
    {},
    6,
  ],
  ['SIGKILL ends one that ignores SIGTERM', {}, { [wish('ignore-sigterm')]: 'true' }, 30],
  [
    'the preStop hook counts against the grace period',
    { container: { lifecycle: { preStop: { sleep: { seconds: 60 } } } } },
    {},
    30,
  ],
])('%s', (_title, spec, annotations, seconds) => {
  const pod = live(spec, annotations)
  pod.until(10)
  pod.terminate(30)
  expect(pod.messages('Killing')).toEqual(['Stopping container app'])
  pod.until(10 + seconds - 0.01)
  expect(pod.ended).toBe(false)
  pod.until(10 + seconds)
  expect(pod.ended).toBe(true)
})

test('a readiness gate holds back Ready until its condition is true', () => {
  const pod = live({ readinessGates: [{ conditionType: 'example.com/lb' }] })
  pod.until(5)
  expect(conditionOf(pod.pod, 'ContainersReady')?.status).toBe('True')
  expect(conditionOf(pod.pod, 'Ready')).toMatchObject({
    status: 'False',
    reason: 'ReadinessGatesNotReady',
    message: 'corresponding condition of pod readiness gate "example.com/lb" does not exist.',
  })
})

test('after a restart of the process a running pod goes on as it was', () => {
  const before = live({})
  before.until(100)
  const resumed = beginRun(before.pod, origin + 200_000)
  const now = origin + 200_000
  expect(renderStatus(before.pod, resumed, { now, hostIp: '192.168.0.11' })).toEqual(
    before.pod.status,
  )
})
