import type { SeriesRef, SeriesStore } from '@serinus/promql'

/** Where requests of one kind went and how they ended: the labels of their series. */
export interface Flow {
  readonly namespace: string
  readonly ingress: string
  readonly canary: boolean
  /** The Service that carried them. */
  readonly service: string
  /** The Service that clients know, the same one unless it only serves one side of a canary. */
  readonly host: string
  readonly pod: string
  readonly workload: string
  readonly status: number
}

const buckets = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

interface Counter {
  readonly flow: Flow
  total: number
  /** Requests at most as slow as each bucket, not cumulated. */
  readonly byBucket: number[]
  sumMs: number
  readonly refs: readonly { readonly ref: SeriesRef; readonly read: (counter: Counter) => number }[]
}

/** Counters of all requests, written to the series store at each scrape under the names that real systems use (spec embedded-cluster 6). */
export class RequestSeries {
  readonly #store: SeriesStore
  readonly #counters = new Map<string, Counter>()

  constructor(store: SeriesStore) {
    this.#store = store
  }

  /** @param latencyMs mean of the counted requests; they spread around it */
  count(
    flow: Flow,
    counted: { readonly requests: number; readonly p50: number; readonly p95: number },
  ): void {
    if (counted.requests <= 0) return
    const counter = this.#counterOf(flow)
    counter.total += counted.requests
    counter.sumMs += counted.requests * counted.p50
    let below = 0
    for (const [index, bound] of [...buckets, Number.POSITIVE_INFINITY].entries()) {
      const share = quantileOf(bound, counted)
      counter.byBucket[index] = (counter.byBucket[index] ?? 0) + counted.requests * (share - below)
      below = share
    }
  }

  /** Stores the present counts, as a scrape would. @param at epoch milliseconds */
  scrape(at: number): void {
    for (const counter of this.#counters.values()) {
      for (const { ref, read } of counter.refs) this.#store.appendTo(ref, at, read(counter))
    }
  }

  #counterOf(flow: Flow): Counter {
    const key = `${flow.namespace}/${flow.ingress}/${flow.service}/${flow.pod}/${flow.status}/${flow.canary}`
    const known = this.#counters.get(key)
    if (known) return known
    const counter: Counter = { flow, total: 0, byBucket: [], sumMs: 0, refs: this.#refsOf(flow) }
    this.#counters.set(key, counter)
    return counter
  }

  #refsOf(flow: Flow): Counter['refs'] {
    const status = String(flow.status)
    const fqdn = `${flow.host}.${flow.namespace}.svc.cluster.local`
    const total = (counter: Counter) => counter.total
    const counters: [Record<string, string>, (counter: Counter) => number][] = [
      [
        {
          __name__: 'http_requests_total',
          namespace: flow.namespace,
          service: flow.service,
          pod: flow.pod,
          status,
        },
        total,
      ],
      [
        {
          __name__: 'requests_total',
          namespace: flow.namespace,
          service: fqdn,
          pod: flow.pod,
          status,
        },
        total,
      ],
      [
        {
          __name__: 'istio_requests_total',
          reporter: 'destination',
          destination_service: fqdn,
          destination_service_name: flow.host,
          destination_service_namespace: flow.namespace,
          destination_workload: flow.workload,
          destination_workload_namespace: flow.namespace,
          pod: flow.pod,
          response_code: status,
          source_workload: 'ingress',
        },
        total,
      ],
      [
        {
          __name__: 'nginx_ingress_controller_requests',
          namespace: flow.namespace,
          ingress: flow.ingress,
          service: flow.service,
          canary: flow.canary ? `${flow.namespace}-${flow.service}` : '',
          pod: flow.pod,
          status,
        },
        total,
      ],
    ]
    const bounds = [...buckets.map(String), '+Inf']
    const upTo = (last: number) => (counter: Counter) =>
      counter.byBucket.slice(0, last + 1).reduce((sum, n) => sum + n, 0)
    for (const [index, le] of bounds.entries()) {
      counters.push(
        [
          {
            __name__: 'istio_request_duration_milliseconds_bucket',
            reporter: 'destination',
            destination_service: fqdn,
            destination_workload: flow.workload,
            pod: flow.pod,
            response_code: status,
            le,
          },
          upTo(index),
        ],
        [
          {
            __name__: 'nginx_ingress_controller_request_duration_seconds_bucket',
            namespace: flow.namespace,
            ingress: flow.ingress,
            service: flow.service,
            pod: flow.pod,
            status,
            le: le === '+Inf' ? le : String(Number(le) / 1000),
          },
          upTo(index),
        ],
      )
    }
    return counters.map(([labels, read]) => ({ ref: this.#store.ref(labels), read }))
  }
}

/** Share of requests not slower than `bound`: log-normal through the median and the 95th percentile. */
function quantileOf(
  bound: number,
  { p50, p95 }: { readonly p50: number; readonly p95: number },
): number {
  if (!Number.isFinite(bound)) return 1
  const sigma = Math.max(Math.log(p95 / p50) / 1.6449, 1e-6)
  return normal(Math.log(bound / p50) / sigma)
}

/** Cumulative normal distribution (Abramowitz and Stegun 26.2.17, error below 7.5e-8). */
function normal(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x))
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)
  const tail =
    density *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return x >= 0 ? 1 - tail : tail
}
