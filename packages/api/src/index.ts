export {
  type ConditionFacts,
  conditionFacts,
  conditionOf,
  experimentConditionFacts,
  type ProgressCause,
  setCondition,
  withoutCondition,
} from './conditions.ts'
export { type CrdSchema, type CustomResourceDefinition, crd, type PrinterColumn } from './crds.ts'
export { defaults } from './defaults.ts'
export {
  durationProblem,
  formatDuration,
  type PauseDuration,
  parseDuration,
  parsePauseDuration,
} from './duration.ts'
export {
  analysisRunEvents,
  type EventFacts,
  eventSource,
  experimentEvents,
  type PhaseChange,
  rolloutEvents,
  triggerOf,
} from './events.ts'
export {
  type PodTemplateHashOptions,
  podTemplateHash,
  type StepsHashOptions,
  stepsHash,
  textHash,
} from './hash.ts'
export {
  type Fenceposts,
  intOrStringCount,
  percentOf,
  resolveFenceposts,
  resolveUnavailable,
} from './int-or-string.ts'
export { annotationKeys, hashLabel, labelKeys } from './labels.ts'
export { names } from './names.ts'
export { nearest } from './nearest.ts'
export { parseNumber } from './number.ts'
export {
  type Parsed,
  parseAnalysisRun,
  parseAnalysisTemplate,
  parseClusterAnalysisTemplate,
  parseExperiment,
  parseGatewayApi,
  parseRollout,
} from './parse.ts'
export { clientPhase, finalPhases, type RolloutPhase, rolloutPhase } from './phase.ts'
export {
  type Finding,
  type Outcome,
  type Problem,
  type ProblemKind,
  problemText,
} from './problem.ts'
export {
  type AnalysisUse,
  analysisUses,
  type ReferencedIngress,
  type ReferencedObjects,
  type ReferencedService,
  type ReferenceReport,
  validateReferences,
} from './references.ts'
export { type Kind, kinds } from './resources.ts'
export { fieldOfRollout, metadataField, metadataPathProblem } from './rollout-field.ts'
export type {
  Container,
  ContainerPort,
  EnvVar,
  JobSpec,
  LabelSelector,
  PodSpec,
  PodTemplateMetadata,
  PodTemplateSpec,
  ResourceRequirements,
} from './schema/pod-template.ts'
export type { ObjectMeta, OwnerReference } from './schema/typed-schema.ts'
export { selectorMatches } from './selector.ts'
export { stepLabel } from './step-label.ts'
export {
  type AnalysisRequest,
  analysisRunSpecFor,
  argumentsOf,
  argumentTags,
  experimentTagsIn,
  flattenTemplates,
  mergeArguments,
  type ResolvedTemplate,
  type ResolvedTemplates,
  resolveTemplates,
  substitute,
  type TemplateLookup,
  type TemplateScope,
} from './templates.ts'
export type {
  AnalysisPhase,
  AnalysisRun,
  AnalysisRunArgument,
  AnalysisRunSpec,
  AnalysisRunStatus,
  AnalysisTemplate,
  AnalysisTemplateRef,
  AnalysisTemplateSpec,
  Argument,
  BackgroundAnalysis,
  BlueGreenStrategy,
  CanaryStep,
  CanaryStrategy,
  ClusterAnalysisTemplate,
  Experiment,
  ExperimentSpec,
  ExperimentStatus,
  ExperimentStep,
  GatewayApiRouting,
  Measurement,
  Metric,
  MetricProvider,
  MetricResult,
  NumberSource,
  PauseCondition,
  Rollout,
  RolloutAnalysis,
  RolloutAnalysisRunStatus,
  RolloutCondition,
  RolloutSpec,
  RolloutStatus,
  StepPluginStatus,
  TrafficRouting,
} from './types.ts'
export { validateExperiment } from './validation/experiment.ts'
export { gatewayApiPlugin } from './validation/gateway-api.ts'
export { metricRuleMatches, validateMetricRules, validateMetrics } from './validation/metrics.ts'
export { validateRollout } from './validation/rollout.ts'
export { type LintOptions, lintRollout, lintTemplate } from './warnings.ts'
