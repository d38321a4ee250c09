import {
  ApiError,
  type Clock,
  deepEqual,
  EventRecorder,
  type Informer,
  type KubeClient,
  keyOf,
  resources,
  type SeededRandom,
  WorkQueue,
} from '@serinus/kube'
import { behaviourOf, type PodBehaviour, servingContainer } from './behaviour.ts'
import { ContainerLog } from './container-log.ts'
import { playedAnswer } from './played-answer.ts'
import { isFinished, type Pod } from './pod.ts'
import { advance, beginRun, hasEnded, type Pace, type PodRun, stop, type Told } from './pod-run.ts'
import { renderStatus } from './pod-status.ts'

export interface PodRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export interface PodAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** How long the answer takes, milliseconds; the caller waits. */
  readonly latencyMs: number
  /** True when no process listens: a real proxy sees a refused connection and makes a 502 or 503 of its own. */
  readonly refused: boolean
}

/** What one pod has done since its first container started. */
export interface PodUsage {
  readonly requests: number
  readonly errors: number
  readonly cpuSeconds: number
  /** 0 while nothing runs. */
  readonly memoryBytes: number
}

interface PodsOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly random: SeededRandom
  readonly signal: AbortSignal
  readonly pods: Informer<Pod>
  /** Address of a node; undefined for one that is none of ours, whose pods are left alone. */
  readonly hostIp: (nodeName: string) => string | undefined
  readonly pace?: Partial<Pace>
  readonly onError?: (error: unknown) => void
}

/** What the pods of a plain server cost without any request. */
const idleCpuShare = 0.001

const usualPace: Pace = { startMs: 1_000, stopMs: 1_000 }

interface Entry {
  readonly uid: string
  readonly run: PodRun
  readonly logs: Map<string, ContainerLog>
  readonly previousLogs: Map<string, ContainerLog>
  requests: number
  errors: number
}

/**
 * The kubelets of all simulated nodes: each pod that is bound to a node lives as its behaviour says (spec
 * embedded-cluster 4). A pod at rest costs nothing: no timer, no probe, no write.
 */
export class Pods {
  readonly #options: PodsOptions
  readonly #pace: Pace
  readonly #entries = new Map<string, Entry>()
  readonly #behaviours = new WeakMap<Pod, PodBehaviour>()
  readonly #images = new Map<string, Set<string>>()
  readonly #recorders = new Map<string, EventRecorder>()
  readonly #queue: WorkQueue
  readonly #takenIps = new Map<string, string>()
  #lastIp = 0

