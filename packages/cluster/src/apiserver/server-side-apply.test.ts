import { expect, test } from 'vitest'
import {
  type ApiUnderTest,
  apiUnderTest,
  configMap,
  configMaps,
  deployment,
  deployments,
  type EmbeddedApiUnderTest,
} from './api-under-test.ts'

function apply(
  { call }: ApiUnderTest,
  path: string,
  configuration: object,
  options: { manager: string; force?: boolean },
) {
  const force = options.force ? '&force=true' : ''
  return call('PATCH', `${path}?fieldManager=${options.manager}${force}`, configuration, {
    'content-type': 'application/apply-patch+yaml',
  })
}

test('an apply creates what is not there and changes what is', async () => {
  const api = apiUnderTest()
  const created = await apply(api, `${configMaps}/one`, configMap('one', { a: '1' }), {
    manager: 'me',
  })
  const changed = await apply(api, `${configMaps}/one`, configMap('one', { a: '2' }), {
    manager: 'me',
  })
  expect([created.status, changed.status]).toEqual([201, 200])
  expect(changed.body.data).toEqual({ a: '2' })
})

test('an apply without field manager is refused', async () => {
  const { call } = apiUnderTest()
  const { status, body } = await call('PATCH', `${configMaps}/one`, configMap('one'), {
    'content-type': 'application/apply-patch+yaml',
  })
  expect(status).toBe(422)
  expect(body.message).toBe(
    'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  )
})

test('a field another manager set to another value is a conflict, until forced', async () => {
  const api = apiUnderTest()
  await apply(api, `${configMaps}/one`, configMap('one', { a: '1' }), { manager: 'first' })
  const refused = await apply(api, `${configMaps}/one`, configMap('one', { a: '2' }), {
    manager: 'second',
  })
  expect(refused.status).toBe(409)
  expect(refused.body.message).toBe('Apply failed with 1 conflict: conflict with "first": .data.a')
  expect(refused.body.details.causes).toEqual([
    { reason: 'FieldManagerConflict', message: 'conflict with "first"', field: '.data.a' },
  ])
  const forced = await apply(api, `${configMaps}/one`, configMap('one', { a: '2' }), {
    manager: 'second',
    force: true,
  })
  expect(forced.body.data.a).toBe('2')
  expect(
    forced.body.metadata.managedFields.map((entry: { manager: string }) => entry.manager),
  ).toEqual(['second'])
})

test('several conflicts are listed by manager', async () => {
  const api = apiUnderTest()
  await api.call('POST', `${deployments}?fieldManager=kubectl`, deployment('web'))
  const template = { spec: { containers: [{ name: 'main', image: 'nginx:2' }] } }
  const configuration = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { replicas: 3, template },
  }
  const { body } = await apply(api, `${deployments}/web`, configuration, { manager: 'me' })
  expect(body.message).toBe(
    'Apply failed with 2 conflicts: conflicts with "kubectl" using apps/v1:\n- .spec.replicas\n- .spec.template.spec.containers[name="main"].image',
  )
})

test('the same value is owned together, and stays when one of the owners lets go', async () => {
  const api = apiUnderTest()
  await apply(api, `${configMaps}/one`, configMap('one', { a: '1', b: '1' }), { manager: 'first' })
  await apply(api, `${configMaps}/one`, configMap('one', { a: '1' }), { manager: 'second' })
  const { body } = await apply(api, `${configMaps}/one`, configMap('one', {}), { manager: 'first' })
  expect(body.data).toEqual({ a: '1' })
})

test('a container that its only owner leaves out is removed with its defaults', async () => {
  const api = apiUnderTest()
  const web = deployment('web')
  const both = [
    { name: 'main', image: 'nginx:1' },
    { name: 'side', image: 'side:1' },
  ]
  const withBoth = {
    ...web,
    spec: { ...web.spec, template: { ...web.spec.template, spec: { containers: both } } },
  }
  await apply(api, `${deployments}/web`, withBoth, { manager: 'me' })
  const { body } = await apply(api, `${deployments}/web`, web, { manager: 'me' })
  const names = body.spec.template.spec.containers.map(({ name }: { name: string }) => name)
  expect(names).toEqual(['main'])
})

test('an apply owns what it says and no default', async () => {
  const api = apiUnderTest()
  const { body } = await apply(api, `${deployments}/web`, deployment('web'), { manager: 'me' })
  expect(body.metadata.managedFields[0].fieldsV1['f:spec']).toEqual({
    'f:replicas': {},
    'f:selector': {},
    'f:template': {
      'f:metadata': { 'f:labels': { 'f:app': {} } },
      'f:spec': {
        'f:containers': { 'k:{"name":"main"}': { '.': {}, 'f:image': {}, 'f:name': {} } },
      },
    },
  })
})

test('ports are matched by number and default protocol', async () => {
  const api = apiUnderTest()
  const service = (ports: readonly object[]) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports },
  })
  const path = '/api/v1/namespaces/default/services/web'
  await apply(
    api,
    path,
    service([
      { name: 'a', port: 80 },
      { name: 'b', port: 81 },
    ]),
    { manager: 'me' },
  )
  const { body } = await apply(api, path, service([{ name: 'b', port: 81 }]), { manager: 'me' })
  expect(body.spec.ports).toEqual([{ name: 'b', port: 81, protocol: 'TCP', targetPort: 81 }])
})

test('a field the schema does not have is refused', async () => {
  const api = apiUnderTest()
  const { status, body } = await apply(
    api,
    `${configMaps}/one`,
    { ...configMap('one'), spec: 1 },
    { manager: 'me' },
  )
  expect(status).toBe(500)
  expect(body.message).toBe(
    'failed to create typed patch object (/one; /v1, Kind=ConfigMap): .spec: field not declared in schema',
  )
})

test('an apply that changes nothing makes no new version', async () => {
  const api = apiUnderTest()
  const first = await apply(api, `${deployments}/web`, deployment('web'), { manager: 'me' })
  if ('clock' in api) await (api as EmbeddedApiUnderTest).clock.advance(60_000)
  const second = await apply(api, `${deployments}/web`, deployment('web'), { manager: 'me' })
  expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion)
})
