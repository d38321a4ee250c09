import {
  type Clock,
  type KubeClient,
  type KubeObject,
  keyOf,
  resources,
  type SeededRandom,
  sleep,
  startInformer,
} from '@serinus/kube'
import { SeriesStore } from '@serinus/promql'
import { behaviourOf, type PodBehaviour, servingContainer } from '../pods/behaviour.ts'
import { playedAnswer } from '../pods/played-answer.ts'
import { isFinished, isReady, type Pod } from '../pods/pod.ts'
import { albRoutes, isOfAlb } from './alb-plane.ts'
import { type GroundTruth, type MinuteOfTruth, TruthBook } from './ground-truth.ts'
import { loadOf, scrapeMsOf, usualScrapeMs } from './load.ts'
import { nginxRoutes } from './nginx-plane.ts'
import type { EndpointSlice, Ingress, Service } from './objects.ts'
import { startPlanes } from './planes.ts'
import { propagate } from './propagation.ts'
import { RequestSeries } from './request-series.ts'
import {
  type Asked,
  always,
  type Backend,
  backendTo,
  type Route,
  type Rule,
  routeFor,
} from './route.ts'

export interface TrafficOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly random: SeededRandom
  readonly signal: AbortSignal
  /** How long the data plane takes to learn a change of Ingresses and endpoints; absent: no time. */
  readonly propagationDelayMs?: number
  readonly onError?: (error: unknown) => void
}

export interface Traffic {
  /** The series that the Prometheus API answers from. */
  readonly store: SeriesStore
  /** Answers one real request as the ingress does. */
  readonly handle: (request: Request) => Promise<Response>
  /** Answers a request to a Service from inside the cluster. */
  handleService(namespace: string, service: string, request: Request): Response
  /** By the version of the pod that answered: its pod template hash, else its image tag; `''`: none answered. */
  truth(version: string): GroundTruth
  /** The same by minute of cluster time, oldest first, for a day back. */
  truthByMinute(version: string): readonly MinuteOfTruth[]
  /** Share of generated requests that went to the canary in the last tick, 0 to 1; null where nothing flows. */
  canaryShare(namespace: string, ingress: string): number | null
}

const tickMs = 1_000
/** A clock that stood still (a sleeping laptop) is no reason to send hours of requests at once. */
const longestTickMs = 10_000
const hashKey = 'rollouts-pod-template-hash'

/** Where requests go after the plane has chosen a side. */
interface Side {
  readonly route: Route
  readonly backend: Backend
}

/**
 * The data plane, the load and the scrape. Generated load is a flow: expected counts with binomial noise by seed, one
 * tick a second of cluster time, so that an hour costs milliseconds; real requests take the same way one by one.
 */
