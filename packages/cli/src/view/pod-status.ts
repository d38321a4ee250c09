/** The part of a pod that its status line is made of. */
export interface Pod {
  readonly metadata: {
    readonly name: string
    readonly creationTimestamp?: string
    readonly deletionTimestamp?: string
    readonly ownerReferences?: readonly { readonly uid: string }[]
  }
  readonly spec?: {
    readonly containers?: readonly { readonly name: string }[]
    readonly initContainers?: readonly { readonly name: string; readonly restartPolicy?: string }[]
  }
  readonly status?: {
    readonly phase?: string
    readonly reason?: string
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
  }
}

interface ContainerStatus {
  readonly name: string
  readonly ready?: boolean
  readonly started?: boolean
  readonly restartCount?: number
  readonly state?: {
    readonly waiting?: { readonly reason?: string }
    readonly running?: unknown
    readonly terminated?: {
      readonly reason?: string
      readonly signal?: number
      readonly exitCode?: number
    }
  }
}

export interface PodStatus {
  readonly status: string
  readonly icon: string
  readonly ready: string
  readonly restarts: number
}

/** The same words as `kubectl get pods` (spec cli 3.6). */
export function podStatus(pod: Pod): PodStatus {
  const init = initialising(pod)
  const main = init.reason === null ? running(pod) : null
  let status = init.reason ?? main?.reason ?? (pod.status?.reason || pod.status?.phase || '')
  if (pod.metadata.deletionTimestamp) {
    status = pod.status?.reason === 'NodeLost' ? 'Unknown' : 'Terminating'
  }
  return {
    status,
    icon: podIcon(status),
    ready: `${main?.ready ?? 0}/${pod.spec?.containers?.length ?? 0}`,
    restarts: main?.restarts ?? init.restarts,
  }
}

function initialising(pod: Pod): { reason: string | null; restarts: number } {
  let restarts = 0
  const total = pod.spec?.initContainers?.length ?? 0
  for (const [index, container] of (pod.status?.initContainerStatuses ?? []).entries()) {
    restarts += container.restartCount ?? 0
    const terminated = container.state?.terminated
    if (terminated && terminated.exitCode === 0) continue
    if (terminated) {
      if (terminated.reason) return { reason: `Init:${terminated.reason}`, restarts }
      const how = terminated.signal
        ? `Signal:${terminated.signal}`
        : `ExitCode:${terminated.exitCode}`
      return { reason: `Init:${how}`, restarts }
    }
    const sidecar =
      pod.spec?.initContainers?.find((c) => c.name === container.name)?.restartPolicy === 'Always'
    if (sidecar && container.started) {
      if (container.ready) continue
      return { reason: null, restarts }
    }
    const waiting = container.state?.waiting?.reason
    if (waiting && waiting !== 'PodInitializing') return { reason: `Init:${waiting}`, restarts }
    return { reason: `Init:${index}/${total}`, restarts }
  }
  return { reason: null, restarts }
}

function running(pod: Pod): { reason: string | null; ready: number; restarts: number } {
  let reason: string | null = null
  let ready = 0
  let restarts = 0
  let anyRunning = false
  for (const container of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    restarts += container.restartCount ?? 0
    const { waiting, terminated } = container.state ?? {}
    if (waiting?.reason) reason = waiting.reason
    else if (terminated) {
      reason =
        terminated.reason ||
        (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`)
    } else if (container.ready && container.state?.running) {
      anyRunning = true
      ready++
    }
  }
  if (reason === 'Completed' && anyRunning) reason = 'Running'
  return { reason, ready, restarts }
}

const icons: Readonly<Record<string, string>> = {
  Pending: '◌',
  Terminating: '◌',
  ContainerCreating: '◌',
  Running: '✔',
  Completed: '✔',
  Failed: '✖',
  InvalidImageName: '✖',
  CrashLoopBackOff: '✖',
  ImagePullBackOff: '⚠',
  RegistryUnavailable: '⚠',
  Unknown: '?',
}

function podIcon(status: string): string {
  if (status.startsWith('Init:')) return '◌'
  if (status.startsWith('Signal:') || status.startsWith('ExitCode:')) return '✖'
  if (status.endsWith('Error') || status.startsWith('Err')) return '⚠'
  return icons[status] ?? ' '
}
