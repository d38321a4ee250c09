import { existsSync, globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { checkManifests } from './check.ts'
import { readDocuments } from './documents.ts'

/** Manifests of the outside world, beside the repository where somebody has put them. */
const corpus = fileURLToPath(new URL('../../../../../../shared/corpus/', import.meta.url))

/**
 * All that is said of each file, looked at alone. Each was read and is true: those of Argo CD are as old as 2019 and have
 * fields that are gone (analysisSpec, clusterName, templateName beside the templates) or durations without a unit.
 */
const told: Readonly<Record<string, string>> = {
  'argo-cd/AnalysisRun/actions/testdata/failedAnalysisRun.yaml': 'UnknownField, RequiredValue',
  'argo-cd/AnalysisRun/actions/testdata/runningAnalysisRun.yaml': 'UnknownField, RequiredValue',
  'argo-cd/AnalysisRun/actions/testdata/runningAnalysisRun_terminated.yaml':
    'UnknownField, RequiredValue',
  'argo-cd/AnalysisRun/testdata/errorAnalysisRun.yaml': 'UnknownField, RequiredValue',
  'argo-cd/AnalysisRun/testdata/errorAnalysisRunWithStatusMessage.yaml':
    'UnknownField, RequiredValue',
  'argo-cd/AnalysisRun/testdata/failedAnalysisRun.yaml': 'UnknownField, RequiredValue',
  'argo-cd/AnalysisRun/testdata/failedAnalysisRunWithStatusMessage.yaml':
    'UnknownField, RequiredValue',
  'argo-cd/AnalysisRun/testdata/inconclusiveAnalysisRun.yaml': 'UnknownField, RequiredValue',
  'argo-cd/AnalysisRun/testdata/inconclusiveAnalysisRunWithStatusMessage.yaml':
    'UnknownField, RequiredValue',
  'argo-cd/AnalysisRun/testdata/noStatusAnalysisRun.yaml': 'UnknownField, RequiredValue',
  'argo-cd/AnalysisRun/testdata/pendingAnalysisRun.yaml':
    'InvalidValue, ConditionResultShape x2, ConditionsGrayZone',
  'argo-cd/AnalysisRun/testdata/runningAnalysisRun.yaml': 'UnknownField, RequiredValue',
  'argo-cd/AnalysisRun/testdata/successfulAnalysisRun.yaml': 'UnknownField, RequiredValue',
  'argo-cd/Experiment/testdata/failedExperiment.yaml': 'InvalidValue',
  'argo-cd/Experiment/testdata/noStatusExperiment.yaml': 'InvalidValue',
  'argo-cd/Experiment/testdata/pendingExperiment.yaml': 'InvalidValue',
  'argo-cd/Experiment/testdata/runningExperiment.yaml': 'InvalidValue',
  'argo-cd/Experiment/testdata/successfulExperiment.yaml': 'InvalidValue',
  'argo-cd/Rollout/actions/testdata/has_pause_condition_rollout.yaml': 'UnknownField x2',
  'argo-cd/Rollout/actions/testdata/has_pause_condition_rollout_aborted.yaml': 'UnknownField x2',
  'argo-cd/Rollout/actions/testdata/no_pause_condition_rollout.yaml': 'UnknownField x2',
  'argo-cd/Rollout/actions/testdata/one_replica_rollout.yaml': 'UnknownField',
  'argo-cd/Rollout/actions/testdata/pre_v0.6_nil_paused_rollout.yaml': 'UnknownField',
  'argo-cd/Rollout/actions/testdata/pre_v0.6_not_paused_rollout.yaml': 'UnknownField',
  'argo-cd/Rollout/actions/testdata/pre_v0.6_paused_rollout.yaml': 'UnknownField',
  'argo-cd/Rollout/actions/testdata/rollout_not_restarted.yaml': 'UnknownField',
  'argo-cd/Rollout/actions/testdata/rollout_restarted.yaml': 'UnknownField',
  'argo-cd/Rollout/actions/testdata/three_replica_rollout.yaml': 'UnknownField',
  'argo-cd/Rollout/testdata/bluegreen/healthy_servingActiveService.yaml': 'UnknownField x2',
  'argo-cd/Rollout/testdata/bluegreen/progressing_addingMoreReplicas.yaml': 'UnknownField x2',
  'argo-cd/Rollout/testdata/bluegreen/progressing_waitingUntilAvailable.yaml': 'UnknownField x2',
  'argo-cd/Rollout/testdata/canary/healthy_emptyStepsList.yaml': 'UnknownField',
  'argo-cd/Rollout/testdata/canary/healthy_executedAllSteps.yaml': 'UnknownField',
  'argo-cd/Rollout/testdata/canary/healthy_executedAllStepsPreV0.8.yaml': 'UnknownField',
  'argo-cd/Rollout/testdata/canary/healthy_noSteps.yaml': 'UnknownField',
  'argo-cd/Rollout/testdata/canary/progressing_noSteps.yaml': 'UnknownField',
  'argo-cd/Rollout/testdata/canary/progressing_setWeightStep.yaml': 'UnknownField',
  'argo-cd/Rollout/testdata/degraded_abortedRollout.yaml': 'UnknownField x2',
  'argo-cd/Rollout/testdata/degraded_invalidSpec.yaml': 'RequiredValue',
  'argo-cd/Rollout/testdata/degraded_rolloutTimeout.yaml': 'UnknownField',
  'demo/analysis/rollout-with-analysis.yaml': 'UnknownField',
  'upstream/examples/analysis-templates.yaml': 'MetricNeverFails',
  'upstream/examples/apisix/rollout.yaml': 'CombinedStep, CanaryUnderscaled',
  'upstream/examples/cluster-analysis-templates.yaml': 'MetricNeverFails',
  'upstream/examples/helm-blue-green/templates/rollout.yaml': 'Unreadable',
  'upstream/examples/helm-blue-green/templates/services.yaml': 'Unreadable',
  'upstream/examples/traffic-management/rollout-linkerd.yaml': 'InvalidValue',
  'wild/analysis-web-unknown-name-in-condition.yaml': 'MetricNeverFails, ConditionUnknownName',
  'wild/canary-gatewayapi-cilium-all-in-one.yaml': 'Unreadable',
  'wild/canary-gatewayapi-header-route-dynamic-stable.yaml': 'CanaryUnderscaled',
  'wild/canary-istio-experiment-rollback-window.yaml': 'UnknownField',
  'wild/canary-nginx-setcanaryscale-inline-analysis.yaml': 'CanaryUnderscaled',
  'wild/canary-smi-minimal-kustomize.yaml': 'InvalidValue',
  'wild/canary-smi-setcanaryscale-analysis.yaml': 'CanaryUnderscaled',
  'wild/canary-step-plugin-k6-secret-env.yaml': 'UnknownField x2',
  'wild/rollout-skeleton-kustomize-base.yaml': 'RequiredValue x2',
  'wild/spec-reference-both-strategies.yaml': 'RequiredValue x2, InvalidValue',
  'wild/spec-reference-everything.yaml': 'InternalError x3, InvalidValue',
}

test.skipIf(!existsSync(corpus))(
  'strangers are told what is wrong, and nothing else (needs the corpus)',
  () => {
    const folders = '{argo-cd,demo,helm,notifications,upstream/{docs,examples,kustomize},wild}'
    const files = globSync(`${folders}/**/*.{yaml,yml}`, { cwd: corpus }).sort()
    const found = files.flatMap((file) => {
      const { documents, unreadable } = readDocuments([corpus + file])
      const reasons = [...unreadable, ...checkManifests(documents)].map(({ reason }) => reason)
      return reasons.length > 0 ? [[file, textOf(reasons)]] : []
    })
    expect(Object.fromEntries(found)).toEqual(told)
  },
)

/** `UnknownField x2, RequiredValue` */
function textOf(reasons: readonly string[]): string {
  const once = [...new Set(reasons)]
  const times = (reason: string) => reasons.filter((one) => one === reason).length
  return once
    .map((reason) => (times(reason) > 1 ? `${reason} x${times(reason)}` : reason))
    .join(', ')
}
