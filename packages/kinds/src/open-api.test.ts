import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import digests from './fixtures/open-api-digests.json' with { type: 'json' }
import { openApiSchemas } from './open-api.ts'

test.each(Object.entries(digests))(
  '%s is described as Kubernetes 1.34 publishes it',
  (name, digest) => {
    expect(digestOf(openApiSchemas()[name])).toBe(digest)
  },
)

/**
 * The digests are of the published documents without what we do not copy (descriptions), what the
 * documents leave to the running server (enums), and what nobody reads any more (unions). Kinds are
 * tested below: the published ones list every group that ever had a DeleteOptions.
 */
function digestOf(schema: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(comparable(schema)))
    .digest('hex')
    .slice(0, 12)
}

function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  const object = value as Record<string, unknown>
  const all = object['allOf']
  if (Array.isArray(all) && Object.keys(object).length === 1) return comparable(all[0])
  const kept = Object.keys(object)
    .sort()
    .filter((key) => !(key === 'enum' && Array.isArray(object[key])))
    .filter((key) => key !== 'x-kubernetes-group-version-kind')
    .map((key) => {
      const item = object[key]
      const sorted = key === 'required' && Array.isArray(item) ? [...item].sort() : comparable(item)
      return [key, sorted]
    })
  return Object.fromEntries(kept)
}

test('kubectl finds the schema of a kind by its group, version and kind', () => {
  const schemas = openApiSchemas()
  expect(schemas['io.k8s.api.apps.v1.Deployment']?.['x-kubernetes-group-version-kind']).toEqual([
    { group: 'apps', version: 'v1', kind: 'Deployment' },
  ])
  expect(schemas['io.k8s.api.core.v1.Pod']?.['x-kubernetes-group-version-kind']).toEqual([
    { group: '', version: 'v1', kind: 'Pod' },
  ])
})

test('kubectl explain can list the values of a closed set', () => {
  expect(openApiSchemas()['io.k8s.api.core.v1.Container']?.properties?.['imagePullPolicy']).toEqual(
    {
      type: 'string',
      enum: ['Always', 'IfNotPresent', 'Never'],
    },
  )
})

test('no reference leads nowhere', () => {
  const schemas = openApiSchemas()
  const references = JSON.stringify(schemas).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)
  for (const [, name] of references) expect(schemas).toHaveProperty([name ?? ''])
})
