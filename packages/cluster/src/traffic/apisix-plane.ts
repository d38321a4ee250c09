import type { KubeObject } from '@serinus/kube'
import { loadOf } from './load.ts'
import { matchesSomewhere } from './matching.ts'
import type { Plane } from './planes.ts'
import { type Asked, backendTo, type Route, type Rule } from './route.ts'

interface ApisixRoute extends KubeObject {
  readonly spec?: { readonly http?: readonly HttpRule[] }
}

interface HttpRule {
  /** More goes first; absent: 0. */
  readonly priority?: number
  readonly match?: {
    readonly hosts?: readonly string[]
    readonly paths?: readonly string[]
    readonly methods?: readonly string[]
    readonly exprs?: readonly Expression[]
  }
  readonly backends?: readonly { readonly serviceName: string; readonly weight?: number }[]
}

interface Expression {
  readonly subject?: { readonly scope?: string; readonly name?: string }
  readonly op?: string
  readonly value?: string
  readonly set?: readonly string[]
}

const apisixRoutes = 'apisixroutes.apisix.apache.org'

/** A rule of one object at one host and path. */
interface Placed extends Pick<Route, 'host' | 'path' | 'match'> {
  readonly object: ApisixRoute
  readonly http: HttpRule
  /** Its part of the load that is asked for on its object. */
  readonly share: number
}

/** ApisixRoutes of one host and path are one list, by priority: so the copy that a header route is goes before its model. */
export const apisixPlane: Plane = {
  kinds: [apisixRoutes],
  compute(objects) {
    const placed = (objects(apisixRoutes) as readonly ApisixRoute[]).flatMap(placesOf)
    const groups = Map.groupBy(placed, (one) => placeKey(one, one.object.metadata.namespace))
    return { routes: [...groups.values()].map(routeOf), services: new Map() }
  },
}

function placeKey({ host, path, match }: Pick<Placed, 'host' | 'path' | 'match'>, namespace = '') {
  return `${namespace} ${host} ${match} ${path}`
}

function placesOf(object: ApisixRoute): readonly Placed[] {
  const placed = (object.spec?.http ?? []).flatMap((http) =>
    orAny(http.match?.hosts, '').flatMap((host) =>
      orAny(http.match?.paths, '/*').map((path) => ({
        object,
        http,
        host: host.toLowerCase(),
        path: path.replace(/\*$/, ''),
        match: path.endsWith('*') ? ('text' as const) : ('exact' as const),
      })),
    ),
  )
  const rules = Map.groupBy(placed, (one) => placeKey(one))
  return [...rules.values()].flatMap((same) =>
    same.map((one) => ({ ...one, share: 1 / (rules.size * same.length) })),
  )
}

function orAny(list: readonly string[] | undefined, any: string): readonly string[] {
  return list?.length ? list : [any]
}

function routeOf(group: readonly Placed[]): Route {
  const sorted = group.toSorted((a, b) => (b.http.priority ?? 0) - (a.http.priority ?? 0))
  // Copies of a route carry its annotations, too: the load is that of the model, which goes last.
  const model = sorted.at(-1) as Placed
  const load = loadOf(model.object)
  const own = sorted.filter(({ object }) => object === model.object)
  const share = own.reduce((sum, one) => sum + one.share, 0)
  return {
    namespace: model.object.metadata.namespace ?? 'default',
    ingress: model.object.metadata.name,
    host: model.host,
    path: model.path,
    match: model.match,
    rules: sorted.map(({ http }) => ruleOf(http)),
    requestsPerSecond: load.requestsPerSecond * share,
    headers: load.headers,
  }
}

function ruleOf({ match, backends = [] }: HttpRule): Rule {
  const { methods = [], exprs = [] } = match ?? {}
  return {
    fits: (asked) =>
      (methods.length === 0 || methods.includes(asked.method)) &&
      exprs.every((expression) => holds(expression, asked)),
    // A backend without a weight has the one that APISIX gives it.
    backends: backends.map(({ serviceName, weight = 100 }) => backendTo(serviceName, { weight })),
  }
}

/** An operator or a subject that is not served holds for no request. */
function holds({ subject, op = '', value = '', set = [] }: Expression, asked: Asked): boolean {
  const text = textOf(subject, asked)
  if (text === undefined) return false
  switch (op) {
    case 'Equal':
      return text === value
    case 'NotEqual':
      return text !== value
    case 'In':
      return text !== null && set.includes(text)
    case 'NotIn':
      return text === null || !set.includes(text)
    case 'RegexMatch':
      return text !== null && matchesSomewhere(value, text)
    case 'RegexMatchCaseInsensitive':
      return text !== null && matchesSomewhere(value, text, 'i')
    case 'RegexNotMatch':
      return text === null || !matchesSomewhere(value, text)
    default:
      return false
  }
}

/** Null: the request has none; undefined: it is not looked at here. */
function textOf(subject: Expression['subject'], asked: Asked): string | null | undefined {
  const { scope, name = '' } = subject ?? {}
  if (scope === 'Header') return /^[\w-]+$/.test(name) ? asked.headers.get(name) : null
  if (scope === 'Path') return asked.path
  return undefined
}
