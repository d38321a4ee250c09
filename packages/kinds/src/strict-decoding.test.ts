import { expect, test } from 'vitest'
import cases from './fixtures/strict-decoding.json' with { type: 'json' }
import { decodeProblems, unknownFields } from './strict-decoding.ts'
import { kindType } from './types.ts'

const deployment = 'apps/v1.Deployment'

interface Case {
  readonly object: { readonly apiVersion: string; readonly kind: string }
  readonly error?: string
  readonly strict: readonly string[]
}

test.each(cases as readonly Case[])(
  'a server says the same about mistake %#',
  ({ object, error, strict }) => {
    const ref = kindType(object.apiVersion, object.kind) ?? ''
    expect(decodeProblems(ref, object)[0]?.detail).toBe(error)
    // A server that cannot decode an object does not go on to look for unknown fields.
    if (error !== undefined) return
    expect(unknownFields(ref, object).map((path) => `unknown field "${path}"`)).toEqual(strict)
  },
)

test('each misspelt field is named by the path the user wrote', () => {
  const object = {
    spec: { template: { spec: { containers: [{ name: 'a' }, { imag: 'x', env: [{ nam: 1 }] }] } } },
    metdata: {},
  }
  expect(unknownFields(deployment, object)).toEqual([
    'spec.template.spec.containers[1].imag',
    'spec.template.spec.containers[1].env[0].nam',
    'metdata',
  ])
})

test('a field in another case is unknown', () => {
  expect(unknownFields(deployment, { spec: { Replicas: 1 } })).toEqual(['spec.Replicas'])
})

test('keys of maps and the inside of free values are never unknown', () => {
  expect(unknownFields('core/v1.ConfigMap', { data: { anything: 'x' } })).toEqual([])
  expect(unknownFields('apps/v1.ControllerRevision', { data: { any: { thing: 1 } } })).toEqual([])
})

test('every value of the wrong type is reported, with indexes and map keys in its path', () => {
  const object = {
    metadata: { labels: { a: 1 } },
    spec: { replicas: '3', template: { spec: { containers: [{ command: ['a', 2] }] } } },
  }
  expect(decodeProblems(deployment, object)).toEqual([
    {
      path: 'metadata.labels.a',
      detail:
        'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    },
    {
      path: 'spec.replicas',
      detail:
        'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    },
    {
      path: 'spec.template.spec.containers[0].command[1]',
      detail:
        'json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.command of type string',
    },
  ])
})

test('null stands for absent everywhere', () => {
  expect(decodeProblems(deployment, { metadata: null, spec: { replicas: null } })).toEqual([])
})

test('something that is no object at all is refused', () => {
  expect(decodeProblems(deployment, 'x')).toEqual([
    { path: '', detail: 'json: cannot unmarshal string into Go value of type v1.Deployment' },
  ])
})
