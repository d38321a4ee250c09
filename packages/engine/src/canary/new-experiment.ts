import {
  annotationKeys,
  argumentsOf,
  type Experiment,
  type ExperimentStep,
  hashLabel,
  type LabelSelector,
  labelKeys,
  type Outcome,
  type Problem,
} from '@serinus/api'
import { alphaAnnotation } from '../rollout/alpha-shares.ts'
import { ownTemplate } from '../rollout/own-template.ts'
import type { ReplicaSet } from '../snapshot.ts'
import type { CanaryFacts } from './facts.ts'

type StepTemplate = ExperimentStep['templates'][number]
type Spec = Experiment['spec']

/** The Experiment of a canary step; problems tell why it cannot be made at present (spec analysis-and-experiments 5.5). */
export function newExperiment(
  facts: CanaryFacts,
  wanted: { readonly name: string; readonly index: number; readonly step: ExperimentStep },
): Outcome<Experiment> {
  const { name, index, step } = wanted
  const { rollout } = facts.snapshot
  const problems: Problem[] = []
  const templates = step.templates.flatMap((template) => {
    const made = templateOf(facts, template)
    if (made) return [made]
    problems.push({
      path: `spec.strategy.canary.steps[${index}].experiment.templates`,
      kind: 'Invalid value',
      value: template.specRef,
      detail: 'Invalid template step SpecRef: must be canary or stable',
    })
    return []
  })
  const analyses = (step.analyses ?? []).flatMap((analysis) => {
    const args = argumentsOf(rollout, analysis.args ?? [], {
      latestHash: facts.newSet.hash,
      stableHash: facts.stable?.hash ?? '',
    })
    if (!args.ok) problems.push(...args.problems)
    return [{ ...analysis, ...(args.ok && analysis.args ? { args: args.value } : {}) }]
  })
  if (problems.length > 0) return { ok: false, problems }
  const { duration, scaleDownDelaySeconds, dryRun, measurementRetention } = step
  const deadline = step.progressDeadlineSeconds ?? rollout.spec.progressDeadlineSeconds
  const spec: Spec = {
    templates,
    ...(duration ? { duration } : {}),
    ...(deadline === undefined ? {} : { progressDeadlineSeconds: deadline }),
    ...(scaleDownDelaySeconds === undefined ? {} : { scaleDownDelaySeconds }),
    ...(analyses.length > 0 ? { analyses: analyses as NonNullable<Spec['analyses']> } : {}),
    ...(dryRun ? { dryRun } : {}),
    ...(measurementRetention ? { measurementRetention } : {}),
    ...(step.analysisRunMetadata ? { analysisRunMetadata: step.analysisRunMetadata } : {}),
  }
  return { ok: true, value: { ...identityOf(facts, { name, index }), spec } }
}

function identityOf(
  { snapshot, newSet }: CanaryFacts,
  { name, index }: { readonly name: string; readonly index: number },
): Omit<Experiment, 'spec'> {
  const { metadata } = snapshot.rollout
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Experiment',
    metadata: {
      name,
      namespace: metadata.namespace ?? 'default',
      labels: {
        ...metadata.labels,
        [hashLabel]: newSet.hash,
        [labelKeys.stepIndex]: String(index),
      },
      annotations: {
        [annotationKeys.revision]: String(newSet.revision),
        ...alphaAnnotation(snapshot),
      },
      ownerReferences: [
        {
          apiVersion: 'argoproj.io/v1alpha1',
          kind: 'Rollout',
          name: metadata.name,
          uid: metadata.uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
  }
}

/**
 * The pods of one side without what the Rollout put into them: labels for the role of that side could lead the requests
 * of users to them (falls short 36).
 */
function templateOf(facts: CanaryFacts, template: StepTemplate): Spec['templates'][number] | null {
  const set = setOf(facts, template.specRef)
  if (!set) return null
  const { name, replicas, metadata, service, weight } = template
  const own = ownTemplate(set)
  const labels = { ...own.metadata?.labels, ...metadata?.labels }
  const annotations = { ...own.metadata?.annotations, ...metadata?.annotations }
  const isReached = service !== undefined || weight !== undefined
  return {
    name,
    ...(replicas === undefined ? {} : { replicas }),
    ...(set.spec.minReadySeconds ? { minReadySeconds: set.spec.minReadySeconds } : {}),
    selector: withLabels(template.selector ?? withoutHash(set.spec.selector), metadata?.labels),
    template: {
      ...own,
      metadata: { labels, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    },
    ...(isReached ? { service: service?.name ? { name: service.name } : {} } : {}),
  }
}

function setOf(facts: CanaryFacts, specRef: string): ReplicaSet | null {
  if (specRef === 'canary') return facts.newSet.object
  return specRef === 'stable' ? (facts.stable?.object ?? null) : null
}

function withoutHash(selector: LabelSelector): LabelSelector {
  const { [hashLabel]: _, ...matchLabels } = selector.matchLabels ?? {}
  return { ...selector, matchLabels }
}

function withLabels(
  selector: LabelSelector,
  labels: Readonly<Record<string, string>> | undefined,
): LabelSelector {
  if (!labels) return selector
  return { ...selector, matchLabels: { ...selector.matchLabels, ...labels } }
}
