export {
  type Controller,
  type ControllerOptions,
  startAnalysisAlone,
  startController,
  startRecorder,
} from './controller.ts'
export { ControllerMetrics, type NotificationFacts } from './metrics/controller-metrics.ts'
export { type Readings, startReadings } from './process/readings.ts'
export type {
  StepPlugin,
  StepPluginInput,
  StepPluginReply,
  StepPlugins,
} from './rollout/step-plugins.ts'
