import type { ReplicaSet, Service, ServiceEndpoints } from '@serinus/engine'
import type { Informer, KubeObject } from '@serinus/kube'

/** discovery.k8s.io/v1 EndpointSlice, as the API sends it. */
interface EndpointSlice extends KubeObject {
  /** Null where there are none. */
  readonly endpoints?:
    | readonly {
        readonly conditions?: { readonly ready?: boolean | null }
        readonly targetRef?: { readonly kind?: string; readonly name?: string }
      }[]
    | null
}

/** What is kept of an EndpointSlice: whose ready pods it names. */
export interface SlicePods extends KubeObject {
  /** Beginnings of the pods' names, which their ReplicaSets gave them; sorted, each once. */
  readonly podPrefixes: readonly string[]
}

const serviceNameLabel = 'kubernetes.io/service-name'
/** `kubernetes: pkg/apiserver storage/names`: five random characters after at most 58 of the given name. */
const randomLength = 5
const longestGivenName = 58

/** Index of slices by `namespace/service`. */
export const byService = 'service'

export function serviceOfSlice({ metadata }: KubeObject): readonly string[] {
  const service = metadata.labels?.[serviceNameLabel]
  return service === undefined ? [] : [`${metadata.namespace}/${service}`]
}

/** Keeps of a slice what planning reads; a cluster has many, each with many endpoints. */
export function podsOfSlice(object: KubeObject): SlicePods {
  const { apiVersion, kind, metadata, endpoints } = object as EndpointSlice
  const { name, namespace, uid, resourceVersion, labels } = metadata
  const service = labels?.[serviceNameLabel]
  const prefixes = (endpoints ?? []).flatMap(({ conditions, targetRef }) =>
    // Absent means ready (discovery/v1 EndpointConditions).
    conditions?.ready === false || targetRef?.kind !== 'Pod' || !targetRef.name
      ? []
      : targetRef.name.slice(0, -randomLength),
  )
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(service === undefined ? {} : { labels: { [serviceNameLabel]: service } }),
    },
    podPrefixes: [...new Set(prefixes)].sort(),
  }
}

/** Whose pods answer for each Service at present. Pods of nobody we know go by the beginning of their names. */
export function endpointsOf(
  slices: Informer<SlicePods>,
  services: readonly Service[],
  replicaSets: readonly ReplicaSet[],
): readonly ServiceEndpoints[] {
  const names = new Map(replicaSets.map(({ metadata: { name } }) => [podPrefix(name), name]))
  return services.map(({ metadata: { namespace, name } }) => {
    const prefixes = slices
      .byIndex(byService, `${namespace}/${name}`)
      .flatMap((slice) => slice.podPrefixes)
    return {
      service: name,
      replicaSets: [...new Set(prefixes)].map((prefix) => names.get(prefix) ?? prefix),
    }
  })
}

function podPrefix(replicaSet: string): string {
  return `${replicaSet}-`.slice(0, longestGivenName)
}
