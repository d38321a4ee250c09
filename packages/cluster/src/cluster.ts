import { type Clock, type KubeClient, resources, SeededRandom } from '@serinus/kube'
import { promqlHandler } from '@serinus/promql'
import type { Journal } from './apiserver/journal.ts'
import { ApiServer } from './apiserver/server.ts'
import { SqliteJournal } from './apiserver/sqlite-journal.ts'
import { Inbox } from './inbox/inbox.ts'
import { clusterFetch, type Handler, type NetworkFetch } from './network/cluster-fetch.ts'
import { connectToPod } from './network/pod-port.ts'
import { serve } from './network/serve.ts'
import { startTraffic, type Traffic } from './traffic/traffic.ts'
import { startWorkloads } from './workloads/workloads.ts'

export interface SurroundingsOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Namespace that short names resolve in. */
  readonly home: string
  /** Absent: the outside world is out of reach. */
  readonly outside?: NetworkFetch
  /** Slack and PagerDuty are played by the cluster's inbox instead of being called. */
  readonly useInbox: boolean
  /** How long the data plane takes to learn a change; absent: no time. */
  readonly propagationDelayMs?: number
  readonly onError?: (error: unknown) => void
}

export interface ClusterOptions extends SurroundingsOptions {
  /** Decides every chance in the cluster; the same seed and clock give the same story. */
  readonly seed: number | string
  /** File that the state is kept in across restarts; absent: nothing is kept. */
  readonly journalFile?: string
  /** What it holds from the start, just as it was somewhere else: uids, times and versions included. */
  readonly state?: ReturnType<Journal['load']>
}

/** What a cluster has beside its API: traffic, its measurements, names, and the vendors that are called from inside. */
export interface Surroundings {
  readonly traffic: Traffic
  readonly inbox: Inbox
  /** The Prometheus HTTP API over what the cluster measured. */
  readonly prometheus: Handler
  /** `fetch` as a pod of the cluster has it. */
  readonly fetch: NetworkFetch
}

/** A Kubernetes in this process (spec embedded-cluster). */
export interface Cluster extends Surroundings {
  readonly api: ApiServer
  /** Cluster admin, in process. */
  readonly client: KubeClient
}

export interface Addresses {
  readonly server: string
  /** YAML text. */
  readonly kubeconfig: string
  readonly ingress: string
  readonly prometheus: string
  readonly inbox: string
}

export function startCluster(options: ClusterOptions): Cluster {
  const { clock, signal } = options
  const random = new SeededRandom(options.seed)
  const journal = options.journalFile ? new SqliteJournal(options.journalFile) : null
  const api = new ApiServer({
    clock,
    random: random.fork('api'),
    ...(journal ? { journal } : {}),
  })
  if (options.state) api.store.restore(options.state.version, options.state.entries)
  const onError = options.onError ? { onError: options.onError } : {}
  const workloads = startWorkloads({
    client: api.client,
    clock,
    random: random.fork('workloads'),
    signal,
    ...onError,
  })
  api.setSubresourceHandler('pods/log', workloads.answerLog)
  api.setPortForward((target) => connectToPod(workloads.pods, target))
  const surroundings = startSurroundings({
    ...options,
    client: api.client,
    random: random.fork('traffic'),
  })
  return { api, client: api.client, ...surroundings }
}

/** The same around any API: it reads Services, Ingresses, EndpointSlices and pods, and writes nothing. */
export function startSurroundings(
  options: SurroundingsOptions & { readonly client: KubeClient; readonly random: SeededRandom },
): Surroundings {
  const { client, clock, signal } = options
  const traffic = startTraffic({
    client,
    clock,
    random: options.random,
    ...(options.onError ? { onError: options.onError } : {}),
    ...(options.propagationDelayMs ? { propagationDelayMs: options.propagationDelayMs } : {}),
    signal,
  })
  const inbox = new Inbox(clock)
  const prometheus = promqlHandler(traffic.store, clock)
  const outside: NetworkFetch =
    options.outside ??
    (() =>
      Promise.reject(
        Object.assign(new Error('the outside world is out of reach'), { code: 'ENOTFOUND' }),
      ))
  const fetch = clusterFetch({
    prometheus,
    service: async (name, namespace, request) => {
      try {
        await client.get(resources.services, { namespace, name })
      } catch {
        return null
      }
      return traffic.handleService(namespace, name, request)
    },
    ...(options.useInbox ? { inbox } : {}),
    home: options.home,
    outside,
  })
  return { traffic, inbox, prometheus, fetch }
}

/** Opens the cluster on loopback: the API over TLS, ingress, Prometheus and inbox over HTTP. */
export async function openCluster(
  cluster: Cluster,
  options: { readonly host: string; readonly port: number; readonly insecureHttp: boolean },
): Promise<{ readonly addresses: Addresses; close(): Promise<void> }> {
  const { host } = options
  // Certificates are made for a server that listens, not for one in tests.
  const { listen } = await import('./apiserver/listen.ts')
  const opened = await Promise.all([
    listen(cluster.api, { host, port: options.port, tls: !options.insecureHttp }),
    serve(cluster.traffic.handle, { host, port: 0 }),
    serve(cluster.prometheus, { host, port: 0 }),
    serve((request) => inboxPage(cluster.inbox, request), { host, port: 0 }),
  ])
  const [server, ingress, prometheus, inbox] = opened
  return {
    addresses: {
      server: server.url,
      kubeconfig: server.kubeconfig,
      ingress: ingress.url,
      prometheus: prometheus.url,
      inbox: inbox.url,
    },
    close: async () => {
      await Promise.all(opened.map((one) => one.close()))
    },
  }
}

/** What came in, as JSON; `serinus inbox` reads it. */
async function inboxPage(inbox: Inbox, request: Request): Promise<Response> {
  const taken = await inbox.handle(request.clone() as Request)
  return taken ?? Response.json(inbox.received)
}
