import { ApiError, type KubeClient } from './client.ts'
import type { Clock } from './clock.ts'
import { renderMicroTime } from './instants.ts'
import type { KubeObject } from './objects.ts'
import { resources } from './resources.ts'
import { SeededRandom } from './seeded-random.ts'

/** Which lease, for whom, and in which rhythm (spec operations 3.2). */
export interface LeaseOptions {
  readonly client: KubeClient
  readonly clock: Clock
  /** Asks to end: the work's signal aborts, the lease is renewed until the work has ended, then released. */
  readonly signal: AbortSignal
  readonly namespace: string
  readonly name: string
  /** Unique per process, as `<host name>_<uuid>` (spec operations 3.2). */
  readonly identity: string
  /** How long others leave a silent holder alone. Absent: 15 s. Whole seconds are written, rounded up. */
  readonly leaseDurationMs?: number
  /** A holder that could not renew for so long stops working. Less than the lease duration. Absent: 10 s. */
  readonly renewDeadlineMs?: number
  /** Pause between attempts to renew, and, with up to a fifth more by chance, to acquire. Absent: 2 s. */
  readonly retryPeriodMs?: number
  readonly observe?: (event: LeaseEvent) => void
}

/** One holder's uninterrupted time with the lease: its fencing token (spec notifications: `epoch`). */
export interface LeaseTerm {
  readonly holder: string
  /** Grows with each change of hands. */
  readonly transitions: number
}

/**
 * What only the holder may do. The signal says that it must end.
 *
 * @param heldUntil the instant (epoch ms) before which nobody else can have the lease; ask before each write
 */
export type LeaseWork = (
  signal: AbortSignal,
  term: LeaseTerm,
  heldUntil: () => number,
) => Promise<void>

/** What happens to the lease as this process sees it, for logs and for a health check by renewal. */
export type LeaseEvent =
  | { readonly kind: 'acquired'; readonly term: LeaseTerm }
  | { readonly kind: 'renewed'; readonly at: number }
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'released' }
  /** Somebody else holds the lease; told once per holder. */
  | { readonly kind: 'waiting'; readonly holder: string }
  | { readonly kind: 'failed'; readonly error: unknown }

/**
 * Runs `work` while this process holds the Lease, and never while it might not: its signal aborts when renewing
 * fails for the renew deadline or somebody else took the lease. After a loss and once the work has ended, it waits
 * for the lease again, so an outage of the API costs no restart (spec operations 6). Resolves when the signal
 * aborted or the work ended by itself; rejects with what the work threw. Released at the end either way, so the
 * next holder need not wait (spec operations 12).
 *
 * Clocks may disagree: whether another's lease ran out is judged by how long this process has seen it unchanged,
 * never by the instants written in it (client-go: tools/leaderelection).
 */
export async function runWithLease(options: LeaseOptions, work: LeaseWork): Promise<void> {
  const contest = new Contest(options)
  for (;;) {
    const term = await contest.acquire()
    if (!term) return
    if ((await contest.lead(term, work)) === 'ended') return
  }
}

interface LeaseObject extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string | null
    readonly leaseDurationSeconds?: number | null
    readonly acquireTime?: string | null
    readonly renewTime?: string | null
    readonly leaseTransitions?: number | null
  }
}

type Attempt =
  | { readonly kind: 'held'; readonly term: LeaseTerm; readonly startedAt: number }
  | { readonly kind: 'taken'; readonly holder: string }

class Contest {
  readonly #options: LeaseOptions
  readonly #leaseDurationMs: number
  readonly #renewDeadlineMs: number
  readonly #retryPeriodMs: number
  readonly #random: SeededRandom
  /** The lease as last seen, and since when it looks like that. */
  #seen:
    | { readonly lease: LeaseObject; readonly record: string; readonly since: number }
    | undefined
  #waitingFor: string | undefined
  #lookedAt: number | undefined
  #heldUntil = Number.NEGATIVE_INFINITY

  constructor(options: LeaseOptions) {
    this.#options = options
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000
    this.#random = new SeededRandom(options.identity)
    if (this.#renewDeadlineMs >= this.#leaseDurationMs) {
      throw new RangeError('the renew deadline must be shorter than the lease duration')
    }
    if (this.#retryPeriodMs >= this.#renewDeadlineMs) {
      throw new RangeError('the retry period must be shorter than the renew deadline')
    }
  }

