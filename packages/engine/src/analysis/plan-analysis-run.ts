import {
  type AnalysisRun,
  type AnalysisRunStatus,
  type AnalysisTemplate,
  analysisRunSpecFor,
  annotationKeys,
  type ClusterAnalysisTemplate,
  defaults,
  kinds,
  type Measurement,
  type Metric,
  type MetricResult,
  metricRuleMatches,
  parseDuration,
  resolveTemplates,
  validateMetrics,
} from '@serinus/api'
import { mergePatch } from '@serinus/kube'
import { explainNoData, withExplanation, withoutExplanation } from '../doctor/explain-no-data.ts'
import { formatInstant, parseInstant } from '../instant.ts'
import type { Plan, Transition } from '../plan.ts'
import type { Wait } from '../wait.ts'
import {
  assessMetric,
  isFinished,
  type Phase,
  serialOf,
  severity,
  withMeasurement,
} from './assess.ts'
import { resolveMetrics } from './resolve-metrics.ts'
import { tested } from './sequential.ts'

/** Everything that one pass over an AnalysisRun may look at. */
export interface AnalysisRunSnapshot {
  readonly run: AnalysisRun
  /** Of the run's namespace; read only while `spec.templates` is unresolved. */
  readonly analysisTemplates: readonly AnalysisTemplate[]
  readonly clusterAnalysisTemplates: readonly ClusterAnalysisTemplate[]
  /** Whether every secret that an argument names could be read; the text says what is missing. */
  readonly secrets: { readonly ok: true } | { readonly ok: false; readonly message: string }
  /** Metrics whose provider has been asked and has not answered yet. */
  readonly inFlight: readonly string[]
  /** Metrics whose measurement is known to have ended outside: they are asked again before their time. */
  readonly awake: readonly string[]
  /** Answers that are not stored yet, in order of arrival. */
  readonly answers: readonly Answer[]
}

/** What a provider has said when it was asked, with secrets masked already. */
export interface Answer {
  readonly metric: string
  /** Of the task that was answered. An answer whose turn is over (its write came through unnoticed) counts once. */
  readonly serial: number
  readonly measurement: Measurement
  /** What the provider says of the metric as such; kept from the first answer on. */
  readonly metadata?: Readonly<Record<string, string>>
}

/** A provider call that is due. The shell fills in secrets; they never enter a plan. */
export interface MeasureTask {
  readonly metric: string
  readonly action: 'run' | 'resume' | 'terminate'
  /** The measurement that is under way, for `resume` and `terminate`. */
  readonly measurement?: Measurement
  /** Serial number of the measurement: names of Jobs are made of it, so that a crash doubles none. */
  readonly serial: number
}

/** Everything one pass over an AnalysisRun may do: beside writes and transitions, what to ask of whom. */
export interface AnalysisRunPlan extends Plan {
  readonly measure: readonly MeasureTask[]
  /** Metrics that keep only so many measurements; providers drop what belongs to older ones. */
  readonly retain: readonly { readonly metric: string; readonly limit: number }[]
  /** The answers of the snapshot are not stored yet and come again with the next one. */
  readonly keepAnswers: boolean
}

const nothing: AnalysisRunPlan = {
  writes: [],
  transitions: [],
  waits: [],
  checkAt: null,
  warnings: [],
  measure: [],
  retain: [],
  keepAnswers: false,
}

const { errorRetryIntervalMs: errorRetryMs, measurementsPerMetric: defaultRetention } = defaults

/** Everything one pass over an AnalysisRun may do; pure (spec analysis-and-experiments 2.2). */
export function planAnalysisRun(snapshot: AnalysisRunSnapshot, now: number): AnalysisRunPlan {
  const { run } = snapshot
  if (run.metadata.deletionTimestamp) return nothing
  if (isFinished(run.status?.phase)) {
    return { ...planExpiry(run, now), measure: endingLate(snapshot.answers) }
  }
  if ((run.spec.metrics?.length ?? 0) === 0 && (run.spec.templates?.length ?? 0) > 0) {
    return planResolution(snapshot, now)
  }
  const prepared = prepare(snapshot)
  if (!prepared.ok) return finishAt(run, { phase: 'Error', message: prepared.message }, now)
  return planMeasuring(snapshot, prepared, now)
}

