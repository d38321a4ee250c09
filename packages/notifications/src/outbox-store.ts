import {
  ApiError,
  type Clock,
  type KubeClient,
  resources,
  type SeededRandom,
  sleep,
} from '@serinus/kube'
import type { ConfigMap } from './config.ts'
import {
  type Change,
  decodeOutbox,
  emptyOutbox,
  encodeOutbox,
  type OutboxState,
  outboxLabel,
  outboxName,
} from './outbox.ts'

interface Box {
  state: OutboxState
  /** Undefined: there is no ConfigMap. */
  version: string | undefined
  changes: {
    readonly change: Change
    readonly done: () => void
    readonly failed: (error: unknown) => void
  }[]
  writing: boolean
}

export interface OutboxStoreOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly namespace: string
  readonly random: SeededRandom
  readonly onError: (error: unknown) => void
}

/**
 * Outboxes as ConfigMaps (spec notifications 11.4). A change counts once it is stored; changes that come while a write
 * is under way share the next one. Every write carries the version it is based on: when another writer was first,
 * the changes are made again on what it left.
 */
export class OutboxStore {
  readonly #options: OutboxStoreOptions
  readonly #boxes = new Map<string, Box>()

  constructor(options: OutboxStoreOptions) {
    this.#options = options
  }

  /** Reads what earlier processes left; tried until the API answers. Rejects when the signal aborts. */
  async load(): Promise<void> {
    const { client, namespace, signal } = this.#options
    for (let failures = 0; ; failures++) {
      try {
        const list = await client.list<ConfigMap>(resources.configMaps, {
          namespace,
          labelSelector: `${outboxLabel}=true`,
          signal,
        })
        for (const configMap of list.items) {
          const state = decodeOutbox(configMap)
          if (!state || configMap.metadata.name !== outboxName(state.object.uid)) continue
          this.#boxes.set(state.object.uid, {
            state,
            version: configMap.metadata.resourceVersion,
            changes: [],
            writing: false,
          })
        }
        return
      } catch (error) {
        if (signal.aborted) throw error
        this.#options.onError(error)
        await this.#pause(failures)
      }
    }
  }

  get(uid: string): OutboxState | undefined {
    return this.#boxes.get(uid)?.state
  }

  all(): readonly OutboxState[] {
    return [...this.#boxes.values()].map((box) => box.state)
  }

  get pending(): number {
    let count = 0
    for (const box of this.#boxes.values()) count += box.state.pending.length + box.changes.length
    return count
  }

  /** Resolves once the change is stored; rejects when the process must stop before. */
  apply(object: OutboxState['object'], change: Change): Promise<void> {
    const known = this.#boxes.get(object.uid)
    const box: Box = known ?? {
      state: emptyOutbox(object),
      version: undefined,
      changes: [],
      writing: false,
    }
    if (!known) this.#boxes.set(object.uid, box)
    return new Promise<void>((done, failed) => {
      box.changes.push({ change, done, failed })
      if (!box.writing) void this.#write(box)
    })
  }

  /** Deletes an outbox that nobody needs any more. */
  async remove(uid: string): Promise<void> {
    const box = this.#boxes.get(uid)
    if (!box || box.changes.length > 0 || box.state.pending.length > 0) return
    const { client, namespace } = this.#options
    const preconditions = box.version ? { resourceVersion: box.version } : {}
    await client
      .delete(resources.configMaps, { namespace, name: outboxName(uid) }, { preconditions })
      .catch((error) => {
        if (!(error instanceof ApiError && error.code === 404)) throw error
      })
    this.#boxes.delete(uid)
  }

  async #write(box: Box): Promise<void> {
    box.writing = true
    let failures = 0
    while (box.changes.length > 0) {
      const batch = [...box.changes]
      try {
        const next = batch.reduce((state, { change }) => change(state), box.state)
        const stored = await this.#store(next, box.version)
        box.state = next
        box.version = stored.metadata.resourceVersion
        box.changes.splice(0, batch.length)
        failures = 0
        for (const { done } of batch) done()
      } catch (error) {
        await this.#recover(box, error, failures++)
      }
    }
    box.writing = false
  }

  #store(state: OutboxState, version: string | undefined): Promise<ConfigMap> {
    const { client, namespace } = this.#options
    const object = encodeOutbox(state, { namespace, version })
    return version === undefined
      ? client.create(resources.configMaps, object)
      : client.update(resources.configMaps, object)
  }

  async #recover(box: Box, error: unknown, failures: number): Promise<void> {
    const { signal, onError } = this.#options
    if (signal.aborted && failures > 2) {
      for (const { failed } of box.changes.splice(0)) failed(error)
      return
    }
    if (error instanceof ApiError && error.code === 404 && box.version !== undefined) {
      // Somebody deleted it: what is in memory is the best that is left. (A create is only refused so where the
      // whole namespace is missing, and that is a failure like any other.)
      box.version = undefined
      return
    }
    if (error instanceof ApiError && error.code === 409) await this.#reread(box).catch(onError)
    else onError(error)
    if (failures > 0 || !(error instanceof ApiError && error.code === 409)) {
      await this.#pause(failures)
    }
  }

  async #reread(box: Box): Promise<void> {
    const { client, namespace } = this.#options
    const name = outboxName(box.state.object.uid)
    const stored = await client.get<ConfigMap>(resources.configMaps, { namespace, name })
    box.state = decodeOutbox(stored) ?? box.state
    box.version = stored.metadata.resourceVersion
  }

  async #pause(failures: number): Promise<void> {
    const { clock, random } = this.#options
    const fullMs = Math.min(200 * 2 ** failures, 10_000)
    await sleep(clock, Math.ceil(fullMs * (0.5 + 0.5 * random.next())))
  }
}
