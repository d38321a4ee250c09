import type { DeleteOptions, UnknownObject } from '@serinus/kube'
import { conflict } from './status-error.ts'
import type { StoredResource } from './store.ts'
import { at, listAt, textAt, withValue } from './values.ts'

/** Kinds whose DELETE answers with the object (ReturnDeletedObject). */
export const returnedWhenDeleted: ReadonlySet<string> = new Set([
  'pods',
  'services',
  'serviceaccounts',
  'persistentvolumeclaims',
  'persistentvolumes',
  'resourcequotas',
  'podtemplates',
])

/** True when nothing holds an object that is being deleted any more. */
export function mayVanish(id: string, object: UnknownObject): boolean {
  const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = object.metadata
  if (deletionTimestamp === undefined) return false
  if ((finalizers?.length ?? 0) > 0 || (deletionGracePeriodSeconds ?? 0) > 0) return false
  return id !== 'namespaces' || listAt(object, 'spec', 'finalizers').length === 0
}

/**
 * The object with the marks of its deletion, undefined when it may go at once. Finalizers hold an
 * object, a pod has its grace period, a namespace its contents; asking again shortens a grace period.
 */
export function markedForDeletion(
  id: string,
  live: UnknownObject,
  options: {
    readonly wish: DeleteOptions
    /** Finalizers that the server adds by itself. */
    readonly holding: readonly string[]
    /** The instant so many seconds from now, as a timestamp. */
    readonly timestamp: (plusSeconds: number) => string
  },
): UnknownObject | undefined {
  const { wish, holding, timestamp } = options
  const finalizers = [...new Set([...finalizersFor(live, wish), ...holding])]
  const graceSeconds = id === 'pods' ? podGraceSeconds(live, wish) : 0
  const hasContents = id === 'namespaces' && listAt(live, 'spec', 'finalizers').length > 0
  if (finalizers.length === 0 && graceSeconds === 0 && !hasContents) return undefined
  const { finalizers: _, ...metadata } = live.metadata
  const present = metadata.deletionGracePeriodSeconds
  const first = metadata.deletionTimestamp === undefined
  const sooner = first || present === undefined || graceSeconds < present
  const marked: UnknownObject = {
    ...live,
    metadata: {
      ...metadata,
      ...(finalizers.length > 0 && { finalizers }),
      ...(sooner && {
        deletionTimestamp: timestamp(graceSeconds),
        deletionGracePeriodSeconds: graceSeconds,
      }),
      ...(first && metadata.generation !== undefined && { generation: metadata.generation + 1 }),
    },
  }
  return id === 'namespaces' ? withValue(marked, ['status', 'phase'], 'Terminating') : marked
}

function finalizersFor(live: UnknownObject, wish: DeleteOptions): readonly string[] {
  const finalizers = live.metadata.finalizers ?? []
  const others = finalizers.filter((name) => name !== 'orphan' && name !== 'foregroundDeletion')
  switch (wish.propagationPolicy) {
    case 'Orphan':
      return [...others, 'orphan']
    case 'Foreground':
      return [...others, 'foregroundDeletion']
    case 'Background':
      return others
    default:
      return finalizers
  }
}

/** Pods that never started or have ended need no time to end. */
function podGraceSeconds(pod: UnknownObject, wish: DeleteOptions): number {
  const phase = textAt(pod, 'status', 'phase')
  const idle = textAt(pod, 'spec', 'nodeName') === '' || phase === 'Succeeded' || phase === 'Failed'
  if (wish.gracePeriodSeconds === 0 || idle) return 0
  const own = at(pod, 'spec', 'terminationGracePeriodSeconds')
  const seconds = wish.gracePeriodSeconds ?? (typeof own === 'number' ? own : 30)
  return seconds < 0 ? 1 : seconds
}

/** Throws 409 when the object is not the one the caller means. */
export function checkPreconditions(
  resource: StoredResource,
  live: UnknownObject,
  options: DeleteOptions,
): void {
  const { uid, resourceVersion } = options.preconditions ?? {}
  const { name } = live.metadata
  // The real server names the kind here where it means the resource.
  const kind = { group: resource.group, plural: live.kind }
  if (uid !== undefined && uid !== live.metadata.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${live.metadata.uid}). The object might have been deleted and then recreated`
    throw conflict(kind, name, why)
  }
  if (resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion) {
    const why = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${live.metadata.resourceVersion}). The object might have been modified`
    throw conflict(kind, name, why)
  }
}
