import {
  ApiError,
  type Informer,
  isNamespaceTerminating,
  type KubeObject,
  keyOf,
  type Resource,
  resources,
  startInformer,
} from '@serinus/kube'
import { type Condition, timestamp } from '../pods/pod.ts'
import type { AllKinds, Known } from './all-kinds.ts'
import {
  type Context,
  ignoreNotFound,
  objectKey,
  onEachChange,
  startController,
} from './controller.ts'
import type { Namespace } from './objects.ts'

/** Empties namespaces that are being deleted and lets them go (kubernetes: pkg/controller/namespace). */
export function startNamespaceController(context: Context, kinds: AllKinds): void {
  const { client, clock, caches } = context
  const { namespaces } = caches
  const { queue } = startController(context, { component: 'namespace-controller', sync })

  onEachChange(namespaces, (key) => queue.add(key))
  kinds.subscribe((_resource, change) => {
    const { namespace } = change.object.metadata
    if (!namespace || change.type === 'added') return
    // Also a change counts: a finalizer that goes may be the last thing that held the object.
    if (namespaces.get(namespace)?.metadata.deletionTimestamp) queue.add(namespace)
  })

  async function sync(name: string): Promise<void> {
    const namespace = namespaces.get(name)
    if (!namespace?.metadata.deletionTimestamp) return
    const finalizers = namespace.spec?.finalizers ?? []
    if (!finalizers.includes('kubernetes')) return
    await kinds.synced
    for (const known of kinds.inNamespace(name)) await remove(known)
    const left = kinds.inNamespace(name)
    if (left.length > 0) return tellRemaining(namespace, left)
    // The caches may lag behind a creation that came just before the deletion.
    for (const resource of [...kinds.resources, resources.events]) {
      if (!resource.namespaced) continue
      const { items } = await client.list<KubeObject>(resource, { namespace: name })
      for (const object of items) await remove({ resource, object })
      if (items.length > 0 && resource !== resources.events) return queue.add(name)
    }
    const spec = { finalizers: finalizers.filter((finalizer) => finalizer !== 'kubernetes') }
    await client
      .update(resources.namespaces, { ...namespace, spec }, { subresource: 'finalize' })
      .catch(ignoreNotFound)
  }

  async function remove({ resource, object }: Known): Promise<void> {
    if (object.metadata.deletionTimestamp) return
    await client
      .delete(resource, objectKey(object), { propagationPolicy: 'Background' })
      .catch(ignoreNotFound)
  }

  async function tellRemaining(namespace: Namespace, left: readonly Known[]): Promise<void> {
    const conditions = remainingConditions(left, namespace, clock.now())
    if (sameFacts(conditions, namespace.status?.conditions ?? [])) return
    const status = { ...namespace.status, conditions }
    await client
      .update(resources.namespaces, { ...namespace, status }, { subresource: 'status' })
      .catch(ignoreNotFound)
  }
}

