import { durationProblem, type Metric, parseDuration } from '@serinus/api'
import type { MeasureInput } from './provider.ts'

type Config = NonNullable<Metric['provider']['kayenta']>
type Scope = Config['scopes'][number]['controlScope']

/** What is compared with what, by name, as Kayenta's API has it. */
export type KayentaScopes = Readonly<
  Record<string, { readonly controlScope: Side; readonly experimentScope: Side }>
>

interface Side {
  readonly scope: string
  readonly location: string
  readonly step: number
  /** RFC 3339. */
  readonly start: string
  readonly end: string
}

/**
 * The scopes of a comparison. Where the metric names no times it is the last interval until now, with `lookback` all since
 * the run began (spec metric-providers 11).
 */
export function kayentaScopes(input: MeasureInput, config: Config): KayentaScopes {
  return Object.fromEntries(
    config.scopes.map(({ name, controlScope, experimentScope }) => {
      for (const key of ['start', 'end'] as const) {
        if (Boolean(controlScope[key]) !== Boolean(experimentScope[key])) {
          throw new Error(
            `controlScope.${key} and experimentScope.${key} must both be set or be empty`,
          )
        }
      }
      const side = (scope: Scope): Side => ({
        scope: scope.scope,
        location: scope.region,
        step: scope.step,
        start: scope.start || defaultStart(input, config),
        end: scope.end || instant(input.clock.now()),
      })
      return [name, { controlScope: side(controlScope), experimentScope: side(experimentScope) }]
    }),
  )
}

function defaultStart({ run, metric, clock }: MeasureInput, config: Config): string {
  // The first measurement of a run may be taken before its start is stored.
  if (config.lookback) return run.status?.startedAt ?? instant(clock.now())
  const interval = metric.interval ?? ''
  const ms = parseDuration(interval)
  if (ms === undefined) {
    const problem = durationProblem(interval)
    throw new Error(`Invalid duration ${JSON.stringify(interval)}: ${problem}`)
  }
  return instant(clock.now() - ms)
}

function instant(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`
}