/** What is under way after the verdict must be ended: a Job that nobody waits for would run on. */
function endingLate(answers: readonly Answer[]): readonly MeasureTask[] {
  return answers
    .filter(({ measurement }) => !isFinished(measurement.phase))
    .map(({ metric, measurement, serial }) => ({
      metric,
      action: 'terminate' as const,
      measurement,
      serial,
    }))
}

/** The measurements of a run that are under way, as they are stored. */
function unfinished(run: AnalysisRun): readonly Answer[] {
  return (run.status?.metricResults ?? []).flatMap((result) => {
    const measurement = result.measurements?.at(-1)
    return measurement && !isFinished(measurement.phase)
      ? [{ metric: result.name, serial: serialOf(result), measurement }]
      : []
  })
}

/** Deletes a finished run exactly when its time is over (2.12). */
function planExpiry(run: AnalysisRun, now: number): AnalysisRunPlan {
  const ttl = run.spec.ttlStrategy
  const completedAt = parseInstant(run.status?.completedAt)
  if (!ttl || completedAt === null) return nothing
  const phase = run.status?.phase
  const own =
    phase === 'Successful'
      ? ttl.secondsAfterSuccess
      : phase === 'Failed'
        ? ttl.secondsAfterFailure
        : undefined
  const seconds = own ?? ttl.secondsAfterCompletion
  if (seconds === undefined) return nothing
  const at = completedAt + (seconds + 1) * 1000
  if (now < at) return { ...nothing, checkAt: at }
  return {
    ...nothing,
    writes: [
      {
        kind: 'delete',
        id: 'expire',
        resource: kinds.analysisRuns,
        key: keyOfRun(run),
        ...(run.metadata.uid ? { uid: run.metadata.uid } : {}),
      },
    ],
  }
}

function keyOfRun(run: AnalysisRun): { namespace: string; name: string } {
  return { namespace: run.metadata.namespace ?? 'default', name: run.metadata.name }
}

/** A standalone run may name templates; they are resolved once and stored (api.md 15.2 B11). */
function planResolution(snapshot: AnalysisRunSnapshot, now: number): AnalysisRunPlan {
  const { run } = snapshot
  const resolved = analysisRunSpecFor({
    namespace: run.metadata.namespace ?? 'default',
    templates: run.spec.templates ?? [],
    args: run.spec.args ?? [],
    dryRun: run.spec.dryRun,
    measurementRetention: run.spec.measurementRetention,
    analysisTemplates: snapshot.analysisTemplates,
    clusterAnalysisTemplates: snapshot.clusterAnalysisTemplates,
  })
  if (!resolved.ok) {
    const message = resolved.problems.map((problem) => problem.detail).join('; ')
    return finishAt(run, { phase: 'Error', message }, now)
  }
  const { warnings } = resolveTemplates(run.spec.templates ?? [], {
    namespace: run.metadata.namespace ?? 'default',
    analysisTemplates: snapshot.analysisTemplates,
    clusterAnalysisTemplates: snapshot.clusterAnalysisTemplates,
  })
  return {
    ...nothing,
    warnings,
    writes: [
      {
        kind: 'patch',
        id: 'resolve',
        resource: kinds.analysisRuns,
        key: keyOfRun(run),
        patch: { kind: 'merge', body: { spec: resolved.value } },
      },
    ],
  }
}

type Prepared =
  | {
      readonly ok: true
      readonly metrics: readonly Metric[]
      readonly dry: ReadonlySet<string>
      readonly retention: ReadonlyMap<string, number>
    }
  | { readonly ok: false; readonly message: string }

