import { defaults, type MetricProvider, type NumberSource, parseNumber } from '@serinus/api'
import { fromJson } from '@serinus/expr'
import {
  type CanaryScore,
  type Comparison,
  type ComparisonConfig,
  canaryScore,
  compareSeries,
  type EffectSize,
  type Judging,
  type Summary,
} from '@serinus/statistics'
import { addressOf, deadlineOf, numbersFrom, type Providers } from './number-source.ts'
import type { Measured, MeasureInput, Provider } from './provider.ts'
import { formatFloat, verdictOn } from './verdict.ts'

type Judge = NonNullable<MetricProvider['judge']>
type Compared = Judge['metrics'][number]

/** Far more than a verdict needs: whoever gets them has asked for something else. */
const mostSamples = 2000

/** Compares series of canary and baseline as Kayenta does, without a Kayenta (spec analysis-and-experiments 6). */
export function judge(providers: Providers): Provider {
  return {
    type: 'Judge',
    address: ({ provider }, env) => addressOf(providers, sourcesOf(provider.judge), env),
    deadlineMs: ({ provider }) => deadlineOf(providers, sourcesOf(provider.judge)),
    async run(input) {
      const config = input.metric.provider.judge
      if (!config) throw new Error('judge is not configured')
      const judging = judgingOf(config)
      const compared = await Promise.all(
        config.metrics.map(async (metric) => ({
          metric,
          comparison: compareSeries(
            comparisonOf(metric),
            await samplesOf(metric, { providers, config, input }),
            judging,
          ),
        })),
      )
      const score = scoreOf(config, compared)
      return measuredOf(input, { score, compared: compared.map(({ comparison }) => comparison) })
    },
  }
}

function sourcesOf(config: Judge | undefined): readonly NumberSource[] {
  return (config?.metrics ?? []).flatMap(({ baseline, canary }) => [baseline, canary])
}

function judgingOf(config: Judge): Judging {
  return {
    mode: config.mode ?? 'exact',
    tolerance: number(config.tolerance) ?? defaults.judge.tolerance,
    confidence: number(config.confidence) ?? defaults.judge.confidence,
    minimumSamples: config.minimumSamples ?? defaults.judge.minimumSamples,
  }
}

function number(value: number | string | undefined): number | undefined {
  return value === undefined ? undefined : parseNumber(value)
}

function comparisonOf(metric: Compared): ComparisonConfig {
  const { name, direction, nanStrategy, critical, mustHaveData, outliers, effectSize } = metric
  const outlierFactor = number(outliers?.outlierFactor)
  return {
    name,
    ...(direction && { direction }),
    ...(nanStrategy && { nanStrategy }),
    ...(critical && { critical }),
    ...(mustHaveData && { mustHaveData }),
    ...(outliers && {
      outliers: {
        ...(outliers.strategy && { strategy: outliers.strategy }),
        ...(outlierFactor !== undefined && { outlierFactor }),
      },
    }),
    ...(effectSize && { effectSize: effectSizeOf(effectSize) }),
  }
}

function effectSizeOf(size: NonNullable<Compared['effectSize']>): EffectSize {
  const { measure, ...limits } = size
  const numbers = Object.entries(limits).map(([name, value]) => [name, number(value)] as const)
  return { ...(measure && { measure }), ...Object.fromEntries(numbers) }
}

async function samplesOf(
  metric: Compared,
  facts: { readonly providers: Providers; readonly config: Judge; readonly input: MeasureInput },
): Promise<{ readonly canary: readonly number[]; readonly baseline: readonly number[] }> {
  const read = async (side: 'canary' | 'baseline') => {
    try {
      const source = withRange(metric[side], facts.config)
      const numbers = await numbersFrom(facts.providers, source, facts.input)
      if (numbers.length <= mostSamples) return numbers
      throw new Error(
        `${numbers.length} samples are more than ${mostSamples}: ask for a larger step or fewer series`,
      )
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new Error(`${side} of ${metric.name}: ${message}`, { cause: error })
    }
  }
  const [canary, baseline] = await Promise.all([read('canary'), read('baseline')])
  return { canary, baseline }
}

