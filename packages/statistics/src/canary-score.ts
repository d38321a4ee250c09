import type { Comparison, ComparisonClass, Judging } from './compare-series.ts'

/** One compared metric with what decides its part in the score. */
export interface ScoredMetric {
  readonly comparison: Comparison
  /** Absent or empty: it has no part in the score. */
  readonly groups?: readonly string[]
  /** Reported, and left out of the score. */
  readonly muted?: boolean
}

export interface ScoreRules {
  /** Percent by group; what is left is shared equally by the groups that are not named. */
  readonly groupWeights: Readonly<Record<string, number>>
  /** Scores from `pass` on pass, from `marginal` on they are marginal. */
  readonly threshold: { readonly pass: number; readonly marginal: number }
  readonly mode: Judging['mode']
}

export interface CanaryScore {
  /** 0 to 100, with two decimals. */
  readonly score: number
  readonly verdict: 'Pass' | 'Marginal' | 'Fail'
  /** Why the score is 0 in spite of the groups, or why a verdict could not be better; else empty. */
  readonly reason: string
  readonly groups: Readonly<Record<string, number>>
}

/**
 * The weighted score of all metrics (spec analysis-and-experiments 6.4). In mode `exact` missing samples are no proof of
 * failure: where Kayenta fails a canary with half of its metrics empty, the verdict is Marginal.
 */
export function canaryScore(metrics: readonly ScoredMetric[], rules: ScoreRules): CanaryScore {
  const counted = metrics.filter(({ muted }) => muted !== true)
  const groups = groupScores(counted)
  const rounded = Object.fromEntries([...groups].map(([name, score]) => [name, score ?? 0]))
  const zero = (verdict: CanaryScore['verdict'], reason: string): CanaryScore => ({
    score: 0,
    verdict,
    reason: `Canary Failed: ${reason}`,
    groups: rounded,
  })
  const critical = counted.find(
    ({ comparison }) => comparison.critical && comparison.class !== 'Pass',
  )
  if (critical) return zero('Fail', critical.comparison.reason)
  const exact = rules.mode === 'exact'
  const empty = counted.filter(({ comparison }) => lacksData(comparison.class))
  if (counted.length > 0 && empty.length * 2 >= counted.length) {
    if (!exact) return zero('Fail', '50% or more metrics returned NODATA')
    const [first] = empty
    return { ...zero('Marginal', ''), reason: first?.comparison.reason ?? '' }
  }
  const score = Math.round(totalOf(groups, rules.groupWeights) * 100) / 100
  const verdict = verdictOf(score, rules.threshold)
  const unsure = counted.find(({ comparison }) => comparison.class === 'Inconclusive')
  return unsure && verdict === 'Pass'
    ? { score, verdict: 'Marginal', reason: unsure.comparison.reason, groups: rounded }
    : { score, verdict, reason: '', groups: rounded }
}

function lacksData(kind: ComparisonClass): boolean {
  return kind === 'Nodata' || kind === 'Inconclusive'
}

/** Share of passes in percent, by group; null: no metric of the group has a verdict. */
function groupScores(metrics: readonly ScoredMetric[]): ReadonlyMap<string, number | null> {
  const names = new Set(metrics.flatMap(({ groups }) => groups ?? []))
  return new Map(
    [...names].map((name) => {
      const classes = metrics
        .filter(({ groups }) => groups?.includes(name))
        .map(({ comparison }) => comparison.class)
      const count = (...kinds: readonly ComparisonClass[]) =>
        classes.filter((kind) => kinds.includes(kind)).length
      const judged = count('Pass', 'High', 'Low', 'NodataFailMetric')
      return [name, judged === 0 ? null : (100 * count('Pass')) / judged]
    }),
  )
}

function totalOf(
  groups: ReadonlyMap<string, number | null>,
  weights: Readonly<Record<string, number>>,
): number {
  const isWeighted = (name: string) => Object.hasOwn(weights, name)
  const configured = Object.values(weights).reduce((total, weight) => total + weight, 0)
  const unweighted = [...groups.keys()].filter((name) => !isWeighted(name)).length
  let total = 0
  for (const [name, score] of groups) {
    const weight = isWeighted(name) ? (weights[name] ?? 0) : (100 - configured) / unweighted
    total += (weight / 100) * (score ?? 100)
  }
  return total
}

function verdictOf(
  score: number,
  { pass, marginal }: ScoreRules['threshold'],
): CanaryScore['verdict'] {
  if (score >= pass) return 'Pass'
  return score >= marginal ? 'Marginal' : 'Fail'
}
