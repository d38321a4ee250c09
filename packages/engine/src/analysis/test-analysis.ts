import type {
  AnalysisRun,
  AnalysisRunStatus,
  AnalysisTemplate,
  ClusterAnalysisTemplate,
  Measurement,
  Metric,
} from '@serinus/api'
import { formatInstant } from '../instant.ts'
import type { Transition } from '../plan.ts'
import {
  type AnalysisRunPlan,
  type AnalysisRunSnapshot,
  type Answer,
  type MeasureTask,
  planAnalysisRun,
} from './plan-analysis-run.ts'

/** 2026-08-17T10:00:00Z */
export const testStart = Date.UTC(2026, 7, 17, 10)

/** `S F I E`: the phases of the measurements in turn, the last again and again. A function is asked each time. */
export type Script = string | ((task: MeasureTask, now: number) => Partial<Measurement>)

export interface World {
  run: AnalysisRun | null
  now: number
  readonly plans: AnalysisRunPlan[]
  readonly transitions: Transition[]
  readonly tasks: (MeasureTask & { readonly at: number })[]
}

export interface Options {
  readonly scripts?: Readonly<Record<string, Script>>
  /** Epoch milliseconds; the world stands still from then on. */
  readonly until?: number
  readonly snapshot?: Partial<AnalysisRunSnapshot>
  /** How the answers of one instant come in: in which order, and how many before the next pass. */
  readonly arrange?: (answers: readonly Answer[]) => readonly (readonly Answer[])[]
  /** Whether the process dies before the pass, so that whatever is not stored is asked again. */
  readonly crashes?: (pass: number) => boolean
  readonly change?: (world: World) => void
}

const phases = { S: 'Successful', F: 'Failed', I: 'Inconclusive', E: 'Error' } as const

/** The planner with a scripted world around it: answers cost no time, writes succeed, `checkAt` is kept. */
export function simulate(run: AnalysisRun, options: Options = {}): World {
  const { until = testStart + 3_600_000, arrange = (answers) => [answers] } = options
  const world: World = { run, now: testStart, plans: [], transitions: [], tasks: [] }
  let inFlight: Answer[] = []
  let waiting: (readonly Answer[])[] = []
  let kept: readonly Answer[] = []
  for (let pass = 0; world.run; pass++) {
    if (pass > 2000) throw new Error('the plan never comes to rest')
    options.change?.(world)
    if (options.crashes?.(pass)) {
      waiting = []
      inFlight = []
      kept = []
    }
    const arrived = waiting.shift() ?? []
    inFlight = inFlight.filter((answer) => !arrived.includes(answer))
    const answers = [...kept, ...arrived]
    const snapshot: AnalysisRunSnapshot = {
      run: world.run,
      analysisTemplates: [],
      clusterAnalysisTemplates: [],
      secrets: { ok: true },
      awake: [],
      ...options.snapshot,
      inFlight: inFlight.map((answer) => answer.metric),
      answers,
    }
    const plan = planAnalysisRun(snapshot, world.now)
    world.plans.push(plan)
    kept = plan.keepAnswers ? answers : []
    world.transitions.push(...plan.transitions)
    world.run = applied(world.run, plan)
    const asked = plan.measure.map((task) => {
      world.tasks.push({ ...task, at: world.now })
      return answerTo(task, options.scripts?.[task.metric] ?? 'S', world.now)
    })
    inFlight.push(...asked)
    if (asked.length > 0) waiting.push(...arrange(asked))
    if (waiting.length > 0 || plan.writes.length > 0) continue
    if (plan.checkAt === null || plan.checkAt > until) break
    world.now = Math.max(world.now, plan.checkAt)
  }
  return world
}

function answerTo(task: MeasureTask, script: Script, now: number): Answer {
  const at = formatInstant(now)
  const { metric, serial } = task
  const startedAt = task.measurement?.startedAt ?? at
  if (typeof script === 'function') {
    const measurement = { startedAt, ...script(task, now) } as Measurement
    const ended = measurement.phase === 'Running' ? {} : { finishedAt: at }
    return { metric, serial, measurement: { ...measurement, ...ended } }
  }
  const letter = script.charAt(Math.min(serial, script.length) - 1) as keyof typeof phases
  const phase = phases[letter]
  return {
    metric,
    serial,
    measurement: {
      phase,
      startedAt,
      finishedAt: at,
      ...(phase === 'Error' ? { message: `boom ${serial}` } : { value: `[${serial}]` }),
    },
  }
}

/** The run after the writes of a plan; null: deleted. */
export function applied(
  run: AnalysisRun,
  plan: Pick<AnalysisRunPlan, 'writes'>,
): AnalysisRun | null {
  let next: AnalysisRun | null = run
  for (const write of plan.writes) {
    if (write.kind === 'delete') next = null
    if (write.kind === 'patch' && next)
      next = merged(structuredClone(next), write.patch.body) as AnalysisRun
  }
  return next
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {}
  const fields: Record<string, unknown> = { ...base }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete fields[name]
    else fields[name] = merged(fields[name], value)
  }
  return fields
}

export function metric(fields: Partial<Metric> = {}): Metric {
  return { name: 'm', provider: { prometheus: { address: 'http://p', query: 'up' } }, ...fields }
}

export function analysisRun(
  spec: Partial<AnalysisRun['spec']>,
  status?: Partial<AnalysisRunStatus>,
): AnalysisRun {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisRun',
    metadata: {
      name: 'run',
      namespace: 'app',
      uid: 'uid-1',
      creationTimestamp: formatInstant(testStart),
    },
    spec,
    ...(status ? { status } : {}),
  } as unknown as AnalysisRun
}

export function template(
  name: string,
  spec: AnalysisTemplate['spec'],
): AnalysisTemplate & ClusterAnalysisTemplate {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name, namespace: 'app' },
    spec,
  } as unknown as AnalysisTemplate & ClusterAnalysisTemplate
}
