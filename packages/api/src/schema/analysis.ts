import { counts, judge, sequentialTest } from './judgement.ts'
import {
  addressAndQuery,
  datadog,
  graphite,
  influxdb,
  prometheus,
  skywalking,
  web,
} from './number-sources.ts'
import { jobSpec, podMetadata } from './pod-template.ts'
import {
  any,
  boolean,
  int32,
  int64,
  intOrString,
  list,
  map,
  object,
  oneOf,
  optional,
  required,
  resource,
  string,
  time,
  word,
} from './typed-schema.ts'

export const analysisPhase = word(
  'Pending',
  'Running',
  'Successful',
  'Failed',
  'Error',
  'Inconclusive',
)

export const analysisTemplateRef = object({
  templateName: optional(string, 'Name of the template.'),
  clusterScope: optional(
    boolean,
    'True: a ClusterAnalysisTemplate. False: an AnalysisTemplate of this namespace. Absent: the latter, and when there is none, the ClusterAnalysisTemplate of that name.',
  ),
})

const fieldRef = object({
  fieldPath: required(
    string,
    "Path of the field: metadata.name, metadata.labels['app'], spec.template.spec.containers[0].image and so on.",
  ),
})

/** An argument as templates and runs declare it. */
export const argument = object({
  name: required(string, 'Name, used in the template as {{args.NAME}}.'),
  value: optional(string, 'The value itself. Absent together with valueFrom: must be supplied.'),
  valueFrom: optional(
    object({
      secretKeyRef: optional(
        object({
          name: required(string, 'Name of the Secret.'),
          key: required(string, 'Key within the Secret.'),
        }),
        'Takes the value from a Secret of the namespace of the run.',
      ),
      fieldRef: optional(
        fieldRef,
        'Takes the value from the metadata of the AnalysisRun: metadata.name, metadata.labels and so on.',
      ),
    }),
    'Where the value comes from.',
  ),
})

/** An argument as a Rollout hands it over. */
export const analysisRunArgument = object({
  name: required(string, 'Name of an argument that the templates declare.'),
  value: optional(string, 'The value itself.'),
  valueFrom: optional(
    object({
      podTemplateHashValue: optional(
        word('Stable', 'Latest'),
        'Stable or Latest: the pod template hash of that ReplicaSet.',
      ),
      fieldRef: optional(fieldRef, 'Takes the value from a field of the Rollout.'),
    }),
    'Where the value comes from.',
  ),
})

export const dryRun = list(
  object({
    metricName: required(
      string,
      'Regular expression over metric names. Matching metrics are measured but decide nothing.',
    ),
  }),
)

export const measurementRetention = list(
  object({
    metricName: required(string, 'Regular expression over metric names.'),
    limit: required(int32, 'How many measurements to keep of each matching metric.'),
  }),
)

const kayentaScope = object({
  scope: required(string, 'What is measured, such as a ReplicaSet.'),
  region: required(string, 'Where it runs.'),
  step: required(int64, 'Seconds between samples.'),
  start: optional(string, 'First instant, RFC 3339.'),
  end: optional(string, 'Last instant, RFC 3339.'),
})

