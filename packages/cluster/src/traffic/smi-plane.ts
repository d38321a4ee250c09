import { quantityToNumber } from '@serinus/kinds'
import type { KubeObject } from '@serinus/kube'
import type { Plane } from './planes.ts'
import { always, backendTo, type Rule } from './route.ts'
import { serviceAt } from './service-names.ts'

interface TrafficSplit extends KubeObject {
  readonly spec?: {
    readonly service?: string
    readonly backends?: readonly { readonly service: string; readonly weight?: number | string }[]
    /** HTTPRouteGroups, which nobody defines here. */
    readonly matches?: readonly unknown[]
  }
}

const trafficSplits = 'trafficsplits.split.smi-spec.io'

/** Requests inside the mesh to the Service of a TrafficSplit go to its backends; a split with conditions is left out. */
export const smiPlane: Plane = {
  kinds: [trafficSplits],
  compute(objects) {
    const services = new Map<string, readonly Rule[]>()
    for (const { metadata, spec } of objects(trafficSplits) as readonly TrafficSplit[]) {
      if (!spec?.service || spec.matches?.length) continue
      const { namespace, name } = serviceAt(spec.service, metadata.namespace ?? 'default')
      const backends = (spec.backends ?? []).map(({ service, weight = 0 }) =>
        // v1alpha1 writes quantities, later versions numbers.
        backendTo(service, { weight: quantityToNumber(String(weight)) ?? 0 }),
      )
      services.set(`${namespace}/${name}`, [always(backends)])
    }
    return { routes: [], services }
  },
}
