import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  ApiError,
  type KubeClient,
  type KubeObject,
  type Resource,
  type UnknownObject,
} from '@serinus/kube'
import { parseAllDocuments } from 'yaml'

/** The objects of a file, a folder or `-`; throws with file and line where the YAML cannot be read. */
export function readManifests(path: string): readonly UnknownObject[] {
  const files =
    path === '-'
      ? ['/dev/stdin']
      : statSync(path).isDirectory()
        ? globSync(join(path, '*.{yaml,yml,json}')).sort()
        : [path]
  return files.flatMap((file) =>
    parseAllDocuments(readFileSync(file, 'utf8')).flatMap((document) => {
      const [problem] = document.errors
      if (problem) throw new Error(`${file}: ${problem.message}`)
      const object = document.toJS() as UnknownObject | null
      return object ? [object] : []
    }),
  )
}

/** Creates each object, or replaces what has its name, in the given namespace where it names none. */
export async function applyManifests(
  client: KubeClient,
  objects: readonly UnknownObject[],
  namespace: string,
): Promise<void> {
  for (const object of objects) {
    const resource = await resourceOf(client, object)
    const placed = resource.namespaced
      ? {
          ...object,
          metadata: { ...object.metadata, namespace: object.metadata.namespace ?? namespace },
        }
      : object
    try {
      await client.create(resource, placed as KubeObject)
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
      const { namespace: within, name } = placed.metadata
      await client.patch(
        resource,
        { ...(within ? { namespace: within } : {}), name },
        { kind: 'merge', body: placed },
      )
    }
  }
}

interface ResourceList {
  readonly resources: readonly {
    readonly name: string
    readonly kind: string
    readonly namespaced: boolean
  }[]
}

async function resourceOf(client: KubeClient, object: UnknownObject): Promise<Resource> {
  const [group, version] = object.apiVersion.includes('/')
    ? (object.apiVersion.split('/') as [string, string])
    : ['', object.apiVersion]
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const response = await client.raw(path)
  const list = response.ok ? ((await response.json()) as ResourceList) : { resources: [] }
  const found = list.resources.find((one) => one.kind === object.kind && !one.name.includes('/'))
  if (!found) throw new Error(`no kind ${object.kind} in ${object.apiVersion}`)
  return { group, version, plural: found.name, kind: found.kind, namespaced: found.namespaced }
}
