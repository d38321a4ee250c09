import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { kinds } from '@serinus/api'
import { deepEqual, type KubeObject, type Resource } from '@serinus/kube'
import { test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { ClusterUnderTest } from '../cluster-under-test.ts'

/** Manifests of the outside world, beside the repository where somebody has put them. */
const corpus = fileURLToPath(new URL('../../../shared/corpus', import.meta.url))

/** Skips by name where they are not at hand. */
export const testWithCorpus = test.skipIf(!existsSync(corpus))

/** The objects of a file of the corpus; those that name a namespace go to that of the test. */
export function published(file: string): readonly KubeObject[] {
  return parseAllDocuments(readFileSync(join(corpus, file), 'utf8'))
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null)
    .map(({ metadata: { namespace: _, ...metadata }, ...object }) => ({ ...object, metadata }))
}

/** Has the cluster serve a kind of a file of the corpus, and waits until it does. */
export async function install(
  world: ClusterUnderTest,
  file: string,
  kind: Resource,
  mend: (definition: KubeObject) => object = (definition) => definition,
): Promise<void> {
  const name = `${kind.plural}.${kind.group}`
  const definition = published(file).find(({ metadata }) => metadata.name === name)
  if (!definition) throw new Error(`${file} has no ${name}`)
  const { status, body } = await world.call(
    'POST',
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    mend(definition),
  )
  // Another test may have brought it.
  if (status !== 201 && status !== 409) {
    throw new Error(`${file}: ${name} is answered ${status}: ${JSON.stringify(body)}`)
  }
  await world.until(kind, () => true)
}

/** Waits until the objects of a kind say what is expected. */
export async function untilSaid<T extends KubeObject>(
  world: ClusterUnderTest,
  kind: Resource,
  { read, expected }: { read: (objects: readonly T[]) => unknown; expected: unknown },
): Promise<void> {
  let last: unknown
  try {
    await world.until<T, true>(kind, (objects) => {
      last = read(objects)
      return deepEqual(last, expected) ? true : undefined
    })
  } catch (cause) {
    const [is, wanted] = [last, expected].map((value) => JSON.stringify(value))
    throw new Error(`${kind.plural} say ${is}, not ${wanted}`, { cause })
  }
}

/** A new image for all containers of a Rollout. */
export async function renew(world: ClusterUnderTest, name: string, image: string): Promise<void> {
  const { spec } = await world.rollout(name)
  const { containers = [] } = (spec.template?.spec ?? {}) as { containers?: readonly object[] }
  const body = {
    spec: { template: { spec: { containers: containers.map((one) => ({ ...one, image })) } } },
  }
  const key = { namespace: world.namespace, name }
  await world.client.patch(kinds.rollouts, key, { kind: 'merge', body })
}
