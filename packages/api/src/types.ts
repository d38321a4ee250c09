import type * as analysis from './schema/analysis.ts'
import type * as experiment from './schema/experiment.ts'
import type * as sources from './schema/number-sources.ts'
import type * as rollout from './schema/rollout.ts'
import type { Static } from './schema/typed-schema.ts'

/** One Rollout: pods and how to update them (spec api 2, 3). */
export interface Rollout extends Static<typeof rollout.rollout> {}
/** What a Rollout asks for (spec api 2). Defaults are not filled in: see `defaults`. */
export interface RolloutSpec extends Static<typeof rollout.rolloutSpec> {}
/** What a Rollout's controller has seen and done (spec api 3). Absent numbers and flags mean zero and false. */
export interface RolloutStatus extends Static<typeof rollout.rolloutStatus> {}
/** `spec.strategy.canary` (spec api 2.2). */
export interface CanaryStrategy extends Static<typeof rollout.canaryStrategy> {}
/** One entry of `spec.strategy.canary.steps` (spec api 2.3). */
export interface CanaryStep extends Static<typeof rollout.canaryStep> {}
/** `spec.strategy.blueGreen` (spec api 2.1). */
export interface BlueGreenStrategy extends Static<typeof rollout.blueGreenStrategy> {}
/** `spec.strategy.canary.trafficRouting` (spec api 2.4). */
export interface TrafficRouting extends Static<typeof rollout.trafficRouting> {}
/** `gatewayAPI` of `spec.strategy.canary.trafficRouting` (spec traffic-routing 6.1). */
export interface GatewayApiRouting extends Static<typeof rollout.gatewayApi> {}
/** An analysis that a Rollout asks for (spec api 2.6). */
export interface RolloutAnalysis extends Static<typeof rollout.rolloutAnalysis> {}
/** `spec.strategy.canary.analysis`: also says at which step it starts. */
export interface BackgroundAnalysis extends Static<typeof rollout.backgroundAnalysis> {}
/** An `experiment` step (spec api 2.7). */
export interface ExperimentStep extends Static<typeof rollout.experimentStep> {}
/** A condition of a Rollout or Experiment (spec api 13). */
export interface RolloutCondition extends Static<typeof experiment.condition> {}
/** Why and since when the controller paused a Rollout. */
export interface PauseCondition extends Static<typeof rollout.pauseCondition> {}
/** The run that a Rollout's status names, with its phase. */
export interface RolloutAnalysisRunStatus extends Static<typeof rollout.runStatus> {}
/** What a step plugin last said. */
export interface StepPluginStatus extends Static<typeof rollout.stepPluginStatus> {}

/** Names a template to take metrics from (spec api 2.5). */
export interface AnalysisTemplateRef extends Static<typeof analysis.analysisTemplateRef> {}
/** Metrics that Rollouts and Experiments of a namespace can run (spec api 4). */
export interface AnalysisTemplate extends Static<typeof analysis.analysisTemplate> {}
/** The same for the whole cluster. */
export interface ClusterAnalysisTemplate extends Static<typeof analysis.analysisTemplate> {}
/** `spec` of both kinds of templates. */
export interface AnalysisTemplateSpec extends Static<typeof analysis.analysisTemplateSpec> {}
/** One analysis, run once (spec api 5). */
export interface AnalysisRun extends Static<typeof analysis.analysisRun> {}
/** What a run measures. `templates` is resolved into the other fields when the run starts. */
export interface AnalysisRunSpec extends Static<typeof analysis.analysisRunSpec> {}
/** What a run has measured. */
export interface AnalysisRunStatus extends Static<typeof analysis.analysisRunStatus> {}
/** State of one metric of a run. */
export interface MetricResult extends Static<typeof analysis.metricResult> {}
/** One measurement of a metric. */
export interface Measurement extends Static<typeof analysis.measurement> {}
/** One metric of a template or run (spec api 4.1). */
export interface Metric extends Static<typeof analysis.metric> {}
/** Who measures; exactly one key (spec api 4.2). */
export interface MetricProvider extends Static<typeof analysis.metricProvider> {}
/** A provider that answers with plain numbers, as part of `counts` and `judge`; exactly one key. */
export interface NumberSource extends Static<typeof sources.numberSource> {}
/** An argument that a template or run declares. */
export interface Argument extends Static<typeof analysis.argument> {}
/** An argument that a Rollout hands over. */
export interface AnalysisRunArgument extends Static<typeof analysis.analysisRunArgument> {}
/** Phase of a measurement, metric, run or experiment; the last four are final. */
export type AnalysisPhase = Static<typeof analysis.analysisPhase>

/** Groups of pods that run side by side for a while (spec api 6). */
export interface Experiment extends Static<typeof experiment.experiment> {}
/** What an Experiment asks for. */
export interface ExperimentSpec extends Static<typeof experiment.experimentSpec> {}
/** What has become of an Experiment. */
export interface ExperimentStatus extends Static<typeof experiment.experimentStatus> {}
