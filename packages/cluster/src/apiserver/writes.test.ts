import { expect, test } from 'vitest'
import {
  apiUnderTest,
  configMap,
  configMaps,
  deployment,
  deployments,
  instant,
} from './api-under-test.ts'

test('a new object gets uid, creation time, generation and version from the server', async () => {
  const { call } = apiUnderTest()
  const { status, body } = await call(
    'POST',
    deployments,
    deployment('web', {}, { uid: 'mine', generation: 7 }),
  )
  expect(status).toBe(201)
  expect(body.metadata).toMatchObject({
    name: 'web',
    namespace: 'default',
    generation: 1,
    creationTimestamp: instant('2026-01-01T00:00:00Z'),
  })
  expect(body.metadata.uid).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
})

test('generateName draws a name', async () => {
  const { call } = apiUnderTest()
  const { body } = await call('POST', configMaps, {
    ...configMap(''),
    metadata: { generateName: 'web-' },
  })
  expect(body.metadata.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
})

test('a name that is taken answers 409 AlreadyExists', async () => {
  const { call } = apiUnderTest()
  await call('POST', configMaps, configMap('one'))
  const { status, body } = await call('POST', configMaps, configMap('one'))
  expect(status).toBe(409)
  expect(body).toMatchObject({
    kind: 'Status',
    reason: 'AlreadyExists',
    message: 'configmaps "one" already exists',
    details: { name: 'one', kind: 'configmaps' },
  })
})

test('creating in a namespace that does not exist answers 404 for the namespace', async () => {
  const { call } = apiUnderTest()
  const { status, body } = await call(
    'POST',
    '/api/v1/namespaces/nope/configmaps',
    configMap('one'),
  )
  expect(status).toBe(404)
  expect(body.message).toBe('namespaces "nope" not found')
})

test('two writers with the same resourceVersion: one 200, one 409 with the real message [embedded-cluster 5]', async () => {
  const { call } = apiUnderTest()
  const { body } = await call('POST', deployments, deployment('web'))
  const first = await call('PUT', `${deployments}/web`, {
    ...body,
    spec: { ...body.spec, replicas: 3 },
  })
  const second = await call('PUT', `${deployments}/web`, {
    ...body,
    spec: { ...body.spec, replicas: 4 },
  })
  expect([first.status, second.status]).toEqual([200, 409])
  expect(second.body.message).toBe(
    'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again',
  )
})

test('generation counts changes of the spec, not of labels or status', async () => {
  const { call } = apiUnderTest()
  await call('POST', deployments, deployment('web'))
  const generationAfter = async (path: string, patch: object) =>
    (await call('PATCH', `${deployments}/web${path}`, patch)).body.metadata.generation
  expect(await generationAfter('', { metadata: { labels: { a: 'b' } } })).toBe(1)
  expect(await generationAfter('/status', { status: { replicas: 2 } })).toBe(1)
  expect(await generationAfter('', { spec: { replicas: 5 } })).toBe(2)
})

test('a write that changes nothing makes no new version', async () => {
  const { call } = apiUnderTest()
  const { body } = await call('POST', deployments, deployment('web'))
  const again = await call('PUT', `${deployments}/web`, body)
  expect(again.body.metadata.resourceVersion).toBe(body.metadata.resourceVersion)
})

test('the main resource leaves the status alone, and /status everything else', async () => {
  const { call } = apiUnderTest()
  await call('POST', deployments, { ...deployment('web'), status: { replicas: 9 } })
  await call('PATCH', `${deployments}/web/status`, {
    status: { replicas: 2 },
    spec: { replicas: 7 },
  })
  await call('PATCH', `${deployments}/web`, { status: { replicas: 5 } })
  const { body } = await call('GET', `${deployments}/web`)
  expect(body.status).toEqual({ replicas: 2 })
  expect(body.spec.replicas).toBe(2)
})

test('dryRun=All answers as a write would and stores nothing', async () => {
  const { call } = apiUnderTest()
  const dry = await call('POST', `${deployments}?dryRun=All`, deployment('web'))
  expect(dry.status).toBe(201)
  expect(dry.body.spec.strategy.type).toBe('RollingUpdate')
  expect((await call('GET', `${deployments}/web`)).status).toBe(404)
  await call('POST', deployments, deployment('web'))
  await call('PATCH', `${deployments}/web?dryRun=All`, { spec: { replicas: 9 } })
  await call('DELETE', `${deployments}/web?dryRun=All`)
  expect((await call('GET', `${deployments}/web`)).body.spec.replicas).toBe(2)
})

test.each([
  ['Strict', 400, []],
  ['Warn', 201, ['duplicate field "data.a"', 'unknown field "spec"']],
  ['Ignore', 201, []],
])('fieldValidation=%s treats unknown and repeated fields so', async (mode, status, warnings) => {
  const { call } = apiUnderTest()
  const text =
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"},"spec":{},"data":{"a":"1","a":"2"}}'
  const answer = await call('POST', `${configMaps}?fieldValidation=${mode}`, text)
  expect(answer.status).toBe(status)
  // The order is that of the text on a real server.
  expect(answer.warnings.toSorted()).toEqual(warnings)
  if (mode !== 'Strict') return
  const words =
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
  expect(answer.body.message.slice(0, words.length)).toBe(words)
  expect(answer.body.message.slice(words.length).split(', ').toSorted()).toEqual([
    'duplicate field "data.a"',
    'unknown field "spec"',
  ])
})

test('a value of the wrong type is refused in the words of the decoder', async () => {
  const { call } = apiUnderTest()
  const { status, body } = await call('POST', deployments, deployment('web', { replicas: 'two' }))
  expect(status).toBe(400)
  expect(body.message).toBe(
    'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
  )
})

test.each([
  [
    'a selector that does not match',
    deployment('web', { selector: { matchLabels: { app: 'other' } } }),
    'Deployment.apps "web" is invalid: spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
  ],
  [
    'a missing image',
    deployment('web', {
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main' }] } },
    }),
    'Deployment.apps "web" is invalid: spec.template.spec.containers[0].image: Required value',
  ],
  [
    'a bad name',
    deployment('Web', { selector: { matchLabels: { app: 'Web' } } }),
    `Deployment.apps "Web" is invalid: metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
  ],
  [
    'nothing that may move',
    deployment('web', { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
    'Deployment.apps "web" is invalid: spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0',
  ],
])('a Deployment with %s is refused with the real message', async (_mistake, object, message) => {
  const { call } = apiUnderTest()
  const { status, body } = await call('POST', deployments, object)
  expect(status).toBe(422)
  expect(body).toMatchObject({ reason: 'Invalid', message })
})

test('a Deployment without labels on its pods is refused with the real message', async () => {
  const { call } = apiUnderTest()
  const template = { spec: { containers: [{ name: 'main', image: 'nginx:1' }] } }
  const { body } = await call('POST', deployments, deployment('web', { template }))
  expect(body.message).toBe(
    'Deployment.apps "web" is invalid: spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
  )
})

test('an Ingress whose class stands in the old annotation is taken with a warning', async () => {
  const { call } = apiUnderTest()
  const ingress = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'old', annotations: { 'kubernetes.io/ingress.class': 'nginx' } },
    spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
  }
  const path = '/apis/networking.k8s.io/v1/namespaces/default/ingresses'
  const old = await call('POST', path, ingress)
  expect([old.status, old.warnings]).toEqual([
    201,
    [
      'annotation "kubernetes.io/ingress.class" is deprecated, please use \'spec.ingressClassName\' instead',
    ],
  ])
})

test('a missing selector is required', async () => {
  const { call } = apiUnderTest()
  const { body } = await call('POST', deployments, deployment('web', { selector: null }))
  expect(body.message).toBe(
    'Deployment.apps "web" is invalid: [spec.selector: Required value, spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`]',
  )
})

