import type { KubeObject, ListOf, ObjectRef, Resource, UnknownObject } from './objects.ts'

/** Speaks HTTP to an API server: `fetch` itself, an authenticated fetch, or the handler of a cluster in this process. */
export type Transport = (request: Request) => Promise<Response>

/** Where one object lies. */
export interface ObjectKey {
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string
  readonly name: string
}

/** Which objects are listed. An absent selector selects all. */
export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Page size; the client follows `continue` itself and returns the whole list. */
  readonly limit?: number
  readonly resourceVersion?: string
  readonly signal?: AbortSignal
}

/** Which changes are watched, from when, and for how long. */
export interface WatchOptions extends ListOptions {
  /** Start right after this version; absent: start with the present state. */
  readonly resourceVersion?: string
  readonly timeoutSeconds?: number
  readonly allowBookmarks?: boolean
}

/** One change, or the news that everything up to a version was told. */
export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string }

/** JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge (built-in kinds only), server-side apply. */
export type PatchKind = 'json' | 'merge' | 'strategic' | 'apply'

/** How an object is written; absent means the server's default. */
export interface WriteOptions {
  /** `status`, `scale`, `eviction`, ... */
  readonly subresource?: string
  readonly fieldManager?: string
  readonly dryRun?: boolean
  /** Apply only: take over fields that others own. */
  readonly force?: boolean
  readonly signal?: AbortSignal
}

/** How an object is deleted (meta/v1 DeleteOptions); absent means the server's default for the kind. */
export interface DeleteOptions {
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  readonly gracePeriodSeconds?: number
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly signal?: AbortSignal
}

/**
 * A Kubernetes API. Every method rejects with `ApiError` when the server answers with a failure and with
 * `Unreachable` when no answer came; nothing is retried here, since only the caller knows whether it may be.
 */
export interface KubeClient {
  get<T extends KubeObject = UnknownObject>(
    resource: Resource,
    key: ObjectKey,
    options?: { readonly signal?: AbortSignal },
  ): Promise<T>
  list<T extends KubeObject = UnknownObject>(
    resource: Resource,
    options?: ListOptions,
  ): Promise<ListOf<T>>
  /**
   * Yields events until the server closes the stream, the signal aborts or the connection breaks
   * (`Unreachable`). A version that is too old rejects with an `ApiError` of code 410.
   */
  watch<T extends KubeObject = UnknownObject>(
    resource: Resource,
    options?: WatchOptions,
  ): AsyncIterable<WatchEvent<T>>
  create<T extends KubeObject>(resource: Resource, object: T, options?: WriteOptions): Promise<T>
  /** Replaces the object; refused with 409 when `metadata.resourceVersion` is stale. */
  update<T extends KubeObject>(resource: Resource, object: T, options?: WriteOptions): Promise<T>
  patch<T extends KubeObject = UnknownObject>(
    resource: Resource,
    key: ObjectKey,
    patch: { readonly kind: PatchKind; readonly body: unknown },
    options?: WriteOptions,
  ): Promise<T>
  delete(resource: Resource, key: ObjectKey, options?: DeleteOptions): Promise<void>
  /** A path of the API that is not a resource: `/version`, `/apis`, a proxy or a log. */
  raw(path: string, init?: RequestInit): Promise<Response>
}

/** The API server's own failure (meta/v1 Status). */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** HTTP status code. */
  readonly code: number
  /** `NotFound`, `AlreadyExists`, `Conflict`, `Expired`, `Forbidden`, `Invalid`, `TooManyRequests`, ... */
  readonly reason: string
  readonly object: ObjectRef | undefined
  /** What the server asks to wait before another try, milliseconds. */
  readonly retryAfterMs: number | undefined
  constructor(facts: {
    code: number
    reason: string
    message: string
    object?: ObjectRef | undefined
    retryAfterMs?: number | undefined
  }) {
    super(facts.message)
    this.code = facts.code
    this.reason = facts.reason
    this.object = facts.object
    this.retryAfterMs = facts.retryAfterMs
  }
}

/** No answer: connection refused, reset or cut, DNS failure, TLS failure. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}