  constructor(options: PodsOptions) {
    this.#options = options
    this.#pace = { ...usualPace, ...options.pace }
    this.#queue = new WorkQueue({
      clock: options.clock,
      workers: 16,
      process: (key) => this.#sync(key),
      onError: (_key, error) => {
        // Somebody else wrote the pod meanwhile: it is read and tried again, as a kubelet does.
        if (!(error instanceof ApiError && error.code === 409)) options.onError?.(error)
      },
    })
    options.pods.subscribe((change) => {
      const { podIP } = change.object.status ?? {}
      if (change.type === 'added' && podIP) this.#takenIps.set(podIP, keyOf(change.object))
      this.#queue.add(keyOf(change.object))
    })
  }

  /** Begins to run pods; before that they are only known. To be called once, when pods and nodes are cached. */
  start(): void {
    void this.#queue.run(this.#options.signal)
  }

  /** Looks at these pods again: their node has come up. */
  wake(pods: readonly Pod[]): void {
    for (const pod of pods) this.#queue.add(keyOf(pod))
  }

  /** Undefined for a pod that does not exist. */
  behaviour(podKey: string): PodBehaviour | undefined {
    const pod = this.#options.pods.get(podKey)
    if (!pod) return undefined
    const known = this.#behaviours.get(pod)
    if (known) return known
    const behaviour = behaviourOf(pod)
    this.#behaviours.set(pod, behaviour)
    return behaviour
  }

  /**
   * Whether a process of the pod accepts connections at that instant: from the end of its start-up until it has
   * exited, also while the pod is not ready or terminating.
   */
  canServe(podKey: string, at: number): boolean {
    const entry = this.#entries.get(podKey)
    const pod = this.#options.pods.get(podKey)
    if (!entry || !pod) return false
    const serving = servingContainer(pod).name
    const state = entry.run.containers.find(
      (candidate) => candidate.role === 'main' && candidate.container.name === serving,
    )?.state
    if (state?.kind !== 'running') return false
    return state.servesFrom <= at && (state.end === null || at < state.end.at)
  }

  /** Decides by the seeded random what a request gets, and counts it. */
  answer(podKey: string, request: PodRequest): PodAnswer {
    const { clock, random } = this.#options
    const now = clock.now()
    const behaviour = this.behaviour(podKey)
    const entry = this.#entries.get(podKey)
    const object = this.#options.pods.get(podKey)
    if (!behaviour || !entry || !object || !this.canServe(podKey, now)) return refusal
    const failed = random.next() < behaviour.errorRate(now)
    const status = failed ? behaviour.errorStatus : behaviour.status
    const latencyMs = this.#latency(behaviour)
    entry.requests++
    if (failed) entry.errors++
    const { image, version, colour } = behaviour
    const pod = podKey.slice(podKey.indexOf('/') + 1)
    const { method, path } = request
    this.#print(entry, podKey, `"${method} ${path} HTTP/1.1" ${status} ${Math.round(latencyMs)}ms`)
    const played = failed ? null : playedAnswer(object, path)
    const own = { pod, version, image, ...(colour && { colour }), method, path, status }
    return {
      status,
      latencyMs,
      refused: false,
      headers: {
        'content-type': played?.contentType ?? 'application/json',
        'x-pod': pod,
        'x-version': version,
        'x-image': image,
        ...(colour && { 'x-colour': colour }),
      },
      body: played?.body ?? JSON.stringify(own),
    }
  }

  /** Counts the requests of one tick of virtual time at once. */
  recordFlow(podKey: string, counts: { readonly requests: number; readonly errors: number }): void {
    const entry = this.#entries.get(podKey)
    if (!entry || counts.requests <= 0) return
    entry.requests += counts.requests
    entry.errors += counts.errors
    const bad = counts.errors > 0 ? `, ${counts.errors} failed` : ''
    this.#print(entry, podKey, `served ${counts.requests} requests${bad}`)
  }

  /** Undefined for a pod that no kubelet has started. */
  usage(podKey: string): PodUsage | undefined {
    const entry = this.#entries.get(podKey)
    const behaviour = this.behaviour(podKey)
    if (!entry || !behaviour) return undefined
    const now = this.#options.clock.now()
    const running = entry.run.containers.filter(({ state }) => state.kind === 'running')
    const upSeconds = entry.run.sandboxAt === null ? 0 : (now - entry.run.sandboxAt) / 1000
    return {
      requests: entry.requests,
      errors: entry.errors,
      cpuSeconds: entry.requests * behaviour.cpuSecondsPerRequest + upSeconds * idleCpuShare,
      memoryBytes: running.length > 0 ? behaviour.memoryBytes : 0,
    }
  }

  /** What a container printed in this run, or in the one before. Undefined: it has not run (so often). */
  log(podKey: string, container: string, previous: boolean): ContainerLog | undefined {
    const entry = this.#entries.get(podKey)
    return previous ? entry?.previousLogs.get(container) : entry?.logs.get(container)
  }

  /** Log-normal between the two quantiles: z of the 95th percentile is 1.645. */
  #latency(behaviour: PodBehaviour): number {
    const { p50, p95 } = behaviour.latencyMs
    if (p50 <= 0 || p95 <= p50) return p50
    const { random } = this.#options
    const z = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
    return p50 * Math.exp((Math.log(p95 / p50) / 1.645) * z)
  }

  #print(entry: Entry, podKey: string, text: string): void {
    const pod = this.#options.pods.get(podKey)
    if (!pod) return
    entry.logs.get(servingContainer(pod).name)?.print({ at: this.#options.clock.now(), text })
  }

  async #sync(key: string): Promise<void> {
    const { pods, client, clock } = this.#options
    const pod = pods.get(key)
    const known = this.#entries.get(key)
    if (known && known.uid !== pod?.metadata.uid) this.#forget(key, known)
    if (!pod) return
    if (!pod.spec.nodeName) {
      // Nothing runs, so nothing needs grace; servers that delete such pods at once leave nothing to do here.
      if (pod.metadata.deletionTimestamp) await this.#remove(pod)
      return
    }
    const hostIp = this.#options.hostIp(pod.spec.nodeName)
    if (hostIp === undefined) return
    if (isFinished(pod) && !known) {
      if (pod.metadata.deletionTimestamp) await this.#remove(pod)
      return
    }
    const now = clock.now()
    const entry = known ?? this.#begin(key, pod, now)
    const told: Told[] = []
    told.push(...this.#stopIfAsked(pod, entry.run, now))
    const nextAt = this.#advance(key, { pod, entry, now, told })
    for (const fact of told) this.#recorder(pod.spec.nodeName).record(pod, fact)

    const status = renderStatus(pod, entry.run, { now, hostIp })
    const changed = !deepEqual(status, pod.status)
    const over = pod.metadata.deletionTimestamp !== undefined && hasEnded(entry.run, pod)
    if (changed) {
      await client
        .update(resources.pods, { ...pod, status }, { subresource: 'status' })
        .catch(unlessGone)
    }
    if (over) await this.#remove(pod)
    else if (nextAt !== null) this.#queue.addAt(key, nextAt)
  }

  #begin(key: string, pod: Pod, now: number): Entry {
    const entry: Entry = {
      uid: pod.metadata.uid ?? '',
      run: beginRun(pod, now),
      logs: new Map(),
      previousLogs: new Map(),
      requests: 0,
      errors: 0,
    }
    this.#entries.set(key, entry)
    for (const { container, state } of entry.run.containers) {
      if (state.kind !== 'waiting') entry.logs.set(container.name, new ContainerLog())
      if (state.kind === 'running' && container.image) {
        this.#imagesOf(pod.spec.nodeName ?? '').add(container.image)
      }
    }
    return entry
  }

  #stopIfAsked(pod: Pod, run: PodRun, now: number): readonly Told[] {
    const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata
    const usual = pod.spec.terminationGracePeriodSeconds ?? 30
    if (deletionTimestamp) {
      const graceMs = (deletionGracePeriodSeconds ?? usual) * 1000
      return stop(run, { pod, now, pace: this.#pace, graceMs, why: 'deleted' })
    }
    const { activeDeadlineSeconds } = pod.spec
    if (activeDeadlineSeconds === undefined || hasEnded(run, pod)) return []
    if (now < run.startedAt + activeDeadlineSeconds * 1000) return []
    return stop(run, { pod, now, pace: this.#pace, graceMs: usual * 1000, why: 'deadline' })
  }

  #advance(
    key: string,
    step: {
      readonly pod: Pod
      readonly entry: Entry
      readonly now: number
      readonly told: Told[]
    },
  ): number | null {
    const { pod, entry, now, told } = step
    const images = this.#imagesOf(pod.spec.nodeName ?? '')
    const result = advance(entry.run, {
      pod,
      now,
      node: {
        pace: this.#pace,
        hasImage: (image) => images.has(image),
        keepImage: (image) => void images.add(image),
        takeIp: () => this.#takeIp(key),
      },
    })
    for (const fact of result.told) {
      if (fact.kind === 'event') told.push(fact)
      else this.#printFrom(entry, fact, now)
    }
    for (const { container, state } of entry.run.containers) {
      if (state.kind === 'ended') entry.logs.get(container.name)?.close()
    }
    return result.nextAt
  }

  #printFrom(
    entry: Entry,
    printed: { readonly container: string; readonly line: string; readonly fresh: boolean },
    now: number,
  ): void {
    const { container, line, fresh } = printed
    const before = entry.logs.get(container)
    if (fresh && before) {
      before.close()
      entry.previousLogs.set(container, before)
    }
    const log = fresh || !before ? new ContainerLog() : before
    entry.logs.set(container, log)
    if (line !== '') log.print({ at: now, text: line })
  }

  /** As the kubelet does when nothing of a deleted pod runs any more. */
  async #remove(pod: Pod): Promise<void> {
    const { namespace, name, uid } = pod.metadata
    await this.#options.client
      .delete(
        resources.pods,
        { ...(namespace && { namespace }), name },
        { gracePeriodSeconds: 0, ...(uid && { preconditions: { uid } }) },
      )
      .catch(unlessGone)
  }

  #forget(key: string, entry: Entry): void {
    for (const log of entry.logs.values()) log.close()
    if (entry.run.ip) this.#takenIps.delete(entry.run.ip)
    this.#entries.delete(key)
  }

  #imagesOf(nodeName: string): Set<string> {
    const known = this.#images.get(nodeName)
    if (known) return known
    const images = new Set<string>()
    this.#images.set(nodeName, images)
    return images
  }

  /** 10.244.0.1 to 10.244.255.254, each again only after all others. */
  #takeIp(key: string): string {
    for (let tries = 0; tries < 65_536; tries++) {
      this.#lastIp = (this.#lastIp + 1) % 65_536
      const last = this.#lastIp & 255
      if (last === 0 || last === 255) continue
      const ip = `10.244.${this.#lastIp >> 8}.${last}`
      if (this.#takenIps.has(ip)) continue
      this.#takenIps.set(ip, key)
      return ip
    }
    throw new Error('the pod network 10.244.0.0/16 has no free address')
  }

  #recorder(host: string): EventRecorder {
    const known = this.#recorders.get(host)
    if (known) return known
    const { client, clock, signal } = this.#options
    const recorder = new EventRecorder({ client, clock, signal, component: 'kubelet', host })
    this.#recorders.set(host, recorder)
    return recorder
  }
}

const refusal: PodAnswer = {
  status: 503,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ error: 'connection refused' }),
  latencyMs: 0,
  refused: true,
}

function unlessGone(error: unknown): void {
  if (error instanceof ApiError && error.code === 404) return
  throw error
}
