import {
  ApiError,
  type InformerOptions,
  type KubeObject,
  resources,
  startInformer,
} from '@serinus/kube'
import { ambassadorPlane } from './ambassador-plane.ts'
import { apisixPlane } from './apisix-plane.ts'
import { appMeshPlane } from './app-mesh-plane.ts'
import { gatewayPlane } from './gateway-plane.ts'
import { istioPlane } from './istio-plane.ts'
import { type Propagated, propagate } from './propagation.ts'
import type { Route, Rule } from './route.ts'
import { smiPlane } from './smi-plane.ts'
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
const planes: readonly Plane[] = [
  istioPlane,
  gatewayPlane,
  traefikPlane,
  smiPlane,
  apisixPlane,
  ambassadorPlane,
  appMeshPlane,
]

export interface Planes {
  routes(): readonly Route[]
  /** Absent: no object speaks for the Service. */
  rulesOf(namespace: string, service: string): readonly Rule[] | undefined
}

interface Definition extends KubeObject {
  readonly spec?: {
    readonly group: string
    readonly names: { readonly kind: string; readonly plural: string }
    readonly versions?: readonly {
      readonly name: string
      readonly served: boolean
      readonly storage?: boolean
    }[]
  }
}

interface PlanesOptions
  extends Pick<InformerOptions<KubeObject>, 'client' | 'clock' | 'signal' | 'onError'> {
  /** How long a plane takes to learn a change. */
  readonly delayMs: number
}

/** A kind that is followed in one of its versions, in which a list has the objects of all. */
interface Followed {
  readonly version: string
  readonly objects: Propagated<KubeObject>
  readonly ended: AbortController
}

/** The planes of custom kinds: each kind is followed as long as it is defined. */
export function startPlanes({ delayMs, ...options }: PlanesOptions): Planes {
  const { clock, signal } = options
  const wanted = new Set(planes.flatMap(({ kinds }) => kinds))
  const followed = new Map<string, Followed>()
  const definitions = startInformer<Definition>({
    ...options,
    resource: resources.customResourceDefinitions,
  })
  definitions.subscribe(({ type, object: { metadata, spec } }) => {
    if (!wanted.has(metadata.name)) return
    const versions = type === 'deleted' ? [] : (spec?.versions ?? []).filter((one) => one.served)
    const known = followed.get(metadata.name)
    if (known && versions.some(({ name }) => name === known.version)) return
    known?.ended.abort()
    followed.delete(metadata.name)
    // The version that is stored needs no conversion, which a router's own webhook would have to make.
    const version = (versions.find(({ storage }) => storage) ?? versions[0])?.name
    if (!spec || version === undefined) return
    const { group, names } = spec
    const resource = { group, version, plural: names.plural, kind: names.kind, namespaced: true }
    const ended = new AbortController()
    const informer = startInformer<KubeObject>({
      ...options,
      resource,
      signal: AbortSignal.any([signal, ended.signal]),
      // Between the end of a kind and the news of it.
      onError: (error) => {
        if (!(error instanceof ApiError && error.code === 404)) options.onError?.(error)
      },
    })
    const objects = propagate(informer, { clock, delayMs })
    followed.set(metadata.name, { version, objects, ended })
  })

  let last: { readonly lists: readonly unknown[]; readonly served: Served } | null = null
  function served(): Served {
    const lists = [...followed.values()].map(({ objects }) => objects.current())
    if (last?.lists.length === lists.length && lists.every((list, at) => list === last?.lists[at]))
      return last.served
    const objects = (kind: string) => followed.get(kind)?.objects.current() ?? []
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
