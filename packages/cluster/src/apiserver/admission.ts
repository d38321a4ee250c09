import type { UnknownObject } from '@serinus/kube'
import type { AdmissionRequest } from './hooks.ts'
import { forbidden, forbiddenField, invalid, invalidValue } from './status-error.ts'
import type { Store } from './store.ts'
import { at, isObject, listAt, objectAt, textAt, withValue } from './values.ts'

const services = { group: '', plural: 'services' }
const serviceAccounts = { group: '', plural: 'serviceaccounts' }
const priorityClasses = { group: 'scheduling.k8s.io', plural: 'priorityclasses' }
const ingressClasses = { group: 'networking.k8s.io', plural: 'ingressclasses' }

/**
 * What kube-apiserver's strategies and its admission plugins write into objects of built-in kinds
 * before they are validated: cluster IPs, the selector of a Job, service accounts, tolerations.
 */
export function admitBuiltIn(store: Store, request: AdmissionRequest): UnknownObject {
  const { group, plural } = request.resource
  switch (group === '' ? plural : `${plural}.${group}`) {
    case 'namespaces':
      return admitNamespace(request)
    case 'pods':
      return request.operation === 'CREATE' ? admitPod(store, request) : request.object
    case 'services':
      return admitService(store, request)
    case 'secrets':
      return mergeStringData(request.object)
    case 'jobs.batch':
      return request.operation === 'CREATE' ? admitJob(request) : request.object
    case 'ingresses.networking.k8s.io':
      return request.operation === 'CREATE' ? admitIngress(store, request.object) : request.object
    default:
      return request.object
  }
}

function admitNamespace({ object, operation, old }: AdmissionRequest): UnknownObject {
  const { name, labels } = object.metadata
  const labelled = {
    ...object,
    metadata: { ...object.metadata, labels: { ...labels, 'kubernetes.io/metadata.name': name } },
  }
  if (operation === 'UPDATE') {
    // Only the finalize subresource changes the finalizers of a namespace.
    return old?.['spec'] === undefined ? labelled : { ...labelled, spec: old['spec'] }
  }
  return { ...labelled, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }
}

const notReady = {
  key: 'node.kubernetes.io/not-ready',
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
}
const unreachable = { ...notReady, key: 'node.kubernetes.io/unreachable' }

function admitPod(store: Store, { object }: AdmissionRequest): UnknownObject {
  const withAccount = admitServiceAccount(store, object)
  const spec = objectAt(withAccount, 'spec')
  const priority = priorityOf(store, object)
  const tolerations = listAt(spec, 'tolerations')
  const tolerates = (key: string) =>
    tolerations.some((toleration) => {
      const effect = at(toleration, 'effect')
      const tolerated = at(toleration, 'key')
      return (
        (tolerated === key || tolerated === undefined) &&
        (effect === undefined || effect === 'NoExecute')
      )
    })
  const added = [notReady, unreachable].filter(({ key }) => !tolerates(key))
  return {
    ...withAccount,
    spec: {
      ...spec,
      ...priority,
      ...(added.length > 0 && { tolerations: [...tolerations, ...added] }),
    },
    status: { phase: 'Pending', qosClass: qosClassOf(spec) },
  }
}

