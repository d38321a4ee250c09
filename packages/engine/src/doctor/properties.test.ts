import type { Metric } from '@serinus/api'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { examineRollout, examineTemplate } from './doctor.ts'
import { explainNoData } from './explain-no-data.ts'
import { rolloutWith, template } from './test-metrics.ts'

/** Texts as people mistype them: pieces of the languages in any order. */
const text = fc
  .array(
    fc.constantFrom(
      ...[
        'result',
        '[0]',
        ' < ',
        '>=',
        '0.01',
        ' && ',
        '(',
        ')',
        'default(',
        ', ',
        '{{',
        'args.a',
        '}}',
      ],
      ...[
        'sum',
        ' by ',
        'rate(',
        'x_total',
        '{a="b"}',
        '[5m]',
        ' / ',
        ' or ',
        'vector(0)',
        '"',
        '#',
        '$',
      ],
      ...['histogram_quantile(', 'le', 'len(', '5m', 'target=', '&', '{$', '*', '\\', '😀', '\n'],
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(''))

const metric = fc.record({
  name: text,
  interval: text,
  initialDelay: text,
  count: fc.oneof(text, fc.integer()),
  inconclusiveLimit: fc.oneof(text, fc.integer()),
  successCondition: text,
  failureCondition: text,
  provider: fc.oneof(
    fc.record({ prometheus: fc.record({ query: text, timeout: fc.integer() }) }),
    fc.record({
      prometheus: fc.record({ query: text, rangeQuery: fc.record({ start: text, step: text }) }),
    }),
    fc.record({ graphite: fc.record({ query: text }) }),
    fc.record({ web: fc.record({ url: text, jsonPath: text }) }),
    fc.record({
      datadog: fc.record({
        query: text,
        apiVersion: fc.constantFrom('v1' as const, 'v2' as const),
      }),
    }),
    fc.constant({}),
  ),
})

test('whatever stands in a template is examined to the end, and findings name a place and a text', () => {
  fc.assert(
    fc.property(metric, text, fc.integer({ min: 0, max: 100 }), (written, value, weight) => {
      const one = written as Metric
      const rules = [{ metricName: value }]
      const found = [...examineTemplate({ metrics: [one], args: [{ name: 'a' }], dryRun: rules })]
      const analysis = { templates: [{ templateName: 't' }], args: [{ name: 'a', value }] }
      const rollout = rolloutWith({
        canary: { steps: [{ setWeight: weight }, { analysis }], analysis },
      })
      const known = {
        analysisTemplates: [template('t', [one], ['a'])],
        clusterAnalysisTemplates: [],
      }
      found.push(...examineRollout(rollout, known, { requestsPerSecond: 1 }))
      for (const { path, message } of found) {
        expect(path).not.toBe('')
        expect(message).not.toMatch(/(NaN|undefined|Infinity) %/)
      }
      const measurements = [{ phase: 'Failed' as const, value, message: value }]
      explainNoData(one, { phase: 'Failed', measurements })
    }),
    { numRuns: 2000 },
  )
})
