import { keyOf, type UnknownObject } from '@serinus/kube'
import { type Matches, matchesBoth, parseFieldSelector, parseLabelSelector } from './selectors.ts'
import { fromStored, type ServedResource } from './served.ts'
import { badRequest, groupResourceName, StatusError } from './status-error.ts'
import type { Store } from './store.ts'

/** What a list or watch asks for; texts as the query has them. */
export interface Selection {
  /** Empty: all namespaces. */
  readonly namespace: string
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

export interface ListQuery extends Selection {
  readonly limit?: number | undefined
  readonly continueToken?: string | undefined
  readonly resourceVersion?: string | undefined
  readonly resourceVersionMatch?: string | undefined
}

export interface Listed {
  readonly items: readonly UnknownObject[]
  readonly resourceVersion: string
  readonly continueToken?: string
  readonly remaining?: number
}

/** What one page leaves for the next: the state of the first page, so that all pages agree. */
interface Snapshot {
  readonly version: number
  readonly items: readonly UnknownObject[]
}

/** Unfinished lists kept; the oldest goes first, and its reader has to begin again. */
const snapshotLimit = 64

/** Lists of one server, with the snapshots of those that are read page by page. */
export class Lists {
  readonly #store: Store
  readonly #snapshots = new Map<string, Snapshot>()

  constructor(store: Store) {
    this.#store = store
  }

  list(served: ServedResource, query: ListQuery): Listed {
    const matches = selectionOf(served, query)
    if (query.continueToken) return this.#nextPage(served, query, matches)
    this.#checkVersion(query)
    const version = this.#store.version
    const stored = this.#store.list(served.storage, query.namespace || undefined)
    return this.#page(served, query, { matches, start: '', snapshot: { version, items: stored } })
  }

  #checkVersion(query: ListQuery): void {
    const { resourceVersion, resourceVersionMatch, limit } = query
    if (resourceVersionMatch && !resourceVersion) {
      throw badRequest('resourceVersionMatch is forbidden unless resourceVersion is provided')
    }
    if (!resourceVersion || resourceVersion === '0') {
      if (resourceVersionMatch === 'Exact' && resourceVersion === '0') {
        throw badRequest('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
      }
      return
    }
    const asked = parseVersion(resourceVersion)
    const current = this.#store.version
    if (asked > current) throw tooLargeVersion(asked, current)
    const exact = resourceVersionMatch === 'Exact' || (limit && resourceVersionMatch === undefined)
    if (exact && asked < current) throw expiredList()
  }

  #nextPage(served: ServedResource, query: ListQuery, matches: Matches | undefined): Listed {
    const token = decodeToken(query.continueToken ?? '')
    if (query.resourceVersion && query.resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue')
    }
    const snapshot = this.#snapshots.get(snapshotId(served, query.namespace, token.version))
    if (!snapshot) throw expiredList()
    return this.#page(served, query, { matches, start: token.start, snapshot })
  }

  #page(
    served: ServedResource,
    query: ListQuery,
    from: {
      readonly matches: Matches | undefined
      readonly start: string
      readonly snapshot: Snapshot
    },
  ): Listed {
    const { matches, start, snapshot } = from
    const resourceVersion = String(snapshot.version)
    const limit = query.limit ?? 0
    if (limit <= 0 && start === '') {
      const chosen = matches ? snapshot.items.filter(matches) : snapshot.items
      return { items: shown(served, chosen), resourceVersion }
    }
    const items: UnknownObject[] = []
    let index = start === '' ? 0 : firstFrom(snapshot.items, start)
    for (; index < snapshot.items.length; index++) {
      if (limit > 0 && items.length >= limit) break
      const object = snapshot.items[index]
      if (object && (!matches || matches(object))) items.push(object)
    }
    const next = snapshot.items[index]
    if (!next) return { items: shown(served, items), resourceVersion }
    this.#keep(snapshotId(served, query.namespace, snapshot.version), snapshot)
    return {
      items: shown(served, items),
      resourceVersion,
      continueToken: encodeToken(snapshot.version, keyOf(next)),
      ...(!matches && { remaining: snapshot.items.length - index }),
    }
  }

  #keep(id: string, snapshot: Snapshot): void {
    this.#snapshots.delete(id)
    this.#snapshots.set(id, snapshot)
    if (this.#snapshots.size <= snapshotLimit) return
    const oldest = this.#snapshots.keys().next().value
    if (oldest !== undefined) this.#snapshots.delete(oldest)
  }
}

function shown(served: ServedResource, items: readonly UnknownObject[]): readonly UnknownObject[] {
  const apiVersion = `${served.resource.group === '' ? '' : `${served.resource.group}/`}${served.resource.version}`
  if (apiVersion === served.storedAs) return items
  return items.map((object) => fromStored(served, object))
}

/** The test of both selectors, on stored objects; undefined when everything matches. */
export function selectionOf(served: ServedResource, selection: Selection): Matches | undefined {
  return matchesBoth(
    parseLabelSelector(selection.labelSelector),
    parseFieldSelector(selection.fieldSelector, {
      id: groupResourceName(served.resource),
      extra: served.custom?.selectableFields ?? [],
    }),
  )
}

export function parseVersion(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw new StatusError({
    code: 400,
    reason: 'BadRequest',
    message: `invalid resource version: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
  })
}

/** A version of the future: the client knows more than this server, or another one. */
export function tooLargeVersion(asked: number, current: number): StatusError {
  return new StatusError({
    code: 504,
    reason: 'Timeout',
    message: `Too large resource version: ${asked}, current: ${current}`,
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  })
}

function expiredList(): StatusError {
  return new StatusError({
    code: 410,
    reason: 'Expired',
    message:
      'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.',
  })
}

function firstFrom(items: readonly UnknownObject[], key: string): number {
  const index = items.findIndex((object) => keyOf(object) >= key)
  return index < 0 ? items.length : index
}

function snapshotId(served: ServedResource, namespace: string, version: number): string {
  return `${groupResourceName(served.storage)} ${namespace} ${version}`
}

function encodeToken(version: number, start: string): string {
  const token = JSON.stringify({ v: 'meta.k8s.io/v1', rv: version, start })
  return Buffer.from(token).toString('base64url')
}

function decodeToken(text: string): { readonly version: number; readonly start: string } {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString()) as {
      rv: number
      start: string
    }
    if (typeof token.rv === 'number' && typeof token.start === 'string') {
      return { version: token.rv, start: token.start }
    }
  } catch {
    // Falls through to the refusal: the token is not one of ours.
  }
  throw badRequest(`continue key is not valid: illegal base64 data at input byte 0`)
}
