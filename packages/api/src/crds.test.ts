import { describe, expect, test } from 'vitest'
import { type CrdSchema, type CustomResourceDefinition, crd } from './crds.ts'
import { kinds } from './resources.ts'
import { corpusFile, hasCorpus } from './test-corpus.ts'

const schemaOf = (definition: CustomResourceDefinition): CrdSchema =>
  definition.spec.versions[0]?.schema.openAPIV3Schema ?? {}
const fieldOf = (schema: CrdSchema, path: string): CrdSchema =>
  path.split('.').reduce((found, name) => found.properties?.[name] ?? {}, schema)

test('kubectl get ro, at, cat, ar and exp know the kinds and their columns', () => {
  const facts = Object.values(kinds).map((kind) => {
    const { names, scope, versions } = crd(kind).spec
    const columns = versions[0]?.additionalPrinterColumns.map((column) => column.name) ?? []
    return [names.shortNames[0], names.plural, names.listKind, scope, ...columns]
  })
  expect(facts).toEqual([
    [
      'ro',
      'rollouts',
      'RolloutList',
      'Namespaced',
      'Desired',
      'Current',
      'Up-to-date',
      'Available',
      'Age',
    ],
    ['at', 'analysistemplates', 'AnalysisTemplateList', 'Namespaced', 'Age'],
    ['cat', 'clusteranalysistemplates', 'ClusterAnalysisTemplateList', 'Cluster', 'Age'],
    ['ar', 'analysisruns', 'AnalysisRunList', 'Namespaced', 'Status', 'Age'],
    ['exp', 'experiments', 'ExperimentList', 'Namespaced', 'Status', 'Age'],
  ])
})

test('only Rollouts have a status subresource, and they scale by HPAReplicas', () => {
  const subresources = Object.values(kinds).map((kind) => crd(kind).spec.versions[0]?.subresources)
  expect(subresources).toEqual([
    {
      status: {},
      scale: {
        specReplicasPath: '.spec.replicas',
        statusReplicasPath: '.status.HPAReplicas',
        labelSelectorPath: '.status.selector',
      },
    },
    {},
    {},
    {},
    {},
  ])
})

test('the selector of a Rollout carries the rule that it never changes', () => {
  const selector = fieldOf(schemaOf(crd(kinds.rollouts)), 'spec.selector')
  expect(selector['x-kubernetes-validations']).toEqual([
    { rule: 'self == oldSelf', message: '.spec.selector is immutable' },
  ])
})

test('an AnalysisRun may name templates instead of metrics, but needs one of them', () => {
  const spec = fieldOf(schemaOf(crd(kinds.analysisRuns)), 'spec')
  expect(spec.required).toBeUndefined()
  expect(Object.keys(fieldOf(spec, 'templates').items?.properties ?? {})).toEqual([
    'templateName',
    'clusterScope',
  ])
  expect(spec['x-kubernetes-validations']).toEqual([
    {
      rule: 'has(self.metrics) || has(self.templates)',
      message: 'spec needs metrics or templates',
    },
  ])
})

test('our fields explain themselves and fit into an annotation', () => {
  const definition = crd(kinds.rollouts)
  const pause = fieldOf(schemaOf(definition), 'spec.strategy.canary').properties?.steps?.items
  expect(pause?.properties?.pause?.properties?.duration?.description).toContain('10m')
  expect(JSON.stringify(definition).length).toBeLessThan(262_144)
})

const upstreamFiles = {
  rollouts: 'rollout-crd.yaml',
  analysisTemplates: 'analysis-template-crd.yaml',
  clusterAnalysisTemplates: 'cluster-analysis-template-crd.yaml',
  analysisRuns: 'analysis-run-crd.yaml',
  experiments: 'experiment-crd.yaml',
} as const
const stepPath = '.spec.strategy.canary.steps[].experiment'
const ofMetrics = [
  'test',
  'onNoData',
  'intervalFrom',
  'errorRetry',
  'provider.counts',
  'provider.judge',
  ...['prometheus', 'web'].flatMap((provider) => [
    `provider.${provider}.headers[] required`,
    `provider.${provider}.headers[].valueFrom`,
    ...['basicAuth.usernameFrom', 'basicAuth.passwordFrom', 'oauth2.clientSecretFrom', 'tls'].map(
      (field) => `provider.${provider}.authentication.${field}`,
    ),
  ]),
  'provider.graphite.authentication',
  'provider.skywalking.authentication',
].map((field) => `.spec.metrics[].${field}`)
/** Fields that only Serinus has; upstream's users have none of them. */
const ours: Readonly<Partial<Record<keyof typeof upstreamFiles, readonly string[]>>> = {
  analysisTemplates: ofMetrics,
  clusterAnalysisTemplates: ofMetrics,
  analysisRuns: [
    '.spec.templates',
    '.spec required',
    '.spec x-kubernetes-validations',
    ...ofMetrics,
  ],
  rollouts: [
    '.spec.strategy.canary.analysis.waitForCanaryReady',
    '.spec.strategy.canary.trafficRouting.gatewayAPI',
    `${stepPath}.progressDeadlineSeconds`,
    `${stepPath}.measurementRetention`,
  ],
}

/** One line per fact of a schema, so that a difference names its place. */
function factsOf(schema: CrdSchema, path = ''): readonly string[] {
  const { description: _, properties = {}, items, additionalProperties, required, ...rest } = schema
  const own = Object.entries(rest).map(([key, value]) => `${path} ${key}: ${JSON.stringify(value)}`)
  return [
    ...own,
    ...(required ? [`${path} required: ${[...required].sort()}`] : []),
    ...Object.entries(properties).flatMap(([name, field]) => factsOf(field, `${path}.${name}`)),
    ...(items ? factsOf(items, `${path}[]`) : []),
    ...(typeof additionalProperties === 'object' ? factsOf(additionalProperties, `${path}{}`) : []),
  ]
}

describe.skipIf(!hasCorpus)('beside upstream’s definitions (needs the corpus)', () => {
  test.each(Object.entries(upstreamFiles))(
    '%s accepts the same fields with the same types, defaults and rules',
    (plural, file) => {
      const definition = crd(kinds[plural as keyof typeof upstreamFiles])
      const [document] = corpusFile(`upstream/crds/${file}`).documents
      const upstream = document as unknown as CustomResourceDefinition
      const own = ours[plural as keyof typeof upstreamFiles] ?? []
      const isOurs = (fact: string) => own.some((place) => fact.startsWith(place))
      const mine = factsOf(schemaOf(definition)).filter((fact) => !isOurs(fact))
      const theirs = factsOf(schemaOf(upstream)).filter((fact) => !isOurs(fact))
      expect(theirs.filter((fact) => !mine.includes(fact))).toEqual([])
      expect(mine.filter((fact) => !theirs.includes(fact))).toEqual([])
      expect(theirs.length).toBeGreaterThan(200)
      expect(definition.spec.names).toEqual(upstream.spec.names)
      expect(definition.spec.versions[0]?.subresources).toEqual(
        upstream.spec.versions[0]?.subresources,
      )
    },
  )
})
