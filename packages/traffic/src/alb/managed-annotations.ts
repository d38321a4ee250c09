import { annotationKeys } from '@serinus/api'
import type { Ingress } from '@serinus/engine'
import { parseJson } from './actions.ts'

type Annotations = Readonly<Record<string, string>>

/** Which keys of an Ingress belong to which Rollout, in upstream's form: `{"web":["…/actions.web-root"]}`. */
type ManagedKeys = Readonly<Record<string, readonly string[]>>

/** Null: the annotation is there and is nothing that anybody here has written. */
function recordOf({ metadata }: Ingress): ManagedKeys | null {
  const text = metadata.annotations?.[annotationKeys.managedAlbAnnotations]
  if (!text) return {}
  const record = parseJson(text)
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return null
  return Object.values(record).every(Array.isArray) ? (record as ManagedKeys) : null
}

export function isRecordReadable(ingress: Ingress): boolean {
  return recordOf(ingress) !== null
}

/** The keys that a Rollout has put on an Ingress. */
export function keysOf(ingress: Ingress, rollout: string): readonly string[] {
  return recordOf(ingress)?.[rollout] ?? []
}

/** Whether anybody has recorded a key as his. */
export function isRecorded(ingress: Ingress, key: string): boolean {
  return Object.values(recordOf(ingress) ?? {}).some((keys) => keys.includes(key))
}

/** The annotations of an Ingress with those of a Rollout in place of the ones that it had before. */
export function withAnnotations(
  ingress: Ingress,
  rollout: string,
  own: { readonly recorded: Annotations; readonly left?: Annotations },
): Annotations {
  const before = ingress.metadata.annotations ?? {}
  const mine = keysOf(ingress, rollout)
  const others = Object.entries(before).filter(([key]) => !mine.includes(key))
  const keys = Object.keys(own.recorded)
  const { [annotationKeys.managedAlbAnnotations]: text, ...rest } = Object.fromEntries(others)
  const { [rollout]: _, ...neighbours } = recordOf(ingress) ?? {}
  const record = keys.length > 0 ? { ...neighbours, [rollout]: keys } : neighbours
  const isSame = keys.join() === mine.join()
  const rendered = isSame ? text : Object.keys(record).length > 0 ? render(record) : undefined
  return {
    ...rest,
    ...own.left,
    ...own.recorded,
    ...(rendered === undefined ? {} : { [annotationKeys.managedAlbAnnotations]: rendered }),
  }
}

/** Sorted, as Go writes maps. */
function render(record: ManagedKeys): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))),
  )
}

const condition = /^(.+)\/conditions\.(.+)$/

/** Names of the header routes among the keys of a Rollout: only these have conditions there. */
export function routeNamesIn(keys: readonly string[]): readonly string[] {
  return keys.flatMap((key) => condition.exec(key)?.[2] ?? [])
}

/** Keys of the actions that carry weights. */
export function rootKeysIn(keys: readonly string[]): readonly string[] {
  const ofRoutes = keys.flatMap((key) => {
    const parts = condition.exec(key)
    return parts ? [key, `${parts[1]}/actions.${parts[2]}`] : []
  })
  return keys.filter((key) => !ofRoutes.includes(key))
}
