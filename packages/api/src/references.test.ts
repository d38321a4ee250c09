import { expect, test } from 'vitest'
import { problemText } from './problem.ts'
import { type ReferencedObjects, validateReferences } from './references.ts'
import { canaryApp, myApp, nginx } from './test-rollout.ts'
import type { AnalysisTemplate, Metric } from './types.ts'

const namespace = 'default'
const service = (name: string, facts: { annotations?: object; selector?: object } = {}) => ({
  metadata: { name, namespace, annotations: { ...facts.annotations } as Record<string, string> },
  spec: { selector: { app: 'my-app', ...facts.selector } as Record<string, string> },
})
const backend = (name: string) => ({ backend: { service: { name } } })
const ingress = (...paths: object[]) => ({
  metadata: { name: 'my-app-ingress', namespace },
  spec: { rules: [{ http: { paths } }] },
})
const metric = (fields: object = {}): Metric => ({
  name: 'success-rate',
  provider: { prometheus: { query: 'up' } },
  ...fields,
})
const template = (name: string, spec: object = {}): AnalysisTemplate => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'AnalysisTemplate',
  metadata: { name, namespace },
  spec: { metrics: [metric()], ...spec },
})
const objects = (some: Partial<ReferencedObjects> = {}): ReferencedObjects => ({
  services: [service('my-app-stable'), service('my-app-canary')],
  ingresses: [ingress(backend('my-app-stable'))],
  analysisTemplates: [],
  clusterAnalysisTemplates: [],
  ...some,
})
const texts = (rollout: ReturnType<typeof canaryApp>, some: Partial<ReferencedObjects> = {}) =>
  validateReferences(rollout, objects(some)).problems.map(problemText)
const inline = (analysis: object) => canaryApp({ steps: [{ analysis }] })
const refs = (...names: string[]) => ({
  templates: names.map((templateName) => ({ templateName })),
})
const templates = 'spec.strategy.canary.steps[0].analysis.templates'

test('everything present is no problem', () => {
  expect(texts(canaryApp(nginx))).toEqual([])
})

test('all missing objects are named at once, with a likely meant one', () => {
  const there = [service('my-app-stabel')]
  expect(texts(canaryApp(nginx), { services: there, ingresses: [] })).toEqual([
    'spec.strategy.canary.stableService: Invalid value: "my-app-stable": service "my-app-stable" not found; did you mean "my-app-stabel"?',
    'spec.strategy.canary.canaryService: Invalid value: "my-app-canary": service "my-app-canary" not found',
    'spec.strategy.canary.trafficRouting.nginx.stableIngress: Invalid value: "my-app-ingress": ingress.networking.k8s.io "my-app-ingress" not found',
  ])
})

test('a Service of another namespace does not count', () => {
  const elsewhere = service('my-app-stable')
  const services = [
    { ...elsewhere, metadata: { ...elsewhere.metadata, namespace: 'other' } },
    service('my-app-canary'),
  ]
  expect(texts(canaryApp(nginx), { services })[0]).toContain('service "my-app-stable" not found')
})

test('a Service that another Rollout manages is refused [api 18]', () => {
  const annotations = { 'argo-rollouts.argoproj.io/managed-by-rollouts': 'other' }
  const services = [service('s', { annotations })]
  expect(texts(canaryApp({ stableService: 's' }), { services })).toEqual([
    'spec.strategy.canary.stableService: Invalid value: "s": Service "s" is managed by another Rollout',
  ])
})

test('a Service that selects what the pods do not carry is refused [api 19]', () => {
  const selector = { tier: 'web', 'rollouts-pod-template-hash': 'abc' }
  expect(
    texts(canaryApp({ stableService: 's' }), { services: [service('s', { selector })] }),
  ).toEqual([
    'spec.strategy.canary.stableService: Invalid value: "s": Service "s" has unmatch label "tier" in rollout',
  ])
})

