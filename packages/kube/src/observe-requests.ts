import type { Transport } from './client.ts'
import type { Clock } from './clock.ts'

/** One HTTP request to the API and how it was answered (spec operations 4.1). */
export interface RequestFacts {
  /** `List`, `Watch`, `Get`, `Create`, `Update`, `Patch`, `Delete`; `Unknown` for a path that is no resource. */
  readonly verb: string
  /** Plural of the resource, as `replicasets`; `Unknown` for a path that is no resource. */
  readonly kind: string
  /** Empty for cluster-scoped kinds and for all namespaces. */
  readonly namespace: string
  /** HTTP status; 0: no answer. */
  readonly statusCode: number
  /** Until the beginning of the answer, milliseconds. */
  readonly tookMs: number
}

/** A transport that tells of each request once its answer has begun or failed to come. */
export function observeRequests(
  transport: Transport,
  options: { readonly clock: Clock; readonly onRequest: (facts: RequestFacts) => void },
): Transport {
  const { clock, onRequest } = options
  return (request) => {
    const startedAt = clock.now()
    const tell = (statusCode: number) =>
      onRequest({
        ...subjectOf(request),
        statusCode,
        tookMs: clock.now() - startedAt,
      })
    // No async function: an answer must not lag a turn behind the watch that tells of its write.
    return transport(request).then(
      (response) => {
        tell(response.status)
        return response
      },
      (error: unknown) => {
        tell(0)
        throw error
      },
    )
  }
}

const verbs: Readonly<Record<string, string>> = {
  POST: 'Create',
  PUT: 'Update',
  PATCH: 'Patch',
  DELETE: 'Delete',
}

function subjectOf(request: Request): Pick<RequestFacts, 'verb' | 'kind' | 'namespace'> {
  const url = new URL(request.url)
  // /api/v1/..., /apis/GROUP/VERSION/..., possibly behind a proxy's path.
  const [, rest] = /\/(?:api\/[^/]+|apis\/[^/]+\/[^/]+)\/(.+)$/.exec(url.pathname) ?? []
  if (rest === undefined) return { verb: 'Unknown', kind: 'Unknown', namespace: '' }
  const parts = rest.split('/')
  const isNamespaced = parts[0] === 'namespaces' && parts.length > 2
  const [kind = '', name] = isNamespaced ? parts.slice(2) : parts
  const namespace = isNamespaced ? decodeURIComponent(parts[1] ?? '') : ''
  const reading = url.searchParams.has('watch') ? 'Watch' : name === undefined ? 'List' : 'Get'
  return { verb: verbs[request.method] ?? reading, kind, namespace }
}