export const metricProvider = object({
  prometheus,
  kayenta: optional(
    object({
      address: required(string, 'Address of Kayenta.'),
      application: required(string, 'Application name.'),
      canaryConfigName: required(string, 'Name of the canary configuration.'),
      metricsAccountName: required(string, 'Account that holds the metrics.'),
      configurationAccountName: required(string, 'Account that holds the configuration.'),
      storageAccountName: required(string, 'Account that stores results.'),
      threshold: required(
        object({
          pass: required(int64, 'Score from which the judgement is Successful.'),
          marginal: required(int64, 'Score from which it is Inconclusive rather than Failed.'),
        }),
        'Which scores pass.',
      ),
      scopes: required(
        list(
          object({
            name: required(string, 'Name of the pair.'),
            controlScope: required(kayentaScope, 'The baseline.'),
            experimentScope: required(kayentaScope, 'The canary.'),
          }),
        ),
        'Pairs to compare.',
      ),
      lookback: optional(boolean, 'Judges from the start rather than the last interval.'),
    }),
    'Lets Kayenta compare canary and baseline.',
  ),
  web,
  datadog,
  wavefront: optional(object(addressAndQuery), 'Queries Wavefront.'),
  newRelic: optional(
    object({
      profile: optional(string, 'Name of the Secret with the keys; newrelic by default.'),
      query: required(string, 'NRQL query.'),
      timeout: optional(int64, 'Seconds after which the query is given up.'),
    }),
    'Queries New Relic.',
  ),
  job: optional(
    object({
      metadata: optional(podMetadata, 'Labels and annotations of the Job.'),
      spec: required(jobSpec, 'The Job to run; its success is the success of the measurement.'),
    }),
    'Runs a Kubernetes Job.',
  ),
  cloudWatch: optional(
    object({
      interval: optional(string, 'Time span that the query looks back over.'),
      metricDataQueries: required(
        list(
          object({
            id: optional(string, 'Name of this query within the request.'),
            expression: optional(string, 'Metric math expression.'),
            label: optional(string, 'Label in the answer.'),
            metricStat: optional(
              object({
                metric: optional(
                  object({
                    dimensions: optional(
                      list(
                        object({
                          name: optional(string, 'Name of the dimension.'),
                          value: optional(string, 'Its value.'),
                        }),
                      ),
                      'Dimensions of the metric.',
                    ),
                    metricName: optional(string, 'Name of the metric.'),
                    namespace: optional(string, 'CloudWatch namespace.'),
                  }),
                  'Which metric.',
                ),
                period: optional(intOrString, 'Seconds per point.'),
                stat: optional(string, 'Statistic, such as Average or p95.'),
                unit: optional(string, 'Unit of the points.'),
              }),
              'A metric with its statistic.',
            ),
            period: optional(intOrString, 'Seconds per point.'),
            returnData: optional(boolean, 'Whether the answer contains this query.'),
          }),
        ),
        'Queries, sent together.',
      ),
    }),
    'Queries Amazon CloudWatch.',
  ),
  graphite,
  influxdb,
  skywalking,
  counts,
  judge,
  plugin: optional(any, 'Exactly one key, the name of the plugin; its value is for the plugin.'),
})

export const metric = object({
  name: required(string, 'Name, unique among all metrics of a run.'),
  interval: optional(string, 'Duration between measurements. Absent: one measurement.'),
  intervalFrom: optional(
    oneOf(['End', 'Start']),
    'From when the interval counts: from the end of the previous measurement (default), or from its start, so that measuring takes place every interval however long it takes. Turns that pass meanwhile are left out.',
  ),
  errorRetry: optional(
    oneOf(['Fixed', 'Backoff']),
    'When to measure again after an Error: after 10 s (Fixed, default), or after 10 s, 20 s, 40 s and so on, at most the interval (Backoff).',
  ),
  initialDelay: optional(
    string,
    'Duration between the start of the run and the first measurement.',
  ),
  count: optional(
    intOrString,
    'How many measurements to take. Absent: one without interval, otherwise until the run is ended.',
  ),
  successCondition: optional(string, 'Expression over result that makes a measurement Successful.'),
  failureCondition: optional(string, 'Expression over result that makes a measurement Failed.'),
  onNoData: optional(
    oneOf(['Error', 'Failed', 'Inconclusive', 'Successful']),
    'Outcome of a measurement for which the provider has no data: no series, nothing, or only NaN. Absent: an Error for no series; for NaN what the conditions make of it.',
  ),
  test: optional(
    sequentialTest,
    'Instead of conditions: judges the counts of the provider by all evidence since the run began, at every interval.',
  ),
  failureLimit: optional(
    intOrString,
    'How many measurements in total may fail; one more fails the metric. -1: any number. Default 0.',
  ),
  inconclusiveLimit: optional(
    intOrString,
    'How many measurements in total may be Inconclusive. Default 0.',
  ),
  consecutiveErrorLimit: optional(
    intOrString,
    'How many measurements in a row may end in Error. Default 4.',
  ),
  consecutiveSuccessLimit: optional(
    intOrString,
    'After so many successes in a row the metric is Successful. Default 0: never.',
  ),
  provider: required(metricProvider, 'Who measures; exactly one.'),
})