function prepare(snapshot: AnalysisRunSnapshot): Prepared {
  const { run } = snapshot
  const resolved = resolveMetrics(run, () => 'temp-for-secret')
  if (!resolved.ok)
    return { ok: false, message: `Unable to resolve metric arguments: ${resolved.message}` }
  const { metrics } = resolved
  const [problem] = validateMetrics(metrics)
  if (problem) {
    const text = problem.path === 'metrics' ? problem.detail : `${problem.path}: ${problem.detail}`
    return { ok: false, message: `Analysis spec invalid: ${text}` }
  }
  const names = metrics.map((metric) => metric.name)
  const dry = matchRules(names, run.spec.dryRun ?? [])
  if (!dry.ok) return { ok: false, message: unmatched('dryRun', dry.index) }
  const kept = matchRules(names, run.spec.measurementRetention ?? [])
  if (!kept.ok) return { ok: false, message: unmatched('measurementRetention', kept.index) }
  if (!snapshot.secrets.ok)
    return { ok: false, message: `Unable to resolve metric arguments: ${snapshot.secrets.message}` }
  const retention = new Map<string, number>()
  for (const [name, rule] of kept.matched) {
    const limit = run.spec.measurementRetention?.[rule]?.limit ?? 0
    retention.set(name, limit > 0 ? limit : defaultRetention)
  }
  return { ok: true, metrics, dry: new Set(dry.matched.keys()), retention }
}

function unmatched(list: string, index: number): string {
  return `Analysis spec invalid: ${list}[${index}]: Rule didn't match any metric name(s)`
}

type Matched =
  | { readonly ok: true; readonly matched: ReadonlyMap<string, number> }
  | { readonly ok: false; readonly index: number }

/** Unanchored patterns over metric names; later rules win (2.8). */
function matchRules(
  names: readonly string[],
  rules: readonly { readonly metricName: string }[],
): Matched {
  const matched = new Map<string, number>()
  for (const [index, rule] of rules.entries()) {
    const hits = names.filter((name) => metricRuleMatches(rule.metricName, name))
    if (hits.length === 0) return { ok: false, index }
    for (const name of hits) matched.set(name, index)
  }
  return { ok: true, matched }
}

function planMeasuring(
  snapshot: AnalysisRunSnapshot,
  prepared: Extract<Prepared, { ok: true }>,
  now: number,
): AnalysisRunPlan {
  const { run } = snapshot
  const before: AnalysisRunStatus = run.status ?? ({ phase: '' } as unknown as AnalysisRunStatus)
  const { results, late } = withAnswers(snapshot, prepared)
  const startedAt = before.startedAt ?? formatInstant(now)
  const terminateAsked = run.spec.terminate === true
  const waits: readonly Wait[] = [{ kind: 'analysis', run: run.metadata.name, step: null }]
  if (!terminateAsked && verdictWaits(snapshot, prepared, results)) {
    return { ...nothing, keepAnswers: true, waits }
  }
  const judged = judge(prepared, results, terminateAsked)
  const transitions: Transition[] = [...judged.transitions]
  const completed = isFinished(judged.phase)
  const status: AnalysisRunStatus = {
    ...before,
    phase: judged.phase,
    startedAt,
    ...(judged.phase === before.phase ? {} : { message: judged.message }),
    ...(completed ? { completedAt: before.completedAt ?? formatInstant(now) } : {}),
    runSummary: judged.runSummary,
    dryRunSummary: judged.dryRunSummary,
    metricResults: prepared.metrics.flatMap((metric) => {
      const result = judged.results.get(metric.name)
      return result
        ? [trimmed(result, prepared.retention.get(metric.name) ?? defaultRetention)]
        : []
    }),
  }
  if (completed && !isFinished(before.phase)) transitions.push(completion(judged.phase))
  const schedule = completed
    ? { measure: [], checkAt: null, waits: [] }
    : planSchedule({
        snapshot,
        prepared,
        results: judged.results,
        startedAt: parseInstant(startedAt) ?? now,
        terminating: judged.terminating,
        now,
      })
  const body = mergePatch(withoutEmpty(before), withoutEmpty(status))
  return {
    ...nothing,
    writes:
      body === undefined
        ? []
        : [
            {
              kind: 'patch',
              id: 'status',
              resource: kinds.analysisRuns,
              key: keyOfRun(run),
              patch: { kind: 'merge', body: { status: body } },
            },
          ],
    transitions:
      body === undefined
        ? []
        : transitions.map((transition) => ({ ...transition, after: 'status' })),
    measure: [...endingLate(late), ...schedule.measure],
    checkAt: completed ? planExpiry({ ...run, status }, now).checkAt : schedule.checkAt,
    waits: completed ? [] : waits,
    retain: [...judged.results.values()]
      .filter(
        (result) =>
          (result.measurements?.length ?? 0) >
          (prepared.retention.get(result.name) ?? defaultRetention),
      )
      .map((result) => ({
        metric: result.name,
        limit: prepared.retention.get(result.name) ?? defaultRetention,
      })),
  }
}

