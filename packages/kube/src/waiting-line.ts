/** One of these turns goes to whoever has waited longest, so that nobody waits for ever behind others who keep coming. */
const fairTurn = 16

/**
 * Who waits for a turn, by name. Lower ranks go first and within a rank the first come; each 16th turn goes to the one
 * that came first of all.
 */
export class WaitingLine<T> {
  readonly #lanes: Map<string, Waiting<T>>[] = []
  readonly #rankOf = new Map<string, number>()
  #arrivals = 0
  #turns = 0

  get size(): number {
    return this.#rankOf.size
  }

  has(name: string): boolean {
    return this.#rankOf.has(name)
  }

  /**
   * Joins, or moves up to a lower rank; a rank is a small whole number from 0. Who waits already keeps its value and
   * what it has waited so far, and never moves down. False: it waited already.
   */
  join(name: string, rank: number, value: T): boolean {
    const known = this.#rankOf.get(name)
    if (known === undefined) {
      this.#enter(name, rank, { order: this.#arrivals++, value })
      return true
    }
    const waiting = this.#lanes[known]?.get(name)
    if (rank < known && waiting) {
      this.#lanes[known]?.delete(name)
      this.#enter(name, rank, waiting)
    }
    return false
  }

  /** Whose turn it is; undefined: nobody waits. */
  next(): { readonly name: string; readonly value: T } | undefined {
    if (this.size === 0) return undefined
    const heads = this.#lanes.flatMap((lane) => {
      for (const [name, waiting] of lane) return [{ name, ...waiting }]
      return []
    })
    const isFair = ++this.#turns % fairTurn === 0
    const taken = isFair ? heads.reduce((a, b) => (a.order <= b.order ? a : b)) : heads[0]
    if (taken) this.leave(taken.name)
    return taken
  }

  leave(name: string): void {
    const rank = this.#rankOf.get(name)
    if (rank === undefined) return
    this.#rankOf.delete(name)
    this.#lanes[rank]?.delete(name)
  }

  clear(): void {
    this.#lanes.length = 0
    this.#rankOf.clear()
  }

  #enter(name: string, rank: number, waiting: Waiting<T>): void {
    while (this.#lanes.length <= rank) this.#lanes.push(new Map())
    this.#lanes[rank]?.set(name, waiting)
    this.#rankOf.set(name, rank)
  }
}

interface Waiting<T> {
  readonly order: number
  readonly value: T
}