test('an Ingress must lead to the stable Service; backends of other kinds are passed over [api 20]', () => {
  expect(texts(canaryApp(nginx), { ingresses: [ingress(backend('foo'))] })).toEqual([
    'spec.strategy.canary.trafficRouting.nginx.stableIngress: Invalid value: "my-app-ingress": ingress `my-app-ingress` has no rules using service my-app-stable backend',
  ])
  const resource = { backend: { resource: { kind: 'Bucket', name: 'static' } } }
  expect(
    texts(canaryApp(nginx), { ingresses: [ingress(resource, backend('my-app-stable'))] }),
  ).toEqual([])
  const byDefault = {
    metadata: { name: 'my-app-ingress', namespace },
    spec: { defaultBackend: { service: { name: 'my-app-stable' } } },
  }
  expect(texts(canaryApp(nginx), { ingresses: [byDefault] })).toEqual([])
})

test.each([
  [{}, 'Neither'],
  [{ stableIngress: 'my-app-ingress', stableIngresses: ['my-app-ingress'] }, 'Both'],
])('nginx needs exactly one way to name its Ingress: %j', (routing, which) => {
  const [first] = texts(canaryApp({ ...nginx, trafficRouting: { nginx: routing } }))
  expect(first).toBe(
    `spec.strategy.canary.trafficRouting.nginx: Internal error: Either StableIngress or StableIngresses must be configured. ${which} are configured.`,
  )
})

test.each([{}, { virtualService: { name: 'a' }, virtualServices: [{ name: 'b' }] }])(
  'Istio needs exactly one way to name its VirtualServices: %j',
  (istio) => {
    expect(texts(canaryApp({ ...nginx, trafficRouting: { istio } }))).toEqual([
      'spec.strategy.canary.trafficRouting.istio: Internal error: either VirtualService or VirtualServices must be configured',
    ])
  },
)

test('two templates with one metric name are refused [api 21]', () => {
  const analysisTemplates = [template('a'), template('b')]
  expect(texts(inline(refs('a', 'b')), { analysisTemplates })).toEqual([
    `${templates}: Invalid value: "templateNames: [a b]": two metrics have the same name 'success-rate'`,
  ])
})

test('an argument that nobody supplies is refused [api 22]', () => {
  const analysisTemplates = [template('t', { args: [{ name: 'service' }] })]
  expect(texts(inline(refs('t')), { analysisTemplates })).toEqual([
    `${templates}: Invalid value: "templateNames: [t]": args.service was not resolved`,
  ])
})

test('templates that refer to each other are refused, not followed for ever [api 23]', () => {
  const analysisTemplates = [template('a', refs('b')), template('b', { ...refs('a'), metrics: [] })]
  expect(texts(inline(refs('a')), { analysisTemplates })).toEqual([
    `${templates}: Invalid value: "a": templates a -> b -> a form a cycle`,
  ])
})

test('a metric without end is refused in a step and accepted beside the steps [api 24]', () => {
  const analysisTemplates = [template('t', { metrics: [metric({ interval: '5m' })] })]
  expect(texts(inline(refs('t')), { analysisTemplates })).toEqual([
    `${templates}: Invalid value: "t": AnalysisTemplate t has metric success-rate which runs indefinitely. Invalid value for count: <nil>; set count, or use it under canary.analysis`,
  ])
  expect(texts(canaryApp({ analysis: refs('t') }), { analysisTemplates })).toEqual([])
})

test('limits that contradict the count are found with the Rollout [api 25]', () => {
  const limits = { interval: '1m', count: 3, failureLimit: 2, consecutiveSuccessLimit: 2 }
  const analysisTemplates = [template('t', { metrics: [metric(limits)] })]
  expect(texts(inline(refs('t')), { analysisTemplates })[0]).toContain(
    'count (3) must be >= failureLimit + consecutiveSuccessLimit (2 + 2) if both >= 0',
  )
})

