import type { Write } from '@serinus/engine'
import { type KubeObject, mergePatch, type Resource } from '@serinus/kube'

/** A kind of object that routers read and write. */
export interface RoutedKind {
  readonly group: string
  readonly kind: string
  readonly plural: string
  /** Those that the router understands, best first; the first that the cluster serves is used. */
  readonly versions: readonly string[]
}

/** Objects that a router looks at: a change of one of them concerns the Rollout. */
export interface Watched {
  readonly kind: RoutedKind
  readonly namespace: string
  /** Absent: all of the namespace, since labels or owners decide which. */
  readonly names?: readonly string[]
}

/** What is known of one kind. */
export type KnownKind =
  | {
      readonly state: 'served'
      readonly resource: Resource
      readonly objects: readonly KubeObject[]
    }
  /** @property why for users: `the cluster serves no traefikservices.traefik.io` */
  | { readonly state: 'unavailable'; readonly why: string }

/** What is known of the kinds that the routers of one Rollout look at, by `kindId`. */
export type RoutingObjects = ReadonlyMap<string, KnownKind>

/** `virtualservices.networking.istio.io`, as API servers name kinds in their answers. */
export function kindId({ plural, group }: Pick<RoutedKind, 'plural' | 'group'>): string {
  return `${plural}.${group}`
}

/** All objects of a kind; none while it is not available. */
export function objectsOf<T extends KubeObject>(
  objects: RoutingObjects,
  kind: RoutedKind,
): readonly T[] {
  const known = objects.get(kindId(kind))
  return known?.state === 'served' ? (known.objects as readonly T[]) : []
}

/** One object, with the version of its kind that it was read in. */
export interface Present<T extends KubeObject> {
  readonly kind: 'present'
  readonly resource: Resource
  readonly object: T
}

/** `resource` is there where the kind is served, and the object can be made. */
export interface Absent {
  readonly kind: 'absent'
  readonly why: string
  readonly resource?: Resource
}

/** One object by its name, or why there is none, in the API's words. */
export function objectNamed<T extends KubeObject>(
  objects: RoutingObjects,
  kind: RoutedKind,
  key: { readonly namespace: string; readonly name: string },
): Present<T> | Absent {
  const known = objects.get(kindId(kind))
  if (!known) return { kind: 'absent', why: `${kindId(kind)} are not followed` }
  if (known.state === 'unavailable') return { kind: 'absent', why: known.why }
  const object = known.objects.find(
    ({ metadata }) => metadata.name === key.name && metadata.namespace === key.namespace,
  )
  const { resource } = known
  if (!object) return { kind: 'absent', why: `${kindId(kind)} "${key.name}" not found`, resource }
  return { kind: 'present', resource, object: object as T }
}

/**
 * The write that turns an object into what is wanted; null where it is that already. Lists are replaced whole, so the
 * write holds only for the version that was read: whoever changes the object meanwhile is not overwritten.
 */
export function editOf<T extends KubeObject>(present: Present<T>, wanted: T): Write | null {
  const { resource, object } = present
  const body = mergePatch(object, wanted)
  if (!body) return null
  const { namespace, name, resourceVersion } = object.metadata
  const metadata = {
    ...(body.metadata as object | undefined),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  }
  return {
    kind: 'patch',
    id: `${resource.plural}/${name}`,
    resource,
    key: { ...(namespace === undefined ? {} : { namespace }), name },
    patch: {
      kind: 'merge',
      body: { ...body, ...(Object.keys(metadata).length > 0 ? { metadata } : {}) },
    },
  }
}
