import { type AnalysisRun, kinds, labelKeys, type Rollout } from '@serinus/api'
import {
  ApiError,
  type Change as CacheChange,
  type Clock,
  type EventRecorder,
  type Informer,
  type KubeClient,
  type KubeObject,
  keyOf,
  resources,
  type SeededRandom,
  sleep,
  startInformer,
  WorkQueue,
} from '@serinus/kube'
import {
  type ConfigMap,
  type NotificationConfig,
  parseConfig,
  type Secret,
  withAlias,
} from './config.ts'
import { type DerivedEvent, deletedEvent, ownRuns } from './derive.ts'
import { guardEgress } from './egress.ts'
import { eventTriggers } from './events.ts'
import { type Finding, findingText } from './finding.ts'
import { findService, type Layers } from './layers.ts'
import { append, canRevive, type Entry, type OutboxState, revive } from './outbox.ts'
import { OutboxStore } from './outbox-store.ts'
import { planEntries, type Snapshot } from './plan-entries.ts'
import { renderNotification } from './render.ts'
import { redact } from './secret-references.ts'
import { type Attempt, type DeliveryReport, Sender } from './sender.ts'
import { hasSubscriptionAnnotation, resolveSubscriptions } from './subscriptions.ts'

/** What the notifier works with. */
export interface NotifierOptions {
  readonly client: KubeClient
  readonly clock: Clock
  /** Ends the notifier: nothing new is started, what is under way is finished and stored. */
  readonly signal: AbortSignal
  /** Where the central ConfigMap and Secret are and where outboxes are kept. */
  readonly controllerNamespace: string
  /** How services reach their vendors. */
  readonly fetch: (request: Request) => Promise<Response>
  readonly random: SeededRandom
  readonly recorder: EventRecorder
  /** Names this process in outboxes. */
  readonly holder: string
  /** Only Rollouts with this instance id are told of; absent: only those without one (spec api 12). */
  readonly instanceId?: string
  /**
   * Whether the configuration of the Rollouts' own namespaces counts too. False: that of the controller's namespace
   * alone. Absent: as far as the API lets us read it (spec notifications 11.2).
   */
  readonly selfService?: boolean
  readonly rollouts: Informer<Rollout>
  readonly analysisRuns: Informer<AnalysisRun>
  /** Each request to a vendor, as it ended. */
  readonly onAttempt?: (attempt: Attempt) => void
  readonly onDelivered?: (delivery: DeliveryReport) => void
  readonly onError?: (error: unknown) => void
  /** Called with the key of a Rollout when what is wrong with its subscriptions has changed. */
  readonly onProblems?: (key: string) => void
}

/** Tells people what Rollouts do. */
export interface Notifier {
  /** Call with the object as stored, after each status write. Never blocks, never throws. */
  observe(rollout: Rollout): void
  /** What is wrong with the subscriptions of a Rollout (`namespace/name`); null while nobody has looked. */
  problems(key: string): readonly { readonly code: string; readonly message: string }[] | null
  /** Resolves when everything under way has ended after the signal. */
  readonly stopped: Promise<void>
  /** Resolves once every observation is dealt with and nothing waits to be sent or stored. */
  idle(): Promise<void>
}

/** Name of the ConfigMap with the configuration, in the controller's namespace (spec notifications 2.1). */
export const configMapName = 'argo-rollouts-notification-configmap'
/** A second name under which it is read, with a Warning (spec notifications 2.5). */
export const aliasName = 'argo-rollouts-notification-cm'
/** Name of the Secret that services refer to, in the namespace of their ConfigMap (spec notifications 2.1). */
export const secretName = 'argo-rollouts-notification-secret'

/** A Rollout that is older than this at first sight existed before us (spec notifications 11.4). */
const oldMs = 60_000

/** How many states of one Rollout wait at most; more are joined, as after a gap. */
const mostSnapshots = 50

