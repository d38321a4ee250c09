import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { routerKinds } from '../traffic/router-kinds.ts'
import {
  type ApiUnderTest,
  apiUnderTest,
  definitions,
  embeddedApiUnderTest,
  testEmbedded,
  widget,
  widgetDefinition,
  widgets,
} from './api-under-test.ts'

async function withWidgets(spec: object, version: object = {}) {
  return prepared(apiUnderTest(), spec, version)
}

async function withEmbeddedWidgets(spec: object, version: object) {
  return prepared(embeddedApiUnderTest(), spec, version)
}

async function prepared<T extends ApiUnderTest>(api: T, spec: object, version: object) {
  const { status, body } = await api.call('POST', definitions, widgetDefinition(spec, version))
  expect(status, JSON.stringify(body)).toBe(201)
  return api
}

const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

test('a CRD is established at once and its kind is served', async () => {
  const { call } = await withWidgets(anything)
  const { body } = await call('GET', `${definitions}/widgets.example.com`)
  const conditions = body.status.conditions.map(
    ({ type, status, reason }: { type: string; status: string; reason: string }) =>
      `${type} ${status} ${reason}`,
  )
  expect(conditions).toEqual([
    'NamesAccepted True NoConflicts',
    'Established True InitialNamesAccepted',
  ])
  expect(body.status.acceptedNames).toMatchObject({
    plural: 'widgets',
    singular: 'widget',
    listKind: 'WidgetList',
  })
  expect((await call('POST', widgets, widget('one', {}))).status).toBe(201)
  const list = await call('GET', widgets)
  expect(list.body).toMatchObject({ kind: 'WidgetList', apiVersion: 'example.com/v1' })
})

test.each([
  [
    { type: 'object', properties: { metadata: { type: 'object', description: 'Names.' } } },
    'properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
  ],
  [
    { type: 'object', properties: { spec: { properties: { a: { type: 'string' } } } } },
    'properties[spec].type: Required value: must not be empty for specified object fields',
  ],
  [
    { type: 'object', properties: { spec: { type: 'array' } } },
    'properties[spec].items: Required value: must be specified',
  ],
  [
    {
      type: 'object',
      oneOf: [{ properties: { spec: { minProperties: 1 } } }],
    },
    'properties[spec]: Required value: because it is defined in spec.validation.openAPIV3Schema.oneOf[0].properties[spec]',
  ],
])('a CRD whose schema %j is not structural is refused', async (openAPIV3Schema, problem) => {
  const { call } = apiUnderTest()
  const definition = widgetDefinition(anything, { schema: { openAPIV3Schema } })
  const { status, body } = await call('POST', definitions, definition)
  expect([status, body.message]).toEqual([
    422,
    `CustomResourceDefinition.apiextensions.k8s.io "widgets.example.com" is invalid: spec.validation.openAPIV3Schema.${problem}`,
  ])
})

test('a CRD in a group of Kubernetes needs its approval', async () => {
  const { call } = apiUnderTest()
  const definition = widgetDefinition(anything)
  const { status, body } = await call('POST', definitions, {
    ...definition,
    metadata: { name: 'widgets.test.k8s.io' },
    spec: { ...definition.spec, group: 'test.k8s.io' },
  })
  expect([status, body.message]).toEqual([
    422,
    'CustomResourceDefinition.apiextensions.k8s.io "widgets.test.k8s.io" is invalid: metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
  ])
})

test('a CRD whose name is not made of plural and group is refused', async () => {
  const { call } = apiUnderTest()
  const { body } = await call('POST', definitions, {
    ...widgetDefinition(anything),
    metadata: { name: 'widget.example.com' },
  })
  expect(body.message).toBe(
    'CustomResourceDefinition.apiextensions.k8s.io "widget.example.com" is invalid: metadata.name: Invalid value: "widget.example.com": must be spec.names.plural+"."+spec.group',
  )
})

test('unknown fields are pruned and defaults come in, at every depth', async () => {
  const item = {
    type: 'object',
    properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' } },
  }
  const { call } = await withWidgets({
    type: 'object',
    properties: {
      size: { type: 'integer', default: 3 },
      ports: { type: 'array', items: item },
      free: anything,
    },
  })
  const { body, warnings } = await call(
    'POST',
    widgets,
    widget('one', { color: 'red', ports: [{ port: 1, name: 'x' }], free: { kept: true } }),
  )
  expect(body.spec).toEqual({
    size: 3,
    ports: [{ port: 1, protocol: 'TCP' }],
    free: { kept: true },
  })
  expect(warnings).toEqual(['unknown field "spec.color"', 'unknown field "spec.ports[0].name"'])
})

