import type { Write } from '@serinus/engine'
import type { KubeObject, Resource } from '@serinus/kube'
import type { RolloutFacts } from './router.ts'

/** Marks an object as made for the Rollout, so that it goes with it. */
export function ownerReferences({
  rollout: { name, uid },
}: RolloutFacts): NonNullable<KubeObject['metadata']['ownerReferences']> {
  const rollout = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name, uid }
  return [{ ...rollout, controller: true, blockOwnerDeletion: true }]
}

export function isOurs(object: KubeObject, { rollout }: RolloutFacts): boolean {
  return controllerOf(object)?.uid === rollout.uid
}

/** Whose object it is; undefined: nobody's. */
export function controllerOf({ metadata }: KubeObject) {
  return metadata.ownerReferences?.find((reference) => reference.controller)
}

/** Holds for this object alone, not for a later one of its name. */
export function deletionOf(resource: Resource, { metadata }: KubeObject): Write {
  const { namespace, name, uid } = metadata
  return {
    kind: 'delete',
    id: `${resource.plural}/${name}`,
    resource,
    key: { ...(namespace === undefined ? {} : { namespace }), name },
    ...(uid ? { uid } : {}),
  }
}

/** Labels by which a tool recognizes an object as its own; copied, it would prune or overwrite the copy. */
const trackingLabels =
  /^(app\.kubernetes\.io\/(instance|managed-by)|helm\.sh\/.*|([\w-]+\.)*(argocd\.argoproj\.io|toolkit\.fluxcd\.io|rio\.cattle\.io|fleet\.cattle\.io|kpt\.dev|config\.k8s\.io)\/.*)$/

/** `{labels}` for a copy of an object; empty where there is nothing to copy. */
export function copiedLabels({ metadata }: KubeObject): Pick<KubeObject['metadata'], 'labels'> {
  const labels = Object.entries(metadata.labels ?? {}).filter(([key]) => !trackingLabels.test(key))
  return labels.length > 0 ? { labels: Object.fromEntries(labels) } : {}
}
