import { quantityToNumber } from '@serinus/kinds'
import { memoryWish } from './behaviour.ts'
import { preStopMs, processOf } from './command.ts'
import type { Container, ContainerStatus, Pod, Probe } from './pod.ts'
import { cannotPull, durationWish, wishOf } from './wishes.ts'

/** What the kubelet knows of one pod beyond its object. Changed only by `advance` and `stop`. Times are epoch milliseconds. */
export interface PodRun {
  readonly startedAt: number
  /** When network and volumes stood; null before. */
  sandboxAt: number | null
  ip: string | null
  /** Init containers first, in the order in which they run. */
  readonly containers: readonly ContainerRun[]
  stopping: Stopping | null
}

interface Stopping {
  readonly why: 'deleted' | 'deadline'
  /** SIGKILL falls at this instant. */
  killAt: number
}

export interface ContainerRun {
  readonly container: Container
  readonly role: 'init' | 'sidecar' | 'main'
  state: ContainerState
  restarts: number
  /** How the run before this one ended. */
  last: Ended | null
  pullFailures: number
  /** client-go's back-off: the wait that the next end within reach starts with. */
  crashBackoff: { readonly waitMs: number; readonly updatedAt: number } | null
}

type ContainerState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'pulling'; readonly since: number; readonly until: number }
  | { readonly kind: 'starting'; readonly until: number }
  /** ErrImagePull shows for a moment, then the back-off until `retryAt`. */
  | {
      readonly kind: 'pull-failed'
      readonly until: number
      readonly retryAt: number
      readonly error: string
    }
  | { readonly kind: 'pull-back-off'; readonly until: number; readonly error: string }
  | { readonly kind: 'crash-back-off'; readonly until: number; readonly waitMs: number }
  | Running
  | Ended

interface Running {
  readonly kind: 'running'
  readonly startedAt: number
  /** From when on the process answers. */
  readonly servesFrom: number
  /** When the startup probe passed (at once without one); null: not yet. */
  readonly startedFrom: number | null
  /** When the readiness probe passed; null: never. */
  readonly readyFrom: number | null
  readonly end: End | null
  /** Probe failures still to be told, the earliest first. */
  readonly failures: readonly { readonly at: number; readonly text: string }[]
}

interface End {
  readonly at: number
  readonly exitCode: number
  readonly reason: 'Completed' | 'Error' | 'OOMKilled'
  /** Set when the kubelet kills it: what its event says. */
  readonly killed?: string
}

export interface Ended {
  readonly kind: 'ended'
  readonly startedAt: number
  readonly finishedAt: number
  readonly exitCode: number
  readonly reason: 'Completed' | 'Error' | 'OOMKilled'
}

/** How fast this node works, milliseconds. */
export interface Pace {
  /** From scheduling to the start of the first container. */
  readonly startMs: number
  /** From SIGTERM to the exit of a process that listens to it. */
  readonly stopMs: number
}