export function startTraffic(options: TrafficOptions): Traffic {
  const { clock, random, signal } = options
  const onError = options.onError ?? (() => {})
  const common = { client: options.client, clock, signal, onError }
  const ingresses = startInformer<Ingress>({ ...common, resource: resources.ingresses })
  const services = startInformer<Service>({ ...common, resource: resources.services })
  const pods = startInformer<Pod>({ ...common, resource: resources.pods })
  const slices = startInformer<EndpointSlice>({ ...common, resource: resources.endpointSlices })
  const delay = { clock, delayMs: options.propagationDelayMs ?? 0 }
  const ofIngresses = derived(propagate(ingresses, delay), routesOfIngresses)
  const planes = startPlanes({ ...common, delayMs: delay.delayMs })
  const routes = () => [...ofIngresses(), ...planes.routes()]
  const endpoints = derived(propagate(slices, delay), podsByService)
  const loadedServices = derived(propagate(services, { clock, delayMs: 0 }), (list) =>
    list.filter((service) => loadOf(service).requestsPerSecond > 0),
  )
  const paces = [
    derived(propagate(ingresses, { clock, delayMs: 0 }), shortestScrapeMs),
    derived(propagate(services, { clock, delayMs: 0 }), shortestScrapeMs),
  ]
  const store = new SeriesStore()
  const series = new RequestSeries(store)
  const truths = new TruthBook()
  let shares = new Map<string, { requests: number; canary: number }>()

  pods.subscribe(({ type, object: pod }) => {
    if (type === 'deleted') series.retire({ kind: 'pod', key: keyOf(pod) }, clock.now())
    else series.ready({ ...namespaced(pod), ready: isReady(pod) })
  })
  ingresses.subscribe(({ type, object }) => {
    if (type === 'deleted') series.retire({ kind: 'ingress', key: keyOf(object) }, clock.now())
  })

  /** Names of the pods behind a backend, as far as the data plane knows. */
  function targets(side: Side): readonly string[] {
    const { backend } = side
    const namespace = namespaceOf(side)
    const names = backend.isBySubset
      ? pods
          .list(namespace)
          .filter(isReady)
          .map(({ metadata }) => metadata.name)
          .sort()
      : (endpoints().get(`${namespace}/${backend.service}`) ?? [])
    const subset = Object.entries(backend.subset ?? {})
    if (subset.length === 0) return names
    return names.filter((name) => {
      const labels = pods.get(`${namespace}/${name}`)?.metadata.labels
      return subset.every(([key, value]) => labels?.[key] === value)
    })
  }

  /** The backends of a rule that take part, with their shares of its requests, which add up to 1; none where nobody has a weight. */
  function sharesOf(route: Route, rule: Rule): readonly (readonly [Side, number])[] {
    const sides = rule.backends.map((backend) => ({ route, backend }))
    const main = sides.at(-1)
    const isLive = (side: Side) => !side.backend.isOptional || targets(side).length > 0
    // Behind a main Service without endpoints nothing else is tried.
    const live =
      main && targets(main).length === 0
        ? sides.filter((one) => !one.backend.isOptional)
        : sides.filter(isLive)
    const total = rule.backends.reduce((sum, { weight }) => sum + weight, 0)
    if (total <= 0) return []
    let left = 1
    return live.map((side, index) => {
      const share = index === live.length - 1 ? left : side.backend.weight / total
      left -= share
      return [side, share]
    })
  }

  /** The pod, unless nothing listens there any more although it is still routed. */
  function answering(namespace: string, name: string | undefined): Pod | null {
    const pod = pods.get(`${namespace}/${name}`)
    return pod && listens(pod) ? pod : null
  }

  function tick(elapsedMs: number): void {
    shares = new Map()
    const poisson = (perSecond: number) => random.poisson((perSecond * elapsedMs) / 1000)
    for (const route of routes()) {
      if (route.requestsPerSecond <= 0) continue
      const requests = poisson(route.requestsPerSecond)
      const { host, path, headers } = route
      const asked = { host, path, headers, method: 'GET' }
      spread(route, { requests, asked })
    }
    for (const service of loadedServices()) {
      const { namespace = 'default', name } = service.metadata
      const { requestsPerSecond, headers } = loadOf(service)
      const asked = { host: name, path: '/', headers, method: 'GET' }
      spread(inside(namespace, name), { requests: poisson(requestsPerSecond), asked })
    }
  }

  /** The route of requests that reach a Service without any Ingress; a mesh may lead them elsewhere. */
  function inside(namespace: string, service: string): Route {
    const rules = planes.rulesOf(namespace, service) ?? [always([backendTo(service)])]
    return { ...noIngress, namespace, rules }
  }

  /** Requests of one kind over the backends that their rule names. */
  function spread(route: Route, flow: { readonly requests: number; readonly asked: Asked }): void {
    const { requests, asked } = flow
    const rule = route.rules.find(({ fits }) => fits(asked))
    const key = `${route.namespace}/${route.ingress}`
    const counted = shares.get(key) ?? { requests: 0, canary: 0 }
    shares.set(key, counted)
    counted.requests += requests
    let [left, unshared] = [requests, 1]
    for (const [side, share] of rule ? sharesOf(route, rule) : []) {
      const part = random.binomial(left, unshared > 0 ? share / unshared : 1)
      left -= part
      unshared -= share
      if (side.backend.upstream) counted.canary += part
      send(side, part)
    }
    if (left > 0) lose({ route, backend: nowhere }, left)
    if (rule) copy(route, rule, requests)
  }

  /** Nobody waits for what becomes of a copy, so that none is ever lost. */
  function copy(route: Route, { mirror }: Rule, requests: number): void {
    if (!mirror) return
    const side = { route, backend: mirror.backend }
    const takers = targets(side).flatMap((name) => answering(namespaceOf(side), name) ?? [])
    let left = random.binomial(requests, mirror.share)
    for (const [index, pod] of takers.entries()) {
      const part = random.binomial(left, 1 / (takers.length - index))
      left -= part
      serve(side, pod, part)
    }
  }

  function send(side: Side, requests: number): void {
    const namespace = namespaceOf(side)
    const names = targets(side)
    if (names.length === 0) lose(side, requests)
    let left = requests
    for (const [index, name] of names.entries()) {
      const part = random.binomial(left, 1 / (names.length - index))
      left -= part
      const pod = answering(namespace, name)
      if (!pod) {
        lose(side, part)
        continue
      }
      serve(side, pod, part)
    }
  }

  function serve(side: Side, pod: Pod, requests: number): void {
    const behaviour = behaviourOf(pod)
    const errors = random.binomial(requests, behaviour.errorRate(clock.now()))
    record(side, { pod, behaviour, requests, errors })
  }

  function lose(side: Side, requests: number): void {
    if (requests === 0) return
    truths.add('', clock.now(), { requests, errors: 0, lost: requests })
    series.count(
      { ...labelsOf(side), pod: null, status: 503 },
      { requests, p50: 0, p95: 0, cpuSecondsPerRequest: 0 },
    )
  }

  function record(
    side: Side,
    counted: {
      readonly pod: Pod
      readonly behaviour: PodBehaviour
      readonly requests: number
      readonly errors: number
    },
  ): void {
    const { pod, behaviour, requests, errors } = counted
    if (requests === 0) return
    truths.add(behaviour.version, clock.now(), { requests, errors, lost: 0 })
    const flow = {
      ...labelsOf(side),
      pod: {
        name: pod.metadata.name,
        container: servingContainer(pod).name,
        workload: pod.metadata.ownerReferences?.[0]?.name ?? pod.metadata.name,
      },
    }
    const { latencyMs, cpuSecondsPerRequest } = behaviour
    const each = { ...latencyMs, cpuSecondsPerRequest }
    series.count({ ...flow, status: behaviour.status }, { ...each, requests: requests - errors })
    series.count({ ...flow, status: behaviour.errorStatus }, { ...each, requests: errors })
  }

  function labelsOf(side: Side) {
    const { service, upstream } = side.backend
    const { ingress } = side.route
    const namespace = namespaceOf(side)
    const host = clientService(services.list(namespace), service)
    return { namespace, ingress, canary: upstream, service, host }
  }

  async function run(): Promise<void> {
    await Promise.all([ingresses.synced, services.synced, pods.synced, slices.synced])
    let lastAt = clock.now()
    let scrapedAt = lastAt
    while (!signal.aborted) {
      await sleep(clock, tickMs, signal)
      const now = clock.now()
      const isDue = now >= scrapedAt + Math.min(...paces.map((pace) => pace()))
      try {
        tick(Math.min(now - lastAt, longestTickMs))
        if (isDue) series.scrape(now)
      } catch (error) {
        // One object that cannot be read must not end the traffic of all others.
        onError(error)
      }
      lastAt = now
      if (isDue) scrapedAt = now
    }
  }
  void run().catch((error: unknown) => {
    if (!signal.aborted) onError(error)
  })

  async function handle(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const host = (request.headers.get('host') ?? url.host).replace(/:\d+$/, '')
    const { method, headers } = request
    const asked = { host, path: url.pathname, method, headers }
    const route = routeFor(routes(), asked)
    if (!route)
      return new Response(
        '404 page not found: no Ingress or other route has a rule for this host and path\n',
        {
          status: 404,
        },
      )
    return answer(sideFor(route, asked), url)
  }

  /** Where one request goes; whoever gets a copy of it has it then. */
  function sideFor(route: Route, asked: Asked): Side {
    const rule = route.rules.find(({ fits }) => fits(asked))
    if (rule) copy(route, rule, 1)
    const candidates = rule ? sharesOf(route, rule).filter(([, share]) => share > 0) : []
    let drawn = candidates.length > 1 ? random.next() : 0
    for (const [side, share] of candidates) {
      if (drawn < share) return side
      drawn -= share
    }
    return candidates.at(-1)?.[0] ?? { route, backend: nowhere }
  }

  function answer(side: Side, url: URL): Response {
    const names = targets(side)
    const pod = answering(namespaceOf(side), names[random.int(names.length)])
    if (!pod) {
      lose(side, 1)
      return new Response('503 service temporarily unavailable\n', { status: 503 })
    }
    const behaviour = behaviourOf(pod)
    const failed = random.next() < behaviour.errorRate(clock.now())
    record(side, { pod, behaviour, requests: 1, errors: failed ? 1 : 0 })
    const colour = behaviour.colour ? { color: behaviour.colour } : {}
    const { version, image } = behaviour
    const played = failed ? null : playedAnswer(pod, url.pathname)
    const own = { pod: pod.metadata.name, version, image, ...colour }
    return new Response(played?.body ?? JSON.stringify(own), {
      status: failed ? behaviour.errorStatus : behaviour.status,
      headers: {
        'content-type': played?.contentType ?? 'application/json',
        'x-pod': pod.metadata.name,
        'x-version': version,
        'x-image': image,
      },
    })
  }

  return {
    store,
    handle,
    handleService: (namespace, name, request) => {
      const url = new URL(request.url)
      const { method, headers } = request
      const asked = { host: name, path: url.pathname, method, headers }
      return answer(sideFor(inside(namespace, name), asked), url)
    },
    truth: (version) => truths.total(version),
    truthByMinute: (version) => truths.byMinute(version),
    canaryShare: (namespace, ingress) => {
      const last = shares.get(`${namespace}/${ingress}`)
      return last && last.requests > 0 ? last.canary / last.requests : null
    },
  }
}

