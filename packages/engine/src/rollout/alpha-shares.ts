import { analysisUses, annotationKeys, metricRuleMatches, resolveTemplates } from '@serinus/api'
import type { RolloutSnapshot } from '../snapshot.ts'

/** Tells a run, or the Experiment that makes it, with how many others it shares alpha. */
export function alphaAnnotation(snapshot: RolloutSnapshot): Readonly<Record<string, string>> {
  const shares = alphaShares(snapshot)
  return shares === 0 ? {} : { [annotationKeys.alphaShares]: String(shares) }
}

/**
 * How many metrics with a test all analyses of an update ask, those of experiments included. They share alpha, so that
 * the promise holds for the update and not only for each of its runs.
 */
function alphaShares(snapshot: RolloutSnapshot): number {
  const namespace = snapshot.rollout.metadata.namespace ?? 'default'
  const counts = analysisUses(snapshot.rollout).map(({ refs, dryRun = [] }) => {
    const { templates } = resolveTemplates(refs, { ...snapshot, namespace })
    const rules = [...dryRun, ...templates.flatMap(({ spec }) => spec.dryRun ?? [])]
    const decides = (name: string) =>
      !rules.some(({ metricName }) => metricRuleMatches(metricName, name))
    return templates
      .flatMap(({ spec }) => spec.metrics ?? [])
      .filter(({ name, test }) => test && decides(name)).length
  })
  return counts.reduce((total, count) => total + count, 0)
}
