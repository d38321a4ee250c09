import type { Service } from '@serinus/engine'
import type { KubeObject } from '@serinus/kube'

/** Written by kubectl for itself: the object once more. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** An object without who wrote what, which is often half of it and nobody plans by. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata as T['metadata'] & {
    readonly managedFields?: unknown
  }
  return { ...object, metadata }
}

/**
 * What planning reads of a Service. All of them are followed, since any may be named by a Rollout at any time, and a
 * cluster has thousands that none names (spec operations, falls short 13).
 */
export function planningPartOf(service: Service): Service {
  const { apiVersion, kind, metadata, spec } = service
  const { name, namespace, uid, resourceVersion, annotations, ownerReferences } = metadata
  const kept = Object.entries(annotations ?? {}).filter(([key]) => key !== lastApplied)
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
    },
    ...(spec === undefined
      ? {}
      : {
          spec: {
            ...(spec.selector ? { selector: spec.selector } : {}),
            ...(spec.ports ? { ports: spec.ports } : {}),
          },
        }),
  }
}
