/** A request of the resource API, as its URL says. */
export interface ResourcePath {
  readonly group: string
  readonly version: string
  readonly plural: string
  /** Empty: cluster-scoped, or all namespaces. */
  readonly namespace: string
  /** Empty: the collection. */
  readonly name: string
  readonly subresource: string
  /** What stands behind a proxy, with its leading slash. */
  readonly rest: string
  /** Of the old form `/api/v1/watch/…`. */
  readonly watch: boolean
}

/** Reads `/apis/apps/v1/namespaces/default/deployments/web/scale`; undefined for other paths. */
export function parseResourcePath(pathname: string): ResourcePath | undefined {
  const parts = pathname.split('/').slice(1).map(decoded)
  const root = parts[0]
  if (root !== 'api' && root !== 'apis') return undefined
  const group = root === 'api' ? '' : (parts[1] ?? '')
  const version = root === 'api' ? parts[1] : parts[2]
  let rest = parts.slice(root === 'api' ? 2 : 3)
  if (!version || rest.length === 0 || rest[0] === '') return undefined
  const watch = rest[0] === 'watch'
  if (watch) rest = rest.slice(1)
  let namespace = ''
  // `/namespaces/x` is an object, `/namespaces/x/status` its subresource, `/namespaces/x/pods` a collection.
  const ownSubresource = rest.length === 3 && (rest[2] === 'status' || rest[2] === 'finalize')
  if (rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== '' && !ownSubresource) {
    namespace = rest[1] ?? ''
    rest = rest.slice(2)
  }
  const [plural = '', name = '', subresource = '', ...behind] = rest
  return {
    group,
    version,
    plural,
    namespace,
    name,
    subresource,
    rest: behind.length > 0 ? `/${behind.join('/')}` : '',
    watch,
  }
}

function decoded(part: string): string {
  if (!part.includes('%')) return part
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