/**
 * Metrics that were asked together are judged together, as upstream judges them: whether a run is Failed or Inconclusive
 * must not depend on which provider is faster, nor on a restart in between, so nothing is stored before the last has
 * answered. A deadline bounds the wait, and nothing is worse than Failed.
 */
function verdictWaits(
  snapshot: AnalysisRunSnapshot,
  prepared: Extract<Prepared, { ok: true }>,
  results: ReadonlyMap<string, MetricResult>,
): boolean {
  const bad = badPhases(prepared, results)
  if (bad.length === 0 || bad.includes('Failed')) return false
  return snapshot.inFlight.some(
    (name) => !prepared.dry.has(name) && !isFinished(results.get(name)?.phase),
  )
}

/** Phases of the metrics that end the run. */
function badPhases(
  prepared: Extract<Prepared, { ok: true }>,
  results: ReadonlyMap<string, MetricResult>,
): readonly Phase[] {
  return prepared.metrics.flatMap((metric) => {
    const result = results.get(metric.name)
    if (!result || prepared.dry.has(metric.name)) return []
    const { phase } = assessMetric(metric, result, false)
    return phase === 'Failed' || phase === 'Error' || phase === 'Inconclusive' ? [phase] : []
  })
}

/** Answers added to the stored results. Those that come after the verdict on their metric change nothing. */
function withAnswers(
  snapshot: AnalysisRunSnapshot,
  prepared: Extract<Prepared, { ok: true }>,
): { readonly results: ReadonlyMap<string, MetricResult>; readonly late: readonly Answer[] } {
  const stored = snapshot.run.status?.metricResults ?? []
  const results = new Map(stored.map((result) => [result.name, result]))
  const late: Answer[] = []
  for (const answer of snapshot.answers) {
    const { metric, measurement, metadata, serial } = answer
    const known: MetricResult = results.get(metric) ?? {
      name: metric,
      phase: 'Running',
      ...(prepared.dry.has(metric) ? { dryRun: true } : {}),
    }
    if (isFinished(known.phase)) late.push(answer)
    else if (serial === serialOf(known)) {
      const described = known.metadata || !metadata ? known : { ...known, metadata }
      const definition = prepared.metrics.find(({ name }) => name === metric)
      const judged = definition?.test
        ? tested(definition, described, {
            measurement,
            metrics: sharersOfAlpha(snapshot.run, prepared),
          })
        : { result: described, measurement }
      results.set(metric, withMeasurement(judged.result, judged.measurement))
    }
  }
  return { results, late }
}

/** How many metrics can fail the run, or the update that it belongs to, by a test: a false alarm of any of them counts. */
function sharersOfAlpha(
  run: AnalysisRun,
  { metrics, dry }: Extract<Prepared, { ok: true }>,
): number {
  const own = metrics.filter(({ name, test }) => test && !dry.has(name)).length
  const ofUpdate = Number(run.metadata.annotations?.[annotationKeys.alphaShares] ?? 1)
  return Math.max(1, own, Number.isSafeInteger(ofUpdate) ? ofUpdate : 1)
}

function withoutEmpty(status: AnalysisRunStatus): AnalysisRunStatus {
  return Object.fromEntries(
    Object.entries(status).filter(
      ([key, value]) =>
        key === 'dryRunSummary' ||
        (value !== '' && value !== undefined && !(Array.isArray(value) && value.length === 0)),
    ),
  ) as unknown as AnalysisRunStatus
}

