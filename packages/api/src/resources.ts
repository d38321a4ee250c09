/** One of our kinds, in the shape that clients make URLs of. */
export interface Kind {
  readonly group: 'argoproj.io'
  readonly version: 'v1alpha1'
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
}

function kindOf(kind: string, plural: string, namespaced = true): Kind {
  return { group: 'argoproj.io', version: 'v1alpha1', plural, kind, namespaced }
}

/** The five kinds of `argoproj.io/v1alpha1` by their plural (spec api 1). */
export const kinds = {
  rollouts: kindOf('Rollout', 'rollouts'),
  analysisTemplates: kindOf('AnalysisTemplate', 'analysistemplates'),
  clusterAnalysisTemplates: kindOf('ClusterAnalysisTemplate', 'clusteranalysistemplates', false),
  analysisRuns: kindOf('AnalysisRun', 'analysisruns'),
  experiments: kindOf('Experiment', 'experiments'),
} as const
