/** The labels of a series, the metric name included as `__name__`. An empty value equals an absent label. */
export type Labels = Readonly<Record<string, string>>

export const METRIC_NAME = '__name__'

/**
 * One label set with what evaluation needs again and again: its identity and itself without the name.
 * Both are computed once and then shared by all steps and queries.
 */
export class Metric {
  static readonly empty: Metric = new Metric({})
  readonly labels: Labels
  #key: string | undefined
  #nameless: Metric | undefined

  /** Keeps the labels sorted by name and without empty values, as Prometheus stores them. */
  constructor(labels: Labels) {
    const sorted = nullObject()
    for (const name of Object.keys(labels).sort()) {
      const value = labels[name]
      if (value !== undefined && value !== '') sorted[name] = value
    }
    this.labels = sorted
  }

  /** Equal for equal label sets; no label value can hold the separator bytes of UTF-8. */
  get key(): string {
    if (this.#key === undefined) {
      let key = ''
      for (const name in this.labels) key += `${name}\uffff${this.labels[name]}\uffff`
      this.#key = key
    }
    return this.#key
  }

  get name(): string {
    return this.labels[METRIC_NAME] ?? ''
  }

  get(name: string): string {
    return this.labels[name] ?? ''
  }

  withoutName(): Metric {
    if (this.labels[METRIC_NAME] === undefined) return this
    this.#nameless ??= this.without([METRIC_NAME])
    return this.#nameless
  }

  without(names: readonly string[]): Metric {
    const rest = nullObject()
    for (const name in this.labels) {
      if (!names.includes(name)) rest[name] = this.labels[name] as string
    }
    return new Metric(rest)
  }

  keeping(names: readonly string[]): Metric {
    const kept = nullObject()
    for (const name of names) kept[name] = this.get(name)
    return new Metric(kept)
  }

  with(changes: Labels): Metric {
    return new Metric(Object.assign(nullObject(), this.labels, changes))
  }

  /** As Prometheus prints labels in its error messages: `{__name__="up", job="web"}`. */
  toString(): string {
    const parts: string[] = []
    for (const name in this.labels) {
      const shown = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : JSON.stringify(name)
      parts.push(`${shown}=${JSON.stringify(this.labels[name])}`)
    }
    return `{${parts.join(', ')}}`
  }
}

/** An object without prototype: `__proto__` is a legal label name and must be an ordinary key. */
function nullObject(): Record<string, string> {
  return Object.create(null) as Record<string, string>
}
