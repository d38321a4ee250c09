import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  parseAnalysisRun,
  parseAnalysisTemplate,
  parseClusterAnalysisTemplate,
  parseExperiment,
  parseRollout,
} from './parse.ts'
import { rolloutPhase } from './phase.ts'
import { problemText } from './problem.ts'
import { validateRollout } from './validation/rollout.ts'
import { lintRollout } from './warnings.ts'

const rollout = (spec: object, status?: unknown) => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  metadata: { name: 'my-app' },
  spec,
  ...(status === undefined ? {} : { status }),
})

test('malformed parts are told with their place, and the rest is kept', () => {
  const { value, problems } = parseRollout(
    rollout({
      replicas: '3',
      paused: true,
      strategy: { canary: { steps: [{ setWeight: 1.5 }, { pause: { duration: '5m' } }, 7] } },
    }),
  )
  expect(value.spec.replicas).toBeUndefined()
  expect(value.spec.paused).toBe(true)
  expect(value.spec.strategy?.canary?.steps).toEqual([{}, { pause: { duration: '5m' } }, {}])
  expect(problems.map(problemText)).toEqual([
    'spec.replicas: Invalid value: "3": must be of type integer: "string"',
    'spec.strategy.canary.steps[0].setWeight: Invalid value: 1.5: must be of type integer: "number"',
    'spec.strategy.canary.steps[2]: Invalid value: 7: must be of type object: "number"',
  ])
})

test('an unknown field is left out and told with the nearest known one', () => {
  const { value, problems, unknownFields } = parseRollout(
    rollout({ strategy: { canary: { step: [], maxSurge: 1 } } }),
  )
  expect(value.spec.strategy?.canary).toEqual({ maxSurge: 1 })
  expect(problems).toEqual([])
  expect(unknownFields.map(problemText)).toEqual([
    'spec.strategy.canary.step: Unknown field: did you mean "steps"?',
  ])
})

test('pod templates are checked against Kubernetes’ own fields', () => {
  const template = { spec: { containers: [{ name: 'c', imag: 'x', ports: 'none' }] } }
  const { value, problems, unknownFields } = parseRollout(rollout({ template }))
  expect(unknownFields[0]?.path).toBe('spec.template.spec.containers[0].imag')
  expect(problems[0]?.path).toBe('spec.template.spec.containers[0].ports')
  expect(value.spec.template?.spec?.containers).toMatchObject([{ name: 'c' }])
})

test('null means absent', () => {
  const template = { spec: { volumes: null, containers: [{ name: 'c', volumeMounts: null }] } }
  const { value, problems } = parseRollout(rollout({ replicas: null, template }))
  expect(problems).toEqual([])
  expect(value.spec).toEqual({ template: { spec: { containers: [{ name: 'c' }] } } })
})

test('what is required and missing is told and stands empty', () => {
  const { value, problems } = parseRollout(rollout({ strategy: { blueGreen: {} } }))
  expect(value.spec.strategy?.blueGreen).toEqual({ activeService: '' })
  expect(problems.map(problemText)).toEqual([
    'spec.strategy.blueGreen.activeService: Required value',
  ])
})

test('an old or broken status is no mistake of the user', () => {
  const status = { conditions: {}, canary: { stableRS: 'x' }, replicas: '3', phase: 'Healthy' }
  const { value, problems, unknownFields } = parseRollout(rollout({}, status))
  expect([problems, unknownFields]).toEqual([[], []])
  expect(value.status).toEqual({ canary: {}, phase: 'Healthy' })
})

test('a run needs metrics or templates', () => {
  const run = (spec: object) => parseAnalysisRun({ metadata: { name: 'r' }, spec })
  expect(run({ templates: [{ templateName: 't' }] }).problems).toEqual([])
  expect(run({}).problems.map((problem) => problem.path)).toEqual(['spec.metrics'])
})

test('a closed set of values is checked where the API server checks it', () => {
  const datadog = { query: 'q', apiVersion: 'v3' }
  const spec = { metrics: [{ name: 'm', provider: { datadog } }] }
  expect(
    parseAnalysisTemplate({ metadata: { name: 't' }, spec }).problems.map(problemText),
  ).toEqual([
    'spec.metrics[0].provider.datadog.apiVersion: Unsupported value: "v3": supported values: "v1", "v2"',
  ])
})

test('a bound may be a number, a fraction too, or text for an argument', () => {
  const parsed = (bound: unknown) => {
    const metric = { name: 'm', provider: { counts: { canary: { total: {} } } }, test: { bound } }
    return parseAnalysisTemplate({ metadata: { name: 't' }, spec: { metrics: [metric] } })
  }
  for (const bound of [0.01, 1, '1%', '{{args.bound}}']) {
    const { value, problems } = parsed(bound)
    expect(problems).toEqual([])
    expect(value.spec.metrics?.[0]?.test?.bound).toBe(bound)
  }
  expect(parsed(true).problems.map(problemText)).toEqual([
    'spec.metrics[0].test.bound: Invalid value: true: must be of type number,string: "boolean"',
  ])
})

test('whatever is handed in, reading and judging it never throws', () => {
  const words = [
    'apiVersion',
    'metadata',
    'name',
    'labels',
    'spec',
    'status',
    'strategy',
    'canary',
    'steps',
    'pause',
    'duration',
    'template',
    'containers',
    'metrics',
    'provider',
    'templates',
    'conditions',
    'setHeaderRoute',
    'match',
    'headerValue',
    'experiment',
  ]
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 9, depthSize: 'large' },
      fc.constantFrom(null, 0, -1, 1.5, '', 'x', '10m', true),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...words), tie('tree'), { maxKeys: 4 }),
    ),
  }))
  fc.assert(
    fc.property(tree, (object) => {
      const { value } = parseRollout(object)
      validateRollout(value)
      lintRollout(value)
      rolloutPhase(value)
      for (const parse of [
        parseAnalysisTemplate,
        parseClusterAnalysisTemplate,
        parseAnalysisRun,
        parseExperiment,
      ]) {
        expect(parse(object).value.metadata.name).toBeTypeOf('string')
      }
    }),
    { numRuns: 300 },
  )
})

test('the zero time that Go writes into every metadata is no unknown field', () => {
  const metadata = { creationTimestamp: null, labels: { app: 'web' } }
  const volume = { name: 'v', ephemeral: { volumeClaimTemplate: { metadata, spec: {} } } }
  const template = {
    metadata,
    spec: { containers: [{ name: 'c', image: 'i' }], volumes: [volume] },
  }
  const job = { metadata, spec: { template } }
  const analysis = { metrics: [{ name: 'm', provider: { job } }] }
  const own = { name: 'a', creationTimestamp: null }
  for (const parsed of [
    parseRollout({ metadata: own, spec: { template } }),
    parseExperiment({ metadata: own, spec: { templates: [{ name: 't', template }] } }),
    parseAnalysisTemplate({ metadata: own, spec: analysis }),
    parseClusterAnalysisTemplate({ metadata: own, spec: analysis }),
    parseAnalysisRun({ metadata: own, spec: analysis }),
  ]) {
    expect(parsed.unknownFields.map(problemText)).toEqual([])
  }
  const { value, unknownFields } = parseAnalysisRun({
    metadata: own,
    spec: { metrics: [{ name: 'm', creationTimestamp: null, provider: { job } }] },
  })
  expect(value.spec.metrics?.[0]?.provider.job?.metadata).toEqual({ labels: { app: 'web' } })
  expect(unknownFields.map(problemText)).toEqual([
    'spec.metrics[0].creationTimestamp: Unknown field',
  ])
})
