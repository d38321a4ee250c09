import type { KubeObject } from '@serinus/kube'
import { loadOf } from './load.ts'
import { fitsText } from './matching.ts'
import type { Plane } from './planes.ts'
import { type Asked, type Backend, backendTo, type Route, type Rule } from './route.ts'
import { serviceAt } from './service-names.ts'

interface Mapping extends KubeObject {
  readonly spec?: {
    readonly prefix?: string
    readonly prefix_exact?: boolean
    readonly prefix_regex?: boolean
    readonly hostname?: string
    readonly host?: string
    readonly host_regex?: boolean
    readonly method?: string
    readonly headers?: Readonly<Record<string, string | boolean>>
    readonly regex_headers?: Readonly<Record<string, string>>
    /** More goes first; absent: 0. */
    readonly precedence?: number
    /** `name`, `name.namespace:port`, with or without scheme. */
    readonly service?: string
    /** Percent of the requests of all Mappings with the same conditions. */
    readonly weight?: number
    /** Gets copies alone. */
    readonly shadow?: boolean
  }
}

const mappings = 'mappings.getambassador.io'
const previewMappings = 'ambassadormappings.x.getambassador.io'

/** Mappings with the same conditions share requests: those with a weight their percent, the others the rest. */
export const ambassadorPlane: Plane = {
  kinds: [mappings, previewMappings],
  compute(objects) {
    const all = [...objects(mappings), ...objects(previewMappings)] as readonly Mapping[]
    const places = Map.groupBy(all, (mapping) => JSON.stringify(placeOf(mapping)))
    return { routes: [...places.values()].map(routeOf), services: new Map() }
  },
}

function placeOf({ spec }: Mapping): Pick<Route, 'host' | 'path' | 'match'> {
  const { prefix = '/', prefix_regex, prefix_exact, hostname, host = '', host_regex } = spec ?? {}
  const named = (hostname ?? (host_regex ? '' : host)).toLowerCase()
  return {
    host: named === '*' ? '' : named,
    path: prefix_regex ? '/' : prefix,
    match: prefix_exact && !prefix_regex ? 'exact' : 'text',
  }
}

function routeOf(here: readonly Mapping[]): Route {
  const groups = [...Map.groupBy(here, (one) => JSON.stringify(conditionsOf(one))).values()]
  const first = (group: readonly Mapping[]) => group[0] as Mapping
  const sorted = groups.toSorted(
    (a, b) =>
      (first(b).spec?.precedence ?? 0) - (first(a).spec?.precedence ?? 0) ||
      headersOf(first(b)).length - headersOf(first(a)).length,
  )
  const loaded = here.find((mapping) => loadOf(mapping).requestsPerSecond > 0) ?? first(here)
  return {
    namespace: loaded.metadata.namespace ?? 'default',
    ingress: loaded.metadata.name,
    ...placeOf(loaded),
    rules: sorted.map(ruleOf),
    requestsPerSecond: here.reduce((sum, one) => sum + loadOf(one).requestsPerSecond, 0),
    headers: loadOf(loaded).headers,
  }
}

/** What tells Mappings of one host and path apart. */
function conditionsOf(mapping: Mapping): readonly unknown[] {
  const { prefix, prefix_regex, host, host_regex, method, precedence = 0 } = mapping.spec ?? {}
  const patterns = [prefix_regex ? prefix : null, host_regex ? host : null]
  return [...patterns, method ?? null, precedence, headersOf(mapping)]
}

type HeaderCondition = readonly [name: string, value: string | null, isRegex: boolean]

/** A value of null asks only for the header to be there. */
function headersOf({ spec }: Mapping): readonly HeaderCondition[] {
  return [
    ...Object.entries(spec?.headers ?? {}).map(
      ([name, value]): HeaderCondition => [name, value === true ? null : String(value), false],
    ),
    ...Object.entries(spec?.regex_headers ?? {}).map(
      ([name, value]): HeaderCondition => [name, value, true],
    ),
  ].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function ruleOf(group: readonly Mapping[]): Rule {
  const model = group[0] as Mapping
  const shadow = group.find(({ spec }) => spec?.shadow)
  return {
    fits: (asked) => fitsMapping(model, asked),
    backends: weighted(group.filter(({ spec }) => !spec?.shadow)),
    ...(shadow
      ? {
          mirror: { backend: backendOf(shadow, 1), share: percentOf(shadow, 100) / 100 },
        }
      : {}),
  }
}

function fitsMapping(mapping: Mapping, asked: Asked): boolean {
  const { prefix = '/', prefix_regex, hostname, host, host_regex, method } = mapping.spec ?? {}
  if (prefix_regex && !fitsText({ regex: prefix }, asked.path)) return false
  if (host_regex && hostname === undefined && !fitsText({ regex: host ?? '' }, asked.host))
    return false
  if (method !== undefined && method !== asked.method) return false
  return headersOf(mapping).every(([name, value, isRegex]) =>
    fitsText(
      value === null ? {} : isRegex ? { regex: value } : { exact: value },
      asked.headers.get(name),
    ),
  )
}

function weighted(group: readonly Mapping[]): readonly Backend[] {
  const told = group.filter(({ spec }) => spec?.weight !== undefined)
  const others = group.filter(({ spec }) => spec?.weight === undefined)
  const rest = Math.max(0, 100 - told.reduce((sum, one) => sum + percentOf(one, 0), 0))
  return [
    ...told.map((one) => backendOf(one, percentOf(one, 0))),
    ...others.map((one) => backendOf(one, rest / others.length)),
  ]
}

function percentOf({ spec }: Mapping, absent: number): number {
  return Math.min(100, Math.max(0, spec?.weight ?? absent))
}

function backendOf({ metadata, spec }: Mapping, weight: number): Backend {
  const host = (spec?.service ?? '').replace(/^\w+:\/\//, '').replace(/[:/].*$/, '')
  const { name, namespace } = serviceAt(host, metadata.namespace ?? 'default')
  return backendTo(name, { namespace, weight })
}