test('a null that the schema does not allow counts as not there', async () => {
  const { call } = await withWidgets({
    type: 'object',
    properties: {
      size: { type: 'integer', default: 3 },
      color: { type: 'string' },
      kept: { type: 'string', nullable: true },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
    },
  })
  const spec = { size: null, color: null, kept: null, labels: { a: null, b: 'c' } }
  const { status, body } = await call('POST', widgets, widget('one', spec))
  expect([status, body.spec]).toEqual([201, { size: 3, kept: null, labels: { b: 'c' } }])
})

test.each([
  [
    { size: 'big' },
    'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
  ],
  [{}, 'spec.size: Required value'],
  [
    { size: 0 },
    'spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
  ],
  [
    { size: 1, color: 'pink' },
    'spec.color: Unsupported value: "pink": supported values: "red", "green"',
  ],
  [
    { size: 1, host: 'A b' },
    'spec.host: Invalid value: "A b": spec.host in body should match \'^[a-z]+$\'',
  ],
  [{ size: 1, host: 'abcdefgh' }, 'spec.host: Too long: may not be more than 6 bytes'],
  [{ size: 1, tags: ['a', 'a'] }, 'spec.tags[1]: Duplicate value: "a"'],
  [{ size: 1, tags: ['a', 'b', 'c'] }, 'spec.tags: Too many: 3: must have at most 2 items'],
  [{ size: 1, ports: [{ port: 1 }, { port: 1 }] }, 'spec.ports[1]: Duplicate value: {"port":1}'],
  [
    { size: 1, at: 'noon' },
    'spec.at: Invalid value: "noon": spec.at in body must be of type date-time: "noon"',
  ],
  [
    { size: 1, target: true },
    '[spec.target: Invalid value: "boolean": spec.target in body must be of type integer,string: "boolean", <nil>: Invalid value: "": "spec.target" must validate at least one schema (anyOf), spec.target: Invalid value: "boolean": spec.target in body must be of type integer: "boolean"]',
  ],
  [
    { size: 1, one: { a: 1, b: 1 } },
    '<nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found 2 valid alternatives',
  ],
])('%j is refused with the real message', async (spec, message) => {
  const { call } = await withWidgets({
    type: 'object',
    required: ['size'],
    properties: {
      size: { type: 'integer', minimum: 1 },
      color: { type: 'string', enum: ['red', 'green'] },
      host: { type: 'string', pattern: '^[a-z]+$', maxLength: 6 },
      tags: {
        type: 'array',
        items: { type: 'string' },
        'x-kubernetes-list-type': 'set',
        maxItems: 2,
      },
      ports: {
        type: 'array',
        items: { type: 'object', required: ['port'], properties: { port: { type: 'integer' } } },
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['port'],
      },
      at: { type: 'string', format: 'date-time' },
      target: {
        'x-kubernetes-int-or-string': true,
        anyOf: [{ type: 'integer' }, { type: 'string' }],
      },
      one: {
        type: 'object',
        properties: { a: { type: 'integer' }, b: { type: 'integer' } },
        oneOf: [{ required: ['a'] }, { required: ['b'] }],
      },
    },
  })
  const { status, body } = await call('POST', widgets, widget('one', spec))
  expect(status).toBe(422)
  expect(body.message).toBe(`Widget.example.com "one" is invalid: ${message}`)
})

test('CEL rules judge values, with message, messageExpression and fieldPath', async () => {
  const { call } = await withWidgets({
    type: 'object',
    properties: { min: { type: 'integer' }, max: { type: 'integer' }, url: { type: 'string' } },
    'x-kubernetes-validations': [
      { rule: 'self.min <= self.max', message: 'min must not exceed max', fieldPath: '.min' },
      {
        rule: "!has(self.url) || url(self.url).getScheme() == 'https'",
        messageExpression: "'not secure: ' + self.url",
      },
    ],
  })
  const { body } = await call('POST', widgets, widget('one', { min: 2, max: 1, url: 'http://a' }))
  expect(body.message).toBe(
    'Widget.example.com "one" is invalid: [spec.min: Invalid value: min must not exceed max, spec: Invalid value: not secure: http://a]',
  )
  expect((await call('POST', widgets, widget('two', { min: 1, max: 1 }))).status).toBe(201)
})

test('a transition rule compares with the stored value and is silent at creation', async () => {
  const { call } = await withWidgets({
    type: 'object',
    properties: {
      name: {
        type: 'string',
        'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'name is immutable' }],
      },
    },
  })
  await call('POST', widgets, widget('one', { name: 'a' }))
  const { status, body } = await call('PATCH', `${widgets}/one`, { spec: { name: 'b' } })
  expect(status).toBe(422)
  expect(body.message).toBe(
    'Widget.example.com "one" is invalid: spec.name: Invalid value: "b": name is immutable',
  )
})

