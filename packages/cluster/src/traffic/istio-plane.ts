import type { KubeObject } from '@serinus/kube'
import { loadOf } from './load.ts'
import { fitsText, type TextMatch } from './matching.ts'
import type { Plane } from './planes.ts'
import { type Asked, type Backend, backendTo, type Route, type Rule } from './route.ts'
import { serviceAt } from './service-names.ts'

interface VirtualService extends KubeObject {
  readonly spec?: {
    readonly hosts?: readonly string[]
    /** Absent: inside the mesh alone, which has the name `mesh`. */
    readonly gateways?: readonly string[]
    readonly http?: readonly HttpRoute[]
  }
}

interface HttpRoute {
  readonly match?: readonly HttpMatch[]
  readonly route?: readonly { readonly destination: Destination; readonly weight?: number }[]
  readonly mirror?: Destination
  readonly mirrorPercentage?: { readonly value?: number }
}

interface HttpMatch {
  readonly uri?: TextMatch
  readonly method?: TextMatch
  readonly headers?: Readonly<Record<string, TextMatch>>
}

interface Destination {
  readonly host: string
  readonly subset?: string
}

interface DestinationRule extends KubeObject {
  readonly spec?: {
    readonly host?: string
    readonly subsets?: readonly {
      readonly name: string
      readonly labels?: Readonly<Record<string, string>>
    }[]
  }
}

const virtualServices = 'virtualservices.networking.istio.io'
const destinationRules = 'destinationrules.networking.istio.io'

/** VirtualServices behind a gateway and inside the mesh, with the subsets of DestinationRules. */
export const istioPlane: Plane = {
  kinds: [virtualServices, destinationRules],
  compute(objects) {
    const subsets = subsetsOf(objects(destinationRules) as readonly DestinationRule[])
    const routes: Route[] = []
    const services = new Map<string, readonly Rule[]>()
    for (const object of objects(virtualServices) as readonly VirtualService[]) {
      const { namespace = 'default', name } = object.metadata
      const { hosts = [], gateways = ['mesh'], http = [] } = object.spec ?? {}
      const rules = http.map((route) => ruleOf(route, { namespace, subsets }))
      if (gateways.includes('mesh')) {
        for (const host of hosts) services.set(serviceKey(host, namespace), rules)
      }
      if (!gateways.some((gateway) => gateway !== 'mesh')) continue
      const load = loadOf(object)
      for (const host of hosts) {
        routes.push({
          namespace,
          ingress: name,
          host: host === '*' ? '' : host.toLowerCase(),
          path: '/',
          match: 'prefix',
          rules,
          requestsPerSecond: load.requestsPerSecond / hosts.length,
          headers: load.headers,
        })
      }
    }
    return { routes, services }
  },
}

function serviceKey(host: string, namespace: string): string {
  const called = serviceAt(host, namespace)
  return `${called.namespace}/${called.name}`
}

type Subsets = ReadonlyMap<string, Readonly<Record<string, string>>>

/** Labels by `namespace/service/subset`. */
function subsetsOf(rules: readonly DestinationRule[]): Subsets {
  return new Map(
    rules.flatMap(({ metadata, spec }) =>
      (spec?.subsets ?? []).map(({ name, labels = {} }) => [
        `${serviceKey(spec?.host ?? '', metadata.namespace ?? 'default')}/${name}`,
        labels,
      ]),
    ),
  )
}

interface Surroundings {
  readonly namespace: string
  readonly subsets: Subsets
}

function ruleOf(http: HttpRoute, surroundings: Surroundings): Rule {
  const { match = [], route = [], mirror, mirrorPercentage } = http
  const backends = route.map(({ destination, weight }) =>
    backendOf(destination, surroundings, route.length === 1 ? (weight ?? 100) : (weight ?? 0)),
  )
  return {
    fits: (asked) => match.length === 0 || match.some((one) => fitsMatch(one, asked)),
    backends,
    ...(mirror
      ? {
          mirror: {
            backend: backendOf(mirror, surroundings, 100),
            share: (mirrorPercentage?.value ?? 100) / 100,
          },
        }
      : {}),
  }
}

function backendOf(
  { host, subset }: Destination,
  { namespace, subsets }: Surroundings,
  weight: number,
): Backend {
  const called = serviceAt(host, namespace)
  const facts = { namespace: called.namespace, weight }
  if (subset === undefined) return backendTo(called.name, facts)
  // A subset that nobody defines has no pods.
  const labels = subsets.get(`${serviceKey(host, namespace)}/${subset}`) ?? { [subset]: '' }
  return backendTo(called.name, { ...facts, subset: labels })
}

function fitsMatch({ uri, method, headers = {} }: HttpMatch, asked: Asked): boolean {
  return (
    (!uri || fitsText(uri, asked.path)) &&
    (!method || fitsText(method, asked.method)) &&
    Object.entries(headers).every(([name, match]) => fitsText(match, asked.headers.get(name)))
  )
}
