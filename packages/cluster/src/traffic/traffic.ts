import {
  type Clock,
  type KubeClient,
  resources,
  type SeededRandom,
  sleep,
  startInformer,
} from '@serinus/kube'
import { SeriesStore } from '@serinus/promql'
import { behaviourOf, type PodBehaviour } from '../pods/behaviour.ts'
import type { Pod } from '../pods/pod.ts'
import { goesToCanary, nginxRoutes, type Route, routeFor } from './nginx-plane.ts'
import type { EndpointSlice, Ingress, Service } from './objects.ts'
import { RequestSeries } from './request-series.ts'

export interface TrafficOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly random: SeededRandom
  readonly signal: AbortSignal
}

/** What really happened, whatever the metrics say: tests and the demo's summary read it. */
export interface GroundTruth {
  readonly requests: number
  readonly errors: number
  /** Answered 503 because no pod was there to take them. */
  readonly lost: number
}

export interface Traffic {
  /** The series that the Prometheus API answers from. */
  readonly store: SeriesStore
  /** Answers one real request as the ingress does. */
  readonly handle: (request: Request) => Promise<Response>
  /** Answers a request to a Service from inside the cluster. */
  handleService(namespace: string, service: string, request: Request): Response
  /** By the version of the pod that answered: its pod template hash, else its image tag. */
  truth(version: string): GroundTruth
  /** Share of generated requests that went to the canary in the last tick, 0 to 1; null where nothing flows. */
  canaryShare(namespace: string, ingress: string): number | null
}

const tickMs = 1_000
const scrapeMs = 5_000
const hashKey = 'rollouts-pod-template-hash'

/**
 * The data plane, the load and the scrape. Generated load is a flow: expected counts with binomial noise by seed, one
 * tick a second of cluster time, so that an hour costs milliseconds; real requests take the same way one by one.
 */