testEmbedded(
  'a rule with a function this server does not know is named in a condition of the CRD',
  async () => {
    const { call } = await withWidgets({
      type: 'object',
      'x-kubernetes-validations': [{ rule: 'authorizer.check(self)' }],
    })
    const { body } = await call('GET', `${definitions}/widgets.example.com`)
    const condition = body.status.conditions.find(
      ({ type }: { type: string }) => type === 'ValidationRulesSupported',
    )
    expect(condition).toMatchObject({ status: 'False', reason: 'UnsupportedExpression' })
    expect(condition.message).toContain('spec: rule "authorizer.check(self)"')
    expect((await call('POST', widgets, widget('one', {}))).status).toBe(201)
  },
)

test('mistakes that an update leaves as they are do not refuse it', async () => {
  const { call } = await withWidgets({
    type: 'object',
    properties: { size: { type: 'integer' }, host: { type: 'string' } },
  })
  await call('POST', widgets, widget('one', { size: 5, host: 'a' }))
  const stricter = widgetDefinition({
    type: 'object',
    properties: { size: { type: 'integer', maximum: 3 }, host: { type: 'string' } },
  })
  await call('PATCH', `${definitions}/widgets.example.com`, { spec: stricter.spec })
  expect((await call('PATCH', `${widgets}/one`, { spec: { host: 'b' } })).status).toBe(200)
  expect((await call('PATCH', `${widgets}/one`, { spec: { size: 6 } })).status).toBe(422)
})

test('status and scale have doors of their own', async () => {
  const { call } = await withWidgets(
    { type: 'object', properties: { replicas: { type: 'integer' } } },
    {
      subresources: {
        status: {},
        scale: {
          specReplicasPath: '.spec.replicas',
          statusReplicasPath: '.status.replicas',
          labelSelectorPath: '.status.selector',
        },
      },
    },
  )
  await call('POST', widgets, widget('one', { replicas: 2 }, { status: { replicas: 9 } }))
  expect((await call('GET', `${widgets}/one`)).body.status).toBeUndefined()
  await call('PATCH', `${widgets}/one/status`, { status: { replicas: 1, selector: 'a=b' } })
  await call('PATCH', `${widgets}/one/scale`, { spec: { replicas: 4 } })
  const { body } = await call('GET', `${widgets}/one/scale`)
  expect(body).toMatchObject({ spec: { replicas: 4 }, status: { replicas: 1, selector: 'a=b' } })
  expect((await call('GET', `${widgets}/one`)).body.metadata.generation).toBe(2)
})

test('an update of a custom object needs its version', async () => {
  const { call } = await withWidgets(anything)
  await call('POST', widgets, widget('one', {}))
  const { body } = await call('PUT', `${widgets}/one`, widget('one', { a: 1 }))
  expect(body.message).toBe(
    'widgets.example.com "one" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
  )
})

test('a strategic merge patch of a custom object is refused with the types that work', async () => {
  const { call } = await withWidgets(anything)
  await call('POST', widgets, widget('one', {}))
  const { status, body } = await call(
    'PATCH',
    `${widgets}/one`,
    {},
    { 'content-type': 'application/strategic-merge-patch+json' },
  )
  expect(status).toBe(415)
  expect(body.message).toBe(
    'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
  )
})

