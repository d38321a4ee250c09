import { annotationKeys, hashLabel, type RolloutStatus } from '@serinus/api'
import type { KubeObject, UnknownObject } from '@serinus/kube'
import { startAt } from './test-cluster.ts'

interface Meta {
  readonly name: string
  /** Seconds before the tests begin. */
  readonly age?: number
  readonly labels?: Record<string, string>
  readonly annotations?: Record<string, string>
  readonly owner?: string
  readonly generation?: number
}

/** `namespace: shop`; the UID is `uid-<name>`. */
function metadata({ name, age = 0, owner, ...rest }: Meta): KubeObject['metadata'] {
  return {
    namespace: 'shop',
    uid: `uid-${name}`,
    creationTimestamp: new Date(startAt - age * 1000).toISOString(),
    ...rest,
    ...(owner
      ? {
          ownerReferences: [
            { apiVersion: 'v1', kind: 'Owner', name: owner, uid: `uid-${owner}`, controller: true },
          ],
        }
      : {}),
    name,
  }
}

/** Selector and pod labels are `app: <name>`. */
export function rollout(
  name: string,
  parts: { readonly spec?: object; readonly status?: RolloutStatus } & Partial<Meta> = {},
): UnknownObject {
  const { spec, status, ...meta } = parts
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: metadata({ name, generation: 1, ...meta }),
    spec: {
      replicas: 5,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'app', image: `${name}:1` }] },
      },
      ...spec,
    },
    status: { observedGeneration: '1', ...status },
  }
}

export function canary(steps: readonly object[], more: object = {}): object {
  return { strategy: { canary: { steps, ...more } } }
}

export function replicaSet(
  owner: string,
  parts: {
    readonly hash: string
    readonly revision: number
    readonly image?: string
    readonly replicas?: number
    readonly available?: number
    readonly template?: object
  } & Partial<Meta>,
): UnknownObject {
  const { hash, revision, image, replicas = 0, available = replicas, template, ...meta } = parts
  const labels = { app: owner, [hashLabel]: hash }
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: metadata({
      name: `${owner}-${hash}`,
      owner,
      generation: 1,
      ...meta,
      labels,
      annotations: { [annotationKeys.revision]: String(revision), ...meta.annotations },
    }),
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'app', image: image ?? `${owner}:${revision}` }] },
        ...template,
      },
    },
    status: { replicas, availableReplicas: available, observedGeneration: 1 },
  }
}

export function pod(
  set: KubeObject,
  suffix: string,
  parts: {
    readonly containers?: number
    readonly ready?: number
    readonly restarts?: number
    readonly deleted?: boolean
  } & Partial<Meta>,
): UnknownObject {
  const { containers = 1, ready = containers, restarts = 0, deleted, ...meta } = parts
  const names = Array.from({ length: containers }, (_, index) => `c${index}`)
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata({
        name: `${set.metadata.name}-${suffix}`,
        owner: set.metadata.name,
        labels: { ...set.metadata.labels },
        ...meta,
      }),
      ...(deleted ? { deletionTimestamp: new Date(startAt).toISOString() } : {}),
    },
    spec: { containers: names.map((name) => ({ name })) },
    status: {
      phase: 'Running',
      containerStatuses: names.map((name, index) => ({
        name,
        ready: index < ready,
        restartCount: index === 0 ? restarts : 0,
        state: { running: {} },
      })),
    },
  }
}

/** Labelled with the hash alone, as upstream labels runs. */
export function analysisRun(
  owner: string,
  parts: {
    readonly hash: string
    readonly revision: number
    readonly phase: string
    readonly results?: readonly object[]
  } & Meta,
): UnknownObject {
  const { hash, revision, phase, results = [], ...meta } = parts
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisRun',
    metadata: metadata({
      owner,
      ...meta,
      labels: { [hashLabel]: hash },
      annotations: { [annotationKeys.revision]: String(revision) },
    }),
    spec: { metrics: [] },
    status: { phase, metricResults: results },
  }
}