function remainingConditions(
  left: readonly Known[],
  namespace: Namespace,
  now: number,
): readonly Condition[] {
  const byKind = new Map<string, number>()
  const byFinalizer = new Map<string, number>()
  for (const { resource, object } of left) {
    const kind = resource.group ? `${resource.plural}.${resource.group}` : `${resource.plural}.`
    byKind.set(kind, (byKind.get(kind) ?? 0) + 1)
    for (const name of object.metadata.finalizers ?? []) {
      byFinalizer.set(name, (byFinalizer.get(name) ?? 0) + 1)
    }
  }
  const kindsLeft = [...byKind].map(([kind, count]) => `${kind} has ${count} resource instances`)
  const finalizersLeft = [...byFinalizer].map(
    ([name, count]) => `${name} in ${count} resource instances`,
  )
  const facts: Omit<Condition, 'lastTransitionTime'>[] = [
    {
      type: 'NamespaceDeletionDiscoveryFailure',
      status: 'False',
      reason: 'ResourcesDiscovered',
      message: 'All resources successfully discovered',
    },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      status: 'False',
      reason: 'ParsedGroupVersions',
      message: 'All legacy kube types successfully parsed',
    },
    {
      type: 'NamespaceDeletionContentFailure',
      status: 'False',
      reason: 'ContentDeleted',
      message: 'All content successfully deleted, may be waiting on finalization',
    },
    {
      type: 'NamespaceContentRemaining',
      status: 'True',
      reason: 'SomeResourcesRemain',
      message: `Some resources are remaining: ${kindsLeft.sort().join(', ')}`,
    },
    finalizersLeft.length > 0
      ? {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          reason: 'SomeFinalizersRemain',
          message: `Some content in the namespace has finalizers remaining: ${finalizersLeft.sort().join(', ')}`,
        }
      : {
          type: 'NamespaceFinalizersRemaining',
          status: 'False',
          reason: 'ContentHasNoFinalizers',
          message: 'All content-preserving finalizers finished',
        },
  ]
  return facts.map((fact) => {
    const before = namespace.status?.conditions?.find(({ type }) => type === fact.type)
    const kept = before?.status === fact.status ? before.lastTransitionTime : undefined
    return { ...fact, lastTransitionTime: kept ?? timestamp(now) }
  })
}

function sameFacts(a: readonly Condition[], b: readonly Condition[]): boolean {
  const facts = (conditions: readonly Condition[]) =>
    JSON.stringify(conditions.map(({ type, status, message }) => [type, status, message]))
  return facts(a) === facts(b)
}

const rootCertificateName = 'kube-root-ca.crt'

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

/** Gives each namespace its `default` ServiceAccount and the ConfigMap with the cluster's root certificate. */
export function startNamespaceFurnishing(
  context: Context,
  options: { readonly rootCertificate: string },
): void {
  const { client, clock, signal, caches, onError } = context
  const { namespaces } = caches
  const { queue } = startController(context, { component: 'serviceaccount-controller', sync })
  const follow = <T extends KubeObject>(resource: Resource, name: string): Informer<T> =>
    startInformer<T>({
      client,
      clock,
      signal,
      resource,
      fieldSelector: `metadata.name=${name}`,
      ...(onError && { onError }),
    })
  const accounts = follow<KubeObject>(resources.serviceAccounts, 'default')
  const certificates = follow<ConfigMap>(resources.configMaps, rootCertificateName)

  onEachChange(namespaces, (key) => queue.add(key))
  accounts.subscribe((change) => {
    if (change.type === 'deleted') queue.add(change.object.metadata.namespace ?? '')
  })
  certificates.subscribe((change) => {
    if (change.type !== 'added') queue.add(change.object.metadata.namespace ?? '')
  })

  async function sync(name: string): Promise<void> {
    await Promise.all([accounts.synced, certificates.synced])
    const namespace = namespaces.get(name)
    if (!namespace || namespace.metadata.deletionTimestamp) return
    if (!accounts.get(keyOf({ metadata: { namespace: name, name: 'default' } }))) {
      await create(resources.serviceAccounts, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { namespace: name, name: 'default' },
      })
    }
    const stored = certificates.get(`${name}/${rootCertificateName}`)
    const data = { 'ca.crt': options.rootCertificate }
    if (!stored) {
      const metadata = {
        namespace: name,
        name: rootCertificateName,
        annotations: {
          'kubernetes.io/description':
            'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
        },
      }
      await create(resources.configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata,
        data,
      } as ConfigMap)
    } else if (stored.data?.['ca.crt'] !== options.rootCertificate) {
      await client.update(resources.configMaps, { ...stored, data }).catch(ignoreNotFound)
    }
  }

  async function create(resource: Resource, object: KubeObject): Promise<void> {
    try {
      await client.create(resource, object)
    } catch (error) {
      const exists = error instanceof ApiError && error.reason === 'AlreadyExists'
      if (!exists && !isNamespaceTerminating(error)) throw error
    }
  }
}