function withRange(source: NumberSource, { rangeQuery }: Judge): NumberSource {
  const { prometheus } = source
  if (!prometheus || prometheus.rangeQuery || !rangeQuery) return source
  return { ...source, prometheus: { ...prometheus, rangeQuery } }
}

function scoreOf(
  config: Judge,
  compared: readonly { readonly metric: Compared; readonly comparison: Comparison }[],
): CanaryScore {
  const grouped = config.metrics.some(({ groups = [] }) => groups.length > 0)
  const weights = Object.entries(config.groupWeights ?? {})
  const { pass, marginal } = config.threshold ?? {}
  return canaryScore(
    compared.map(({ metric, comparison }) => ({
      comparison,
      groups: grouped ? (metric.groups ?? []) : ['all'],
      ...(metric.muted && { muted: true }),
    })),
    {
      groupWeights: Object.fromEntries(
        weights.map(([group, weight]) => [group, number(weight) ?? 0]),
      ),
      threshold: {
        pass: number(pass) ?? defaults.judge.pass,
        marginal: number(marginal) ?? defaults.judge.marginal,
      },
      mode: config.mode ?? 'exact',
    },
  )
}

const phases = { Pass: 'Successful', Marginal: 'Inconclusive', Fail: 'Failed' } as const

/** Conditions decide where the metric has some, and see all; otherwise the thresholds do. */
function measuredOf(
  input: MeasureInput,
  judged: { readonly score: CanaryScore; readonly compared: readonly Comparison[] },
): Measured {
  const { metric, clock } = input
  const { score, compared } = judged
  const value = formatFloat(score.score)
  const metadata = Object.fromEntries(compared.map((one) => [one.name, textOf(one)]))
  const groups = Object.entries(score.groups).map(([name, share]) => `${name} ${short(share)}`)
  const facts = {
    kind: 'done' as const,
    value,
    metadata: { groups: groups.join(', '), ...metadata },
  }
  if (metric.successCondition || metric.failureCondition) {
    const verdict = verdictOn(metric, fromJson(resultOf(judged)), { now: clock.now.bind(clock) })
    return { ...facts, ...verdict }
  }
  const phase = phases[score.verdict]
  if (phase === 'Successful') return { ...facts, phase }
  return { ...facts, phase, message: whyNot(judged) }
}

/** What conditions see as `result`. */
function resultOf({
  score,
  compared,
}: {
  readonly score: CanaryScore
  readonly compared: readonly Comparison[]
}): unknown {
  return {
    score: score.score,
    classification: score.verdict,
    reason: score.reason,
    groups: score.groups,
    metrics: Object.fromEntries(
      compared.map(({ name, shift, ...comparison }) => [
        name,
        {
          ...comparison,
          lower: shift?.lower ?? 0,
          upper: shift?.upper ?? 0,
          estimate: shift?.estimate ?? 0,
        },
      ]),
    ),
  }
}

/** `score 50: errors was classified as High; latency ...` */
function whyNot({
  score,
  compared,
}: {
  score: CanaryScore
  compared: readonly Comparison[]
}): string {
  const reasons = compared.filter((one) => one.class !== 'Pass').map(({ reason }) => reason)
  const all = score.reason ? [score.reason] : reasons
  return `score ${short(score.score)}${all.length > 0 ? `: ${all.join('; ')}` : ''}`
}

/** `High, effect 2, shift 8 to 21; canary 29 ±6.06 (10), baseline 14.5 ±3.03 (10)` */
function textOf(comparison: Comparison): string {
  const { shift, effect, canary, baseline } = comparison
  const difference = shift
    ? `, effect ${short(effect)}, shift ${short(shift.lower)} to ${short(shift.upper)}`
    : ''
  return `${comparison.class}${comparison.critical ? ' (Critical)' : ''}${difference}; canary ${sideText(canary)}, baseline ${sideText(baseline)}`
}

function sideText({ count, mean, std }: Summary): string {
  return `${short(mean)} ±${short(std)} (${count})`
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)))
}
