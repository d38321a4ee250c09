import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { JsonSchema } from './json-schema.ts'
import { structuralSchema } from './structural-schema.ts'

const resources = ['containers', 'initContainers', 'ephemeralContainers'].flatMap((list) => [
  `spec.${list}[].resources.limits`,
  `spec.${list}[].resources.requests`,
])
const template = structuralSchema('core/v1.PodTemplateSpec', {
  defaults: true,
  labelsAndAnnotationsAt: ['metadata'],
  preserveUnknownFieldsAt: ['spec.volumes', ...resources],
})

test("the pod template schema is the one of upstream's Rollout CRD, apart from descriptions", () => {
  // Digest of argo-rollouts' `manifests/crds/rollout-crd.yaml`, as made with Kubernetes libraries
  // 0.34, keys sorted, descriptions gone.
  const digest = createHash('sha256')
    .update(JSON.stringify(sortedKeys(template)))
    .digest('hex')
  expect(digest).toBe('0ecb29296966abc2b737d224ec27786d2f90a992f544230a7bbe08ba96fe50e3')
})

test('a pod template stores exactly the defaults that its hash depends on', () => {
  const found = new Set<string>()
  collectDefaults(template, '', found)
  const container = (rest: string) =>
    ['containers', 'initContainers', 'ephemeralContainers'].map((list) => `spec.${list}[].${rest}`)
  expect([...found].sort()).toEqual(
    [
      ...container('ports[].protocol="TCP"'),
      ...container('env[].valueFrom.configMapKeyRef.name=""'),
      ...container('env[].valueFrom.secretKeyRef.name=""'),
      ...container('env[].valueFrom.fileKeyRef.optional=false'),
      ...container('envFrom[].configMapRef.name=""'),
      ...container('envFrom[].secretRef.name=""'),
      ...container('livenessProbe.grpc.service=""'),
      ...container('readinessProbe.grpc.service=""'),
      ...container('startupProbe.grpc.service=""'),
      'spec.imagePullSecrets[].name=""',
    ].sort(),
  )
})

test('without the option, nothing is defaulted', () => {
  const found = new Set<string>()
  collectDefaults(structuralSchema('core/v1.PodTemplateSpec'), '', found)
  expect(found.size).toBe(0)
})

test('quantities and IntOrStrings take numbers and strings', () => {
  const spec = structuralSchema('core/v1.PodSpec')
  const overhead = spec.properties?.['overhead']?.additionalProperties
  expect(overhead).toMatchObject({
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    'x-kubernetes-int-or-string': true,
  })
  const pattern = new RegExp((overhead as JsonSchema).pattern ?? '')
  expect(['1', '500m', '1.5Gi', '1e3', '.5'].every((text) => pattern.test(text))).toBe(true)
  expect(['1x', '', 'Gi'].some((text) => pattern.test(text))).toBe(false)
  const strategy = structuralSchema('apps/v1.RollingUpdateDeployment')
  expect(strategy.properties?.['maxSurge']).toEqual({
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    'x-kubernetes-int-or-string': true,
  })
})

test('preserved places say nothing but that they keep everything', () => {
  expect(template.properties?.['spec']?.properties?.['volumes']).toEqual({
    'x-kubernetes-preserve-unknown-fields': true,
  })
})

test('embedded metadata keeps only what the options name', () => {
  const texts = { type: 'object', additionalProperties: { type: 'string' } }
  expect(template.properties?.['metadata']).toEqual({
    type: 'object',
    properties: { annotations: texts, labels: texts },
  })
  expect(structuralSchema('core/v1.PodTemplateSpec').properties?.['metadata']).toEqual({
    type: 'object',
  })
})

test('an option for a place that does not exist is a mistake', () => {
  expect(() =>
    structuralSchema('core/v1.PodTemplateSpec', { preserveUnknownFieldsAt: ['spec.volume'] }),
  ).toThrow('core/v1.PodTemplateSpec has no spec.volume')
})

test('a struct that contains itself has no schema without references', () => {
  // Only one built-in struct does: the schema of a CRD, whose inner schemas are kept as they are.
  expect(() => structuralSchema('apiextensions/v1.JSONSchemaProps')).toThrow('contains itself')
})

function collectDefaults(schema: JsonSchema, path: string, found: Set<string>): void {
  if (schema.default !== undefined) found.add(`${path}=${JSON.stringify(schema.default)}`)
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    collectDefaults(inner, path === '' ? name : `${path}.${name}`, found)
  }
  if (schema.items) collectDefaults(schema.items, `${path}[]`, found)
  const values = schema.additionalProperties
  if (typeof values === 'object') collectDefaults(values, path, found)
}

function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sortedKeys(item)]),
  )
}
