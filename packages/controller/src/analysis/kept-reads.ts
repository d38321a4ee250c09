import type { AnalysisRun } from '@serinus/api'
import { type Clock, type KubeClient, readConfigMap, readSecret } from '@serinus/kube'

type Values = Readonly<Record<string, string>>

interface Reference {
  readonly kind: 'secret' | 'configMap'
  readonly namespace: string
  readonly name: string
}

interface Entry {
  readonly startedAt: number
  readonly values: Promise<Values>
  isDone: boolean
}

const keptMs = 30_000
/** A thousand runs with a wrong password must not ask for it a hundred times a second. */
const renewedEveryMs = 1_000
const mostEntries = 1_000

/**
 * Secrets and ConfigMaps as the measurements of one controller read them. Each is kept for 30 s at most, whoever asks at the
 * same time shares one request, and a rejection is kept for nobody.
 */
export class KeptReads {
  readonly #client: KubeClient
  readonly #clock: Clock
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>()

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  /** @param since what was read before this instant, epoch milliseconds, is read again */
  read(reference: Reference, since = 0): Promise<Values> {
    this.#dropOld()
    const entry = this.#entries.get(keyOf(reference))
    if (entry && (!entry.isDone || entry.startedAt >= since)) return entry.values
    return this.#load(reference)
  }

  /** What is there now instead of `used`, unless that has only just been read; somebody else's newer reading will do. */
  async renewed(reference: Reference, used: Values): Promise<Values> {
    const entry = this.#entries.get(keyOf(reference))
    if (entry) {
      const values = await entry.values
      const isRecent = this.#clock.now() - entry.startedAt < renewedEveryMs
      if (values !== used || isRecent) return values
    }
    return this.#load(reference)
  }

  #load(reference: Reference): Promise<Values> {
    const read = reference.kind === 'secret' ? readSecret : readConfigMap
    const key = keyOf(reference)
    const values = read(this.#client, reference)
    const entry: Entry = { startedAt: this.#clock.now(), values, isDone: false }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    values.then(
      () => {
        entry.isDone = true
      },
      () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key)
      },
    )
    return values
  }

  /** One that is still under way after so long is joined by nobody any more. */
  #dropOld(): void {
    const oldest = this.#clock.now() - keptMs
    for (const [key, { startedAt }] of this.#entries) {
      if (startedAt > oldest && this.#entries.size <= mostEntries) return
      this.#entries.delete(key)
    }
  }
}

function keyOf({ kind, namespace, name }: Reference): string {
  return `${kind} ${namespace}/${name}`
}

/**
 * Readings on behalf of one run. None is older than the run itself: who applies a Secret and then a run of it gets what was
 * applied.
 */
export class RunReads {
  readonly #kept: KeptReads
  readonly #run: AnalysisRun
  readonly #since: number
  readonly #used = new Map<string, { readonly reference: Reference; readonly values: Values }>()

  constructor(kept: KeptReads, run: AnalysisRun) {
    this.#kept = kept
    this.#run = run
    this.#since = createdBefore(run)
  }

  /** Knows what was read so far, and learns on its own from here. */
  fork(): RunReads {
    const copy = new RunReads(this.#kept, this.#run)
    for (const [key, used] of this.#used) copy.#used.set(key, used)
    return copy
  }

  readonly readSecret = (place: Omit<Reference, 'kind'>): Promise<Values> =>
    this.#read({ kind: 'secret', ...place })

  readonly readConfigMap = (place: Omit<Reference, 'kind'>): Promise<Values> =>
    this.#read({ kind: 'configMap', ...place })

  /** Reads again whatever was read so far, and says whether any of it says something else now. Never rejects. */
  async areOutdated(): Promise<boolean> {
    const isOutdated = async ({ reference, values }: { reference: Reference; values: Values }) => {
      const now = await this.#kept.renewed(reference, values).catch(() => values)
      return JSON.stringify(now) !== JSON.stringify(values)
    }
    return (await Promise.all([...this.#used.values()].map(isOutdated))).includes(true)
  }

  async #read(reference: Reference): Promise<Values> {
    const values = await this.#kept.read(reference, this.#since)
    this.#used.set(keyOf(reference), { reference, values })
    return values
  }
}

/** An instant at which the run existed: the API tells creation in whole seconds. */
function createdBefore({ metadata }: AnalysisRun): number {
  return metadata.creationTimestamp ? Date.parse(metadata.creationTimestamp) + 1_000 : 0
}
