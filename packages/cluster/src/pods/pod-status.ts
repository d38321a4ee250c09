import type {
  Condition,
  ContainerStateFields,
  ContainerStatus,
  Phase,
  Pod,
  PodStatus,
} from './pod.ts'
import { conditionOf, timestamp } from './pod.ts'
import { type ContainerRun, type Ended, hasEnded, initFailed, type PodRun } from './pod-run.ts'

/** The status that the kubelet reports for the run, as kubernetes: pkg/kubelet/status/generate.go makes it. */
export function renderStatus(
  pod: Pod,
  run: PodRun,
  context: { readonly now: number; readonly hostIp: string },
): PodStatus {
  const { now, hostIp } = context
  const phase = phaseOf(pod, run)
  const deadline = run.stopping?.why === 'deadline' && phase === 'Failed'
  const inits = run.containers.filter((entry) => entry.role !== 'main')
  const mains = run.containers.filter((entry) => entry.role === 'main')
  const generation = pod.metadata.generation
  const { reason: _reason, message: _message, ...kept } = pod.status ?? {}
  return {
    ...kept,
    phase,
    ...(deadline && {
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    }),
    ...(generation !== undefined && { observedGeneration: generation }),
    conditions: conditionsOf(pod, run, { now, phase }),
    hostIP: hostIp,
    hostIPs: [{ ip: hostIp }],
    startTime: timestamp(run.startedAt),
    ...(run.ip !== null && { podIP: run.ip, podIPs: [{ ip: run.ip }] }),
    ...(inits.length > 0 && {
      initContainerStatuses: inits.map((entry) => containerStatus(pod, run, { entry, now })),
    }),
    containerStatuses: mains.map((entry) => containerStatus(pod, run, { entry, now })),
  }
}

/** kubernetes: getPhase of pkg/kubelet/kubelet_pods.go. */
function phaseOf(pod: Pod, run: PodRun): Phase {
  const before = pod.status?.phase
  if (before === 'Succeeded' || before === 'Failed') return before
  const mains = run.containers.filter((entry) => entry.role === 'main')
  if (hasEnded(run, pod)) {
    if (run.stopping?.why === 'deadline') return 'Failed'
    const good = mains.every((entry) => entry.state.kind === 'ended' && entry.state.exitCode === 0)
    return good && !initFailed(run, pod) ? 'Succeeded' : 'Failed'
  }
  const never = mains.some((entry) => !hasRun(entry))
  return never ? 'Pending' : 'Running'
}

function hasRun(entry: ContainerRun): boolean {
  return entry.state.kind === 'running' || entry.state.kind === 'ended' || entry.last !== null
}

function containerStatus(
  pod: Pod,
  run: PodRun,
  context: { readonly entry: ContainerRun; readonly now: number },
): ContainerStatus {
  const { entry, now } = context
  const { state, container } = entry
  const image = container.image ?? ''
  const pulled = hasRun(entry)
  return {
    name: container.name,
    state: stateFields(pod, run, entry),
    lastState: entry.last ? { terminated: terminated(pod, entry, entry.last) } : {},
    ready: isContainerReady(entry, now),
    restartCount: entry.restarts,
    image,
    imageID: pulled ? `${image.split('@')[0]}@sha256:${fingerprint(image)}` : '',
    ...(pulled && { containerID: containerId(pod, entry, entry.restarts) }),
    started: state.kind === 'running' && state.startedFrom !== null && state.startedFrom <= now,
  }
}

function isContainerReady(entry: ContainerRun, now: number): boolean {
  const { state } = entry
  if (entry.role === 'init') return state.kind === 'ended' && state.exitCode === 0
  return state.kind === 'running' && state.readyFrom !== null && state.readyFrom <= now
}

function stateFields(pod: Pod, run: PodRun, entry: ContainerRun): ContainerStateFields {
  const { state, container } = entry
  switch (state.kind) {
    case 'waiting':
    case 'pulling':
    case 'starting': {
      const initializing = entry.role === 'main' && !isInitialized(run)
      return { waiting: { reason: initializing ? 'PodInitializing' : 'ContainerCreating' } }
    }
    case 'pull-failed':
      return { waiting: { reason: 'ErrImagePull', message: state.error } }
    case 'pull-back-off': {
      const message = `Back-off pulling image "${container.image}": ErrImagePull: ${state.error}`
      return { waiting: { reason: 'ImagePullBackOff', message } }
    }
    case 'crash-back-off': {
      const { name, namespace, uid } = pod.metadata
      const wait = goDuration(state.waitMs)
      const message = `back-off ${wait} restarting failed container=${container.name} pod=${name}_${namespace}(${uid})`
      return { waiting: { reason: 'CrashLoopBackOff', message } }
    }
    case 'running':
      return { running: { startedAt: timestamp(state.startedAt) } }
    case 'ended':
      return { terminated: terminated(pod, entry, state) }
    default:
      throw new TypeError(`unknown state: ${JSON.stringify(state satisfies never)}`)
  }
}