function trimmed(result: MetricResult, limit: number): MetricResult {
  const measurements = result.measurements ?? []
  return measurements.length > limit
    ? { ...result, measurements: measurements.slice(-limit) }
    : result
}

function completion(phase: Phase): Transition {
  return {
    type: phase === 'Failed' || phase === 'Error' ? 'Warning' : 'Normal',
    reason: `AnalysisRun${phase}`,
    message: `Analysis Completed. Result: ${phase}`,
  }
}

interface Judged {
  readonly phase: Phase
  readonly message: string
  readonly terminating: boolean
  readonly results: ReadonlyMap<string, MetricResult>
  readonly runSummary: NonNullable<AnalysisRunStatus['runSummary']>
  readonly dryRunSummary: NonNullable<AnalysisRunStatus['dryRunSummary']>
  readonly transitions: readonly Transition[]
}

/**
 * The verdict on all metrics (2.7). Upstream needs one more pass until a bad metric ends the run; here the same pass
 * that sees it ends it, with the same stored texts, unless a measurement is still under way and must be ended first.
 */
function judge(
  prepared: Extract<Prepared, { ok: true }>,
  measured: ReadonlyMap<string, MetricResult>,
  terminateAsked: boolean,
): Judged {
  const terminating = terminateAsked || badPhases(prepared, measured).length > 0
  const results = new Map<string, MetricResult>()
  const transitions: Transition[] = []
  const summaries = { run: emptySummary(), dry: emptySummary() }
  let worst: Phase | null = null
  let message = terminateAsked ? 'Run Terminated' : ''
  let incomplete = false
  for (const metric of prepared.metrics) {
    const dry = prepared.dry.has(metric.name)
    const summary = dry ? summaries.dry : summaries.run
    summary.count++
    const result = measured.get(metric.name)
    if (!result) {
      incomplete = incomplete || !terminating
      continue
    }
    const { phase, limit } = assessMetric(metric, result, terminating)
    const last = result.measurements?.at(-1)
    const changed = phase !== result.phase
    const text = changed ? last?.message : result.message
    const dryText =
      dry && changed && limit ? `Metric assessed ${phase} due to ${limit.text}` : undefined
    const kept = trimmed(result, prepared.retention.get(metric.name) ?? defaultRetention)
    const why = isFinished(phase) ? explainNoData(metric, { ...kept, phase }) : null
    const resultMessage = changed ? withExplanation(dryText ?? text, why) : text
    const { message: _, ...unexplained } = result
    results.set(metric.name, {
      ...unexplained,
      phase,
      ...(resultMessage ? { message: resultMessage } : {}),
    })
    if (!isFinished(phase)) {
      incomplete = true
      continue
    }
    if (changed) {
      transitions.push({
        type: phase === 'Failed' || phase === 'Error' ? 'Warning' : 'Normal',
        reason: `Metric${phase}`,
        message: `Metric '${metric.name}' Completed. Result: ${phase}`,
      })
    }
    summary[summaryKey(phase)]++
    if (dry) {
      worst ??= 'Successful'
    } else if (worst === null || severity.indexOf(phase) > severity.indexOf(worst)) {
      worst = phase
      if (limit) {
        message = `Metric "${metric.name}" assessed ${phase} due to ${limit.text}`
        const cause = withoutExplanation(text, why)
        if (cause) message += `: "Error Message: ${cause}"`
        message = withExplanation(message, why)
      }
    }
  }
  const phase: Phase = incomplete ? 'Running' : (worst ?? (terminating ? 'Successful' : 'Running'))
  return {
    phase,
    message: isFinished(phase) ? message : '',
    terminating,
    results,
    runSummary: compact(summaries.run),
    dryRunSummary: compact(summaries.dry),
    transitions,
  }
}

type Summary = {
  count: number
  successful: number
  failed: number
  inconclusive: number
  error: number
}

function emptySummary(): Summary {
  return { count: 0, successful: 0, failed: 0, inconclusive: 0, error: 0 }
}

function summaryKey(phase: Phase): 'successful' | 'failed' | 'inconclusive' | 'error' {
  if (phase === 'Failed') return 'failed'
  if (phase === 'Inconclusive') return 'inconclusive'
  return phase === 'Error' ? 'error' : 'successful'
}

