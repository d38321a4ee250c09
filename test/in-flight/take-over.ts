import { type AnalysisRun, hashLabel, kinds, type Rollout } from '@serinus/api'
import { type KubeObject, type Resource, resources } from '@serinus/kube'
import { expect } from 'vitest'
import { type StoredRollout, type VirtualCluster, virtualCluster } from '../virtual-cluster.ts'
import { type Recording, readRecording } from './recording.ts'

interface ReplicaSet extends KubeObject {
  readonly spec: { readonly replicas: number }
  readonly status?: { readonly availableReplicas?: number }
}

interface Service extends KubeObject {
  readonly spec?: { readonly selector?: Readonly<Record<string, string>> }
}

interface Deployment extends KubeObject {
  readonly spec: { readonly replicas: number }
}

interface Pod extends KubeObject {
  readonly status?: { readonly containerStatuses?: readonly { readonly restartCount: number }[] }
}

/** A cluster as upstream left it, with Serinus in upstream's place from that moment on. */
export interface TakenOver extends AsyncDisposable {
  readonly world: VirtualCluster
  rollout(): Promise<StoredRollout>
  /** Lets a second pass at a time until it is so; looks after each. */
  until(
    holds: (rollout: StoredRollout) => boolean,
    look?: () => Promise<void>,
  ): Promise<StoredRollout>
  promote(): Promise<void>
  patchStatus(status: object): Promise<void>
  /** Of the Rollout, the lowest revision first. */
  sets(): Promise<readonly ReplicaSet[]>
  runs(): Promise<readonly (AnalysisRun & KubeObject)[]>
  /** The revision that a Service sends requests to, by its hash. */
  selected(service: string): Promise<string | undefined>
  /** Of the canary Ingresses of nginx, in percent. */
  canaryWeights(): Promise<readonly (string | undefined)[]>
  /** `spec.replicas` of the Deployment of the same name. */
  deploymentSize(): Promise<number>
  /** Their uids. */
  jobs(): Promise<readonly (string | undefined)[]>
  /** No ReplicaSet came or changed its revision, and none was told of. */
  expectSameRevisions(): Promise<void>
  /** Of no revision a pod was replaced or restarted. */
  expectSamePods(): Promise<void>
  /** Nor was a pod replaced or restarted, nor did the steps begin again. */
  expectNothingAnew(): Promise<void>
}

export function takeOver(release: string, state: string): Promise<TakenOver> {
  return takeOverFrom(readRecording(release, state))
}

/** As `takeOver`, from a recording that a test made of another one. */
export async function takeOverFrom(recording: Recording): Promise<TakenOver> {
  const world = await virtualCluster({ recording })
  const before = recorded<StoredRollout>(recording, 'Rollout')[0]
  if (!before) throw new TypeError('the recording has no Rollout')
  const { name, uid } = before.metadata
  const list = async <T extends KubeObject>(resource: Resource) =>
    (await world.client.list<T>(resource)).items
  const isOurs = ({ metadata }: KubeObject) =>
    metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false
  const sets = async () =>
    (await list<ReplicaSet>(resources.replicaSets))
      .filter(isOurs)
      .toSorted((a, b) => revisionOf(a) - revisionOf(b))
  const patchStatus = async (status: object) => {
    const body = { kind: 'merge', body: { status } } as const
    await world.client.patch(kinds.rollouts, before.metadata, body, { subresource: 'status' })
  }
  const expectSameRevisions = async () => {
    const known = recorded<ReplicaSet>(recording, 'ReplicaSet').filter(isOurs)
    expect(byName(await sets(), revisionOf)).toEqual(byName(known, revisionOf))
    const { metadata, status } = await world.rollout(name)
    expect(revisionOf({ metadata })).toBe(revisionOf(before))
    expect(status?.currentPodHash).toBe(before.status?.currentPodHash)
    expect(status?.currentStepHash).toBe(before.status?.currentStepHash)
    const told = (await world.events()).map(({ reason }) => reason)
    expect(told.filter((reason) => ofNewRevisions.has(reason))).toEqual([])
    expect(world.errors).toEqual([])
  }
  const expectSamePods = async () => {
    const now = podsByRevision(await list<Pod>(resources.pods))
    for (const [hash, pods] of podsByRevision(recorded<Pod>(recording, 'Pod'))) {
      const left = now.get(hash) ?? []
      const [few, many] = left.length < pods.length ? [left, pods] : [pods, left]
      expect(few.filter((pod) => !many.includes(pod))).toEqual([])
    }
    const restarted = [...(await list<Pod>(resources.pods))].filter((pod) => restartsOf(pod) > 0)
    expect(restarted.map(({ metadata }) => metadata.name)).toEqual([])
  }
  return {
    world,
    rollout: () => world.rollout(name),
    async until(holds, look) {
      for (let seconds = 0; seconds < 3600; seconds++) {
        await look?.()
        const rollout = await world.rollout(name)
        if (holds(rollout)) return rollout
        await world.pass(1_000)
      }
      throw new Error(`it does not come: ${JSON.stringify((await world.rollout(name)).status)}`)
    },
    promote: () => patchStatus({ pauseConditions: null }),
    patchStatus,
    sets,
    runs: async () => (await list<AnalysisRun & KubeObject>(kinds.analysisRuns)).filter(isOurs),
    selected: async (service) => {
      const { spec } = await world.client.get<Service>(resources.services, {
        namespace: 'default',
        name: service,
      })
      return spec?.selector?.[hashLabel]
    },
    canaryWeights: async () =>
      (await list(resources.ingresses))
        .filter(isOurs)
        .map(({ metadata }) => metadata.annotations?.['nginx.ingress.kubernetes.io/canary-weight']),
    deploymentSize: async () => {
      const deployment = await world.client.get<Deployment>(deployments, before.metadata)
      return deployment.spec.replicas
    },
    jobs: async () => (await list(resources.jobs)).map(({ metadata }) => metadata.uid),
    expectSameRevisions,
    expectSamePods,
    async expectNothingAnew() {
      await expectSameRevisions()
      await expectSamePods()
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  }
}

const deployments: Resource = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
}

const ofNewRevisions: ReadonlySet<string> = new Set([
  'RolloutUpdated',
  'NewReplicaSetCreated',
  'SkipSteps',
  'RolloutNotCompleted',
])

function recorded<T extends KubeObject>({ objects }: Recording, kind: string): readonly T[] {
  return objects.filter((object) => object.kind === kind) as unknown as readonly T[]
}

function byName<T extends KubeObject>(objects: readonly T[], of: (object: T) => unknown): object {
  return Object.fromEntries(objects.map((object) => [object.metadata.name, of(object)]))
}

/** Uids by hash; what runs for an analysis has none. */
function podsByRevision(pods: readonly Pod[]): ReadonlyMap<string, readonly string[]> {
  const ofRevisions = pods.filter(({ metadata }) => metadata.labels?.[hashLabel])
  const groups = Map.groupBy(ofRevisions, ({ metadata }) => metadata.labels?.[hashLabel] ?? '')
  return new Map(
    [...groups].map(([hash, group]) => [hash, group.map(({ metadata }) => metadata.uid ?? '')]),
  )
}

function revisionOf({ metadata }: Pick<Rollout, 'metadata'>): number {
  return Number(metadata.annotations?.['rollout.argoproj.io/revision'])
}

function restartsOf({ status }: Pod): number {
  return (status?.containerStatuses ?? []).reduce((sum, one) => sum + one.restartCount, 0)
}
