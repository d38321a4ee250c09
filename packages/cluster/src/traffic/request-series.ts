import type { SeriesRef, SeriesStore } from '@serinus/promql'

/** Where requests of one kind went and how they ended: the labels of their series. */
export interface Flow {
  readonly namespace: string
  /** Empty: no Ingress carried them. */
  readonly ingress: string
  /** Upstream name of the canary; empty on the stable side. */
  readonly canary: string
  /** The Service that carried them. */
  readonly service: string
  /** The Service that clients know, the same one unless it only serves one side of a canary. */
  readonly host: string
  /** Null: no pod was there to answer. */
  readonly pod: Target | null
  readonly status: number
}

interface Target {
  readonly name: string
  readonly container: string
  /** ReplicaSet or whatever else owns the pod. */
  readonly workload: string
}

export interface Counted {
  readonly requests: number
  /** Latencies spread log-normally through these, milliseconds. */
  readonly p50: number
  readonly p95: number
  readonly cpuSecondsPerRequest: number
}

/** Upper bounds in milliseconds as Istio has them (envoy: stats defaults) and as prom-client libraries have them. */
const istioBoundsMs = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000,
  1_800_000, 3_600_000,
]
const nginxBoundsMs = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

/** One series. Several flows may add to one, as pods do to the series of their Ingress. */
interface Cell {
  readonly ref: SeriesRef
  /** `pod/<namespace>/<name>` or `ingress/<namespace>/<name>`: whose end is its end. */
  readonly owner: string
  value: number
}

interface Share {
  readonly cell: Cell
  readonly partOf: (counted: Counted) => number
}

/** The series of one flow with what one request adds to each, kept until the latencies change. */
interface Known {
  readonly shares: readonly Share[]
  readonly owners: ReadonlySet<string>
  parts: readonly number[]
  partsFor: string
}

/**
 * Counters of all requests under the names that real systems use, written to the series store at each scrape
 * (spec embedded-cluster 6). `retire` ends the series of a pod or Ingress that is gone.
 */
export class RequestSeries {
  readonly #store: SeriesStore
  readonly #cells = new Map<string, Cell>()
  readonly #byOwner = new Map<string, Set<string>>()
  readonly #known = new Map<string, Known>()

  constructor(store: SeriesStore) {
    this.#store = store
    const help = 'Simulated by the embedded cluster.'
    for (const family of [
      'http_requests_total',
      'requests_total',
      'istio_requests_total',
      'nginx_ingress_controller_requests',
      'container_cpu_usage_seconds_total',
    ])
      store.describe(family, { type: 'counter', help })
    for (const family of [
      'istio_request_duration_milliseconds',
      'nginx_ingress_controller_request_duration_seconds',
    ])
      store.describe(family, { type: 'histogram', help })
    store.describe('kube_pod_status_ready', { type: 'gauge', help })
  }

  count(flow: Flow, counted: Counted): void {
    if (counted.requests <= 0) return
    const known = this.#knownOf(flow)
    const partsFor = `${counted.p50}/${counted.p95}/${counted.cpuSecondsPerRequest}`
    if (known.partsFor !== partsFor) {
      known.parts = known.shares.map(({ partOf }) => partOf(counted))
      known.partsFor = partsFor
    }
    for (const [index, { cell }] of known.shares.entries()) {
      cell.value += counted.requests * (known.parts[index] ?? 0)
    }
  }

  /** What kube-state-metrics says about a pod from the next scrape on. */
  ready(pod: { readonly namespace: string; readonly name: string; readonly ready: boolean }): void {
    const { namespace, name: podName } = pod
    for (const condition of ['true', 'false', 'unknown']) {
      const labels = { __name__: 'kube_pod_status_ready', namespace, pod: podName, condition }
      this.#cell(`pod/${namespace}/${podName}`, labels).value =
        condition === String(pod.ready) ? 1 : 0
    }
  }

  /** Stores the present values, as a scrape would. @param at epoch milliseconds */
  scrape(at: number): void {
    for (const cell of this.#cells.values()) this.#store.appendTo(cell.ref, at, cell.value)
  }

  /** Ends all series of a pod or an Ingress, as Prometheus does when a target no longer tells them. */
  retire(owner: { readonly kind: 'pod' | 'ingress'; readonly key: string }, at: number): void {
    const name = `${owner.kind}/${owner.key}`
    for (const key of this.#byOwner.get(name) ?? []) {
      const cell = this.#cells.get(key)
      if (cell) this.#store.markStale(cell.ref, at)
      this.#cells.delete(key)
    }
    this.#byOwner.delete(name)
    for (const [key, { owners }] of this.#known) {
      if (owners.has(name)) this.#known.delete(key)
    }
  }

  #knownOf(flow: Flow): Known {
    const { namespace, ingress, canary, service, host, pod, status } = flow
    const key = [namespace, ingress, canary, service, host, pod?.name ?? '', status].join('/')
    const known = this.#known.get(key)
    if (known) return known
    const shares = [...this.#istio(flow), ...this.#nginx(flow), ...this.#ofPod(flow)]
    const owners = new Set(shares.map(({ cell }) => cell.owner))
    const made: Known = { shares, owners, parts: [], partsFor: '' }
    this.#known.set(key, made)
    return made
  }

  /** What the pod itself and its container count: nothing of requests that never reached one. */
  #ofPod({ namespace, service, host, pod, status }: Flow): readonly Share[] {
    if (!pod) return []
    const owner = `pod/${namespace}/${pod.name}`
    const own = { pod: pod.name, status: String(status) }
    const cell = (labels: Record<string, string>) => this.#cell(owner, labels)
    return [
      {
        cell: cell({ __name__: 'http_requests_total', namespace, service, ...own }),
        partOf: each,
      },
      {
        cell: cell({
          __name__: 'requests_total',
          namespace,
          service: fqdn(host, namespace),
          ...own,
        }),
        partOf: each,
      },
      {
        cell: cell({
          __name__: 'container_cpu_usage_seconds_total',
          namespace,
          pod: pod.name,
          container: pod.container,
        }),
        partOf: (counted) => counted.cpuSecondsPerRequest,
      },
    ]
  }

