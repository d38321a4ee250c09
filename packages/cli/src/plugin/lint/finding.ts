/** Where a manifest stands. */
export interface Place {
  /** As it was named, or below the folder that was named; `-` for stdin. */
  readonly file: string
  /** The first of a file is 1. */
  readonly document: number
}

/** One thing that `lint` says of a manifest. */
export interface LintFinding extends Place {
  /** Absent: the document could not be read. */
  readonly kind?: string
  readonly name?: string
  readonly namespace?: string
  readonly severity: 'error' | 'warning' | 'hint'
  /** One word for filters: `InvalidValue`, `PromQLCounterWithoutRate`. */
  readonly reason: string
  /** Empty: the document as a whole. */
  readonly path: string
  readonly message: string
  /** What upstream prints for it behind `Error: `; absent where it knows no such error. */
  readonly upstream?: string
}
