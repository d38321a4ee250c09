import type { KubeObject } from '@serinus/kube'
import { loadOf } from './load.ts'
import type { Plane } from './planes.ts'
import { type Backend, backendTo, type Route } from './route.ts'

interface IngressRoute extends KubeObject {
  readonly spec?: {
    readonly routes?: readonly {
      readonly match?: string
      readonly services?: readonly ServiceRef[]
    }[]
  }
}

interface TraefikService extends KubeObject {
  readonly spec?: { readonly weighted?: { readonly services?: readonly ServiceRef[] } }
}

interface ServiceRef {
  /** Absent: Service. */
  readonly kind?: string
  readonly name: string
  readonly weight?: number
}

const ingressRoutes = 'ingressroutes.traefik.io'
const traefikServices = 'traefikservices.traefik.io'

/** IngressRoutes by host, path and headers, with weighted TraefikServices behind them. */
export const traefikPlane: Plane = {
  kinds: [ingressRoutes, traefikServices],
  compute(objects) {
    const weighted = new Map(
      (objects(traefikServices) as readonly TraefikService[]).map((object) => [
        `${object.metadata.namespace}/${object.metadata.name}`,
        object,
      ]),
    )
    const routes = (objects(ingressRoutes) as readonly IngressRoute[]).flatMap((object) => {
      const { namespace = 'default', name } = object.metadata
      const load = loadOf(object)
      const parts = object.spec?.routes ?? []
      return parts.map(({ match = '', services = [] }): Route => {
        const backends = services.flatMap((service) => backendsOf(service, namespace, weighted))
        const headers = headersIn(match)
        return {
          namespace,
          ingress: name,
          host: argument(match, 'Host')?.toLowerCase() ?? '',
          path: argument(match, 'Path') ?? argument(match, 'PathPrefix') ?? '/',
          match: argument(match, 'Path') === undefined ? 'text' : 'exact',
          rules: [
            {
              fits: (asked) => headers.every(([key, value]) => asked.headers.get(key) === value),
              backends,
            },
          ],
          requestsPerSecond: load.requestsPerSecond / parts.length,
          headers: load.headers,
        }
      })
    })
    return { routes, services: new Map() }
  },
}

/** The first argument of a matcher in a rule such as `Host(\`a\`) && PathPrefix(\`/api\`)`. */
function argument(rule: string, matcher: string): string | undefined {
  return new RegExp(`\\b${matcher}\\(\\s*[\`"']([^\`"']*)[\`"']`).exec(rule)?.[1]
}

/** `Header` of Traefik 3 and `Headers` of Traefik 2. */
function headersIn(rule: string): readonly (readonly [string, string])[] {
  const found = rule.matchAll(/\bHeaders?\(\s*[`"']([^`"']*)[`"']\s*,\s*[`"']([^`"']*)[`"']\s*\)/g)
  return [...found].map(([, name = '', value = '']) => [name, value] as const)
}

/** Weights within weights multiply; a list without weights is an even one. A circle of TraefikServices leads nowhere. */
function backendsOf(
  { kind, name, weight = 1 }: ServiceRef,
  namespace: string,
  weighted: ReadonlyMap<string, TraefikService>,
  seen: readonly string[] = [],
): readonly Backend[] {
  if (kind !== 'TraefikService') return [backendTo(name, { weight })]
  const parts = weighted.get(`${namespace}/${name}`)?.spec?.weighted?.services ?? []
  if (seen.includes(name)) return []
  const within = parts.flatMap((part) => backendsOf(part, namespace, weighted, [...seen, name]))
  const total = within.reduce((sum, backend) => sum + backend.weight, 0)
  return total > 0
    ? within.map((backend) => ({ ...backend, weight: (backend.weight / total) * weight }))
    : []
}
