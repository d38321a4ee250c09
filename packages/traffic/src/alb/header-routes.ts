import type { Ingress, ManagedRoute } from '@serinus/engine'
import type { RolloutFacts } from '../router.ts'
import { parseJson } from './actions.ts'

type Rules = NonNullable<NonNullable<Ingress['spec']>['rules']>
type Path = NonNullable<NonNullable<Rules[number]['http']>['paths']>[number]
type HeaderRoute = ManagedRoute & { readonly kind: 'header' }

/** The port name by which the load balancer controller knows that the Service of a path is the name of an action. */
export const annotationPort = 'use-annotation'

/** What a header route asks of the requests that it leads to the canary, under the name of its own action. */
export interface HeaderRule {
  readonly name: string
  readonly conditions: string
}

/**
 * One rule for each header, since ALB wants all conditions of a rule to hold and one header is enough here; one rule for
 * all of them where the Rollout asks for that (spec traffic-routing 8). Values of one header are alternatives in a rule.
 * @param own conditions that the user has set for the weighted paths: they hold for their copies, too
 */
export function headerRules(
  route: HeaderRoute,
  { headerMatch, managedRoutes }: RolloutFacts,
  own: string | undefined,
): readonly HeaderRule[] {
  const headers = new Map<string, { readonly name: string; readonly values: Set<string> }>()
  for (const { headerName, headerValue } of route.match) {
    // Names of headers are the same in any case.
    const header = headers.get(headerName.toLowerCase()) ?? { name: headerName, values: new Set() }
    headers.set(headerName.toLowerCase(), header)
    if (headerValue.exact !== undefined) header.values.add(headerValue.exact)
  }
  const asked = [...headers.values()].map(({ name, values }) => ({
    field: 'http-header',
    httpHeaderConfig: { httpHeaderName: name, values: [...values] },
  }))
  const alternatives = headerMatch === 'and' ? [asked] : asked.map((one) => [one])
  const inherited = parseJson(own)
  return alternatives.map((conditions, index) => ({
    name: index === 0 ? route.name : freeName(`${route.name}-${index}`, managedRoutes),
    conditions: JSON.stringify([...(Array.isArray(inherited) ? inherited : []), ...conditions]),
  }))
}

function freeName(name: string, taken: readonly string[]): string {
  return taken.includes(name) ? freeName(`${name}x`, taken) : name
}

/**
 * The rules of an Ingress with a path for each header rule directly before each weighted path, of the same path and type:
 * no other path or host is caught, and the order in which the load balancer controller sorts paths keeps them together
 * (spec traffic-routing, falls short 23).
 * @param ours names of all actions of header routes that may have paths from before
 */
export function withHeaderPaths(
  rules: Rules,
  {
    root,
    names,
    ours,
  }: { readonly root: string; readonly names: readonly string[]; readonly ours: readonly string[] },
): Rules {
  return rules.map((rule) => {
    if (!rule.http?.paths) return rule
    const paths = rule.http.paths
      .filter((path) => !ours.some((name) => leadsTo(path, name)))
      .flatMap((path) =>
        leadsTo(path, root) ? [...names.map((name) => copyFor(path, name)), path] : [path],
      )
    return { ...rule, http: { ...rule.http, paths } }
  })
}

export function leadsTo({ backend }: Pick<Path, 'backend'>, action: string): boolean {
  return backend?.service?.name === action && backend.service.port?.name === annotationPort
}

function copyFor(path: Path, name: string): Path {
  return { ...path, backend: { service: { name, port: { name: annotationPort } } } }
}

/** Why header routes cannot stand before the weighted paths of an Ingress; null: they can. */
export function headerObstacle(ingress: Ingress, root: string): string | null {
  const paths = pathsOf(ingress).filter((path) => leadsTo(path, root))
  if (paths.length === 0) {
    return `no rule has a path to service \`${root}\` that they could stand before`
  }
  const exact = paths.find(({ pathType }) => pathType === 'Exact')
  return exact
    ? `the AWS load balancer controller takes an Exact path only once: give path \`${exact.path}\` to service \`${root}\` the pathType ImplementationSpecific, which without wildcards means the same`
    : null
}

export function pathsOf({ spec }: Ingress): readonly Path[] {
  return (spec?.rules ?? []).flatMap((rule) => rule.http?.paths ?? [])
}