const templateParts = {
  metrics: optional(list(metric), 'What to measure.'),
  args: optional(list(argument), 'Arguments that the metrics use.'),
  dryRun: optional(dryRun, 'Metrics that are measured but decide nothing.'),
  measurementRetention: optional(measurementRetention, 'How many measurements to keep.'),
  templates: optional(list(analysisTemplateRef), 'Further templates to merge into this one.'),
}

export const analysisTemplateSpec = object(templateParts)
export const analysisTemplate = resource(analysisTemplateSpec)

export const analysisRunSpec = object(
  {
    ...templateParts,
    templates: optional(
      list(analysisTemplateRef),
      'Templates to take the metrics from. They are resolved once, when the run starts.',
    ),
    terminate: optional(boolean, 'True ends the run early.'),
    ttlStrategy: optional(
      object({
        secondsAfterCompletion: optional(int32, 'After any end.'),
        secondsAfterFailure: optional(int32, 'After phase Failed; goes before the first.'),
        secondsAfterSuccess: optional(int32, 'After phase Successful; goes before the first.'),
      }),
      'Seconds after which a finished run is deleted.',
    ),
  },
  [
    {
      rule: 'has(self.metrics) || has(self.templates)',
      message: 'spec needs metrics or templates',
    },
  ],
)

const counters = {
  count: optional(int32, 'How many, without errors.'),
  successful: optional(int32, 'How many were Successful.'),
  failed: optional(int32, 'How many were Failed.'),
  inconclusive: optional(int32, 'How many were Inconclusive.'),
  error: optional(int32, 'How many ended in Error.'),
}

export const measurement = object({
  phase: required(analysisPhase, 'Outcome of the measurement.'),
  message: optional(string, 'Why it ended in Error, or more about the outcome.'),
  startedAt: optional(time, 'When it began.'),
  finishedAt: optional(time, 'When it ended.'),
  value: optional(string, 'The measured value as text.'),
  metadata: optional(map(string), 'More facts about the measurement.'),
  resumeAt: optional(time, 'When to look at an unfinished measurement again.'),
})

export const metricResult = object({
  name: required(string, 'Name of the metric.'),
  phase: required(analysisPhase, 'State of the metric.'),
  measurements: optional(list(measurement), 'Latest measurements, oldest first.'),
  message: optional(string, 'Why the metric is in its phase.'),
  ...counters,
  consecutiveError: optional(int32, 'Errors in a row until now.'),
  dryRun: optional(boolean, 'True: decides nothing.'),
  metadata: optional(map(string), 'More facts about the metric.'),
  consecutiveSuccess: optional(int32, 'Successes in a row until now.'),
})

const summary = object(counters)

export const analysisRunStatus = object({
  phase: required(analysisPhase, 'Pending, Running, Successful, Failed, Error or Inconclusive.'),
  message: optional(string, 'Why the run is in its phase.'),
  metricResults: optional(list(metricResult), 'One entry per metric measured.'),
  startedAt: optional(time, 'When the run began.'),
  runSummary: optional(summary, 'Metrics that decide, counted by phase.'),
  dryRunSummary: optional(summary, 'Dry-run metrics, counted by phase.'),
  completedAt: optional(time, 'When the run ended.'),
})

export const analysisRun = resource(analysisRunSpec, analysisRunStatus)
