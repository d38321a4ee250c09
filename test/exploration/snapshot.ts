import { annotationKeys, hashLabel, labelKeys, podTemplateHash, type Rollout } from '@serinus/api'
import {
  noManagedRoutes,
  type ReplicaSet,
  type RolloutSnapshot,
  type Service,
} from '@serinus/engine'
import { ingress, type Shape } from './shapes.ts'
import {
  type Interned,
  type Knobs,
  type RunState,
  type ServiceState,
  type SetState,
  type State,
  type Version,
  versions,
} from './state.ts'
import { instantAgo, now, tickMs } from './time.ts'

const labels = { app: 'app' }
const templates = ['h1', 'h2'].map((image) => ({
  metadata: { labels },
  spec: { containers: [{ name: 'app', image }] },
}))
export const hashes: readonly string[] = templates.map((template) => podTemplateHash(template))
export const setNames: readonly string[] = hashes.map((hash) => `app-${hash}`)
const created = ['2025-01-01T00:00:00Z', '2025-02-01T00:00:00Z']

export function versionOf(hash: string | undefined): Version | null {
  return versions.find((version) => hashes[version] === hash) ?? null
}

/** Generation of the spec; a status that has not seen the last edit says 1. */
const generation = 2

/** Makes the snapshots of one shape: what a state looks like to the planner. */
export function snapshots(shape: Shape): (state: State) => RolloutSnapshot {
  const specs = new Map<number, Pick<Rollout, 'spec' | 'metadata'>>()
  const objects = new Map<number, ReplicaSet>()
  const serviceLists = new Map<number, Pick<RolloutSnapshot, 'services' | 'endpoints'>>()
  const runLists = new Map<number, RolloutSnapshot['analysisRuns']>()
  return (state) => {
    const { memory, router } = state
    const { failures, deferred } = memory.value
    const set = (version: Version) => {
      const interned = state.sets[version]
      if (!interned) return []
      return [cached(objects, interned.id * 2 + version, () => replicaSet(version, interned.value))]
    }
    return {
      rollout: {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'Rollout',
        ...cached(specs, state.knobs.id, () => rolloutParts(shape, state.knobs)),
        status: state.status.value,
      } as Rollout,
      parseProblems: [],
      replicaSets: [...set(0), ...set(1)],
      analysisRuns: cached(runLists, state.runs.id, () => state.runs.value.map(analysisRun)),
      experiments: [],
      ...cached(serviceLists, state.services.id, () => ({
        services: state.services.value.map((one, at) => service(shape.services[at] ?? '', one)),
        endpoints: state.services.value.map(({ behind }, at) => ({
          service: shape.services[at] ?? '',
          replicaSets: behind.map((version) => setNames[version] ?? ''),
        })),
      })),
      ingresses: [ingress],
      analysisTemplates: shape.analysisTemplates,
      clusterAnalysisTemplates: [],
      routers: router.value
        ? [
            {
              type: shape.router === 'silent' ? 'Nginx' : 'ALB',
              weight: router.value.asked,
              verified:
                shape.router === 'silent' ? null : router.value.asked === router.value.effective,
              managedRoutes: noManagedRoutes,
            },
          ]
        : [],
      routesSince: router.value ? now - router.value.age * tickMs : null,
      workload: null,
      scaledDown: [],
      pods: null,
      activeSince: null,
      routingProblems: [],
      notificationProblems: null,
      failures: failures.map((id) => ({
        id,
        effect: id === 'routes' ? ('routes' as const) : ('write' as const),
        reason: 'Forbidden',
        message: `${id} is forbidden`,
        since: now,
      })),
      takenNames: [],
      statusDeferredSince: deferred === null ? null : now - deferred * tickMs,
      options: { zeroPause: 'gate', routerSettleMs: tickMs },
    }
  }
}

function cached<T>(map: Map<number, T>, id: number, make: () => T): T {
  const known = map.get(id)
  if (known !== undefined) return known
  const made = make()
  map.set(id, made)
  return made
}

function rolloutParts(
  shape: Shape,
  { value }: Interned<Knobs>,
): Pick<Rollout, 'spec' | 'metadata'> {
  const { version, replicas, paused, revision } = value
  return {
    metadata: {
      name: 'app',
      namespace: 'default',
      uid: 'uid-1',
      generation,
      resourceVersion: '1',
      annotations: revision === 0 ? {} : { [annotationKeys.revision]: String(revision) },
    },
    spec: {
      ...shape.spec,
      replicas,
      progressDeadlineSeconds: 30,
      selector: { matchLabels: labels },
      template: templates[version],
      ...(paused ? { paused } : {}),
    } as Rollout['spec'],
  }
}

function replicaSet(version: Version, state: SetState): ReplicaSet {
  const hash = hashes[version] ?? ''
  const { spec, ready, deadline, desired, revision, returning } = state
  const all = { ...labels, [hashLabel]: hash }
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: setNames[version] ?? '',
      namespace: 'default',
      uid: `uid-${hash}`,
      generation: 1,
      creationTimestamp: created[version] ?? '',
      labels: all,
      annotations: {
        [annotationKeys.revision]: String(revision),
        [annotationKeys.desiredReplicas]: String(desired),
        ...(deadline === null ? {} : { [annotationKeys.scaleDownDeadline]: instantAgo(-deadline) }),
        ...(returning ? { [annotationKeys.fastRollback]: 'true' } : {}),
      },
    },
    spec: {
      replicas: spec,
      selector: { matchLabels: all },
      template: {
        metadata: { labels: all },
        spec: templates[version]?.spec,
      } as ReplicaSet['spec']['template'],
    },
    status: {
      replicas: spec,
      readyReplicas: ready,
      availableReplicas: ready,
      observedGeneration: 1,
    },
  }
}

function service(name: string, { selects, managed }: ServiceState): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: 'default',
      ...(managed ? { annotations: { [annotationKeys.managedBy]: 'app' } } : {}),
    },
    spec: {
      selector: { ...labels, ...(selects === null ? {} : { [hashLabel]: hashes[selects] ?? '' }) },
      ports: [{ port: 80 }],
    },
  }
}

function analysisRun(run: RunState): RolloutSnapshot['analysisRuns'][number] {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisRun',
    metadata: {
      name: run.name,
      namespace: 'default',
      uid: `uid-${run.name}`,
      creationTimestamp: created[1],
      labels: {
        [hashLabel]: hashes[run.version],
        [labelKeys.rolloutType]: run.kind,
        ...(run.step === '' ? {} : { [labelKeys.stepIndex]: run.step }),
      },
    },
    spec: { metrics: [], ...(run.terminated ? { terminate: true } : {}) },
    status: { phase: run.phase, message: `is ${run.phase}` },
  } as unknown as RolloutSnapshot['analysisRuns'][number]
}
