import { describe, expect, test } from 'vitest'
import {
  type Parsed,
  parseAnalysisRun,
  parseAnalysisTemplate,
  parseClusterAnalysisTemplate,
  parseExperiment,
  parseRollout,
} from './parse.ts'
import { clientPhase } from './phase.ts'
import { problemText } from './problem.ts'
import { argumentTags, substitute } from './templates.ts'
import { type CorpusObject, corpusFiles, hasCorpus } from './test-corpus.ts'
import type { AnalysisRun, AnalysisTemplate, Argument, Experiment, Rollout } from './types.ts'
import { validateMetrics } from './validation/metrics.ts'
import { validateRollout } from './validation/rollout.ts'

type Ours = Rollout | AnalysisTemplate | AnalysisRun | Experiment
const parsers: Readonly<Record<string, (object: unknown) => Parsed<Ours>>> = {
  Rollout: parseRollout,
  AnalysisTemplate: parseAnalysisTemplate,
  ClusterAnalysisTemplate: parseClusterAnalysisTemplate,
  AnalysisRun: parseAnalysisRun,
  Experiment: parseExperiment,
}

function textsOf(object: CorpusObject): readonly string[] {
  const parse = parsers[object.kind ?? '']
  if (!parse || object.apiVersion !== 'argoproj.io/v1alpha1') return []
  const { value, problems, unknownFields } = parse(object)
  const found = [...problems, ...unknownFields]
  if (value.kind === 'Rollout') found.push(...validateRollout(value as Rollout))
  else if (value.kind !== 'Experiment') found.push(...metricProblems(value as AnalysisTemplate))
  return found.map(problemText)
}

function metricProblems({ spec }: AnalysisTemplate) {
  const filled = (spec.args ?? []).map((arg: Argument) => ({ ...arg, value: arg.value ?? '1m' }))
  const tags = argumentTags(filled)
  const metrics = substitute(spec.metrics ?? [], tags.ok ? tags.value : {})
  if (!metrics.ok) return metrics.problems
  return spec.templates && metrics.value.length === 0 ? [] : validateMetrics(metrics.value)
}

/** What must be said of the files that the corpus knows to be wrong. */
const refusals: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  'wild/spec-reference-both-strategies.yaml': [
    'Multiple Strategies can not be listed',
    /spec\.template\.spec\.containers: Required value/,
  ],
  'wild/spec-reference-everything.yaml': ['Multiple Strategies can not be listed'],
  'wild/rollout-skeleton-kustomize-base.yaml': [
    "Rollout has missing field '.spec.selector'",
    "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'",
  ],
  'wild/canary-smi-minimal-kustomize.yaml': [
    /^metadata\.name: .*alice-Rollout.*RFC 1123 subdomain/,
  ],
  'wild/canary-istio-experiment-rollback-window.yaml': [/resources\.timeoutSeconds: Unknown field/],
  'wild/canary-step-plugin-k6-secret-env.yaml': [/valueFrom\.secretKeyRef: Unknown field/],
  // A brace in YAML begins a map: the annotation is no text.
  'upstream/examples/traffic-management/rollout-linkerd.yaml': [
    /template\.metadata\.annotations\S*: Invalid value: .*cannot unmarshal object/,
  ],
  'demo/analysis/rollout-with-analysis.yaml': [/analysis\.templateName: Unknown field/],
}
/** A key stands twice, which a strict reader of YAML refuses. */
const unreadable: ReadonlySet<string> = new Set(['wild/canary-gatewayapi-cilium-all-in-one.yaml'])

describe.skipIf(!hasCorpus)('manifests of strangers (needs the corpus)', () => {
  const folders = hasCorpus ? ['upstream/examples', 'upstream/docs', 'wild', 'demo'] : []
  const files = folders
    .flatMap(corpusFiles)
    .filter((file) => !file.name.startsWith('upstream/examples/helm-blue-green/templates/'))

  test.each(files.map((file) => [file.name, file] as const))('%s', (name, file) => {
    expect(file.errors.length > 0).toBe(unreadable.has(name))
    const texts = file.documents.flatMap(textsOf)
    const expected = refusals[name]
    if (!expected) {
      expect(texts).toEqual([])
      return
    }
    for (const part of expected) {
      const matcher =
        typeof part === 'string' ? expect.stringContaining(part) : expect.stringMatching(part)
      expect(texts).toContainEqual(matcher)
    }
  })

  test('recorded objects of all releases since v0.3 can be read and shown', () => {
    const recorded = hasCorpus ? corpusFiles('argo-cd') : []
    const ours = recorded
      .flatMap((file) => file.documents)
      .filter((each) => parsers[each.kind ?? ''])
    expect(ours.length).toBeGreaterThan(30)
    for (const object of ours) {
      const parsed = parsers[object.kind ?? '']?.(object)
      expect(parsed?.value.metadata.name).not.toBe('')
      if (parsed?.value.kind === 'Rollout') {
        expect(clientPhase(parsed.value as Rollout).phase).toMatch(
          /^(Healthy|Degraded|Progressing|Paused)$/,
        )
      }
    }
  })
})