test('the selector of a Deployment cannot be changed', async () => {
  const { call } = apiUnderTest()
  await call('POST', deployments, deployment('web'))
  const labels = { app: 'web', tier: 'front' }
  const { status, body } = await call('PATCH', `${deployments}/web`, {
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels } } },
  })
  expect(status).toBe(422)
  expect(body.message).toBe(
    'Deployment.apps "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"front"}}: field is immutable',
  )
})

test('a body of another kind than the URL is refused', async () => {
  const { call } = apiUnderTest()
  const { status, body } = await call('POST', configMaps, deployment('web'))
  expect(status).toBe(400)
  expect(body.message).toBe(
    'Deployment in version "v1" cannot be handled as a ConfigMap: converting (v1.Deployment) to (core.ConfigMap): unknown conversion',
  )
})

test('YAML bodies are read and YAML answers are given', async () => {
  const { call } = apiUnderTest()
  const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\ndata:\n  a: "1"\n'
  const created = await call('POST', configMaps, yaml, { 'content-type': 'application/yaml' })
  expect(created.body.data).toEqual({ a: '1' })
  const shown = await call('GET', `${configMaps}/one`, undefined, { accept: 'application/yaml' })
  expect(shown.body).toContain('kind: ConfigMap\n')
})

test('a Go client may send protobuf', async () => {
  const { send, call } = apiUnderTest()
  // What kubectl 1.32 sends for `create configmap x --from-literal=a=b`.
  const bytes = Buffer.from(
    '6b3873000a0f0a02763112 09436f6e6669674d617012 1b0a110a017812001a0022002a00320038004200 12060a01611201621a002200'.replaceAll(
      ' ',
      '',
    ),
    'hex',
  )
  const response = await send(
    new Request(`http://cluster${configMaps}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/vnd.kubernetes.protobuf',
        accept: 'application/vnd.kubernetes.protobuf,application/json',
      },
      body: bytes,
    }),
  )
  expect(response.status).toBe(201)
  // The embedded server answers in JSON, which such clients take as well.
  expect((await call('GET', `${configMaps}/x`)).body.data).toEqual({ a: 'b' })
})

test('stringData of a Secret is stored as data', async () => {
  const { call } = apiUnderTest()
  const { body } = await call('POST', '/api/v1/namespaces/default/secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'one' },
    stringData: { key: 'value' },
  })
  expect(body).toMatchObject({ type: 'Opaque', data: { key: 'dmFsdWU=' } })
  expect(body.stringData).toBeUndefined()
})

test('a Service keeps the cluster IP it was given, also through a PUT without one', async () => {
  const { call } = apiUnderTest()
  const services = '/api/v1/namespaces/default/services'
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
  }
  const created = await call('POST', services, service)
  expect(created.body.spec.clusterIP).toMatch(/^10\.96\./)
  const replaced = await call('PUT', `${services}/web`, service)
  expect(replaced.body.spec.clusterIP).toBe(created.body.spec.clusterIP)
})

test('a Job finds its pods by its own uid', async () => {
  const { call } = apiUnderTest()
  const { body } = await call('POST', '/apis/batch/v1/namespaces/default/jobs', {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'once' },
    spec: {
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a' }] } },
    },
  })
  const uid = body.metadata.uid
  expect(body.spec.selector).toEqual({ matchLabels: { 'batch.kubernetes.io/controller-uid': uid } })
  expect(body.spec.template.metadata.labels).toEqual({
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': 'once',
    'controller-uid': uid,
    'job-name': 'once',
  })
})

test('scale reads and writes the replicas of a Deployment', async () => {
  const { call } = apiUnderTest()
  await call('POST', deployments, deployment('web'))
  const { body } = await call('GET', `${deployments}/web/scale`)
  expect(body).toMatchObject({
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    spec: { replicas: 2 },
    status: { replicas: 0, selector: 'app=web' },
  })
  await call('PUT', `${deployments}/web/scale`, { ...body, spec: { replicas: 6 } })
  expect((await call('GET', `${deployments}/web`)).body.spec.replicas).toBe(6)
})

test('an Event of one group is read through the other', async () => {
  const { call } = apiUnderTest()
  await call('POST', '/api/v1/namespaces/default/events', {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'one' },
    involvedObject: { kind: 'Pod', name: 'web', namespace: 'default' },
    reason: 'Started',
    message: 'it did',
    type: 'Normal',
  })
  const { body } = await call('GET', '/apis/events.k8s.io/v1/namespaces/default/events/one')
  expect(body).toMatchObject({
    apiVersion: 'events.k8s.io/v1',
    regarding: { kind: 'Pod', name: 'web' },
    note: 'it did',
    reason: 'Started',
  })
})

test('a HorizontalPodAutoscaler written as v1 is stored as v2 and shown as either', async () => {
  const { call } = apiUnderTest()
  const path = (version: string) =>
    `/apis/autoscaling/${version}/namespaces/default/horizontalpodautoscalers`
  await call('POST', path('v1'), {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      maxReplicas: 4,
      targetCPUUtilizationPercentage: 70,
    },
  })
  const v1 = await call('GET', `${path('v1')}/web`)
  const v2 = await call('GET', `${path('v2')}/web`)
  expect(v1.body.spec.targetCPUUtilizationPercentage).toBe(70)
  expect(v2.body.spec.metrics).toEqual([
    {
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
    },
  ])
})

test.each([
  ['application/json-patch+json', [{ op: 'replace', path: '/spec/replicas', value: 5 }]],
  ['application/merge-patch+json', { spec: { replicas: 5 } }],
  ['application/strategic-merge-patch+json', { spec: { replicas: 5 } }],
])('a patch of type %s changes the object', async (type, patch) => {
  const { call } = apiUnderTest()
  await call('POST', deployments, deployment('web'))
  const { status, body } = await call('PATCH', `${deployments}/web`, patch, {
    'content-type': type,
  })
  expect([status, body.spec.replicas]).toEqual([200, 5])
})

test('a JSON patch whose test fails changes nothing', async () => {
  const { call } = apiUnderTest()
  await call('POST', configMaps, configMap('one', { a: '1' }))
  const patch = [
    { op: 'test', path: '/data/a', value: '2' },
    { op: 'replace', path: '/data/a', value: '3' },
  ]
  const { status, body } = await call('PATCH', `${configMaps}/one`, patch, {
    'content-type': 'application/json-patch+json',
  })
  expect(status).toBe(422)
  expect(body.message).toBe('the server rejected our request due to an error in our request')
  expect((await call('GET', `${configMaps}/one`)).body.data).toEqual({ a: '1' })
})

test('a JSON patch may replace what is not there, and cannot remove it', async () => {
  const { call } = apiUnderTest()
  await call('POST', configMaps, configMap('one', { a: '1' }))
  const patch = (op: object) =>
    call('PATCH', `${configMaps}/one`, [op], { 'content-type': 'application/json-patch+json' })
  const { body } = await patch({ op: 'replace', path: '/data/b', value: '2' })
  expect(body.data).toEqual({ a: '1', b: '2' })
  expect((await patch({ op: 'remove', path: '/data/c' })).status).toBe(422)
  expect((await patch({ op: 'replace', path: '/binaryData/c', value: 'eA==' })).status).toBe(422)
})

test('a strategic merge patch merges containers by name', async () => {
  const { call } = apiUnderTest()
  await call('POST', deployments, deployment('web'))
  const containers = [
    { name: 'main', image: 'nginx:2' },
    { name: 'side', image: 'side:1' },
  ]
  const { body } = await call(
    'PATCH',
    `${deployments}/web`,
    { spec: { template: { spec: { containers } } } },
    { 'content-type': 'application/strategic-merge-patch+json' },
  )
  const found = body.spec.template.spec.containers
  expect(
    found.map(({ name, image }: { name: string; image: string }) => `${name} ${image}`),
  ).toEqual(['main nginx:2', 'side side:1'])
  expect(found[0].terminationMessagePath).toBe('/dev/termination-log')
})

test('fields keep the managers that last wrote them', async () => {
  const { call } = apiUnderTest()
  await call('POST', `${configMaps}?fieldManager=maker`, configMap('one', { a: '1', b: '1' }))
  await call('PATCH', `${configMaps}/one?fieldManager=changer`, { data: { b: '2' } })
  const { body } = await call('GET', `${configMaps}/one`)
  const owned = Object.fromEntries(
    body.metadata.managedFields.map((entry: { manager: string; fieldsV1: object }) => [
      entry.manager,
      entry.fieldsV1,
    ]),
  )
  expect(owned).toEqual({
    maker: { 'f:data': { '.': {}, 'f:a': {} } },
    changer: { 'f:data': { 'f:b': {} } },
  })
})
