import type { UnknownObject } from '@serinus/kube'
import type { ServedResource } from './served.ts'
import { at, isObject, type JsonObject, withValue } from './values.ts'

/** `autoscaling/v1 Scale` of an object. */
export function readScale(served: ServedResource, object: UnknownObject): JsonObject {
  const paths = served.custom?.scale
  const spec = at(object, ...pathOf(paths?.specReplicasPath ?? '.spec.replicas')) ?? 0
  const status = at(object, ...pathOf(paths?.statusReplicasPath ?? '.status.replicas')) ?? 0
  const selector = paths
    ? paths.labelSelectorPath && at(object, ...pathOf(paths.labelSelectorPath))
    : selectorText(at(object, 'spec', 'selector'))
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: spec === 0 ? {} : { replicas: spec },
    status: { replicas: status, ...(selector ? { selector } : {}) },
  }
}

/** The object with another number of replicas wanted. */
export function scaledObject(
  served: ServedResource,
  object: UnknownObject,
  replicas: number,
): UnknownObject {
  const path = pathOf(served.custom?.scale?.specReplicasPath ?? '.spec.replicas')
  return withValue(object, path as [string, ...string[]], replicas)
}

function pathOf(jsonPath: string): readonly string[] {
  return jsonPath.split('.').filter((part) => part !== '')
}

/** A selector as one string: `app=web,tier in (a,b)`, keys sorted. */
export function selectorText(selector: unknown): string {
  if (!isObject(selector)) return ''
  const labels = isObject(selector['matchLabels'])
    ? selector['matchLabels']
    : 'matchExpressions' in selector
      ? {}
      : selector
  const terms = Object.entries(labels)
    .filter(([, value]) => typeof value === 'string')
    .map(([key, value]) => ({ key, text: `${key}=${value}` }))
  for (const expression of (selector['matchExpressions'] ?? []) as readonly {
    key: string
    operator: string
    values?: readonly string[]
  }[]) {
    const { key, operator, values = [] } = expression
    const list = [...values].sort().join(',')
    const text =
      operator === 'In'
        ? `${key} in (${list})`
        : operator === 'NotIn'
          ? `${key} notin (${list})`
          : operator === 'Exists'
            ? key
            : `!${key}`
    terms.push({ key, text })
  }
  return terms
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ text }) => text)
    .join(',')
}