  /** Undefined: the signal aborted before. */
  async acquire(): Promise<(LeaseTerm & { readonly startedAt: number }) | undefined> {
    const { clock, signal, observe } = this.#options
    while (!signal.aborted) {
      this.#noticeLeap()
      // An attempt that hangs must not outlast the wait of a competitor.
      const attempt = await this.#within(clock.now() + this.#renewDeadlineMs, signal, (bounded) =>
        this.#takeOrRenew(bounded, 'candidate'),
      ).catch((error: unknown) => {
        if (!signal.aborted) observe?.({ kind: 'failed', error })
        return undefined
      })
      if (attempt?.kind === 'held') {
        this.#waitingFor = undefined
        const { holder, transitions } = attempt.term
        return { holder, transitions, startedAt: attempt.startedAt }
      }
      if (attempt && attempt.holder !== this.#waitingFor) {
        this.#waitingFor = attempt.holder
        observe?.({ kind: 'waiting', holder: attempt.holder })
      }
      // Who got no answer asks sooner: the end of an outage is to be noticed, and nobody is in the way.
      const periodMs = attempt ? this.#retryPeriodMs : this.#retryPeriodMs / 2
      const pauseMs = Math.ceil(periodMs * (1 + 0.2 * this.#random.next()))
      const retryAt = clock.now() + pauseMs
      // Not later than a silent holder's lease runs out: a standby's worst wait is the lease and one retry.
      const freeAt = attempt ? this.#freeAt() : retryAt
      await clock.until(Math.min(retryAt, freeAt), signal).catch(() => {})
    }
    return undefined
  }

  async lead(
    held: LeaseTerm & { readonly startedAt: number },
    work: LeaseWork,
  ): Promise<'ended' | 'lost'> {
    const { signal, observe } = this.#options
    const term = { holder: held.holder, transitions: held.transitions }
    const ending = new AbortController()
    const onAbort = () => ending.abort(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    const stopRenewing = new AbortController()
    let lost = false
    const renewing = this.#renew(held.startedAt, stopRenewing.signal).then((reason) => {
      if (reason === undefined) return
      lost = true
      this.#heldUntil = Number.NEGATIVE_INFINITY
      observe?.({ kind: 'lost', reason })
      ending.abort(new Error(`the lease ${this.#options.name} is lost: ${reason}`))
    })
    observe?.({ kind: 'acquired', term })
    try {
      await work(ending.signal, term, () => this.#heldUntil)
    } catch (error) {
      // Work that was told to end may say so by throwing the reason.
      if (!ending.signal.aborted || error !== ending.signal.reason) throw error
    } finally {
      stopRenewing.abort()
      await renewing
      signal.removeEventListener('abort', onAbort)
      if (!lost) await this.#release()
    }
    return lost && !signal.aborted ? 'lost' : 'ended'
  }

  /** Renews until told to stop (undefined) or until the lease may no longer be counted on (the reason). */
  async #renew(acquiredAt: number, stop: AbortSignal): Promise<string | undefined> {
    const { clock, observe } = this.#options
    // Counted from before the request: others cannot have seen the renewal earlier than that.
    let deadline = acquiredAt + this.#renewDeadlineMs
    this.#heldUntil = deadline
    let lastError: unknown
    for (;;) {
      const nextAt = Math.min(clock.now() + this.#retryPeriodMs, deadline)
      await clock.until(nextAt, stop).catch(() => {})
      if (stop.aborted) return undefined
      if (clock.now() >= deadline) {
        const cause = lastError instanceof Error ? `: ${lastError.message}` : ''
        return `not renewed within ${this.#renewDeadlineMs / 1000} s${cause}`
      }
      try {
        const attempt = await this.#within(deadline, stop, (bounded) =>
          this.#takeOrRenew(bounded, 'holder'),
        )
        if (attempt.kind === 'taken')
          return `taken by ${attempt.holder || 'nobody: it was released'}`
        deadline = attempt.startedAt + this.#renewDeadlineMs
        this.#heldUntil = deadline
        observe?.({ kind: 'renewed', at: attempt.startedAt })
      } catch (error) {
        if (stop.aborted) return undefined
        lastError = error
        observe?.({ kind: 'failed', error })
      }
    }
  }

  async #takeOrRenew(signal: AbortSignal, role: 'candidate' | 'holder'): Promise<Attempt> {
    const { clock, identity } = this.#options
    // A holder writes over the lease it wrote last; only when that is refused must it look first.
    if (role === 'holder' && this.#seen && holderOf(this.#seen.lease) === identity) {
      const startedAt = clock.now()
      try {
        return this.#held(await this.#write(this.#seen.lease, signal), startedAt)
      } catch (error) {
        if (!isAny(error, 404, 409)) throw error
      }
    }
    const lease = await this.#read(signal)
    const startedAt = clock.now()
    if (!lease) {
      // Nobody can have taken a lease that is gone, but somebody may make one now: 409, and the next attempt sees it.
      return this.#held(await this.#write(undefined, signal), startedAt)
    }
    const holder = holderOf(lease)
    if (holder !== identity && (role === 'holder' || this.#freeAt() > clock.now())) {
      return { kind: 'taken', holder }
    }
    return this.#held(await this.#write(lease, signal), startedAt)
  }

