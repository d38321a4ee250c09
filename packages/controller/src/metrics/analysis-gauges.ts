import type {
  AnalysisRun,
  AnalysisTemplate,
  ClusterAnalysisTemplate,
  Experiment,
  Metric,
} from '@serinus/api'
import { labelText, type SeriesText } from './series-text.ts'

const runPhases = ['Pending', 'Error', 'Failed', 'Successful', 'Running', 'Inconclusive'] as const

/** Gauges of AnalysisRuns, under upstream's names (spec operations 4.1). */
export function printAnalysisRuns(text: SeriesText, runs: readonly AnalysisRun[]): void {
  const facts = runs.map((run) => ({
    run,
    object: labelText({ namespace: run.metadata.namespace ?? '', name: run.metadata.name }),
    phase: run.status?.phase || 'Pending',
  }))
  text.family('analysis_run_info', 'gauge', 'Information about the AnalysisRun.')
  for (const { object, phase } of facts) {
    text.line('analysis_run_info', `${object},${labelText({ phase })}`, 1)
  }
  printPhases(text, 'analysis_run_phase', { facts, phases: runPhases })
  text.family('analysis_run_metric_type', 'gauge', 'The providers of the metrics of the run.')
  for (const { run, object } of facts) {
    for (const metric of run.spec?.metrics ?? []) {
      const labels = labelText({ metric: metric.name, type: metricType(metric) })
      text.line('analysis_run_metric_type', `${object},${labels}`, 1)
    }
  }
  text.family('analysis_run_metric_phase', 'gauge', 'The phases of the metrics of the run.')
  for (const { run, object } of facts) {
    for (const metric of run.spec?.metrics ?? []) {
      const result = run.status?.metricResults?.find(({ name }) => name === metric.name)
      const isDryRun = result?.dryRun === true
      const phase = result?.phase || 'Pending'
      const labels = labelText({
        metric: metric.name,
        type: metricType(metric),
        dry_run: String(isDryRun),
      })
      for (const possible of runPhases) {
        const value = phase === possible ? 1 : 0
        text.line('analysis_run_metric_phase', `${object},${labels},phase="${possible}"`, value)
      }
    }
  }
}

/** Gauges of templates; the namespace of a ClusterAnalysisTemplate is empty. */
export function printTemplates(
  text: SeriesText,
  templates: readonly (AnalysisTemplate | ClusterAnalysisTemplate)[],
): void {
  const facts = templates.map((template) => ({
    template,
    object: labelText({
      namespace: template.metadata.namespace ?? '',
      name: template.metadata.name,
    }),
  }))
  text.family('analysis_template_info', 'gauge', 'Information about the analysis template.')
  for (const { object } of facts) text.line('analysis_template_info', object, 1)
  text.family('analysis_template_metric_info', 'gauge', 'The metrics of the analysis template.')
  for (const { template, object } of facts) {
    for (const metric of template.spec?.metrics ?? []) {
      const labels = labelText({ type: metricType(metric), metric: metric.name })
      text.line('analysis_template_metric_info', `${object},${labels}`, 1)
    }
  }
}

/** Upstream leaves Failed out of `experiment_phase`, so that a failed Experiment is in no phase at all. */
const experimentPhases = [
  'Pending',
  'Error',
  'Successful',
  'Running',
  'Inconclusive',
  'Failed',
] as const

/** Gauges of Experiments. */
export function printExperiments(text: SeriesText, experiments: readonly Experiment[]): void {
  const facts = experiments.map(({ metadata, status }) => ({
    object: labelText({ namespace: metadata.namespace ?? '', name: metadata.name }),
    phase: status?.phase || 'Pending',
  }))
  text.family('experiment_info', 'gauge', 'Information about the Experiment.')
  for (const { object, phase } of facts) {
    text.line('experiment_info', `${object},${labelText({ phase })}`, 1)
  }
  printPhases(text, 'experiment_phase', { facts, phases: experimentPhases })
}

function printPhases(
  text: SeriesText,
  name: string,
  content: {
    readonly facts: readonly { readonly object: string; readonly phase: string }[]
    readonly phases: readonly string[]
  },
): void {
  text.family(name, 'gauge', `State (deprecated, use ${name.replace('_phase', '_info')}).`)
  for (const { object, phase } of content.facts) {
    for (const possible of content.phases) {
      text.line(name, `${object},phase="${possible}"`, phase === possible ? 1 : 0)
    }
  }
}

const types = {
  prometheus: 'Prometheus',
  datadog: 'Datadog',
  job: 'Job',
  web: 'Web',
  kayenta: 'Kayenta',
  wavefront: 'Wavefront',
  newRelic: 'NewRelic',
  cloudWatch: 'CloudWatch',
  graphite: 'Graphite',
  influxdb: 'Influxdb',
  skywalking: 'skywalking',
  plugin: 'RPCPlugin',
} as const

function metricType({ provider }: Metric): string {
  for (const key in types) {
    if (provider?.[key as keyof typeof types] !== undefined) return types[key as keyof typeof types]
  }
  return 'Unknown Provider'
}
