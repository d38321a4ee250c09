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
  const { strategy } = rollout.spec
  const problems = uncarriedRouters.map(
    (detail): Problem => ({
      path: 'spec.strategy.canary.trafficRouting',
      kind: 'Forbidden',
      detail,
    }),
  )
  const findings: Finding[] = []
  const tell = (path: string, effect: string) =>
    findings.push({
      reason: 'NotCarried',
      path,
      message: `this version of Serinus does not carry it yet: ${effect}`,
    })
  const canary = strategy?.canary
  for (const [index, step] of (canary?.steps ?? []).entries()) {
    if (step.experiment) {
      tell(
        `spec.strategy.canary.steps[${index}].experiment`,
        'the update waits at this step until somebody promotes it',
      )
    }
  }
  return { problems, findings }
}
