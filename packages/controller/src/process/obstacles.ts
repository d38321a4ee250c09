import type { AnalysisRun, Experiment, Rollout } from '@serinus/api'

type Problems = ReadonlyMap<string, string>

/** Why a Rollout cannot be judged while kinds that it uses cannot be read; null: it uses none of them. */
export function rolloutObstacle(rollout: Rollout, problems: Problems): string | null {
  if (problems.size === 0) return null
  const { canary, blueGreen } = rollout.spec?.strategy ?? {}
  const routing = canary?.trafficRouting
  const hasServices =
    blueGreen !== undefined ||
    canary?.canaryService !== undefined ||
    canary?.stableService !== undefined ||
    canary?.pingPong !== undefined
  const hasAnalysis = names(rollout.spec?.strategy, 'templateName')
  return first(problems, [
    ...(hasServices ? ['services'] : []),
    ...(routing?.nginx || routing?.alb ? ['ingresses'] : []),
    ...(names(canary?.steps, 'experiment') ? ['experiments'] : []),
    ...(hasAnalysis ? ['analysistemplates', 'clusteranalysistemplates'] : []),
  ])
}

/** As `rolloutObstacle`, for a run. */
export function runObstacle(run: AnalysisRun, problems: Problems): string | null {
  if (problems.size === 0) return null
  const usesTemplates = names(run.spec, 'templateName')
  return first(problems, usesTemplates ? ['analysistemplates', 'clusteranalysistemplates'] : [])
}

/** As `rolloutObstacle`, for an Experiment. */
export function experimentObstacle({ spec }: Experiment, problems: Problems): string | null {
  if (problems.size === 0) return null
  const hasServices =
    names(spec?.templates, 'service') ||
    JSON.stringify(spec?.analyses ?? []).includes('.service.name')
  return first(problems, [
    ...(hasServices ? ['services'] : []),
    ...(names(spec?.analyses, 'templateName')
      ? ['analysistemplates', 'clusteranalysistemplates']
      : []),
  ])
}

function first(problems: Problems, used: readonly string[]): string | null {
  const plural = used.find((kind) => problems.has(kind))
  return plural === undefined ? null : (problems.get(plural) ?? null)
}

/** Whether any object within has a field of that name. */
function names(value: unknown, field: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([key, part]) => key === field || names(part, field))
}
