import { type InformerOptions, type KubeObject, resources, startInformer } from '@serinus/kube'
import { gatewayPlane } from './gateway-plane.ts'
import { istioPlane } from './istio-plane.ts'
import { type Propagated, propagate } from './propagation.ts'
import type { Route, Rule } from './route.ts'
import { traefikPlane } from './traefik-plane.ts'

/** What a kind of router makes of its objects (spec embedded-cluster 5). */
export interface Plane {
  /** The kinds that it reads, as `virtualservices.networking.istio.io`. */
  readonly kinds: readonly string[]
  compute(objects: (kind: string) => readonly KubeObject[]): Served
}

interface Served {
  /** For requests from outside, by host and path. */
  readonly routes: readonly Route[]
  /** For requests to a Service from inside, by `namespace/service`. */
  readonly services: ReadonlyMap<string, readonly Rule[]>
}

/** One line per kind of router that is served by custom kinds. */
const planes: readonly Plane[] = [istioPlane, gatewayPlane, traefikPlane]

export interface Planes {
  routes(): readonly Route[]
  /** Absent: no object speaks for the Service. */
  rulesOf(namespace: string, service: string): readonly Rule[] | undefined
}

interface Definition extends KubeObject {
  readonly spec?: {
    readonly group: string
    readonly names: { readonly kind: string; readonly plural: string }
    readonly versions?: readonly { readonly name: string; readonly served: boolean }[]
  }
}

interface PlanesOptions
  extends Pick<InformerOptions<KubeObject>, 'client' | 'clock' | 'signal' | 'onError'> {
  /** How long a plane takes to learn a change. */
  readonly delayMs: number
}

/** The planes of custom kinds: each begins when a kind of it is defined. */
export function startPlanes({ delayMs, ...options }: PlanesOptions): Planes {
  const { clock } = options
  const wanted = new Set(planes.flatMap(({ kinds }) => kinds))
  const followed = new Map<string, Propagated<KubeObject>>()
  const definitions = startInformer<Definition>({
    ...options,
    resource: resources.customResourceDefinitions,
  })
  definitions.subscribe(({ object: { metadata, spec } }) => {
    if (!wanted.has(metadata.name) || followed.has(metadata.name)) return
    const version = spec?.versions?.find(({ served }) => served)?.name
    if (!spec || version === undefined) return
    const { group, names } = spec
    const resource = { group, version, plural: names.plural, kind: names.kind, namespaced: true }
    const informer = startInformer<KubeObject>({ ...options, resource })
    followed.set(metadata.name, propagate(informer, { clock, delayMs }))
  })

  let last: { readonly lists: readonly unknown[]; readonly served: Served } | null = null
  function served(): Served {
    const lists = [...followed.values()].map((list) => list.current())
    if (last?.lists.length === lists.length && lists.every((list, at) => list === last?.lists[at]))
      return last.served
    const objects = (kind: string) => followed.get(kind)?.current() ?? []
    const computed = planes.map((plane) => plane.compute(objects))
    last = {
      lists,
      served: {
        routes: computed.flatMap(({ routes }) => routes),
        services: new Map(computed.flatMap(({ services }) => [...services])),
      },
    }
    return last.served
  }
  return {
    routes: () => served().routes,
    rulesOf: (namespace, service) => served().services.get(`${namespace}/${service}`),
  }
}
