import type { RolloutStatus } from '@serinus/api'

/**
 * The world of the exploration in as few facts as planning can tell apart. Time is relative: the present is always the
 * same instant, and what lies in the past or future is so many ticks away, up to where more makes no difference. So two
 * histories that lead to the same situation are one state.
 */
export interface State {
  readonly knobs: Interned<Knobs>
  readonly status: Interned<RolloutStatus>
  /** The ReplicaSets of both versions, in the order of `versions`; null: not created. */
  readonly sets: readonly [Interned<SetState> | null, Interned<SetState> | null]
  /** In the order of the shape's Services. */
  readonly services: Interned<readonly ServiceState[]>
  readonly router: Interned<RouterState | null>
  readonly runs: Interned<readonly RunState[]>
  /** What the process knows beyond the API. */
  readonly memory: Interned<Memory>
  /** The kind of effect that does not succeed at present; empty: all do. */
  readonly fault: Interned<string>
  readonly ghost: Interned<Ghost>
}

/** What users set in the Rollout, and the revision annotation on it. */
export interface Knobs {
  readonly version: Version
  readonly replicas: number
  readonly paused: boolean
  /** Rank among the revisions that exist, from 1; 0: none of them. */
  readonly revision: number
}

/** 0: the version that runs at first; 1: the other one. */
export type Version = 0 | 1
export const versions: readonly Version[] = [0, 1]

export interface SetState {
  /** Pods asked for, which exist at once. */
  readonly spec: number
  readonly ready: number
  /** Ticks until `scale-down-deadline`, 0 when past; null: none. */
  readonly deadline: number | null
  readonly desired: number
  /** Rank, from 1. */
  readonly revision: number
  /** An update goes back to these pods, which have not gone yet. */
  readonly returning: boolean
}

export interface ServiceState {
  /** Which version the selector names; null: none. */
  readonly selects: Version | null
  readonly managed: boolean
  /** Versions whose pods its EndpointSlices list, which lag behind. */
  readonly behind: readonly Version[]
}

export interface RouterState {
  /** Canary share that its objects ask for. */
  readonly asked: number
  /** Canary share that requests really get. */
  readonly effective: number
  /** Ticks since this process saw the asked share first. */
  readonly age: number
}

export interface RunState {
  readonly name: string
  readonly kind: string
  /** Position in the steps; empty for a run that belongs to none. */
  readonly step: string
  readonly version: Version
  readonly phase: string
  readonly terminated: boolean
}

export interface Memory {
  /** Ids of effects that failed in the last pass. */
  readonly failures: readonly string[]
  /** Ticks since when changed counters wait to be stored, at most 1; null: none do. */
  readonly deferred: number | null
}

/** What only the judges of the exploration know. */
export interface Ghost {
  /** Ticks without anything that counts as progress of the update. */
  readonly quiet: number
  /** A run of this update was found bad and no abort is on record yet. */
  readonly verdict: boolean
}

/** A value that was met before is the same object again, with a number of its own. */
export interface Interned<T> {
  readonly id: number
  readonly value: T
}

class Table<T> {
  readonly #known = new Map<string, Interned<T>>()
  readonly #list: Interned<T>[] = []

  of(value: T): Interned<T> {
    const text = JSON.stringify(value)
    const known = this.#known.get(text)
    if (known) return known
    const entry = { id: this.#list.length, value }
    this.#known.set(text, entry)
    this.#list.push(entry)
    return entry
  }

  at(id: number): Interned<T> {
    const entry = this.#list[id]
    if (!entry) throw new RangeError(`no entry ${id}`)
    return entry
  }
}

export const tables = {
  knobs: new Table<Knobs>(),
  status: new Table<RolloutStatus>(),
  sets: new Table<SetState>(),
  services: new Table<readonly ServiceState[]>(),
  router: new Table<RouterState | null>(),
  runs: new Table<readonly RunState[]>(),
  memory: new Table<Memory>(),
  fault: new Table<string>(),
  ghost: new Table<Ghost>(),
} as const

/** A state as a short string: equal states have equal keys. */
export function keyOf(state: State): string {
  const [first, second] = state.sets
  return String.fromCharCode(
    state.status.id & 0x7fff,
    state.status.id >> 15,
    state.knobs.id,
    first ? first.id + 1 : 0,
    second ? second.id + 1 : 0,
    state.services.id,
    state.router.id,
    state.runs.id,
    state.memory.id,
    state.fault.id,
    state.ghost.id,
  )
}

export function stateOf(key: string): State {
  const at = (index: number) => key.charCodeAt(index)
  const set = (index: number) => (at(index) === 0 ? null : tables.sets.at(at(index) - 1))
  return {
    status: tables.status.at(at(0) + (at(1) << 15)),
    knobs: tables.knobs.at(at(2)),
    sets: [set(3), set(4)],
    services: tables.services.at(at(5)),
    router: tables.router.at(at(6)),
    runs: tables.runs.at(at(7)),
    memory: tables.memory.at(at(8)),
    fault: tables.fault.at(at(9)),
    ghost: tables.ghost.at(at(10)),
  }
}
