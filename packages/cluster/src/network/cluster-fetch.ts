import type { FetchOptions } from '@serinus/kube'
import type { Inbox } from '../inbox/inbox.ts'
import { serviceName } from './names.ts'

export type Handler = (request: Request) => Promise<Response>

/** As `fetch`; the options are about certificates of the outside world. */
export type NetworkFetch = (request: Request, options?: FetchOptions) => Promise<Response>

export interface ClusterFetchOptions {
  /** Answers for every Service named `prometheus`, `prometheus-server`, ..., in any namespace. */
  readonly prometheus: Handler
  /** Answers for the other Services; null where there is none of that name. */
  readonly service: (name: string, namespace: string, request: Request) => Promise<Response | null>
  /** Absent: Slack and PagerDuty are called for real. */
  readonly inbox?: Inbox
  /** Namespace of the caller, for names without one. */
  readonly home: string
  /** Calls the outside world. */
  readonly outside: NetworkFetch
}

const prometheusNames: ReadonlySet<string> = new Set([
  'prometheus',
  'prometheus-server',
  'prometheus-k8s',
  'prometheus-operated',
])

/**
 * `fetch` as it works from inside the cluster: names of Services reach their pods, never the host's DNS
 * (spec embedded-cluster 6).
 */
export function clusterFetch(options: ClusterFetchOptions): NetworkFetch {
  return async (request, how) => {
    const taken = await options.inbox?.handle(request.clone() as Request)
    if (taken) return taken
    const { hostname } = new URL(request.url)
    const name = serviceName(hostname, options.home)
    if (!name) return options.outside(request, how)
    // The pods of a Prometheus that somebody applied are simulated and know no query.
    if (prometheusNames.has(name.name)) return options.prometheus(request)
    const answer = await options.service(name.name, name.namespace, request)
    if (answer) return answer
    // `example.com` may be a Service of a namespace `com`: a resolver asks the cluster first and the world then.
    if (name.mayBeOutside) return options.outside(request, how)
    const unknown = new Error(`getaddrinfo ENOTFOUND ${hostname}`)
    throw new TypeError('fetch failed', {
      cause: Object.assign(unknown, { code: 'ENOTFOUND', hostname }),
    })
  }
}
