import { expect, test } from 'vitest'
import { resolveMetrics } from './resolve-metrics.ts'
import { analysisRun, metric } from './test-analysis.ts'

const secretKeyRef = { name: 's', key: 'k' }

test('an argument reaches the provider byte for byte, quotes and backslashes included [analysis-and-experiments 47]', () => {
  const value = 'a"b\\c\u0001\n{{x'
  const run = analysisRun({
    metrics: [metric({ provider: { prometheus: { query: '{{ args.x }}' } } })],
    args: [{ name: 'x', value }],
  })
  expect(resolveMetrics(run, () => undefined)).toMatchObject({
    ok: true,
    metrics: [{ provider: { prometheus: { query: value } } }],
  })
})

test('arguments reach every text of a metric, its limits and map keys too', () => {
  const spec = { template: { spec: { containers: [{ image: '{{args.x}}' }] } } }
  const run = analysisRun({
    metrics: [
      metric({
        name: '{{args.x}}',
        count: '{{args.n}}',
        provider: { job: { metadata: { labels: { '{{args.x}}': 'y' } }, spec } } as never,
      }),
    ],
    args: [
      { name: 'x', value: 'web' },
      { name: 'n', value: '3' },
    ],
  })
  expect(resolveMetrics(run, () => undefined)).toMatchObject({
    metrics: [
      {
        name: 'web',
        count: '3',
        provider: {
          job: {
            metadata: { labels: { web: 'y' } },
            spec: { template: { spec: { containers: [{ image: 'web' }] } } },
          },
        },
      },
    ],
  })
})

test('secrets are filled in by whoever may know them, metadata of the run is known; a value written out wins', () => {
  const query = (args: Parameters<typeof analysisRun>[0]['args']) => {
    const provider = { prometheus: { query: '{{args.t}}' } }
    const run = analysisRun({ metrics: [metric({ provider })], ...(args ? { args } : {}) })
    const resolved = resolveMetrics(run, ({ name, key }) => `${name}/${key}`)
    return resolved.ok ? resolved.metrics[0]?.provider.prometheus?.query : resolved.message
  }
  expect(query([{ name: 't', valueFrom: { secretKeyRef } }])).toBe('s/k')
  expect(query([{ name: 't', value: 'own', valueFrom: { secretKeyRef } }])).toBe('own')
  expect(query([{ name: 't' }])).toBe('argument "t" was not supplied')
  const fieldRef = (fieldPath: string) => [{ name: 't', valueFrom: { fieldRef: { fieldPath } } }]
  expect(query(fieldRef('metadata.name'))).toBe('run')
  expect(query(fieldRef('spec.metrics'))).toBe('argument "t" was not supplied')
  expect(query([])).toBe('failed to resolve {{args.t}}')
})
