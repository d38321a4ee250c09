/** The parts of Kubernetes' meta/v1 that every object carries (meta/v1 of k8s.io/apimachinery 0.34). */

/** Names the owner that an object is deleted with. */
export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

/** Instants are RFC 3339 text. An absent field is one the server has not set or nobody wants. */
export interface ObjectMeta {
  readonly name: string
  readonly generateName?: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly OwnerReference[]
  readonly finalizers?: readonly string[]
  readonly managedFields?: readonly unknown[]
}

/** An object as the API speaks it. Kinds narrow `spec` and `status` where they are parsed. */
export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
}

/** An object nobody has narrowed yet. */
export interface UnknownObject extends KubeObject {
  readonly [field: string]: unknown
}

/** Objects of one kind as they were at one version. */
export interface ListOf<T> {
  readonly items: readonly T[]
  /** Version of the whole list: a watch started from it misses nothing. */
  readonly resourceVersion: string
  /** Token of the next page; absent on the last. */
  readonly continue?: string
}

/** One kind served by an API: what a URL is made of. */
export interface Resource {
  /** Empty string for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
}

/** Names one object in conditions, events and errors. */
export interface ObjectRef {
  readonly kind: string
  readonly namespace?: string
  readonly name: string
}

/** `group/version`, or `version` alone for the core group. */
export function apiVersionOf(resource: Pick<Resource, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/** Cache key of an object: `namespace/name`, or `name` for a cluster-scoped one. */
export function keyOf(object: {
  readonly metadata: Pick<ObjectMeta, 'namespace' | 'name'>
}): string {
  const { namespace, name } = object.metadata
  return namespace ? `${namespace}/${name}` : name
}