testEmbedded(
  'printer columns make the table, also of ages and lists (in virtual time)',
  async () => {
    const { call, clock } = await withEmbeddedWidgets(anything, {
      additionalPrinterColumns: [
        { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
        { name: 'Ready', type: 'string', jsonPath: '.spec.conditions[?(@.type=="Ready")].status' },
        { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
      ],
    })
    await call(
      'POST',
      widgets,
      widget('one', {
        size: 3,
        conditions: [
          { type: 'Old', status: 'x' },
          { type: 'Ready', status: 'True' },
        ],
      }),
    )
    await clock.advance(90_000)
    const { body } = await call('GET', widgets, undefined, {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
    })
    expect(body.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual([
      'Name',
      'Size',
      'Ready',
      'Age',
    ])
    expect(body.rows[0].cells).toEqual(['one', 3, 'True', '90s'])
  },
)

test('deleting a CRD deletes its objects and ends its API', async () => {
  const { call, eventually } = await withWidgets(anything)
  await call('POST', widgets, widget('one', {}))
  await call('POST', widgets, {
    ...widget('held', {}),
    metadata: { name: 'held', finalizers: ['example.com/hold'] },
  })
  const { body } = await call('DELETE', `${definitions}/widgets.example.com`)
  expect(body.metadata.finalizers).toEqual(['customresourcecleanup.apiextensions.k8s.io'])
  await eventually(async () => {
    expect((await call('GET', `${widgets}/one`)).status).toBe(404)
  })
  await call('PATCH', `${widgets}/held`, { metadata: { finalizers: null } })
  await eventually(async () => {
    const { status, body: text } = await call('GET', widgets)
    expect([status, text]).toEqual([404, '404 page not found\n'])
  })
  expect((await call('GET', `${definitions}/widgets.example.com`)).status).toBe(404)
})

test('an object is read in every version of its kind', async () => {
  const { call } = apiUnderTest()
  const definition = widgetDefinition(anything)
  const [v1] = definition.spec.versions
  await call('POST', definitions, {
    ...definition,
    spec: { ...definition.spec, versions: [{ ...v1, name: 'v1beta1', storage: false }, v1] },
  })
  await call('POST', widgets, widget('one', { a: 1 }))
  const { body } = await call('GET', '/apis/example.com/v1beta1/namespaces/default/widgets/one')
  expect(body).toMatchObject({ apiVersion: 'example.com/v1beta1', spec: { a: 1 } })
})

test('the open kinds of routers are taken as definitions, and an object of each as it is written', async () => {
  const { call, eventually } = apiUnderTest()
  for (const definition of routerKinds) {
    const { name } = definition.metadata
    const { status, body } = await call('POST', definitions, definition)
    expect(status, `${name}: ${JSON.stringify(body).slice(0, 300)}`).toBe(201)
    const { group, names, versions } = body.spec
    for (const version of versions) {
      const path = `/apis/${group}/${version.name}/namespaces/default/${names.plural}`
      const object = {
        apiVersion: `${group}/${version.name}`,
        kind: names.kind,
        metadata: { name: version.name },
        spec: { anything: [{ goes: true }] },
      }
      await eventually(async () => {
        expect((await call('POST', path, object)).status, path).toBe(201)
      })
      const stored = await call('GET', `${path}/${version.name}`)
      expect(stored.body.spec).toEqual(object.spec)
    }
  }
  // A server that tests share has them no longer: the corpus brings its own.
  const paths = routerKinds.map(({ metadata }) => `${definitions}/${metadata.name}`)
  for (const path of paths) await call('DELETE', path)
  for (const path of paths) {
    await eventually(async () => expect((await call('GET', path)).status, path).toBe(404))
  }
})

/** Manifests of the outside world, beside the repository where somebody has put them. */
const corpus = fileURLToPath(new URL('../../../../../shared/corpus', import.meta.url))

test.skipIf(!existsSync(join(corpus, 'crds')))(
  'the CRDs of upstream and of every router load and all their rules compile, but for those that no server takes',
  async () => {
    const { call, eventually } = apiUnderTest()
    const files = ['crds', 'upstream/crds'].flatMap((folder) => yamlFiles(join(corpus, folder)))
    const seen: string[] = []
    let refused = 0
    for (const file of files) {
      for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
        const object = document.toJS() as { kind?: string; metadata: { name: string } } | null
        if (object?.kind !== 'CustomResourceDefinition') continue
        const { status, body } = await call('POST', definitions, object)
        // They are written for a converter of their own that makes structural schemas of them.
        if (object.metadata.name.endsWith('.getambassador.io') && status === 422) {
          expect(body.message, object.metadata.name).toContain('must be empty to be structural')
          refused++
          continue
        }
        expect(status, `${object.metadata.name}: ${JSON.stringify(body).slice(0, 300)}`).toBe(201)
        await eventually(async () => {
          const { body: stored } = await call('GET', `${definitions}/${object.metadata.name}`)
          const types = stored.status.conditions
            .map(({ type }: { type: string }) => type)
            .toSorted()
          const isProtected = object.metadata.name.endsWith('.k8s.io')
          expect(types, object.metadata.name).toEqual([
            'Established',
            ...(isProtected ? ['KubernetesAPIApprovalPolicyConformant'] : []),
            'NamesAccepted',
          ])
        })
        seen.push(object.metadata.name)
      }
    }
    expect(refused).toBe(13)
    expect(seen).toContain('rollouts.argoproj.io')
    expect(seen).toContain('httproutes.gateway.networking.k8s.io')
  },
  30_000,
)

function yamlFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.ya?ml$/.test(name) && !name.endsWith('kustomization.yaml'))
    .map((name) => join(folder, name))
}
