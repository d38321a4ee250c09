/** One line that a container printed. */
export interface LogLine {
  /** Epoch milliseconds. */
  readonly at: number
  readonly text: string
}

/** Lines kept per container; the oldest go first, as a log rotation would take them. */
const capacity = 2_000

/** What one run of a container printed. */
export class ContainerLog {
  #lines: LogLine[] = []
  readonly #followers = new Set<(line: LogLine | null) => void>()
  #closed = false

  print(line: LogLine): void {
    this.#lines.push(line)
    // Cut in blocks: shifting at each line would move the whole array each time.
    if (this.#lines.length >= capacity * 1.5) this.#lines = this.#lines.slice(-capacity)
    for (const follower of this.#followers) follower(line)
  }

  /** The run has ended: those who follow are told `null`. */
  close(): void {
    this.#closed = true
    for (const follower of this.#followers) follower(null)
    this.#followers.clear()
  }

  lines(filter: { readonly tail?: number; readonly since?: number }): readonly LogLine[] {
    const { tail, since } = filter
    const recent = since === undefined ? this.#lines : this.#lines.filter(({ at }) => at >= since)
    const kept = recent.slice(-capacity)
    return tail === undefined ? kept : tail === 0 ? [] : kept.slice(-tail)
  }

  /** Calls with each further line, and with `null` at the end of the run (at once when it has ended already). */
  follow(follower: (line: LogLine | null) => void): Disposable {
    if (this.#closed) follower(null)
    else this.#followers.add(follower)
    return { [Symbol.dispose]: () => void this.#followers.delete(follower) }
  }
}
