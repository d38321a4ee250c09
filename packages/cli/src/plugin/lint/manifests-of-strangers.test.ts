import { existsSync, globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { checkManifests } from './check.ts'
import { readDocuments } from './documents.ts'

/** Manifests of the outside world, beside the repository where somebody has put them. */
const corpus = fileURLToPath(new URL('../../../../../../shared/corpus/', import.meta.url))
const examples = fileURLToPath(new URL('../../../../../examples/', import.meta.url))

/** Doubts as `file: reason at path` in manifests that belong together; errors are judged by the tests of `api`. */
function doubtsIn(root: string, paths: readonly string[]): readonly string[] {
  const { documents } = readDocuments(paths.map((path) => root + path))
  return checkManifests(documents)
    .filter(({ reason }) => !ofRollouts.has(reason))
    .filter(({ kind, severity, reason }) => severity !== 'error' || isOfConditions(kind, reason))
    .map(({ file, reason, path }) => `${file.slice(root.length)}: ${reason} at ${path}`)
}

/** Rules that are older than the query doctor, with tests of their own. */
const ofRollouts: ReadonlySet<string> = new Set([
  'CanaryUnderscaled',
  'ClusterTemplateFallback',
  'CombinedStep',
  'DurationNormalized',
])

function isOfConditions(kind: string | undefined, reason: string): boolean {
  return (
    kind?.includes('Analysis') === true && /^(Condition|PromQL|Prometheus|Pattern)/.test(reason)
  )
}

/** Rollouts and the templates that they run, as the corpus says. */
const pairs: readonly (readonly [string, string])[] = [
  ['canary-alb-background-analysis', 'analysis-prometheus-success-rate-commented'],
  ['canary-appmesh-podtemplatehash-arg', 'analysis-prometheus-appmesh-envoy'],
  ['canary-smi-linkerd-analysis', 'analysis-prometheus-linkerd-success-rate'],
  ['canary-nginx-hardened-pod-analysis', 'analysis-prometheus-multi-metric-slo'],
  ['canary-istio-newrelic-secret-args', 'analysis-newrelic-three-templates'],
  ['canary-experiment-kayenta-rollback-window', 'analysis-kayenta-control-experiment-scopes'],
  ['canary-istio-many-steps-many-analyses', 'analysis-prometheus-five-templates'],
  ['canary-istio-workloadref-clusterscope-analysis', 'cluster-analysis-template-prometheus'],
]

describe.skipIf(!existsSync(corpus))('manifests of strangers (needs the corpus)', () => {
  test('are doubted for a reason only', () => {
    const alone = globSync('wild/*.yaml', { cwd: corpus }).sort()
    const groups = [
      ...alone.map((file) => [file]),
      ['demo'],
      ['upstream/examples'],
      ['upstream/docs'],
    ]
    expect(groups.flatMap((paths) => doubtsIn(corpus, paths))).toEqual([
      // The only measurement may fail.
      'wild/analysis-web-unknown-name-in-condition.yaml: MetricNeverFails at spec.metrics[0].failureLimit',
      // `$.statusCode == 200` is a JSONPath.
      'wild/analysis-web-unknown-name-in-condition.yaml: ConditionUnknownName at spec.metrics[0].successCondition',
      'upstream/examples/analysis-templates.yaml: MetricNeverFails at spec.metrics[0].failureLimit',
      'upstream/examples/cluster-analysis-templates.yaml: MetricNeverFails at spec.metrics[0].failureLimit',
    ])
  })

  test.each(pairs)('%s measures its new version', (rollout, template) => {
    const paths = [`wild/${rollout}.yaml`, `wild/${template}.yaml`]
    expect(doubtsIn(corpus, paths)).toEqual([])
  })
})

test('of the examples only the articles are doubted: they measure both versions together', () => {
  expect(doubtsIn(examples, ['.'])).toEqual([
    'articles/notifications/analysis-template.yaml: ConditionsGrayZone at spec.metrics[0].inconclusiveLimit',
    'articles/notifications/analysis-template.yaml: QueryDiluted at spec.metrics[0].provider.prometheus.query',
    'articles/production/complete.yaml: QueryDiluted at spec.strategy.canary.analysis',
    'articles/production/complete.yaml: QueryDiluted at spec.strategy.canary.analysis',
  ])
})