export function startTraffic(options: TrafficOptions): Traffic {
  const { clock, random, signal } = options
  const common = { client: options.client, clock, signal }
  const ingresses = startInformer<Ingress>({ ...common, resource: resources.ingresses })
  const services = startInformer<Service>({ ...common, resource: resources.services })
  const pods = startInformer<Pod>({ ...common, resource: resources.pods })
  const slices = startInformer<EndpointSlice>({
    ...common,
    resource: resources.endpointSlices,
    indexes: {
      service: (slice) => [
        `${slice.metadata.namespace}/${slice.metadata.labels?.['kubernetes.io/service-name']}`,
      ],
    },
  })
  const store = new SeriesStore()
  const series = new RequestSeries(store)
  const truths = new Map<string, { requests: number; errors: number; lost: number }>()
  const shares = new Map<string, number>()
  let routes: readonly Route[] | null = null
  ingresses.subscribe(() => {
    routes = null
  })
  const currentRoutes = () => {
    routes ??= nginxRoutes(ingresses.list())
    return routes
  }

  function truthOf(version: string) {
    const known = truths.get(version) ?? { requests: 0, errors: 0, lost: 0 }
    truths.set(version, known)
    return known
  }

  function targets(namespace: string, service: string): readonly Pod[] {
    return slices
      .byIndex('service', `${namespace}/${service}`)
      .flatMap((slice) => slice.endpoints ?? [])
      .filter((endpoint) => endpoint.conditions?.ready !== false)
      .flatMap((endpoint) => {
        const pod = pods.get(`${namespace}/${endpoint.targetRef?.name}`)
        return pod ? [pod] : []
      })
  }

  /** The Service that clients know: one that selects these pods without naming a version. */
  function hostOf(namespace: string, service: string, pod: Pod): string {
    const own = services.get(`${namespace}/${service}`)
    if (!own?.spec?.selector?.[hashKey]) return service
    const root = services.list(namespace).find((candidate) => {
      const selector = candidate.spec?.selector ?? {}
      const entries = Object.entries(selector)
      return (
        entries.length > 0 &&
        !(hashKey in selector) &&
        entries.every(([key, value]) => pod.metadata.labels?.[key] === value)
      )
    })
    return root?.metadata.name ?? service
  }

  function flow(
    route: Route,
    side: { readonly service: string; readonly requests: number; readonly canary: boolean },
  ): void {
    if (side.requests === 0) return
    const ready = targets(route.namespace, side.service)
    if (ready.length === 0) {
      truthOf('').lost += side.requests
      truthOf('').requests += side.requests
      return
    }
    let left = side.requests
    for (const [index, pod] of ready.entries()) {
      const requests =
        index === ready.length - 1 ? left : random.binomial(left, 1 / (ready.length - index))
      left -= requests
      const behaviour = behaviourOf(pod)
      const errors = random.binomial(requests, behaviour.errorRate(clock.now()))
      record({ route, side, pod, behaviour, errors, requests })
    }
  }

  function record(counted: {
    readonly route: Route
    readonly side: { readonly service: string; readonly canary: boolean }
    readonly pod: Pod
    readonly behaviour: PodBehaviour
    readonly requests: number
    readonly errors: number
  }): void {
    const { route, side, pod, behaviour } = counted
    const truth = truthOf(behaviour.version)
    truth.requests += counted.requests
    truth.errors += counted.errors
    const base = {
      namespace: route.namespace,
      ingress: route.ingress,
      canary: side.canary,
      service: side.service,
      host: hostOf(route.namespace, side.service, pod),
      pod: pod.metadata.name,
      workload: pod.metadata.ownerReferences?.[0]?.name ?? pod.metadata.name,
    }
    series.count(
      { ...base, status: 200 },
      { requests: counted.requests - counted.errors, ...behaviour.latencyMs },
    )
    series.count(
      { ...base, status: behaviour.errorStatus },
      { requests: counted.errors, ...behaviour.latencyMs },
    )
  }

  function tick(): void {
    for (const route of currentRoutes()) {
      if (route.requestsPerSecond <= 0) continue
      const requests = random.poisson((route.requestsPerSecond * tickMs) / 1000)
      const canary = route.canary ? random.binomial(requests, route.canary.share) : 0
      shares.set(`${route.namespace}/${route.ingress}`, requests > 0 ? canary / requests : 0)
      if (route.canary)
        flow(route, { service: route.canary.service, requests: canary, canary: true })
      flow(route, { service: route.service, requests: requests - canary, canary: false })
    }
  }

  async function run(): Promise<void> {
    await Promise.all([ingresses.synced, services.synced, pods.synced, slices.synced])
    let scrapeAt = clock.now() + scrapeMs
    while (!signal.aborted) {
      await sleep(clock, tickMs, signal)
      tick()
      if (clock.now() < scrapeAt) continue
      series.scrape(clock.now())
      scrapeAt = clock.now() + scrapeMs
    }
  }
  void run().catch(() => {})

  async function handle(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const host = (request.headers.get('host') ?? url.host).replace(/:\d+$/, '')
    const route = routeFor(currentRoutes(), { host, path: url.pathname, headers: request.headers })
    if (!route)
      return new Response('404 page not found: no Ingress has a rule for this host and path\n', {
        status: 404,
      })
    const canary =
      route.canary !== null && goesToCanary(route.canary, request.headers, random.next())
    const service = canary && route.canary ? route.canary.service : route.service
    return answer({ route, service, canary })
  }

  function answer(asked: {
    readonly route: Route
    readonly service: string
    readonly canary: boolean
  }): Response {
    const { route, service, canary } = asked
    const ready = targets(route.namespace, service)
    const pod = ready[random.int(Math.max(1, ready.length))]
    if (!pod) {
      truthOf('').lost++
      return new Response('503 service temporarily unavailable\n', { status: 503 })
    }
    const behaviour = behaviourOf(pod)
    const failed = random.next() < behaviour.errorRate(clock.now())
    record({
      route,
      side: { service, canary },
      pod,
      behaviour,
      requests: 1,
      errors: failed ? 1 : 0,
    })
    const colour = behaviour.colour ? { color: behaviour.colour } : {}
    return Response.json(
      { pod: pod.metadata.name, version: behaviour.version, image: behaviour.image, ...colour },
      {
        status: failed ? behaviour.errorStatus : 200,
        headers: {
          'x-pod': pod.metadata.name,
          'x-version': behaviour.version,
          'x-image': behaviour.image,
        },
      },
    )
  }

  /** The route of a request that no Ingress carried. */
  function direct(namespace: string, service: string): Route {
    const none = { host: '', path: '/', exact: false, canary: null, requestsPerSecond: 0 }
    return { namespace, ingress: '', service, ...none }
  }

  return {
    store,
    handle,
    handleService: (namespace, service) =>
      answer({ route: direct(namespace, service), service, canary: false }),
    truth: (version) => ({ ...truthOf(version) }),
    canaryShare: (namespace, ingress) => shares.get(`${namespace}/${ingress}`) ?? null,
  }
}
