import type { KubeObject } from '@serinus/kube'
import { fitsText, type TextMatch } from './matching.ts'
import type { Plane } from './planes.ts'
import { type Asked, always, type Backend, backendTo, type Rule } from './route.ts'
import { serviceAt } from './service-names.ts'

interface Ref {
  readonly name: string
  readonly namespace?: string
}

interface VirtualService extends KubeObject {
  readonly spec?: {
    /** Absent: `<name>.<namespace>`. */
    readonly awsName?: string
    readonly provider?: {
      readonly virtualRouter?: { readonly virtualRouterRef?: Ref }
      readonly virtualNode?: { readonly virtualNodeRef?: Ref }
    }
  }
}

interface VirtualRouter extends KubeObject {
  readonly spec?: { readonly routes?: readonly RouterRoute[] }
}

interface RouterRoute {
  /** Less goes first; absent: last. */
  readonly priority?: number
  readonly httpRoute?: Directions
  readonly http2Route?: Directions
  readonly grpcRoute?: Directions
  readonly tcpRoute?: Directions
}

interface Directions {
  readonly match?: {
    readonly prefix?: string
    readonly path?: TextMatch
    readonly method?: string
    readonly headers?: readonly HeaderMatch[]
    /** Of a grpcRoute. */
    readonly serviceName?: string
    readonly methodName?: string
    readonly metadata?: readonly HeaderMatch[]
  }
  readonly action?: {
    readonly weightedTargets?: readonly { readonly virtualNodeRef?: Ref; readonly weight: number }[]
  }
}

interface HeaderMatch {
  readonly name: string
  readonly invert?: boolean
  readonly match?: TextMatch & {
    readonly suffix?: string
    readonly range?: { readonly start: number; readonly end: number }
  }
}

interface VirtualNode extends KubeObject {
  readonly spec?: {
    readonly podSelector?: { readonly matchLabels?: Readonly<Record<string, string>> }
    readonly serviceDiscovery?: {
      readonly dns?: { readonly hostname?: string }
      readonly awsCloudMap?: { readonly serviceName?: string }
    }
  }
}

const virtualServices = 'virtualservices.appmesh.k8s.aws'
const virtualRouters = 'virtualrouters.appmesh.k8s.aws'
const virtualNodes = 'virtualnodes.appmesh.k8s.aws'

/** Requests inside the mesh to a VirtualService go through its router to nodes: the pods that their selectors choose. */
export const appMeshPlane: Plane = {
  kinds: [virtualServices, virtualRouters, virtualNodes],
  compute(objects) {
    const routers = byName<VirtualRouter>(objects(virtualRouters))
    const nodes = byName<VirtualNode>(objects(virtualNodes))
    const services = new Map<string, readonly Rule[]>()
    for (const { metadata, spec } of objects(virtualServices) as readonly VirtualService[]) {
      const { namespace = 'default', name } = metadata
      const { virtualRouter, virtualNode } = spec?.provider ?? {}
      const called = serviceAt(spec?.awsName ?? name, namespace)
      const key = `${called.namespace}/${called.name}`
      const node = virtualNode?.virtualNodeRef
      if (node) services.set(key, [always([backendOf(node, { namespace, nodes, weight: 1 })])])
      const router = virtualRouter?.virtualRouterRef
      if (!router) continue
      const at = router.namespace ?? namespace
      const routes = routers.get(`${at}/${router.name}`)?.spec?.routes ?? []
      services.set(
        key,
        routes
          .toSorted((a, b) => (a.priority ?? lastPriority) - (b.priority ?? lastPriority))
          .map((route) => ruleOf(route, { namespace: at, nodes })),
      )
    }
    return { routes: [], services }
  },
}

/** Priorities end at 1000. */
const lastPriority = 1001

function byName<T extends KubeObject>(objects: readonly KubeObject[]): ReadonlyMap<string, T> {
  return new Map(
    (objects as readonly T[]).map((object) => [
      `${object.metadata.namespace}/${object.metadata.name}`,
      object,
    ]),
  )
}

interface Surroundings {
  readonly namespace: string
  readonly nodes: ReadonlyMap<string, VirtualNode>
}

function ruleOf(route: RouterRoute, surroundings: Surroundings): Rule {
  const { match = {}, action } =
    route.httpRoute ?? route.http2Route ?? route.grpcRoute ?? route.tcpRoute ?? {}
  return {
    fits: (asked) => fitsMatch(match, asked),
    backends: (action?.weightedTargets ?? []).map(({ virtualNodeRef, weight }) =>
      backendOf(virtualNodeRef, { ...surroundings, weight }),
    ),
  }
}

function fitsMatch(match: NonNullable<Directions['match']>, asked: Asked): boolean {
  const { prefix = '', path, method, headers = [], metadata = [], serviceName, methodName } = match
  const call = serviceName === undefined ? '' : `/${serviceName}/${methodName ?? ''}`
  return (
    asked.path.startsWith(prefix) &&
    (!path || fitsText(path, asked.path)) &&
    (method === undefined || method === asked.method) &&
    (methodName === undefined ? asked.path.startsWith(call) : asked.path === call) &&
    [...headers, ...metadata].every((header) => fitsHeader(header, asked.headers))
  )
}

/** A header without any condition needs only be there. */
function fitsHeader({ name, invert = false, match = {} }: HeaderMatch, headers: Headers): boolean {
  const text = headers.get(name)
  const { suffix = '', range } = match
  const fits =
    text !== null &&
    fitsText(match, text) &&
    text.endsWith(suffix) &&
    (!range || (Number(text) >= range.start && Number(text) < range.end))
  return fits !== invert
}

/**
 * Found by DNS: those of the Service's pods that the node selects. Found by Cloud Map: all that it selects, as App Mesh'
 * controller registers them. A node that is not there has no pods.
 */
function backendOf(
  ref: Ref | undefined,
  { namespace, nodes, weight }: Surroundings & { readonly weight: number },
): Backend {
  const own = ref?.namespace ?? namespace
  const { podSelector, serviceDiscovery } = nodes.get(`${own}/${ref?.name}`)?.spec ?? {}
  const subset = podSelector?.matchLabels ?? null
  const hostname = serviceDiscovery?.dns?.hostname
  if (hostname !== undefined) {
    const { name, namespace: at } = serviceAt(hostname, own)
    return backendTo(name, { namespace: at, subset, weight })
  }
  const service = serviceDiscovery?.awsCloudMap?.serviceName ?? ''
  return backendTo(service, { namespace: own, subset, isBySubset: subset !== null, weight })
}