/** `10s`, `1m20s`, `5m0s`: as Go prints whole seconds. */
function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`
}

function terminated(
  pod: Pod,
  entry: ContainerRun,
  ended: Ended,
): NonNullable<ContainerStateFields['terminated']> {
  // A restart counts from the moment when its container has started.
  const again = entry.state.kind === 'running' || entry.state.kind === 'ended'
  const restart = ended === entry.last && again ? entry.restarts - 1 : entry.restarts
  return {
    exitCode: ended.exitCode,
    reason: ended.reason,
    startedAt: timestamp(ended.startedAt),
    finishedAt: timestamp(ended.finishedAt),
    containerID: containerId(pod, entry, restart),
  }
}

function containerId(pod: Pod, entry: ContainerRun, restart: number): string {
  return `containerd://${fingerprint(`${pod.metadata.uid}/${entry.container.name}/${restart}`)}`
}

/** 64 hexadecimal digits that look like a SHA-256; the same text always gives the same. */
function fingerprint(text: string): string {
  let digits = ''
  for (let block = 0; block < 8; block++) {
    let hash = 0x811c9dc5 ^ block
    for (let index = 0; index < text.length; index++) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
    }
    digits += (hash >>> 0).toString(16).padStart(8, '0')
  }
  return digits
}

function isInitialized(run: PodRun): boolean {
  return run.containers.every(isInitDone)
}

function isInitDone(entry: ContainerRun): boolean {
  const { state } = entry
  if (entry.role === 'main') return true
  if (entry.role === 'init') return state.kind === 'ended' && state.exitCode === 0
  return hasRun(entry)
}

function conditionsOf(
  pod: Pod,
  run: PodRun,
  context: { readonly now: number; readonly phase: Phase },
): Condition[] {
  const { now, phase } = context
  const finished = phase === 'Succeeded' || phase === 'Failed'
  const initialized = initializedFacts(run, phase)
  const containers = containersReadyFacts(run, { now, phase })
  const ready = containers.status === 'True' ? readinessGateFacts(pod) : containers
  const sandbox = run.sandboxAt !== null && run.sandboxAt <= now && !finished
  const own: Facts[] = [
    { type: 'PodReadyToStartContainers', status: sandbox ? 'True' : 'False' },
    { type: 'Initialized', ...initialized },
    { type: 'Ready', ...ready },
    { type: 'ContainersReady', ...containers },
    { type: 'PodScheduled', status: 'True' },
  ]
  const foreign = (pod.status?.conditions ?? []).filter(
    (condition) => !own.some((fact) => fact.type === condition.type),
  )
  return [...own.map((facts) => conditionFrom(pod, facts, now)), ...foreign]
}

interface Facts {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason?: string
  readonly message?: string
}
type Verdict = Omit<Facts, 'type'>

function conditionFrom(pod: Pod, facts: Facts, now: number): Condition {
  const before = conditionOf(pod, facts.type)
  const generation = pod.metadata.generation
  return {
    type: facts.type,
    ...(generation !== undefined && { observedGeneration: generation }),
    status: facts.status,
    // As the server stores it: its own null would look like somebody's change.
    lastProbeTime: null,
    lastTransitionTime:
      before?.status === facts.status && before.lastTransitionTime
        ? before.lastTransitionTime
        : timestamp(now),
    ...(facts.reason && { reason: facts.reason }),
    ...(facts.message && { message: facts.message }),
  }
}

function initializedFacts(run: PodRun, phase: Phase): Verdict {
  if (phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' }
  const missing = run.containers.filter((entry) => !isInitDone(entry))
  if (missing.length === 0) return { status: 'True' }
  return {
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${names(missing)}]`,
  }
}

function containersReadyFacts(
  run: PodRun,
  context: { readonly now: number; readonly phase: Phase },
): Verdict {
  const { now, phase } = context
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' }
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' }
  const unready = run.containers.filter(
    (entry) => entry.role !== 'init' && !isContainerReady(entry, now),
  )
  if (unready.length === 0) return { status: 'True' }
  return {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${names(unready)}]`,
  }
}

function readinessGateFacts(pod: Pod): Verdict {
  const problems = (pod.spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const condition = conditionOf(pod, conditionType)
    if (!condition) {
      return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`]
    }
    if (condition.status === 'True') return []
    return [
      `the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`,
    ]
  })
  if (problems.length === 0) return { status: 'True' }
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: problems.join(', ') }
}

function names(entries: readonly ContainerRun[]): string {
  return entries.map((entry) => entry.container.name).join(' ')
}
