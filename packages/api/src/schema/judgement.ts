import { numberSource, rangeQuery } from './number-sources.ts'
import {
  boolean,
  int32,
  int64,
  list,
  map,
  numberOrString,
  object,
  oneOf,
  optional,
  required,
  string,
} from './typed-schema.ts'

const countedSide = object({
  total: required(numberSource, 'All requests, as a counter that only grows.'),
  bad: optional(numberSource, 'Bad requests, as a counter that only grows. Either this or good.'),
  good: optional(
    numberSource,
    'Good requests, such as those within a latency bound; the others are bad.',
  ),
})

export const counts = optional(
  object({
    canary: required(countedSide, 'Requests to the canary.'),
    stable: optional(countedSide, 'Requests to the stable version.'),
  }),
  'Counts good and bad requests, for a metric with a test.',
)

export const judge = optional(
  object({
    metrics: required(
      list(
        object({
          name: required(string, 'Name, unique within the judgement.'),
          baseline: required(numberSource, 'Series of the version to compare with.'),
          canary: required(numberSource, 'Series of the canary.'),
          direction: optional(
            oneOf(['increase', 'decrease', 'either']),
            'Which way is bad; either by default.',
          ),
          nanStrategy: optional(
            oneOf(['remove', 'replace']),
            'Leaves NaN out (default), or takes it for 0.',
          ),
          outliers: optional(
            object({
              strategy: optional(oneOf(['keep', 'remove']), 'keep by default.'),
              outlierFactor: optional(
                numberOrString,
                'Interquartile ranges beyond which a value is an outlier; 3 by default.',
              ),
            }),
            'What becomes of outliers.',
          ),
          critical: optional(boolean, 'True: a bad class of this metric fails the judgement.'),
          mustHaveData: optional(boolean, 'True: without data the metric is bad.'),
          muted: optional(boolean, 'True: reported, without part in the score.'),
          effectSize: optional(
            object({
              measure: optional(
                oneOf(['meanRatio', 'cles']),
                'meanRatio (default): mean of the canary by mean of the baseline. cles: probability that a value of the canary is the larger one.',
              ),
              allowedIncrease: optional(
                numberOrString,
                'Effect from which an increase counts; 1.25 by default (cles: 0.6).',
              ),
              allowedDecrease: optional(
                numberOrString,
                'Effect down to which a decrease counts; 0.8 by default (cles: 0.4).',
              ),
              criticalIncrease: optional(
                numberOrString,
                'Effect from which an increase of a critical metric is critical; allowedIncrease by default.',
              ),
              criticalDecrease: optional(numberOrString, 'The same for a decrease.'),
            }),
            'How large a difference must be.',
          ),
          groups: optional(
            list(string),
            'Groups in whose score the metric has a part. If no metric has any, all are one group.',
          ),
        }),
      ),
      'What to compare.',
    ),
    groupWeights: optional(
      map(numberOrString),
      'Percent of the score by group; the rest is shared equally by the other groups.',
    ),
    threshold: optional(
      object({
        pass: optional(numberOrString, 'Score from which it is Successful; 80 by default.'),
        marginal: optional(
          numberOrString,
          'Score from which it is Inconclusive rather than Failed; 60 by default.',
        ),
      }),
      'Which scores pass, where the metric has no conditions.',
    ),
    rangeQuery: optional(rangeQuery, 'For every Prometheus query here that has none of its own.'),
    mode: optional(
      oneOf(['exact', 'kayenta']),
      'exact (default), or kayenta, which repeats the verdicts of Kayenta.',
    ),
    confidence: optional(numberOrString, 'Of the interval of a difference; 0.98 by default.'),
    tolerance: optional(
      numberOrString,
      'Share of a difference that its interval must clear; 0.25 by default.',
    ),
    minimumSamples: optional(
      int32,
      'Samples that each side needs in mode exact, else the metric is Inconclusive; 8 by default.',
    ),
  }),
  'Compares series of canary and baseline, as Kayenta does, and scores them.',
)

export const sequentialTest = object({
  bound: optional(
    numberOrString,
    'Largest share of bad requests that a healthy canary has, such as 0.01 or 1%.',
  ),
  relativeBound: optional(
    numberOrString,
    "How many times the stable version's share of bad requests a healthy canary may have, such as 1.5. Beside bound: the canary is bad only where it breaks both.",
  ),
  alpha: optional(
    numberOrString,
    'Largest probability that a healthy canary is ever failed, shared by the metrics of the run that have a test; 0.001 by default.',
  ),
  beta: optional(
    numberOrString,
    'Largest probability that a canary at the bound ends the metric early as Successful; 0.05 by default.',
  ),
  minimumSample: optional(
    int64,
    'Requests of the canary before which nothing is decided; 30 by default.',
  ),
  burst: optional(
    string,
    'Duration of the longest burst of errors, such as 2s. Each look is then judged in parts of that length, which finds a regression sooner; absent: a burst may last as long as interval.',
  ),
})