  /** The pod's proxy reports; for a request that reached no pod, the proxy of its source. */
  #istio({ namespace, host, pod, status, ingress }: Flow): readonly Share[] {
    const owner = pod ? `pod/${namespace}/${pod.name}` : `ingress/${namespace}/${ingress}`
    const labels = {
      reporter: pod ? 'destination' : 'source',
      destination_service: fqdn(host, namespace),
      destination_service_name: host,
      destination_service_namespace: namespace,
      destination_workload: pod?.workload ?? 'unknown',
      destination_workload_namespace: namespace,
      source_workload: ingress ? 'ingress' : 'unknown',
      response_code: String(status),
      ...(pod && { pod: pod.name }),
    }
    const total = { __name__: 'istio_requests_total', ...labels }
    return [
      { cell: this.#cell(owner, total), partOf: each },
      ...this.#histogram(owner, {
        family: 'istio_request_duration_milliseconds',
        labels,
        boundsMs: istioBoundsMs,
        unitMs: 1,
      }),
    ]
  }

  /** ingress-nginx counts what it answered, by Ingress and not by pod. */
  #nginx({ namespace, ingress, canary, service, status }: Flow): readonly Share[] {
    if (!ingress) return []
    const owner = `ingress/${namespace}/${ingress}`
    const labels = { namespace, ingress, service, canary, status: String(status) }
    const total = { __name__: 'nginx_ingress_controller_requests', ...labels }
    return [
      { cell: this.#cell(owner, total), partOf: each },
      ...this.#histogram(owner, {
        family: 'nginx_ingress_controller_request_duration_seconds',
        labels,
        boundsMs: nginxBoundsMs,
        unitMs: 1000,
      }),
    ]
  }

  #histogram(
    owner: string,
    histogram: {
      readonly family: string
      readonly labels: Readonly<Record<string, string>>
      readonly boundsMs: readonly number[]
      readonly unitMs: number
    },
  ): readonly Share[] {
    const { family, labels, unitMs } = histogram
    const named = (suffix: string, more = {}) =>
      this.#cell(owner, { __name__: `${family}_${suffix}`, ...labels, ...more })
    return [
      ...histogram.boundsMs.map((bound) => ({
        cell: named('bucket', { le: String(bound / unitMs) }),
        partOf: (counted: Counted) => shareUpTo(bound, counted),
      })),
      { cell: named('bucket', { le: '+Inf' }), partOf: each },
      { cell: named('count'), partOf: each },
      { cell: named('sum'), partOf: (counted) => meanMs(counted) / unitMs },
    ]
  }

  #cell(owner: string, labels: Readonly<Record<string, string>>): Cell {
    const key = JSON.stringify(labels)
    const known = this.#cells.get(key)
    if (known) return known
    const cell: Cell = { ref: this.#store.ref(labels), owner, value: 0 }
    this.#cells.set(key, cell)
    const owned = this.#byOwner.get(owner)
    if (owned) owned.add(key)
    else this.#byOwner.set(owner, new Set([key]))
    return cell
  }
}

function each(): number {
  return 1
}

function fqdn(service: string, namespace: string): string {
  return `${service}.${namespace}.svc.cluster.local`
}

type Spread = Pick<Counted, 'p50' | 'p95'>

/** 95 % of a normal distribution lie below this many standard deviations. */
const z95 = 1.6449
/** Below a microsecond there is no latency, and the logarithm of 0 is none either. */
const leastMs = 0.001

/** Share of requests not slower than `bound`: log-normal through the median and the 95th percentile. */
function shareUpTo(bound: number, spread: Spread): number {
  const { median, sigma } = logNormal(spread)
  return normal(Math.log(bound / median) / sigma)
}

/** For p50 8 ms and p95 25 ms: sigma 0.69 and a mean of 10.2 ms. */
function meanMs(spread: Spread): number {
  const { median, sigma } = logNormal(spread)
  return median * Math.exp((sigma * sigma) / 2)
}

function logNormal({ p50, p95 }: Spread): { readonly median: number; readonly sigma: number } {
  const median = Math.max(p50, leastMs)
  return { median, sigma: Math.max(Math.log(Math.max(p95, median) / median) / z95, 1e-6) }
}

/** Cumulative normal distribution (Abramowitz and Stegun 26.2.17, error below 7.5e-8). */
function normal(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x))
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)
  const tail =
    density *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return x >= 0 ? 1 - tail : Math.max(0, tail)
}