/**
 * Starts the notifications of all Rollouts in the informers' reach: derives events from stored state, keeps them in
 * an outbox per Rollout until they are delivered, and reports what is wrong with configuration and subscriptions as
 * Warning Events (spec notifications 11). Nothing it does can delay a reconcile. To run on the leader only.
 */
export function startNotifier(options: NotifierOptions): Notifier {
  return new RunningNotifier(options)
}

interface Tracked {
  rollout: Rollout
  /** Stored states that have not been looked at yet, oldest first. */
  snapshots: Snapshot[]
  extra: DerivedEvent[]
  isGone: boolean
}

class RunningNotifier implements Notifier {
  readonly stopped: Promise<void>
  readonly #options: NotifierOptions
  readonly #store: OutboxStore
  readonly #sender: Sender
  readonly #queue: WorkQueue
  readonly #tracked = new Map<string, Tracked>()
  readonly #dirty = new Set<string>()
  #working = 0
  /** Payloads that hold a secret and are therefore not stored, by entry id. */
  readonly #unstored = new Map<string, Entry['payload']>()
  readonly #told = new Map<string, Set<string>>()
  readonly #problems = new Map<string, readonly Finding[]>()
  readonly #configs = new Map<string, NotificationConfig>()
  #caches: Caches | null = null
  #isReady = false
  #waiters: (() => void)[] = []

