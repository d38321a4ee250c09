import type { KubeObject, Resource } from '@serinus/kube'
import { expect } from 'vitest'
import { clusterUnderTest } from '../cluster-under-test.ts'
import { install, published, renew, testWithCorpus, untilSaid } from './published-example.ts'
import { isDone, isPausedAt, patchStatus } from './web-rollout.ts'

const mappings: Resource = {
  group: 'getambassador.io',
  version: 'v2',
  plural: 'mappings',
  kind: 'Mapping',
  namespaced: true,
}

interface Mapping extends KubeObject {
  readonly spec: { readonly service: string; readonly weight?: number }
}

/**
 * The file is what Emissary generates; before it ships, fields of several types are left open, since no server takes them
 * as they are. Its conversion needs a service that is not there: the stored version alone is asked for.
 */
function structural(definition: KubeObject): object {
  const { conversion: _, ...spec } = (definition as KubeObject & { readonly spec: Definition }).spec
  const versions = spec.versions.filter(({ storage }) => storage).map(withOpenFields)
  return { ...definition, spec: { ...spec, versions } }
}

interface Definition {
  readonly conversion: unknown
  readonly versions: readonly { readonly storage: boolean }[]
}

function withOpenFields(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withOpenFields)
  if (typeof schema !== 'object' || schema === null) return schema
  if ('oneOf' in schema) return { 'x-kubernetes-preserve-unknown-fields': true }
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, withOpenFields(value)]),
  )
}

testWithCorpus(
  "Argo Rollouts' Ambassador example runs unchanged under the released definition and the shipped role",
  async () => {
    await using world = await clusterUnderTest()
    await install(world, 'crds/ambassador/crds.yaml', mappings, structural)
    await world.startController()
    const folder = 'upstream/examples/ambassador'
    await world.apply(
      ...['echo-service', 'echo-mapping', 'rollout'].flatMap((name) =>
        published(`${folder}/${name}.yaml`),
      ),
    )
    const said = (...canary: readonly unknown[]) =>
      untilSaid<Mapping>(world, mappings, {
        read: (objects) =>
          objects.map(({ metadata, spec }) => [metadata.name, spec.service, spec.weight ?? null]),
        expected: [['echo', 'echo-stable:80', null], ...canary],
      })
    await world.untilRollout('echo-rollout', isDone)
    await said()
    await renew(world, 'echo-rollout', 'hashicorp/http-echo:2')
    for (const [index, weight] of [30, 60, 100].entries()) {
      await world.untilRollout('echo-rollout', isPausedAt(2 * index + 1))
      await said(['echo-canary', 'echo-canary:80', weight])
      // Its pauses end by themselves, half a minute later.
      await patchStatus(world, 'echo-rollout', { pauseConditions: null })
    }
    await world.untilRollout('echo-rollout', isDone)
    await said()
    expect(world.errors).toEqual([])
  },
)