/** Mounts the token of the pod's service account, as the ServiceAccount plugin does. */
function admitServiceAccount(store: Store, object: UnknownObject): UnknownObject {
  const spec = objectAt(object, 'spec')
  const name = textAt(spec, 'serviceAccountName') || 'default'
  const namespace = object.metadata.namespace ?? ''
  const account = store.get(serviceAccounts, `${namespace}/${name}`)
  // A cluster without controllers has no default accounts; its pods live without one (envtest does the same).
  if (!account && name !== 'default') {
    throw forbidden(
      { group: '', plural: 'pods' },
      object.metadata.name,
      `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
    )
  }
  const named = { ...spec, serviceAccountName: name, serviceAccount: name }
  const wanted =
    at(spec, 'automountServiceAccountToken') ?? at(account, 'automountServiceAccountToken') ?? true
  const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
  const containers = [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')]
  const mounted = (container: unknown) =>
    listAt(container, 'volumeMounts').some((mount) => at(mount, 'mountPath') === mountPath)
  if (!account || wanted === false || containers.every(mounted)) return { ...object, spec: named }
  const volume = `kube-api-access-${nameSuffix(store)}`
  const withMount = (container: unknown) => {
    if (!isObject(container) || mounted(container)) return container
    const mount = { name: volume, readOnly: true, mountPath }
    return { ...container, volumeMounts: [...listAt(container, 'volumeMounts'), mount] }
  }
  const initContainers = at(spec, 'initContainers')
  return {
    ...object,
    spec: {
      ...named,
      containers: listAt(spec, 'containers').map(withMount),
      ...(Array.isArray(initContainers) && { initContainers: initContainers.map(withMount) }),
      volumes: [...listAt(spec, 'volumes'), tokenVolume(volume)],
    },
  }
}

function tokenVolume(name: string) {
  return {
    name,
    projected: {
      defaultMode: 420,
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [
              {
                path: 'namespace',
                fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' },
              },
            ],
          },
        },
      ],
    },
  }
}

function priorityOf(store: Store, object: UnknownObject) {
  const name = textAt(object, 'spec', 'priorityClassName')
  if (name === '') return { priority: 0, preemptionPolicy: 'PreemptLowerPriority' }
  const system = { 'system-cluster-critical': 2_000_000_000, 'system-node-critical': 2_000_001_000 }
  const known = system[name as keyof typeof system]
  const found = store.get(priorityClasses, name)
  if (!found && known === undefined) {
    throw forbidden(
      { group: '', plural: 'pods' },
      object.metadata.name,
      `no PriorityClass with name ${name} was found`,
    )
  }
  return {
    priority: known ?? at(found, 'value') ?? 0,
    preemptionPolicy: at(found, 'preemptionPolicy') ?? 'PreemptLowerPriority',
  }
}

/** How kubelet and scheduler rank a pod (pkg/apis/core/v1/helper/qos). */
function qosClassOf(spec: unknown): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')]
  let any = false
  let guaranteed = true
  for (const container of containers) {
    for (const name of ['cpu', 'memory']) {
      const request = at(container, 'resources', 'requests', name)
      const limit = at(container, 'resources', 'limits', name)
      if (isAmount(request) || isAmount(limit)) any = true
      if (!isAmount(limit) || (isAmount(request) && request !== limit)) guaranteed = false
    }
  }
  if (!any) return 'BestEffort'
  return guaranteed ? 'Guaranteed' : 'Burstable'
}

function isAmount(value: unknown): boolean {
  return value !== undefined && value !== '0' && value !== 0
}

function admitService(store: Store, { object, old, operation }: AdmissionRequest): UnknownObject {
  const spec = objectAt(object, 'spec')
  const type = textAt(spec, 'type') || 'ClusterIP'
  if (type === 'ExternalName') {
    const { clusterIP: _, clusterIPs: __, ...rest } = spec
    return { ...object, spec: rest }
  }
  let clusterIP = textAt(spec, 'clusterIP')
  // A PUT without the allocated values keeps them, as the REST layer's patchAllocatedValues does.
  if (operation === 'UPDATE' && clusterIP === '') clusterIP = textAt(old, 'spec', 'clusterIP')
  if (clusterIP === '') clusterIP = allocateClusterIp(store)
  else if (operation === 'CREATE' && clusterIP !== 'None' && isTaken(store, clusterIP)) {
    throw invalid({ group: '', kind: 'Service' }, object.metadata.name, [
      invalidValue(
        'spec.clusterIPs',
        [clusterIP],
        `failed to allocate IP ${clusterIP}: provided IP is already allocated`,
      ),
    ])
  }
  const needsNodePorts = type === 'NodePort' || type === 'LoadBalancer'
  const ports = listAt(spec, 'ports')
  return {
    ...object,
    spec: {
      ...spec,
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: at(spec, 'ipFamilies') ?? at(old, 'spec', 'ipFamilies') ?? ['IPv4'],
      ipFamilyPolicy:
        at(spec, 'ipFamilyPolicy') ?? at(old, 'spec', 'ipFamilyPolicy') ?? 'SingleStack',
      ...(ports.length > 0 && {
        ports: needsNodePorts ? withNodePorts(store, ports, listAt(old, 'spec', 'ports')) : ports,
      }),
    },
    ...(operation === 'CREATE' && { status: { loadBalancer: {} } }),
  }
}

function withNodePorts(
  store: Store,
  ports: readonly unknown[],
  before: readonly unknown[],
): readonly unknown[] {
  const taken = new Set<unknown>()
  for (const service of store.list(services)) {
    for (const port of listAt(service, 'spec', 'ports')) taken.add(at(port, 'nodePort'))
  }
  return ports.map((port) => {
    if (!isObject(port) || port['nodePort'] !== undefined) return port
    const same = before.find(
      (other) => at(other, 'port') === port['port'] && at(other, 'protocol') === port['protocol'],
    )
    let nodePort = at(same, 'nodePort') as number | undefined
    while (nodePort === undefined || (taken.has(nodePort) && at(same, 'nodePort') !== nodePort)) {
      nodePort = 30_000 + store.random.int(2768)
    }
    taken.add(nodePort)
    return { ...port, nodePort }
  })
}

/** The service range 10.96.0.0/16; the first addresses are left for the cluster's own services. */
function allocateClusterIp(store: Store): string {
  for (;;) {
    const ip = `10.96.${store.random.int(256)}.${store.random.int(256)}`
    const reserved = /^10\.96\.0\.(\d|1\d)$|^10\.96\.255\.255$/.test(ip)
    if (!reserved && !isTaken(store, ip)) return ip
  }
}

function isTaken(store: Store, ip: string): boolean {
  return store.list(services).some((service) => textAt(service, 'spec', 'clusterIP') === ip)
}

function mergeStringData(object: UnknownObject): UnknownObject {
  const written = at(object, 'stringData')
  if (!isObject(written)) return object
  const { stringData: _, ...rest } = object
  const encoded: Record<string, string> = {}
  for (const [key, value] of Object.entries(written)) {
    encoded[key] = Buffer.from(String(value), 'utf8').toString('base64')
  }
  return { ...rest, data: { ...objectAt(object, 'data'), ...encoded } } as UnknownObject
}

/** A Job finds its pods by its own uid, unless its author chose a selector (batch/job strategy). */
function admitJob({ object }: AdmissionRequest): UnknownObject {
  const template = objectAt(object, 'spec', 'template')
  const metadata = objectAt(template, 'metadata')
  const { name, uid } = object.metadata
  const manual = at(object, 'spec', 'manualSelector') === true
  const labels = {
    ...objectAt(metadata, 'labels'),
    'batch.kubernetes.io/job-name': name,
    'job-name': name,
    ...(!manual && { 'batch.kubernetes.io/controller-uid': uid, 'controller-uid': uid }),
  }
  const labelled = withValue(object, ['spec', 'template', 'metadata', 'labels'], labels)
  if (manual) return object
  if (at(object, 'spec', 'selector') !== undefined) {
    throw invalid({ group: 'batch', kind: 'Job' }, name, [
      forbiddenField('spec.selector', '`selector` will be auto-generated'),
    ])
  }
  return withValue(labelled, ['spec', 'selector'], {
    matchLabels: { 'batch.kubernetes.io/controller-uid': uid },
  })
}

function admitIngress(store: Store, object: UnknownObject): UnknownObject {
  const annotated = object.metadata.annotations?.['kubernetes.io/ingress.class']
  if (at(object, 'spec', 'ingressClassName') !== undefined || annotated !== undefined) return object
  const standard = store
    .list(ingressClasses)
    .find(
      ({ metadata }) =>
        metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true',
    )
  return standard ? withValue(object, ['spec', 'ingressClassName'], standard.metadata.name) : object
}

/** Letters that cannot spell words (apimachinery: util/rand). */
const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789'

/** Five random letters, as `generateName` appends them. */
export function nameSuffix(store: Store): string {
  let text = ''
  for (let count = 0; count < 5; count++) {
    text += suffixLetters[store.random.int(suffixLetters.length)] ?? 'x'
  }
  return text
}