  constructor(options: NotifierOptions) {
    this.#options = options
    const onError = (error: unknown) => this.#report(error)
    this.#store = new OutboxStore({
      client: options.client,
      clock: options.clock,
      signal: options.signal,
      namespace: options.controllerNamespace,
      random: options.random,
      onError,
    })
    this.#sender = new Sender({
      clock: options.clock,
      random: options.random,
      holder: options.holder,
      store: this.#store,
      fetch: options.fetch,
      serviceFor: (namespace, name) => findService(this.#layersFor(namespace), name),
      payloadOf: (state, entry) => this.#payloadOf(state, entry),
      ...(options.onAttempt ? { onAttempt: options.onAttempt } : {}),
      onDone: (state, report) => this.#onDone(state, report),
      onError,
    })
    this.#queue = new WorkQueue({
      clock: options.clock,
      workers: 4,
      process: (uid) => this.#process(uid),
      onError: (_uid, error) => onError(error),
      backoff: { initialMs: 200, maxMs: 30_000 },
    })
    this.stopped = this.#run()
  }

  observe(rollout: Rollout): void {
    try {
      this.#see(rollout)
    } catch (error) {
      this.#report(error)
    }
  }

  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
      this.#checkIdle()
    })
  }

  async #run(): Promise<void> {
    const { signal, rollouts, analysisRuns } = this.#options
    try {
      this.#caches = await this.#startCaches()
      await Promise.all([
        rollouts.synced,
        analysisRuns.synced,
        this.#caches.proper.synced,
        this.#caches.alias.synced,
        this.#caches.secrets.synced,
      ])
      await this.#store.load()
    } catch (error) {
      if (signal.aborted) return
      throw error
    }
    this.#configure()
    this.#follow(this.#caches)
    this.#isReady = true
    for (const state of this.#store.all()) this.#sender.wake(state)
    await this.#sweep()
    await Promise.all([this.#queue.run(signal), this.#sender.run(signal)])
    this.#checkIdle()
  }

  /** Configuration of every namespace where the API lets us read it, else of the controller's alone (spec notifications 11.2). */
  async #startCaches(): Promise<Caches> {
    const { client, clock, signal, controllerNamespace } = this.#options
    const everywhere = this.#options.selfService !== false && (await this.#mayReadEverywhere())
    const common = {
      client,
      clock,
      signal,
      ...(everywhere ? {} : { namespace: controllerNamespace }),
      onError: (error: unknown) => this.#report(error),
    }
    const named = (name: string) => ({ fieldSelector: `metadata.name=${name}`, seed: name })
    const { configMaps, secrets } = resources
    return {
      proper: startInformer<ConfigMap>({
        ...common,
        ...named(configMapName),
        resource: configMaps,
      }),
      alias: startInformer<ConfigMap>({ ...common, ...named(aliasName), resource: configMaps }),
      secrets: startInformer<Secret>({ ...common, ...named(secretName), resource: secrets }),
    }
  }

  async #mayReadEverywhere(): Promise<boolean> {
    const { client, clock, signal } = this.#options
    for (let failures = 0; ; failures++) {
      try {
        const scope = { limit: 1, signal }
        const named = (name: string) => ({ ...scope, fieldSelector: `metadata.name=${name}` })
        await client.list(resources.configMaps, named(configMapName))
        await client.list(resources.secrets, named(secretName))
        return true
      } catch (error) {
        if (signal.aborted) throw error
        if (error instanceof ApiError && (error.code === 403 || error.code === 401)) return false
        this.#report(error)
        await sleep(clock, Math.min(200 * 2 ** failures, 5000), signal)
      }
    }
  }

  #follow(caches: Caches): void {
    const { rollouts, analysisRuns } = this.#options
    const changed = (name: string) => (change: CacheChange<KubeObject>) => {
      if (change.object.metadata.name !== name) return
      this.#configure()
      for (const uid of this.#tracked.keys()) this.#enqueue(uid)
      void this.#revive().catch((error) => this.#report(error))
    }
    caches.proper.subscribe(changed(configMapName))
    caches.alias.subscribe(changed(aliasName))
    caches.secrets.subscribe(changed(secretName))
    rollouts.subscribe((change) => {
      if (change.type === 'deleted') this.#forget(change.object)
      else this.#see(change.object)
    })
    analysisRuns.subscribe((change) => {
      for (const owner of change.object.metadata.ownerReferences ?? []) {
        if (owner.kind === kinds.rollouts.kind && this.#tracked.has(owner.uid)) {
          this.#enqueue(owner.uid)
        }
        if (owner.kind === kinds.experiments.kind) this.#enqueueUsers(change.object)
      }
    })
  }

  /** The Rollout whose step runs the Experiment of a run. */
  #enqueueUsers(run: AnalysisRun): void {
    for (const [uid, { rollout }] of this.#tracked) {
      if (ownRuns(rollout, [run]).length > 0) this.#enqueue(uid)
    }
  }

  #see(rollout: Rollout): void {
    if (rollout.metadata.labels?.[labelKeys.instanceId] !== this.#options.instanceId) return
    const uid = rollout.metadata.uid ?? keyOf(rollout)
    const known = this.#tracked.get(uid)
    if (!known) {
      const snapshots = [{ rollout, previous: null }]
      this.#tracked.set(uid, { rollout, snapshots, extra: [], isGone: false })
    } else {
      if (known.isGone || !isNewer(rollout, known.rollout)) return
      const snapshot = { rollout, previous: known.rollout }
      if (known.snapshots.length < mostSnapshots) known.snapshots.push(snapshot)
      else known.snapshots[mostSnapshots - 1] = snapshot
      known.rollout = rollout
    }
    this.#enqueue(uid)
  }

  #forget(rollout: Rollout): void {
    const uid = rollout.metadata.uid ?? keyOf(rollout)
    const known = this.#tracked.get(uid)
    if (!known) return
    known.isGone = true
    known.extra.push(deletedEvent(rollout))
    this.#enqueue(uid)
  }

  #enqueue(uid: string): void {
    if (this.#options.signal.aborted) return
    this.#dirty.add(uid)
    this.#queue.add(uid)
  }

  async #process(uid: string): Promise<void> {
    this.#dirty.delete(uid)
    this.#working++
    try {
      await this.#look(uid)
    } finally {
      this.#working--
      this.#checkIdle()
    }
  }

  async #look(uid: string): Promise<void> {
    const tracked = this.#tracked.get(uid)
    if (!tracked) return
    const { rollout } = tracked
    const layers = this.#layersFor(rollout.metadata.namespace ?? '')
    const state = this.#store.get(uid) ?? null
    const hasDefaults =
      layers.central.subscriptions.length > 0 || (layers.own?.subscriptions.length ?? 0) > 0
    const { subscriptions, findings } =
      hasDefaults || hasSubscriptionAnnotation(rollout)
        ? resolveSubscriptions(rollout, layers)
        : { subscriptions: [], findings: [] }
    this.#noteProblems(rollout, findings)
    this.#tellRollout(rollout, findings)
    if (subscriptions.length === 0 && !state) {
      tracked.snapshots = []
      tracked.extra = []
      if (tracked.isGone) {
        this.#tracked.delete(uid)
        this.#problems.delete(keyOf(rollout as Rollout & KubeObject))
      }
      return
    }
    await this.#plan(tracked, { layers, state, subscriptions })
    if (!tracked.isGone) return
    this.#tracked.delete(uid)
    this.#told.delete(uid)
    this.#problems.delete(keyOf(rollout as Rollout & KubeObject))
    await this.#removeIfDone(uid)
  }

  async #plan(
    tracked: Tracked,
    facts: Pick<Parameters<typeof planEntries>[0], 'layers' | 'state' | 'subscriptions'>,
  ): Promise<void> {
    const { clock, random, holder, analysisRuns } = this.#options
    const { rollout } = tracked
    const now = clock.now()
    const taken = tracked.snapshots.length
    const told = tracked.extra.length
    const createdAt = Date.parse(rollout.metadata.creationTimestamp ?? '')
    const planned = planEntries({
      ...facts,
      // Runs change without their Rollout: then its last state is looked at again.
      snapshots: taken > 0 ? tracked.snapshots.slice(0, taken) : [{ rollout, previous: null }],
      runs: analysisRuns.list(rollout.metadata.namespace),
      extra: tracked.extra.slice(0, told),
      silent: !facts.state?.seen && !(now - createdAt <= oldMs),
      now,
      random: () => random.next(),
      holder,
    })
    if (planned.problems.size > 0) this.#tellTemplates(rollout, planned.problems)
    if (planned.isNews || !facts.state) {
      for (const [id, payload] of planned.unstored) this.#unstored.set(id, payload)
      const entries = this.#sender.claim(rollout.metadata.namespace ?? '', planned.entries)
      await this.#store.apply(objectOf(rollout), append({ ...planned, entries }))
    }
    // Only now: had the write failed, the same states would have to be looked at again.
    tracked.snapshots.splice(0, taken)
    tracked.extra.splice(0, told)
    const state = this.#store.get(rollout.metadata.uid ?? '')
    if (state && planned.entries.length > 0) this.#sender.wake(state)
  }

  #layersFor(namespace: string): Layers {
    const { controllerNamespace } = this.#options
    const central =
      this.#configs.get(controllerNamespace) ?? parseConfig(undefined, undefined).config
    const own = namespace === controllerNamespace ? null : (this.#configs.get(namespace) ?? null)
    return { own, central }
  }

  #configure(): void {
    if (!this.#caches) return
    const { proper, alias, secrets } = this.#caches
    const { controllerNamespace } = this.#options
    const namespaces = new Set<string>([controllerNamespace])
    for (const { metadata } of [...proper.list(), ...alias.list()]) {
      if (metadata.name === configMapName || metadata.name === aliasName) {
        namespaces.add(metadata.namespace ?? '')
      }
    }
    this.#configs.clear()
    for (const namespace of namespaces) {
      const official = proper.get(`${namespace}/${configMapName}`)
      const second = alias.get(`${namespace}/${aliasName}`)
      const configMap = withAlias(official, second)
      const parsed = parseConfig(configMap, secrets.get(`${namespace}/${secretName}`))
      // Tenants choose these URLs, and it is the controller that calls them.
      const guarded = namespace === controllerNamespace ? parsed : guardEgress(parsed)
      this.#configs.set(namespace, {
        ...guarded.config,
        namespace,
      })
      if (second) {
        const message = `${aliasName} is read, but the expected name is ${configMapName}`
        this.#tellOnce(second, { reason: 'NotificationConfigName', message })
      }
      if (configMap) this.#tellConfig(configMap, guarded.findings)
    }
  }

  #tellConfig(configMap: ConfigMap, findings: readonly Finding[]): void {
    const lines = findings.filter(({ severity }) => severity !== 'info').map(findingText)
    for (const message of lines) {
      this.#tellOnce(configMap, { reason: 'NotificationConfigInvalid', message })
    }
    this.#retell(configMap, 'NotificationConfigInvalid', lines)
  }

  problems(key: string): readonly { readonly code: string; readonly message: string }[] | null {
    const known = this.#problems.get(key)
    return known?.map((finding) => ({ code: finding.code, message: findingText(finding) })) ?? null
  }

  #noteProblems(rollout: Rollout, findings: readonly Finding[]): void {
    const key = keyOf(rollout as Rollout & KubeObject)
    const before = this.#problems.get(key)
    const now = findings.filter(({ severity }) => severity !== 'info')
    this.#problems.set(key, now)
    if ((before?.length ?? 0) === 0 && now.length === 0) return
    if (JSON.stringify(before) !== JSON.stringify(now)) this.#options.onProblems?.(key)
  }

  #tellRollout(rollout: Rollout, findings: readonly Finding[]): void {
    const generation = rollout.metadata.generation ?? 0
    const lines: string[] = []
    for (const finding of findings) {
      const message = findingText(finding)
      lines.push(message)
      if (finding.code === 'SubscriptionUnknownTrigger' && !eventTriggers.has(finding.value)) {
        this.#tellOnce(rollout, { reason: 'UnknownNotificationTrigger', message, generation })
      }
      this.#tellOnce(rollout, { reason: 'NotificationSubscriptionInvalid', message, generation })
    }
  }

  #tellTemplates(rollout: Rollout, problems: ReadonlySet<string>): void {
    const { secrets } = this.#layersFor(rollout.metadata.namespace ?? '').central
    const generation = rollout.metadata.generation ?? 0
    for (const problem of problems) {
      const message = redact(problem, secrets)
      this.#tellOnce(rollout, { reason: 'NotificationConfigInvalid', message, generation })
    }
  }

  #tellOnce(
    object: KubeObject | Rollout,
    facts: { readonly reason: string; readonly message: string; readonly generation?: number },
  ): void {
    const { reason, message, generation = 0 } = facts
    const uid = object.metadata.uid ?? keyOf(object)
    const told = this.#told.get(uid) ?? new Set<string>()
    this.#told.set(uid, told)
    const key = JSON.stringify([reason, generation, message])
    if (told.has(key)) return
    told.add(key)
    this.#options.recorder.record(asObject(object), { type: 'Warning', reason, message })
  }

  /** A mistake that was mended and made again is told again. */
  #retell(object: KubeObject, reason: string, present: readonly string[]): void {
    const told = this.#told.get(object.metadata.uid ?? keyOf(object))
    for (const key of told ?? []) {
      const [itsReason, , message] = JSON.parse(key) as [string, number, string]
      if (itsReason === reason && !present.includes(message)) told?.delete(key)
    }
  }

  /** Rendered again from the present state, since what holds a secret is not stored. */
  #payloadOf(state: OutboxState, entry: Entry): Entry['payload'] {
    const kept = this.#unstored.get(entry.id)
    if (kept) return kept
    const { namespace, uid } = state.object
    const rollout = this.#tracked.get(uid)?.rollout
    const layers = this.#layersFor(namespace)
    const found = findService(layers, entry.service)
    if (!rollout || found?.value.kind !== 'ready') return null
    const { clock, random, analysisRuns } = this.#options
    return renderNotification({
      layers,
      config: found.config,
      templates: entry.templates,
      service: found.value,
      recipient: entry.recipient,
      subject: {
        rollout,
        previous: null,
        runs: analysisRuns.list(namespace),
        event: entry.event,
        trigger: entry.trigger,
        now: clock.now(),
      },
      random: () => random.next(),
    }).payload
  }

  #onDone(state: OutboxState, report: DeliveryReport): void {
    this.#unstored.delete(report.id)
    const { namespace, name, uid } = state.object
    if (report.outcome !== 'delivered') {
      const reason = report.outcome === 'dead' ? 'NotificationFailed' : 'NotificationUncertain'
      const message = `${report.service}:${report.recipient} for ${report.trigger}: ${report.error}`
      const object = {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: kinds.rollouts.kind,
        metadata: { namespace, name, uid },
      }
      this.#options.recorder.record(object, { type: 'Warning', reason, message })
    }
    try {
      this.#options.onDelivered?.(report)
    } catch (error) {
      this.#report(error)
    }
    if (!this.#tracked.has(uid)) void this.#removeIfDone(uid).catch((error) => this.#report(error))
    // The lane that reports is still at work for a moment.
    void Promise.resolve().then(() => this.#checkIdle())
  }

  async #revive(): Promise<void> {
    const now = this.#options.clock.now()
    for (const state of this.#store.all()) {
      if (!canRevive(state, now)) continue
      await this.#store.apply(state.object, revive(now))
      const revived = this.#store.get(state.object.uid)
      if (revived) this.#sender.wake(revived)
    }
  }

  /** Outboxes outlive their Rollouts only as long as something in them is undelivered. */
  async #sweep(): Promise<void> {
    const alive = new Set(this.#options.rollouts.list().map(({ metadata }) => metadata.uid))
    for (const { object } of this.#store.all()) {
      if (!alive.has(object.uid)) {
        await this.#removeIfDone(object.uid).catch((error) => this.#report(error))
      }
    }
  }

  async #removeIfDone(uid: string): Promise<void> {
    const state = this.#store.get(uid)
    if (state?.pending.length === 0) await this.#store.remove(uid)
  }

  #checkIdle(): void {
    if (this.#waiters.length === 0) return
    const isStopped = this.#options.signal.aborted
    const isQuiet =
      this.#isReady && this.#dirty.size === 0 && this.#working === 0 && this.#store.pending === 0
    if (!isQuiet && !isStopped) return
    for (const resolve of this.#waiters.splice(0)) resolve()
  }

  #report(error: unknown): void {
    try {
      this.#options.onError?.(error)
    } catch {
      // The caller of observe() must not suffer from the log's failure, and there is nobody else to tell.
    }
  }
}

interface Caches {
  readonly proper: Informer<ConfigMap>
  readonly alias: Informer<ConfigMap>
  readonly secrets: Informer<Secret>
}

/** By resourceVersion where both are numbers; an equal one is the same state. */
function isNewer(rollout: Rollout, known: Rollout): boolean {
  const [next = '', last = ''] = [rollout, known].map(
    ({ metadata }) => metadata.resourceVersion ?? '',
  )
  if (next === '' || last === '') return true
  if (!/^\d+$/.test(next) || !/^\d+$/.test(last)) return next !== last
  return BigInt(next) > BigInt(last)
}

function objectOf(rollout: Rollout): OutboxState['object'] {
  const { namespace = '', name, uid } = rollout.metadata
  return { namespace, name, uid: uid ?? keyOf(rollout) }
}

function asObject(object: KubeObject | Rollout): KubeObject {
  const { apiVersion, kind, metadata } = object
  return { apiVersion, kind, metadata: metadata as KubeObject['metadata'] }
}
