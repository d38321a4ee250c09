import type { Finding, Problem, Rollout } from '@serinus/api'

/**
 * What Argo Rollouts has and this version does not: refused where going on could hurt, otherwise told once per
 * generation. Nothing is ignored in silence.
 */
export function notCarried(
  rollout: Rollout,
  uncarriedRouters: readonly string[],
): {
  readonly problems: readonly Problem[]
  readonly findings: readonly Finding[]
} {
  const { strategy, workloadRef, restartAt } = rollout.spec
  const problems: Problem[] = []
  const refuse = (path: string, instead: string) =>
    problems.push({
      path,
      kind: 'Forbidden',
      detail: `this version of Serinus does not carry it yet; ${instead}`,
    })
  if (workloadRef) refuse('spec.workloadRef', 'give spec.template')
  for (const detail of uncarriedRouters) {
    problems.push({ path: 'spec.strategy.canary.trafficRouting', kind: 'Forbidden', detail })
  }
  const findings: Finding[] = []
  const tell = (path: string, effect: string) =>
    findings.push({
      reason: 'NotCarried',
      path,
      message: `this version of Serinus does not carry it yet: ${effect}`,
    })
  if (restartAt) tell('spec.restartAt', 'no pod is restarted')
  const canary = strategy?.canary
  if (canary?.antiAffinity) tell('spec.strategy.canary.antiAffinity', 'pods are placed without it')
  if (canary?.canaryMetadata) tell('spec.strategy.canary.canaryMetadata', 'pods do not get it')
  if (canary?.stableMetadata) tell('spec.strategy.canary.stableMetadata', 'pods do not get it')
  for (const [index, step] of (canary?.steps ?? []).entries()) {
    for (const key of ['experiment', 'plugin'] as const) {
      if (step[key]) {
        tell(
          `spec.strategy.canary.steps[${index}].${key}`,
          'the update waits at this step until somebody promotes it',
        )
      }
    }
  }
  return { problems, findings }
}
