import {
  conditionFacts,
  conditionOf,
  kinds,
  lintRollout,
  type Problem,
  problemText,
  type Rollout,
  type RolloutStatus,
  rolloutPhase,
  setCondition,
  validateReferences,
} from '@serinus/api'
import { mergePatch } from '@serinus/kube'
import { planBlueGreen } from './blue-green/plan-blue-green.ts'
import { planCanary } from './canary/plan-canary.ts'
import { examineRollout } from './doctor/doctor.ts'
import { formatInstant } from './instant.ts'
import type { Finding, RolloutPlan, Transition } from './plan.ts'
import { restartFindings } from './rollout/restart.ts'
import { adoptSize, type Resolved, resolveWorkload, workloadFindings } from './rollout/workload.ts'
import { restoreWorkloads } from './rollout/workload-scale.ts'
import type { RolloutSnapshot } from './snapshot.ts'

const nothing: RolloutPlan = {
  writes: [],
  routes: null,
  transitions: [],
  waits: [],
  checkAt: null,
  statusDeferred: false,
  needsPods: false,
  pluginCalls: null,
  warnings: [],
}

/**
 * Everything one pass over a Rollout may do. Pure: the same snapshot and `now` (epoch milliseconds) give the same plan,
 * and a plan that was applied and observed leads to one without writes.
 */
export function planRollout(observed: RolloutSnapshot, now: number): RolloutPlan {
  if (observed.rollout.metadata.deletionTimestamp) return nothing
  const resolved = resolveWorkload(observed)
  const plan = planResolved(resolved, now)
  const restored = restoreWorkloads(observed, false)
  return {
    ...plan,
    writes: [...restored.writes, ...plan.writes],
    transitions: [...restored.transitions, ...plan.transitions],
  }
}

function planResolved({ snapshot, problems: own }: Resolved, now: number): RolloutPlan {
  const { rollout } = snapshot
  const references = validateReferences(rollout, snapshot)
  const problems = [
    ...snapshot.parseProblems,
    ...own,
    ...references.problems,
    ...snapshot.routingProblems,
  ]
  if (problems.length > 0) return planInvalid(snapshot, problems, now)
  const warnings: readonly Finding[] = [
    ...lintRollout(rollout, { zeroPause: snapshot.options.zeroPause }),
    ...references.warnings,
    ...workloadFindings(snapshot),
    ...restartFindings(rollout),
  ]
  const size = adoptSize(snapshot)
  if (size) return { ...nothing, writes: [size] }
  const plan = rollout.spec.strategy?.blueGreen
    ? planBlueGreen(snapshot, now, warnings)
    : planCanary(snapshot, now, warnings)
  return {
    ...plan,
    transitions: [...plan.transitions, ...warningTransitions(snapshot, plan, warnings)],
  }
}

/** Said once per generation: in the pass that first observes it, which the stored status tells apart. */
function warningTransitions(
  snapshot: RolloutSnapshot,
  plan: RolloutPlan,
  warnings: readonly Finding[],
): readonly Transition[] {
  const { metadata, status } = snapshot.rollout
  if (status?.observedGeneration === String(metadata.generation ?? 0)) return []
  if (!plan.writes.some((write) => write.id === 'status')) return []
  const doubts = examineRollout(snapshot.rollout, snapshot).filter(
    ({ severity }) => severity !== 'hint',
  )
  return [...warnings, ...doubts].map((warning) => ({
    type: 'Warning',
    reason: warning.reason,
    message: `${warning.path}: ${warning.message}`,
    after: 'status',
  }))
}

/** Pods, Services and routes stay as they are until the spec is mended (api.md 11). */
function planInvalid(
  snapshot: RolloutSnapshot,
  problems: readonly Problem[],
  now: number,
): RolloutPlan {
  const { rollout } = snapshot
  const before: RolloutStatus = rollout.status ?? {}
  const facts = conditionFacts.invalidSpec(
    rollout.metadata.name,
    problems.map(problemText).join('; '),
  )
  const { message } = facts
  const conditions = setCondition(before.conditions ?? [], facts, { at: formatInstant(now) })
  const after: RolloutStatus = {
    ...before,
    conditions,
    observedGeneration: String(rollout.metadata.generation ?? 0),
  }
  const { phase, message: text } = rolloutPhase({ ...rollout, status: after } as Rollout)
  const body = mergePatch(before, { ...after, phase, message: text })
  const told = conditionOf(before.conditions, 'InvalidSpec')?.message === message
  return {
    ...nothing,
    writes:
      body === undefined
        ? []
        : [
            {
              kind: 'patch',
              id: 'status',
              resource: kinds.rollouts,
              key: {
                namespace: rollout.metadata.namespace ?? 'default',
                name: rollout.metadata.name,
              },
              subresource: 'status',
              patch: { kind: 'merge', body: { status: body } },
            },
          ],
    transitions: told ? [] : [{ type: 'Warning', reason: 'InvalidSpec', message, after: 'status' }],
    waits: [{ kind: 'invalid-spec', problems: problems.length }],
    // Objects that are watched heal it at once; this is for those that are not.
    checkAt: now + 60_000,
  }
}
