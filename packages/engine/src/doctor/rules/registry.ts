import type { Rule } from '../rule.ts'
import {
  conditionConstant,
  conditionMissing,
  conditionsGrayZone,
  conditionsOverlap,
  fallbackIgnored,
} from './condition-meaning.ts'
import { conditionSyntax, conditionUnknownName } from './condition-text.ts'
import { counterWithoutRate } from './counter-without-rate.ts'
import { countsNeedCounters } from './counts-need-counters.ts'
import { promqlSyntax } from './promql-syntax.ts'
import {
  graphiteTargets,
  prometheusRange,
  prometheusTimeout,
  webJsonPath,
  webMethod,
} from './provider-settings.ts'
import { quantileWithoutLe } from './quantile-without-le.ts'
import { queryDiluted } from './query-diluted.ts'
import { rangeLongerThanStep } from './range-longer-than-step.ts'
import { rateOfGauge } from './rate-of-gauge.ts'
import { resultShape } from './result-shape.ts'
import { trafficTooSmall } from './traffic-too-small.ts'

/** What can be said of a metric alone. */
export const metricRules: readonly Rule[] = [
  conditionSyntax,
  conditionUnknownName,
  resultShape,
  conditionMissing,
  conditionConstant,
  conditionsOverlap,
  conditionsGrayZone,
  fallbackIgnored,
  promqlSyntax,
  counterWithoutRate,
  rateOfGauge,
  quantileWithoutLe,
  prometheusTimeout,
  prometheusRange,
  webJsonPath,
  webMethod,
  graphiteTargets,
  countsNeedCounters,
]

/** What depends on the traffic that the new version has meanwhile. */
export const trafficRules: readonly Rule[] = [queryDiluted, rangeLongerThanStep, trafficTooSmall]
