import type { AnalysisTemplate, Metric, Rollout } from '@serinus/api'
import { examineTemplate } from './doctor.ts'

type Provider = Metric['provider']

/** A metric that asks Prometheus. */
export function promMetric(query: string, rest: Partial<Metric> = {}): Metric {
  return {
    name: 'checked',
    interval: '1m',
    count: 5,
    successCondition: 'result[0] < 0.01',
    provider: { prometheus: { address: 'http://prometheus:9090', query } },
    ...rest,
  }
}

export function metricOf(provider: Provider, rest: Partial<Metric> = {}): Metric {
  return { name: 'checked', successCondition: 'result > 1', provider, ...rest }
}

/** Findings as `reason at path`, those of other rules left out where some are named. */
export function reasonsFor(metric: Metric, args: readonly string[] = []): readonly string[] {
  const findings = examineTemplate({ metrics: [metric], args: args.map((name) => ({ name })) })
  return findings.map(({ reason, path }) => `${reason} at ${path.replace('spec.metrics[0].', '')}`)
}

export function messageOf(metric: Metric, reason: string): string {
  const findings = examineTemplate({ metrics: [metric] })
  return findings.find((finding) => finding.reason === reason)?.message ?? ''
}

export function template(
  name: string,
  metrics: readonly Metric[],
  args: readonly string[],
): AnalysisTemplate {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name },
    spec: { metrics: [...metrics], args: args.map((each) => ({ name: each })) },
  } as AnalysisTemplate
}

export function rolloutWith(strategy: Rollout['spec']['strategy']): Rollout {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'shop' },
    spec: { strategy },
  } as Rollout
}

/** The quotient of failed to all requests of one Service. */
export const errorRate =
  'sum(rate(http_requests_total{service="{{args.service}}",status=~"5.."}[5m])) / sum(rate(http_requests_total{service="{{args.service}}"}[5m]))'
