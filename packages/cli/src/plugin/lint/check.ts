import {
  lintRollout,
  parseAnalysisRun,
  parseExperiment,
  validateExperiment,
  validateMetricRules,
  validateReferences,
  validateRollout,
} from '@serinus/api'
import { examineRollout, examineTemplate } from '@serinus/engine'
import type { ManifestDocument } from './documents.ts'
import type { LintFinding } from './finding.ts'
import { type KnownObjects, knownObjects } from './known-objects.ts'
import { checkNotifications } from './notifications.ts'
import { doubtOf, errorOf, parsingErrors } from './told.ts'

/**
 * Everything wrong or doubtful with these manifests, in their order. They are looked at together: a Rollout with the
 * templates, Services and Ingresses that are among them. What is not among them may be in the cluster.
 */
export function checkManifests(
  documents: readonly ManifestDocument[],
  traffic: Traffic = {},
): readonly LintFinding[] {
  const known = knownObjects(documents)
  return documents.flatMap((document) => {
    const { object } = document
    if (object.kind === 'ConfigMap') return checkNotifications(document, documents)
    return object.apiVersion === 'argoproj.io/v1alpha1' ? check(document, known, traffic) : []
  })
}

/** What the manifests are expected to live through. */
interface Traffic {
  /** Of both versions together. Absent: what an annotation of the Rollout says, if anything. */
  readonly requestsPerSecond?: number
}

function check(
  document: ManifestDocument,
  known: KnownObjects,
  traffic: Traffic,
): readonly LintFinding[] {
  const { object } = document
  switch (object.kind) {
    case 'Rollout':
      return checkRollout(document, known, traffic)
    case 'AnalysisTemplate':
    case 'ClusterAnalysisTemplate':
      return checkTemplate(document, known)
    case 'AnalysisRun':
      return checkRun(document)
    case 'Experiment': {
      const parsed = parseExperiment(object)
      const problems = validateExperiment(parsed.value)
      return [
        ...parsingErrors(document, parsed, problems),
        ...problems.map((problem) => errorOf(document, problem)),
      ]
    }
    default:
      return []
  }
}

function checkRollout(
  document: ManifestDocument,
  known: KnownObjects,
  traffic: Traffic,
): readonly LintFinding[] {
  const parsed = known.rollouts.get(document)
  if (!parsed) return []
  const { value } = parsed
  const objects = known.besides(document)
  const problems = validateRollout(value)
  const references = validateReferences(value, { ...objects, isPartial: true })
  const doubts = [...lintRollout(value), ...references.warnings]
  return [
    ...parsingErrors(document, parsed, problems),
    ...problems.map((problem) => errorOf(document, problem, { shortPath: true })),
    ...references.problems.map((problem) => errorOf(document, problem)),
    ...doubts.map((doubt) => doubtOf(document, { ...doubt, severity: 'warning' })),
    ...examineRollout(value, objects, traffic).map((finding) => doubtOf(document, finding)),
  ]
}

function checkTemplate(document: ManifestDocument, known: KnownObjects): readonly LintFinding[] {
  const parsed = known.templates.get(document)
  if (!parsed) return []
  const { spec } = parsed.value
  const findings = examineTemplate(spec, { usedElsewhere: known.isUsed(spec) })
  return [
    ...parsingErrors(document, parsed, []),
    ...findings.map((finding) => doubtOf(document, finding)),
  ]
}

function checkRun(document: ManifestDocument): readonly LintFinding[] {
  const parsed = parseAnalysisRun(document.object)
  const { spec } = parsed.value
  // Rules may match metrics of templates that the run names.
  const unmatched = spec.templates ? [] : validateMetricRules(spec)
  return [
    ...parsingErrors(document, parsed, []),
    ...unmatched.map((problem) => errorOf(document, { ...problem, path: `spec.${problem.path}` })),
    ...examineTemplate(spec).map((finding) => doubtOf(document, finding)),
  ]
}