function compact(summary: Summary): NonNullable<AnalysisRunStatus['runSummary']> {
  return Object.fromEntries(Object.entries(summary).filter(([, value]) => value > 0))
}

interface Scheduling {
  readonly snapshot: AnalysisRunSnapshot
  readonly prepared: Extract<Prepared, { ok: true }>
  readonly results: ReadonlyMap<string, MetricResult>
  readonly startedAt: number
  readonly terminating: boolean
  readonly now: number
}

/** What to ask now, and when to look again (2.4, 2.10). */
function planSchedule(scheduling: Scheduling): {
  measure: readonly MeasureTask[]
  checkAt: number | null
} {
  const { now } = scheduling
  const measure: MeasureTask[] = []
  let next: number | null = null
  for (const metric of scheduling.prepared.metrics) {
    if (scheduling.snapshot.inFlight.includes(metric.name)) continue
    const due = dueOf(metric, scheduling)
    if (due === null) continue
    if (due.at <= now) measure.push(due.task)
    else next = next === null ? due.at : Math.min(next, due.at)
  }
  return { measure, checkAt: next }
}

function dueOf(metric: Metric, scheduling: Scheduling): { at: number; task: MeasureTask } | null {
  const result = scheduling.results.get(metric.name)
  const last = result?.measurements?.at(-1)
  if (result && isFinished(result.phase)) return null
  const serial = serialOf(result)
  if (last && !isFinished(last.phase)) {
    const action = scheduling.terminating ? ('terminate' as const) : ('resume' as const)
    const urgent = scheduling.terminating || scheduling.snapshot.awake.includes(metric.name)
    const at = urgent ? scheduling.now : (parseInstant(last.resumeAt) ?? scheduling.now)
    return { at, task: { metric: metric.name, action, measurement: last, serial } }
  }
  if (scheduling.terminating) return null
  const task = { metric: metric.name, action: 'run' as const, serial }
  if (!last) {
    const delay = metric.initialDelay ? (parseDuration(metric.initialDelay) ?? 0) : 0
    return { at: delay > 0 ? scheduling.startedAt + delay : scheduling.now, task }
  }
  const count = defaults.effectiveCount(metric)
  if (count !== null && (result?.count ?? 0) >= count) return null
  return { at: nextTurn(metric, result, scheduling.now), task }
}

/** When a metric is measured once more, after its last measurement has ended. */
function nextTurn(metric: Metric, result: MetricResult | undefined, now: number): number {
  const last = result?.measurements?.at(-1)
  const finishedAt = parseInstant(last?.finishedAt) ?? now
  const interval = metric.interval ? (parseDuration(metric.interval) ?? errorRetryMs) : errorRetryMs
  if (last?.phase === 'Error') {
    if (metric.errorRetry !== 'Backoff') return finishedAt + errorRetryMs
    const errors = result?.consecutiveError ?? 1
    return finishedAt + Math.min(interval, errorRetryMs * 2 ** (errors - 1))
  }
  const startedAt = parseInstant(last?.startedAt)
  if (metric.intervalFrom !== 'Start' || startedAt === null || interval === 0)
    return finishedAt + interval
  const turns = Math.max(1, Math.ceil((finishedAt - startedAt) / interval))
  return startedAt + turns * interval
}

/** Ends a run that cannot be measured. Upstream sets no times then, and its TTL never comes (2.12). */
function finishAt(
  run: AnalysisRun,
  end: { phase: 'Error'; message: string },
  now: number,
): AnalysisRunPlan {
  const at = formatInstant(now)
  const status = { ...end, startedAt: run.status?.startedAt ?? at, completedAt: at }
  return {
    ...nothing,
    writes: [
      {
        kind: 'patch',
        id: 'status',
        resource: kinds.analysisRuns,
        key: keyOfRun(run),
        patch: { kind: 'merge', body: { status } },
      },
    ],
    transitions: [{ ...completion(end.phase), after: 'status' }],
    measure: endingLate(unfinished(run)),
    checkAt: planExpiry({ ...run, status }, now).checkAt,
  }
}
