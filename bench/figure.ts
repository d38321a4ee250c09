/** One figure with what it must reach. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly target: number
  readonly better: 'lower' | 'higher'
  readonly method: string
}

/** A sample's value below which the given share (0 to 1) of all lie; NaN without samples. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

/** The median and the 99th percentile of durations in milliseconds, each against its target. */
export function delayFigures(
  samples: readonly number[],
  facts: {
    readonly name: string
    readonly medianTarget: number
    readonly p99Target: number
    readonly method: string
  },
): readonly Figure[] {
  const figure = (suffix: string, share: number, target: number): Figure => ({
    name: `${facts.name}-${suffix}`,
    value: quantile(samples, share),
    unit: 'ms',
    target,
    better: 'lower',
    method: `${facts.method}; ${samples.length} samples`,
  })
  return [figure('median', 0.5, facts.medianTarget), figure('p99', 0.99, facts.p99Target)]
}
