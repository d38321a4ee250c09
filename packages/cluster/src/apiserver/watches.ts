import type { UnknownObject } from '@serinus/kube'
import { parseVersion, type Selection, selectionOf, tooLargeVersion } from './lists.ts'
import { fromStored, type ServedResource } from './served.ts'
import { badRequest, resourceExpired } from './status-error.ts'
import type { Store, StoreEvent } from './store.ts'

export interface WatchQuery extends Selection {
  readonly resourceVersion?: string | undefined
  readonly resourceVersionMatch?: string | undefined
  readonly sendInitialEvents?: boolean | undefined
  readonly allowBookmarks?: boolean | undefined
}

export type WatchMessage =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: UnknownObject }
  /** `initialEnd`: all objects that were there at the start have been sent. */
  | { readonly type: 'BOOKMARK'; readonly version: number; readonly initialEnd: boolean }

/**
 * Starts a watch: first the present objects where the query asks for them, then every change, as
 * the selectors see it (an object that stops matching is DELETED, one that begins to is ADDED).
 * Synchronous. Throws 410 Expired for a version whose events are forgotten, 504 for one of the future.
 */
export function startWatch(
  store: Store,
  served: ServedResource,
  query: WatchQuery,
  send: (message: WatchMessage) => void,
): Disposable {
  const matches = selectionOf(served, query)
  const { namespace } = query
  checkInitialEvents(query)
  const asked = query.resourceVersion ? parseVersion(query.resourceVersion) : 0
  if (asked > store.version) throw tooLargeVersion(asked, store.version)
  const initial = query.sendInitialEvents ?? asked === 0
  const from = initial ? store.version : asked === 0 ? store.version : asked
  if (!store.remembers(served.storage, from)) throw resourceExpired(from, store.version)
  if (initial) {
    for (const object of store.list(served.storage, namespace || undefined)) {
      if (!matches || matches(object)) send({ type: 'ADDED', object: fromStored(served, object) })
    }
    if (query.sendInitialEvents) {
      send({ type: 'BOOKMARK', version: store.version, initialEnd: true })
    }
  }
  return store.watch(served.storage, { fromVersion: from }, (event) => {
    if (namespace !== '' && event.object.metadata.namespace !== namespace) return
    const type = matches ? seenType(event, matches) : event.type
    if (type) send({ type, object: fromStored(served, event.object) })
  })
}

/** How a selector sees a change; undefined: not at all. */
function seenType(
  event: StoreEvent,
  matches: (object: UnknownObject) => boolean,
): StoreEvent['type'] | undefined {
  const was = event.previous !== undefined && matches(event.previous)
  const is = event.type !== 'DELETED' && matches(event.object)
  if (was && is) return 'MODIFIED'
  if (was) return 'DELETED'
  return is ? 'ADDED' : undefined
}

function checkInitialEvents(query: WatchQuery): void {
  if (query.sendInitialEvents === undefined) return
  if (query.resourceVersionMatch !== 'NotOlderThan') {
    throw badRequest('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan')
  }
}