test('a missing template without clusterScope falls back to the cluster’s, with a warning', () => {
  const { kind: _, ...rest } = template('standard-health-check')
  const cluster = { ...rest, kind: 'ClusterAnalysisTemplate' }
  const rollout = inline(refs('standard-health-check'))
  const report = validateReferences(rollout, objects({ clusterAnalysisTemplates: [cluster] }))
  expect(report.problems).toEqual([])
  expect(report.warnings).toMatchObject([{ reason: 'ClusterTemplateFallback', path: templates }])

  const strict = inline({
    templates: [{ templateName: 'standard-health-check', clusterScope: false }],
  })
  expect(texts(strict, { clusterAnalysisTemplates: [cluster] })[0]).toContain(
    "AnalysisTemplate 'standard-health-check' not found",
  )
  expect(texts(rollout)).toEqual([
    `${templates}: Invalid value: "standard-health-check": AnalysisTemplate 'standard-health-check' not found, nor is there a ClusterAnalysisTemplate of that name`,
  ])
})

test('a template of another controller is not used, and the label that it lacks or has is named [operations 5]', () => {
  const rollout = inline(refs('standard-health-check'))
  const analysisTemplates = [template('standard-health-check')]
  const templateScope = { instanceId: 'blue', readsClusterScope: true }
  expect(texts(rollout, { analysisTemplates, templateScope })[0]).toContain(
    'it lacks the label argo-rollouts.argoproj.io/controller-instance-id=blue that this controller goes by',
  )
  const [unlabelled] = analysisTemplates
  const labels = { 'argo-rollouts.argoproj.io/controller-instance-id': 'blue' }
  const labelled = { ...unlabelled, metadata: { ...unlabelled?.metadata, labels } }
  const seen = { analysisTemplates: [labelled as AnalysisTemplate], templateScope }
  expect(texts(rollout, seen).join()).not.toContain('not found')
  const unnamed = { instanceId: null, readsClusterScope: true }
  expect(texts(rollout, { ...seen, templateScope: unnamed })[0]).toContain(
    'it has the label argo-rollouts.argoproj.io/controller-instance-id=blue, which is for another controller',
  )
})

test('a controller of one namespace says why it finds no ClusterAnalysisTemplate', () => {
  const rollout = inline({ templates: [{ templateName: 'x', clusterScope: true }] })
  const templateScope = { instanceId: null, readsClusterScope: false }
  expect(texts(rollout, { templateScope })[0]).toContain(
    "ClusterAnalysisTemplate 'x' not found; this controller looks after one namespace and reads no ClusterAnalysisTemplate",
  )
})

test('an unresolvable placeholder is named with its template', () => {
  const analysisTemplates = [
    template('t', { metrics: [metric({ successCondition: 'result < {{args.limt}}' })] }),
  ]
  expect(texts(inline(refs('t')), { analysisTemplates })).toEqual([
    `${templates}: Invalid value: "t": AnalysisTemplate t: failed to resolve {{args.limt}}`,
  ])
})

test('an argument that no template declares is warned about', () => {
  const analysisTemplates = [template('t', { args: [{ name: 'service', value: 'x' }] })]
  const rollout = inline({ ...refs('t'), args: [{ name: 'servce', value: 'y' }] })
  expect(validateReferences(rollout, objects({ analysisTemplates })).warnings).toEqual([
    {
      reason: 'UnknownArgument',
      path: 'spec.strategy.canary.steps[0].analysis.args[0].name',
      message:
        "no template declares an argument 'servce', so it is ignored; did you mean 'service'?",
    },
  ])
})