  #held(lease: LeaseObject, startedAt: number): Attempt {
    this.#see(lease)
    const term = {
      holder: this.#options.identity,
      transitions: lease.spec?.leaseTransitions ?? 0,
    }
    return { kind: 'held', term, startedAt }
  }

  async #read(signal: AbortSignal): Promise<LeaseObject | undefined> {
    const { client, namespace, name } = this.#options
    try {
      const lease = await client.get<LeaseObject>(resources.leases, { namespace, name }, { signal })
      this.#see(lease)
      return lease
    } catch (error) {
      if (isAny(error, 404)) return undefined
      throw error
    }
  }

  /**
   * Time that passed while nobody looked (the clock was set, the machine slept) says nothing about the holder: it is
   * given the whole lease duration anew.
   */
  #noticeLeap(): void {
    const now = this.#options.clock.now()
    const longestMs = this.#renewDeadlineMs + 2 * this.#retryPeriodMs
    if (this.#seen && this.#lookedAt !== undefined && now - this.#lookedAt > longestMs) {
      this.#seen = { ...this.#seen, since: now }
    }
    this.#lookedAt = now
  }

  #see(lease: LeaseObject): void {
    const record = JSON.stringify(lease.spec ?? {})
    const since = this.#seen?.record === record ? this.#seen.since : this.#options.clock.now()
    this.#seen = { lease, record, since }
  }

  /** When the lease as last seen may be taken, should it stay unchanged. */
  #freeAt(): number {
    if (!this.#seen || holderOf(this.#seen.lease) === '') return this.#options.clock.now()
    const seconds = this.#seen.lease.spec?.leaseDurationSeconds
    return this.#seen.since + (seconds ? seconds * 1000 : this.#leaseDurationMs)
  }

  #write(known: LeaseObject | undefined, signal: AbortSignal): Promise<LeaseObject> {
    const { client, clock, namespace, name, identity } = this.#options
    const now = renderMicroTime(clock.now())
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
      renewTime: now,
    }
    if (!known) {
      const lease: LeaseObject = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { namespace, name },
        spec: { ...spec, acquireTime: now, leaseTransitions: 0 },
      }
      return client.create(resources.leases, lease, { signal })
    }
    const kept = holderOf(known) === identity
    const transitions = known.spec?.leaseTransitions ?? 0
    const renewed: LeaseObject = {
      ...known,
      spec: {
        ...known.spec,
        ...spec,
        acquireTime: (kept && known.spec?.acquireTime) || now,
        leaseTransitions: kept ? transitions : transitions + 1,
      },
    }
    return client.update(resources.leases, renewed, { signal })
  }

  /** Best effort and short: an API that does not answer must not hold up the exit. */
  async #release(): Promise<void> {
    const { clock, observe } = this.#options
    const deadline = clock.now() + this.#renewDeadlineMs / 2
    try {
      await this.#within(deadline, undefined, async (bounded) => {
        // A renewal that the end of the work cut off may reach the server at any time, even after the look.
        while (!(await this.#releaseOnce(bounded))) bounded.throwIfAborted()
      })
      observe?.({ kind: 'released' })
    } catch (error) {
      observe?.({ kind: 'failed', error })
    }
  }

  /** False: the lease changed in between. */
  async #releaseOnce(signal: AbortSignal): Promise<boolean> {
    const { client, clock, identity } = this.#options
    const lease = await this.#read(signal)
    if (!lease || holderOf(lease) !== identity) return true
    const now = renderMicroTime(clock.now())
    const spec = {
      ...lease.spec,
      holderIdentity: '',
      leaseDurationSeconds: 1,
      acquireTime: now,
      renewTime: now,
    }
    try {
      this.#see(await client.update(resources.leases, { ...lease, spec }, { signal }))
      return true
    } catch (error) {
      if (isAny(error, 409)) return false
      throw error
    }
  }

  /** Runs with a signal that aborts at the deadline or with `outer`. */
  async #within<T>(
    deadline: number,
    outer: AbortSignal | undefined,
    act: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const bounded = new AbortController()
    const onAbort = () => bounded.abort(outer?.reason)
    if (outer?.aborted) onAbort()
    else outer?.addEventListener('abort', onAbort, { once: true })
    const done = new AbortController()
    this.#options.clock.until(deadline, done.signal).then(
      () => bounded.abort(new Error('the API did not answer in time')),
      () => {},
    )
    try {
      return await act(bounded.signal)
    } finally {
      done.abort()
      outer?.removeEventListener('abort', onAbort)
    }
  }
}

function holderOf(lease: LeaseObject): string {
  return lease.spec?.holderIdentity ?? ''
}

function isAny(error: unknown, ...codes: readonly number[]): boolean {
  return error instanceof ApiError && codes.includes(error.code)
}