/** An Ingress is served by the data plane of its class; ingress-nginx takes whatever is not for another one. */
function routesOfIngresses(ingresses: readonly Ingress[]): readonly Route[] {
  const { alb = [], nginx = [] } = Object.groupBy(ingresses, (one) =>
    isOfAlb(one) ? 'alb' : 'nginx',
  )
  return [...nginxRoutes(nginx), ...albRoutes(alb)]
}

function namespaceOf({ route, backend }: Side): string {
  return backend.namespace ?? route.namespace
}

/** Computed again only when the list has changed. */
function derived<T, R>(source: { current(): T }, compute: (list: T) => R): () => R {
  let last: { readonly list: T; readonly result: R } | null = null
  return () => {
    const list = source.current()
    if (last?.list !== list) last = { list, result: compute(list) }
    return last.result
  }
}

function shortestScrapeMs(objects: readonly KubeObject[]): number {
  return Math.min(usualScrapeMs, ...objects.map(scrapeMsOf))
}

/** Names of ready pods by `namespace/service`. */
function podsByService(slices: readonly EndpointSlice[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, Set<string>>()
  for (const { metadata, endpoints } of slices) {
    const key = `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name']}`
    // One Service may have several slices, and one pod may be in two of them (IPv4 and IPv6).
    const names = found.get(key) ?? new Set()
    found.set(key, names)
    for (const { conditions, targetRef } of endpoints ?? []) {
      if (conditions?.ready !== false && targetRef?.name) names.add(targetRef.name)
    }
  }
  return new Map([...found].map(([key, names]) => [key, [...names].sort()]))
}

/** A terminating pod listens until its container ends: whoever still routes to it gets its answer. */
function listens(pod: Pod): boolean {
  if (isFinished(pod)) return false
  const { name } = servingContainer(pod)
  const status = pod.status?.containerStatuses?.find((container) => container.name === name)
  return status === undefined || status.state.running !== undefined
}

/**
 * The Service that clients know. One that selects a single version (`my-app-stable`) only serves a side of it; the
 * Service of the same pods without the version, best the one whose name it continues, is the one that is asked for.
 * One that selects by more than the version has pods of its own, such as those of an Experiment.
 */
function clientService(services: readonly Service[], name: string): string {
  const own = services.find((service) => service.metadata.name === name)?.spec?.selector ?? {}
  const roots = services
    .filter(({ metadata, spec }) => {
      const selector = Object.entries(spec?.selector ?? {})
      const whole = selector.length > 0 && !spec?.selector?.[hashKey]
      const continued = hashKey in own || name.startsWith(`${metadata.name}-`)
      const isSide = Object.keys(own).every(
        (key) => key === hashKey || key in (spec?.selector ?? {}),
      )
      return whole && continued && isSide && selector.every(([key, value]) => own[key] === value)
    })
    .map(({ metadata }) => metadata.name)
  const continues = (root: string) => Number(name.startsWith(`${root}-`))
  roots.sort((a, b) => continues(b) - continues(a) || a.length - b.length || (a < b ? -1 : 1))
  return roots[0] ?? name
}

/** Nobody has a weight. */
const nowhere: Backend = backendTo('')

const noIngress = {
  ingress: '',
  host: '',
  path: '/',
  match: 'prefix',
  rules: [],
  requestsPerSecond: 0,
  headers: new Headers(),
} as const

function namespaced(pod: Pod): { readonly namespace: string; readonly name: string } {
  return { namespace: pod.metadata.namespace ?? 'default', name: pod.metadata.name }
}