test('an argument from a label that the Rollout lacks is warned about', () => {
  const analysisTemplates = [template('t', { args: [{ name: 'env' }] })]
  const valueFrom = { fieldRef: { fieldPath: "metadata.labels['env']" } }
  const rollout = inline({ ...refs('t'), args: [{ name: 'env', valueFrom }] })
  expect(validateReferences(rollout, objects({ analysisTemplates })).warnings).toEqual([
    {
      reason: 'MissingMetadata',
      path: 'spec.strategy.canary.steps[0].analysis.args[0].valueFrom.fieldRef.fieldPath',
      message: "the Rollout has no label env, so argument 'env' is empty",
    },
  ])
})

test('the templates and arguments of experiment steps are checked before the update', () => {
  const experiment = (value: string) =>
    canaryApp({
      steps: [
        {
          experiment: {
            templates: [{ name: 'baseline', specRef: 'stable' }],
            analyses: [
              { name: 'p95', templateName: 'latency', args: [{ name: 'service', value }] },
            ],
          },
        },
      ],
    })
  const path = 'spec.strategy.canary.steps[0].experiment.analyses[0]'
  expect(texts(experiment('x'))[0]).toContain(`${path}.templateName: Invalid value: "latency"`)
  const analysisTemplates = [template('latency', { args: [{ name: 'service' }] })]
  const known = '{{templates.baseline.service.name}}'
  expect(texts(experiment(known), { analysisTemplates })).toEqual([])
  expect(texts(experiment('{{templates.baselin.service.name}}'), { analysisTemplates })).toEqual([
    `${path}.args[0].value: Invalid value: "{{templates.baselin.service.name}}": failed to resolve {{templates.baselin.service.name}}; did you mean {{templates.baseline.service.name}}?`,
  ])
})

test('limits are checked with the arguments that fill them in, in steps and experiments alike', () => {
  const limited = { ...metric({ interval: '1m', count: 5 }), failureLimit: '{{args.limit}}' }
  const analysisTemplates = [template('t', { args: [{ name: 'limit' }], metrics: [limited] })]
  const step = (arg: object) => inline({ ...refs('t'), args: [{ name: 'limit', ...arg }] })
  const experiment = {
    templates: [{ name: 'baseline', specRef: 'stable' as const }],
    analyses: [{ name: 'a', templateName: 't', args: [{ name: 'limit', value: '10%' }] }],
  }
  const problem = 'metrics[0]: failureLimit must be a whole number; it is "10%"'
  expect(texts(step({ value: '10%' }), { analysisTemplates })).toEqual([
    expect.stringContaining(problem),
  ])
  expect(texts(canaryApp({ steps: [{ experiment }] }), { analysisTemplates })).toEqual([
    expect.stringContaining(problem),
  ])
  expect(texts(step({ value: '3' }), { analysisTemplates })).toEqual([])
  // What stands in the status when the update runs, nobody knows before.
  const valueFrom = { fieldRef: { fieldPath: 'status.canary.limit' } }
  expect(texts(step({ valueFrom }), { analysisTemplates })).toEqual([])
})

test('a required analysis of an experiment must come to an end by itself, any other may go on', () => {
  const metrics = [{ name: 'm', interval: '1m', provider: { web: { url: 'http://x' } } }]
  const analysisTemplates = [template('latency', { metrics })]
  const found = (requiredForCompletion: boolean) =>
    texts(
      canaryApp({
        steps: [
          {
            experiment: {
              templates: [{ name: 'baseline', specRef: 'stable' }],
              analyses: [{ name: 'p95', templateName: 'latency', requiredForCompletion }],
            },
          },
        ],
      }),
      { analysisTemplates },
    )
  expect(found(false)).toEqual([])
  expect(found(true)[0]).toContain('has metric m which runs indefinitely')
})

test('the Services of blue-green are looked up', () => {
  const blueGreen = { activeService: 'a', previewService: 'p' }
  expect(texts(myApp({ strategy: { blueGreen } }))).toEqual([
    'spec.strategy.blueGreen.activeService: Invalid value: "a": service "a" not found',
    'spec.strategy.blueGreen.previewService: Invalid value: "p": service "p" not found',
  ])
})