export interface Told {
  readonly kind: 'event'
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

export interface Printed {
  readonly kind: 'log'
  readonly container: string
  readonly line: string
  /** A new run of the container begins with this line. */
  readonly fresh: boolean
}

interface Node {
  readonly pace: Pace
  hasImage(image: string): boolean
  keepImage(image: string): void
  takeIp(): string
}

const initialBackoffMs = 10_000
const longestBackoffMs = 300_000

export function beginRun(pod: Pod, now: number): PodRun {
  const fresh =
    (role: ContainerRun['role']) =>
    (container: Container): ContainerRun => {
      const status = statusOf(pod, container.name)
      return {
        container,
        role,
        state: { kind: 'waiting' },
        restarts: status?.restartCount ?? 0,
        last: null,
        pullFailures: 0,
        crashBackoff: null,
      }
    }
  const inits = (pod.spec.initContainers ?? []).map((container) =>
    fresh(container.restartPolicy === 'Always' ? 'sidecar' : 'init')(container),
  )
  const run: PodRun = {
    startedAt: Date.parse(pod.status?.startTime ?? '') || now,
    sandboxAt: null,
    ip: pod.status?.podIP ?? null,
    containers: [...inits, ...pod.spec.containers.map(fresh('main'))],
    stopping: null,
  }
  resume(pod, run, now)
  return run
}

/** After a restart of this process the pods run on as their stored status says. */
function resume(pod: Pod, run: PodRun, now: number): void {
  if (!pod.status?.podIP) return
  run.sandboxAt = run.startedAt
  for (const entry of run.containers) {
    const status = statusOf(pod, entry.container.name)
    const state = status?.state
    const last = status?.lastState.terminated
    if (last) entry.last = endedFrom(last)
    if (state?.running) {
      const startedAt = Date.parse(state.running.startedAt)
      const resumed = running(pod, entry, startedAt, run.ip ?? '')
      // What failed before has been told already.
      const failures = resumed.failures.filter((failure) => failure.at > now)
      entry.state = { ...resumed, failures }
    } else if (state?.terminated) {
      entry.state = endedFrom(state.terminated)
    }
  }
}

function endedFrom(terminated: NonNullable<ContainerStatus['state']['terminated']>): Ended {
  return {
    kind: 'ended',
    startedAt: Date.parse(terminated.startedAt ?? '') || 0,
    finishedAt: Date.parse(terminated.finishedAt ?? '') || 0,
    exitCode: terminated.exitCode,
    reason: terminated.exitCode === 0 ? 'Completed' : 'Error',
  }
}

function statusOf(pod: Pod, name: string): ContainerStatus | undefined {
  const all = [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ]
  return all.find((status) => status.name === name)
}

/**
 * Brings the run to `now`. Everything that falls due up to then happens at its own instant, in order.
 * `nextAt`: when there is something to do again; null: only a change of the pod can wake it.
 */
export function advance(
  run: PodRun,
  input: { readonly pod: Pod; readonly now: number; readonly node: Node },
): { readonly told: readonly (Told | Printed)[]; readonly nextAt: number | null } {
  const told: (Told | Printed)[] = []
  const { pod, now, node } = input
  if (run.sandboxAt === null && !run.stopping) {
    const at = run.startedAt + node.pace.startMs * 0.2
    if (now < at) return { told, nextAt: at }
    run.sandboxAt = at
    run.ip ??= node.takeIp()
  }
  // Each pass moves every container at most one state on; a state that waits for a later instant ends the loop.
  for (let moved = true; moved; ) {
    moved = false
    for (const entry of run.containers) {
      if (!run.stopping && !mayRun(run, entry)) continue
      moved = move(run, entry, { pod, now, node, tell: (fact) => told.push(fact) }) || moved
    }
  }
  dismissSidecars(run, { pod, now, pace: node.pace })
  return { told, nextAt: nextInstant(run, pod, now) }
}

/** Sidecars serve the main containers and go after them. */
function dismissSidecars(
  run: PodRun,
  input: { readonly pod: Pod; readonly now: number; readonly pace: Pace },
): void {
  const { pod, now, pace } = input
  if (run.stopping || !mainsDone(run, pod)) return
  const killAt = now + (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000
  for (const entry of run.containers) {
    if (entry.role !== 'sidecar' || entry.state.kind !== 'running' || entry.state.end) continue
    entry.state = { ...entry.state, end: endOnSignal(pod, entry, { now, killAt, pace }) }
  }
}

interface Moment {
  readonly pod: Pod
  readonly now: number
  readonly node: Node
  tell(fact: Told | Printed): void
}

/** An init container waits for those before it; a main container for all of them. */
function mayRun(run: PodRun, entry: ContainerRun): boolean {
  for (const earlier of run.containers) {
    if (earlier === entry || earlier.role === 'main') return true
    if (earlier.role === 'init' && !succeeded(earlier)) return false
    if (earlier.role === 'sidecar' && !hasStarted(earlier)) return false
  }
  return true
}

function succeeded(entry: ContainerRun): boolean {
  return entry.state.kind === 'ended' && entry.state.exitCode === 0
}

function hasStarted(entry: ContainerRun): boolean {
  return entry.state.kind === 'running' && entry.state.startedFrom !== null
}

/** True when the container went on to another state. */
function move(run: PodRun, entry: ContainerRun, moment: Moment): boolean {
  const { state, container } = entry
  const { now } = moment
  switch (state.kind) {
    case 'waiting':
      return run.stopping ? false : begin(entry, Math.max(now, run.sandboxAt ?? now), moment)
    case 'pulling':
      if (run.stopping || now < state.until) return false
      return cannotPull(container.image ?? '')
        ? failPull(entry, state.until, moment)
        : finishPull(entry, state, moment)
    case 'pull-failed':
      return run.stopping || now < state.until ? false : backOffPull(entry, state, moment)
    case 'pull-back-off':
      return run.stopping || now < state.until ? false : begin(entry, state.until, moment)
    case 'starting':
      return run.stopping || now < state.until ? false : start(run, entry, state.until, moment)
    case 'crash-back-off':
      return run.stopping || now < state.until ? false : begin(entry, state.until, moment)
    case 'running':
      return runOn(run, entry, state, moment)
    case 'ended':
      return run.stopping ? false : restart(run, entry, state, moment)
    default:
      throw new TypeError(`unknown state: ${JSON.stringify(state satisfies never)}`)
  }
}

/** Pulls the image, or starts right away from the one that the node has. */
function begin(entry: ContainerRun, at: number, moment: Moment): boolean {
  const { node, tell } = moment
  const image = entry.container.image ?? ''
  const always = entry.container.imagePullPolicy === 'Always'
  const first = entry.last === null
  // A restart in place keeps the container's start short: the sandbox stands already.
  const startMs = first ? node.pace.startMs * 0.8 : 0
  if (!always && node.hasImage(image)) {
    tell(normal('Pulled', `Container image "${image}" already present on machine`))
    entry.state = { kind: 'starting', until: at + startMs }
    return true
  }
  tell(normal('Pulling', `Pulling image "${image}"`))
  const pullMs = node.hasImage(image) ? startMs * 0.25 : node.pace.startMs * 0.6
  entry.state = { kind: 'pulling', since: at, until: at + pullMs }
  return true
}

function failPull(entry: ContainerRun, at: number, moment: Moment): boolean {
  const image = entry.container.image ?? ''
  const full = fullImageName(image)
  const error = `failed to pull and unpack image "${full}": failed to resolve reference "${full}": ${full}: not found`
  const cause = `rpc error: code = NotFound desc = ${error}`
  moment.tell(warning('Failed', `Failed to pull image "${image}": ${cause}`))
  moment.tell(warning('Failed', 'Error: ErrImagePull'))
  const waitMs = Math.min(initialBackoffMs * 2 ** entry.pullFailures, longestBackoffMs)
  entry.pullFailures++
  entry.state = {
    kind: 'pull-failed',
    until: at + pullErrorShowsMs,
    retryAt: at + waitMs,
    error: cause,
  }
  return true
}

const pullErrorShowsMs = 1_000

function backOffPull(
  entry: ContainerRun,
  state: { readonly retryAt: number; readonly error: string },
  moment: Moment,
): boolean {
  moment.tell(normal('BackOff', `Back-off pulling image "${entry.container.image ?? ''}"`))
  moment.tell(warning('Failed', 'Error: ImagePullBackOff'))
  entry.state = { kind: 'pull-back-off', until: state.retryAt, error: state.error }
  return true
}

function fullImageName(image: string): string {
  const parts = image.split('/')
  const hasRegistry = parts.length > 1 && /[.:]|^localhost$/.test(parts[0] ?? '')
  const path = hasRegistry
    ? image
    : parts.length > 1
      ? `docker.io/${image}`
      : `docker.io/library/${image}`
  return /:[^/]+$/.test(path) || path.includes('@') ? path : `${path}:latest`
}

function finishPull(
  entry: ContainerRun,
  state: { readonly since: number; readonly until: number },
  moment: Moment,
): boolean {
  const image = entry.container.image ?? ''
  const took = `${state.until - state.since}ms`
  moment.tell(
    normal(
      'Pulled',
      `Successfully pulled image "${image}" in ${took} (${took} including waiting). Image size: ${imageBytes} bytes.`,
    ),
  )
  moment.node.keepImage(image)
  const restMs = entry.last === null ? moment.node.pace.startMs * 0.2 : 0
  entry.state = { kind: 'starting', until: state.until + restMs }
  return true
}

/** Nothing is stored, so every image has the size of a small one. */
const imageBytes = 20_971_520

function start(run: PodRun, entry: ContainerRun, at: number, moment: Moment): boolean {
  const { name } = entry.container
  if (entry.last !== null) entry.restarts++
  moment.tell(normal('Created', `Created container: ${name}`))
  moment.tell(normal('Started', `Started container ${name}`))
  entry.state = running(moment.pod, entry, at, run.ip ?? '')
  const process = processOf(moment.pod, entry.container, { init: entry.role !== 'main' })
  const lines =
    process.kind === 'task' ? process.prints : [`listening on ${portsOf(entry.container)}`]
  moment.tell({ kind: 'log', container: name, line: lines[0] ?? '', fresh: true })
  for (const line of lines.slice(1)) {
    moment.tell({ kind: 'log', container: name, line, fresh: false })
  }
  return true
}

function portsOf(container: Container): string {
  return (container.ports ?? []).map((port) => `:${port.containerPort}`).join(' ') || ':8080'
}

/** Everything that will happen to this run of the container is decided here, so that a healthy pod needs no timer. */
function running(pod: Pod, entry: ContainerRun, startedAt: number, ip: string): Running {
  const { container } = entry
  const process = processOf(pod, container, { init: entry.role !== 'main' })
  const servesFrom = startedAt + (durationWish(pod, container, 'startup') ?? 0)
  const readyAfter = startedAt + (durationWish(pod, container, 'ready-after') ?? 0)
  const never = wishOf(pod, container, 'ready') === 'false'
  const healthyFrom = never ? Number.POSITIVE_INFINITY : Math.max(servesFrom, readyAfter)
  const facts = { container, startedAt, servesFrom, ip }

  const startup = container.startupProbe && passes(container.startupProbe, startedAt, servesFrom)
  const startedFrom = startup ? (startup.failed === null ? startup.passedAt : null) : startedAt
  const live =
    container.livenessProbe && startedFrom !== null
      ? passes(container.livenessProbe, startedAt, servesFrom, startedFrom)
      : undefined
  const probe = container.readinessProbe
  const ready =
    startedFrom === null
      ? undefined
      : probe
        ? passes(probe, startedAt, healthyFrom, startedFrom)
        : { passedAt: Math.max(startedFrom, healthyFrom), failures: [], failed: null }

  const ends: End[] = []
  if (process.kind === 'task') {
    const reason = process.exitCode === 0 ? 'Completed' : 'Error'
    ends.push({ at: startedAt + process.runsMs, exitCode: process.exitCode, reason })
  }
  if (exceedsMemory(pod, container)) {
    ends.push({ at: startedAt + outOfMemoryMs, exitCode: 137, reason: 'OOMKilled' })
  }
  for (const [name, result] of [
    ['startup', startup],
    ['liveness', live],
  ] as const) {
    if (result?.failed == null) continue
    const subject = entry.role === 'main' ? 'Container' : 'Init container'
    const killed = `${subject} ${container.name} failed ${name} probe, will be restarted`
    ends.push({ at: result.failed, exitCode: 137, reason: 'Error', killed })
  }
  ends.sort((a, b) => a.at - b.at)
  const failures = [
    ...probeFailures('Startup', container.startupProbe, startup?.failures, facts),
    ...probeFailures('Liveness', container.livenessProbe, live?.failures, facts),
    ...probeFailures('Readiness', probe, ready?.failures, facts),
  ].sort((a, b) => a.at - b.at)
  const readyFrom = ready && Number.isFinite(ready.passedAt) ? ready.passedAt : null
  return {
    kind: 'running',
    startedAt,
    servesFrom,
    startedFrom,
    readyFrom,
    end: ends[0] ?? null,
    failures,
  }
}

const outOfMemoryMs = 500

function exceedsMemory(pod: Pod, container: Container): boolean {
  const used = memoryWish(pod, container)
  const limit = quantityToNumber(String(container.resources?.limits?.['memory'] ?? ''))
  return used !== undefined && limit !== undefined && limit > 0 && used > limit
}

/**
 * When a probe passes for good if its answer turns good at `goodFrom`, which failures it meets before, and when those
 * reach the threshold. Period 10 s, delay 5 s, good after 12 s: fails at 5 s, passes at 15 s.
 * A probe that never passes tells its failures up to the threshold only: repeating them for ever would be a poll.
 */
function passes(
  probe: Probe,
  startedAt: number,
  goodFrom: number,
  notBefore = startedAt,
): { passedAt: number; failures: number[]; failed: number | null } {
  const periodMs = (probe.periodSeconds ?? 10) * 1000
  const firstAt = Math.max(startedAt + (probe.initialDelaySeconds ?? 0) * 1000, notBefore)
  const threshold = probe.failureThreshold ?? 3
  const missed = goodFrom <= firstAt ? 0 : Math.ceil((goodFrom - firstAt) / periodMs)
  const failures: number[] = []
  for (let index = 0; index < Math.min(missed, threshold); index++) {
    failures.push(firstAt + index * periodMs)
  }
  const failed = missed >= threshold ? firstAt + (threshold - 1) * periodMs : null
  const passedAt = firstAt + (missed + (probe.successThreshold ?? 1) - 1) * periodMs
  return { passedAt, failures, failed }
}

function probeFailures(
  name: 'Startup' | 'Liveness' | 'Readiness',
  probe: Probe | undefined,
  at: readonly number[] | undefined,
  facts: { container: Container; startedAt: number; servesFrom: number; ip: string },
): { at: number; text: string }[] {
  if (!probe || !at) return []
  return at.map((instant) => ({
    at: instant,
    text: `${name} probe failed: ${probeOutput(probe, facts, instant < facts.servesFrom)}`,
  }))
}

function probeOutput(
  probe: Probe,
  facts: { container: Container; ip: string },
  refused: boolean,
): string {
  const port = probe.httpGet?.port ?? probe.tcpSocket?.port ?? probe.grpc?.port ?? 8080
  const number =
    typeof port === 'number'
      ? port
      : (facts.container.ports?.find((entry) => entry.name === port)?.containerPort ?? Number(port))
  const address = `${facts.ip}:${number}`
  if (probe.httpGet) {
    if (!refused) return 'HTTP probe failed with statuscode: 503'
    const scheme = (probe.httpGet.scheme ?? 'HTTP').toLowerCase()
    const url = `${scheme}://${address}${probe.httpGet.path ?? '/'}`
    return `Get "${url}": dial tcp ${address}: connect: connection refused`
  }
  if (probe.tcpSocket) return `dial tcp ${address}: connect: connection refused`
  if (probe.grpc) {
    return refused
      ? `timeout: failed to connect service "${address}" within 1s: context deadline exceeded`
      : 'service unhealthy (responded with "NOT_SERVING")'
  }
  return ''
}

function runOn(run: PodRun, entry: ContainerRun, state: Running, moment: Moment): boolean {
  const { now, tell } = moment
  const end = state.end
  const due = state.failures.filter((failure) => failure.at <= now)
  if (due.length > 0 && !run.stopping) {
    for (const failure of due) tell(warning('Unhealthy', failure.text))
    entry.state = { ...state, failures: state.failures.slice(due.length) }
  }
  if (!end || now < end.at) return false
  if (end.killed && !run.stopping) tell(normal('Killing', end.killed))
  entry.state = {
    kind: 'ended',
    startedAt: state.startedAt,
    finishedAt: end.at,
    exitCode: end.exitCode,
    reason: end.reason,
  }
  return true
}

/** The kubelet's rule: the first restart comes at once, the next ones 10 s, 20 s, ... 300 s after the end. */
function restart(run: PodRun, entry: ContainerRun, state: Ended, moment: Moment): boolean {
  if (!restarts(entry, moment.pod, state)) return false
  if (entry.role === 'sidecar' && mainsDone(run, moment.pod)) return false
  const { pod } = moment
  const known = entry.crashBackoff
  const fresh = !known || state.finishedAt - known.updatedAt > 2 * longestBackoffMs
  entry.last = state
  if (fresh) {
    entry.crashBackoff = { waitMs: initialBackoffMs, updatedAt: state.finishedAt }
    return begin(entry, state.finishedAt, moment)
  }
  const until = state.finishedAt + known.waitMs
  entry.crashBackoff = { waitMs: Math.min(known.waitMs * 2, longestBackoffMs), updatedAt: until }
  entry.state = { kind: 'crash-back-off', until, waitMs: known.waitMs }
  const { name, namespace, uid } = pod.metadata
  moment.tell(
    warning(
      'BackOff',
      `Back-off restarting failed container ${entry.container.name} in pod ${name}_${namespace}(${uid})`,
    ),
  )
  return true
}

function restarts(entry: ContainerRun, pod: Pod, state: Ended): boolean {
  if (entry.role === 'sidecar') return true
  const policy = pod.spec.restartPolicy ?? 'Always'
  if (entry.role === 'init') return state.exitCode !== 0 && policy !== 'Never'
  return policy === 'Always' || (policy === 'OnFailure' && state.exitCode !== 0)
}

/** Sends SIGTERM after the preStop hook, SIGKILL after the grace period. A second call may only shorten the grace. */
export function stop(
  run: PodRun,
  input: {
    readonly pod: Pod
    readonly now: number
    readonly pace: Pace
    readonly graceMs: number
    readonly why: Stopping['why']
  },
): readonly Told[] {
  const { pod, now, pace, graceMs, why } = input
  const killAt = now + graceMs
  if (run.stopping && run.stopping.killAt <= killAt) return []
  const first = run.stopping === null
  run.stopping = { why, killAt }
  const told: Told[] = []
  for (const entry of run.containers) {
    if (entry.state.kind !== 'running') continue
    if (first) told.push(normal('Killing', `Stopping container ${entry.container.name}`))
    entry.state = { ...entry.state, end: endOnSignal(pod, entry, { now, killAt, pace }) }
  }
  return told
}

function endOnSignal(
  pod: Pod,
  entry: ContainerRun,
  times: { readonly now: number; readonly killAt: number; readonly pace: Pace },
): End {
  const { container, state } = entry
  const natural = state.kind === 'running' && !state.end?.killed ? state.end : null
  const deaf = wishOf(pod, container, 'ignore-sigterm') === 'true'
  const stopMs = durationWish(pod, container, 'stop-after') ?? times.pace.stopMs
  const signalAt = times.now + preStopMs(container)
  const at = deaf ? Number.POSITIVE_INFINITY : signalAt + stopMs
  if (natural && natural.at <= Math.min(at, times.killAt)) return natural
  if (at >= times.killAt) return { at: times.killAt, exitCode: 137, reason: 'Error' }
  // A server closes in order; a task dies of the signal, as a process without a handler does.
  const process = processOf(pod, container, { init: entry.role !== 'main' })
  return process.kind === 'service'
    ? { at, exitCode: 0, reason: 'Completed' }
    : { at, exitCode: 143, reason: 'Error' }
}

/** Nothing runs any more and nothing will. */
export function hasEnded(run: PodRun, pod: Pod): boolean {
  const alive = run.containers.some((entry) => entry.state.kind === 'running')
  if (run.stopping) return !alive
  return !alive && (mainsDone(run, pod) || initFailed(run, pod))
}

function mainsDone(run: PodRun, pod: Pod): boolean {
  return run.containers.every(
    (entry) =>
      entry.role !== 'main' || (entry.state.kind === 'ended' && !restarts(entry, pod, entry.state)),
  )
}

export function initFailed(run: PodRun, pod: Pod): boolean {
  return run.containers.some(
    ({ role, state }) =>
      role === 'init' &&
      state.kind === 'ended' &&
      state.exitCode !== 0 &&
      pod.spec.restartPolicy === 'Never',
  )
}

function nextInstant(run: PodRun, pod: Pod, now: number): number | null {
  const instants: number[] = []
  for (const entry of run.containers) {
    const { state } = entry
    if (state.kind === 'running') {
      if (state.end) instants.push(state.end.at)
      if (run.stopping) continue
      if (state.failures[0]) instants.push(state.failures[0].at)
      for (const at of [state.startedFrom, state.readyFrom]) {
        if (at !== null) instants.push(at)
      }
    } else if ('until' in state && !run.stopping) instants.push(state.until)
  }
  if (pod.spec.activeDeadlineSeconds !== undefined && !run.stopping && !hasEnded(run, pod)) {
    instants.push(run.startedAt + pod.spec.activeDeadlineSeconds * 1000)
  }
  const later = instants.filter((at) => at > now)
  return later.length === 0 ? null : Math.min(...later)
}

function normal(reason: string, message: string): Told {
  return { kind: 'event', type: 'Normal', reason, message }
}

function warning(reason: string, message: string): Told {
  return { kind: 'event', type: 'Warning', reason, message }
}
