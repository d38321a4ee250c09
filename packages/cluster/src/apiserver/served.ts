import { kindType } from '@serinus/kinds'
import type { Resource, UnknownObject } from '@serinus/kube'
import { apiVersionOf } from '@serinus/kube'
import type { CustomVersion } from './custom-kind.ts'
import { builtInMergeSchema, deduced, type MergeSchema } from './merge-schema.ts'
import type { StoredResource } from './store.ts'

/** A door beside an object: `/status`, `/scale`, ... */
export interface Subresource {
  readonly name: string
  readonly kind: string
  /** Group and version of the subresource's own kind, where it is another than the object's. */
  readonly group?: string
  readonly version?: string
  readonly verbs: readonly string[]
}

/** One kind in one version, as a URL reaches it. */
export interface ServedResource {
  readonly resource: Resource
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly verbs: readonly string[]
  readonly subresources: readonly Subresource[]
  /** Where objects lie; versions of a kind, and the two groups of Event, share one place. */
  readonly storage: StoredResource
  /** apiVersion that objects are stored in. */
  readonly storedAs: string
  /** Reads what is stored into this version, and back. Absent: only apiVersion differs. */
  readonly conversion?: Conversion
  /** The version of a CRD; absent for built-in kinds. */
  readonly custom?: CustomVersion
  readonly mergeSchema: MergeSchema
}

interface Conversion {
  readonly fromStored: (object: UnknownObject) => UnknownObject
  readonly toStored: (object: UnknownObject) => UnknownObject
}

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const status: Omit<Subresource, 'kind'> = { name: 'status', verbs: ['get', 'patch', 'update'] }

interface Row {
  readonly short?: readonly string[]
  readonly categories?: readonly string[]
  readonly verbs?: readonly string[]
  readonly namespaced?: false
  readonly singular?: string
  readonly status?: true
  readonly scale?: true
  readonly subresources?: readonly Subresource[]
}

const all = ['all']
const proxyVerbs = ['create', 'delete', 'get', 'patch', 'update']

/** `apiVersion Kind plural`: what kube-apiserver 1.34 says about it in discovery. */
const table: Readonly<Record<string, Row>> = {
  'v1 Binding bindings': { verbs: ['create'], singular: 'binding' },
  'v1 ConfigMap configmaps': { short: ['cm'] },
  'v1 Endpoints endpoints': { short: ['ep'], singular: 'endpoints' },
  'v1 Event events': { short: ['ev'] },
  'v1 LimitRange limitranges': { short: ['limits'] },
  'v1 Namespace namespaces': {
    short: ['ns'],
    namespaced: false,
    status: true,
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    subresources: [{ name: 'finalize', kind: 'Namespace', verbs: ['update'] }],
  },
  'v1 Node nodes': {
    short: ['no'],
    namespaced: false,
    status: true,
    subresources: [{ name: 'proxy', kind: 'NodeProxyOptions', verbs: proxyVerbs }],
  },
  'v1 PersistentVolumeClaim persistentvolumeclaims': { short: ['pvc'], status: true },
  'v1 PersistentVolume persistentvolumes': { short: ['pv'], namespaced: false, status: true },
  'v1 Pod pods': {
    short: ['po'],
    categories: all,
    status: true,
    subresources: [
      { name: 'attach', kind: 'PodAttachOptions', verbs: ['create', 'get'] },
      { name: 'binding', kind: 'Binding', verbs: ['create'] },
      { name: 'ephemeralcontainers', kind: 'Pod', verbs: ['get', 'patch', 'update'] },
      { name: 'eviction', kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] },
      { name: 'exec', kind: 'PodExecOptions', verbs: ['create', 'get'] },
      { name: 'log', kind: 'Pod', verbs: ['get'] },
      { name: 'portforward', kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
      { name: 'proxy', kind: 'PodProxyOptions', verbs: proxyVerbs },
      { name: 'resize', kind: 'Pod', verbs: ['get', 'patch', 'update'] },
    ],
  },
  'v1 PodTemplate podtemplates': {},
  'v1 ReplicationController replicationcontrollers': {
    short: ['rc'],
    categories: all,
    status: true,
    scale: true,
  },
  'v1 ResourceQuota resourcequotas': { short: ['quota'], status: true },
  'v1 Secret secrets': {},
  'v1 ServiceAccount serviceaccounts': {
    short: ['sa'],
    subresources: [
      {
        name: 'token',
        kind: 'TokenRequest',
        group: 'authentication.k8s.io',
        version: 'v1',
        verbs: ['create'],
      },
    ],
  },
  'v1 Service services': {
    short: ['svc'],
    categories: all,
    status: true,
    subresources: [{ name: 'proxy', kind: 'ServiceProxyOptions', verbs: proxyVerbs }],
  },
  'admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mutatingwebhookconfigurations': {
    namespaced: false,
    categories: ['api-extensions'],
  },
  'admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy validatingadmissionpolicies': {
    namespaced: false,
    categories: ['api-extensions'],
    status: true,
  },
  'admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings':
    { namespaced: false, categories: ['api-extensions'] },
  'admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration validatingwebhookconfigurations':
    { namespaced: false, categories: ['api-extensions'] },
  'apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions': {
    short: ['crd', 'crds'],
    namespaced: false,
    categories: ['api-extensions'],
    status: true,
  },
  'apps/v1 ControllerRevision controllerrevisions': {},
  'apps/v1 DaemonSet daemonsets': { short: ['ds'], categories: all, status: true },
  'apps/v1 Deployment deployments': {
    short: ['deploy'],
    categories: all,
    status: true,
    scale: true,
  },
  'apps/v1 ReplicaSet replicasets': { short: ['rs'], categories: all, status: true, scale: true },
  'apps/v1 StatefulSet statefulsets': {
    short: ['sts'],
    categories: all,
    status: true,
    scale: true,
  },
  'authentication.k8s.io/v1 SelfSubjectReview selfsubjectreviews': {
    namespaced: false,
    verbs: ['create'],
  },
  'authentication.k8s.io/v1 TokenReview tokenreviews': { namespaced: false, verbs: ['create'] },
  'authorization.k8s.io/v1 LocalSubjectAccessReview localsubjectaccessreviews': {
    verbs: ['create'],
  },
  'authorization.k8s.io/v1 SelfSubjectAccessReview selfsubjectaccessreviews': {
    namespaced: false,
    verbs: ['create'],
  },
  'authorization.k8s.io/v1 SelfSubjectRulesReview selfsubjectrulesreviews': {
    namespaced: false,
    verbs: ['create'],
  },
  'authorization.k8s.io/v1 SubjectAccessReview subjectaccessreviews': {
    namespaced: false,
    verbs: ['create'],
  },
  'autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers': {
    short: ['hpa'],
    categories: all,
    status: true,
  },
  'autoscaling/v1 HorizontalPodAutoscaler horizontalpodautoscalers': {
    short: ['hpa'],
    categories: all,
    status: true,
  },
  'batch/v1 CronJob cronjobs': { short: ['cj'], categories: all, status: true },
  'batch/v1 Job jobs': { categories: all, status: true },
  'coordination.k8s.io/v1 Lease leases': {},
  'discovery.k8s.io/v1 EndpointSlice endpointslices': {},
  'events.k8s.io/v1 Event events': { short: ['ev'] },
  'networking.k8s.io/v1 IngressClass ingressclasses': { namespaced: false },
  'networking.k8s.io/v1 Ingress ingresses': { short: ['ing'], status: true },
  'networking.k8s.io/v1 NetworkPolicy networkpolicies': { short: ['netpol'] },
  'policy/v1 PodDisruptionBudget poddisruptionbudgets': { short: ['pdb'], status: true },
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings': { namespaced: false },
  'rbac.authorization.k8s.io/v1 ClusterRole clusterroles': { namespaced: false },
  'rbac.authorization.k8s.io/v1 RoleBinding rolebindings': {},
  'rbac.authorization.k8s.io/v1 Role roles': {},
  'scheduling.k8s.io/v1 PriorityClass priorityclasses': { short: ['pc'], namespaced: false },
  'storage.k8s.io/v1 CSIDriver csidrivers': { namespaced: false },
  'storage.k8s.io/v1 CSINode csinodes': { namespaced: false },
  'storage.k8s.io/v1 StorageClass storageclasses': { short: ['sc'], namespaced: false },
  'storage.k8s.io/v1 VolumeAttachment volumeattachments': { namespaced: false, status: true },
}

/** Every built-in kind in every version this server answers. */
export function builtInResources(): readonly ServedResource[] {
  return Object.entries(table).map(([key, row]) => builtIn(key, row))
}

function builtIn(key: string, row: Row): ServedResource {
  const [apiVersion = '', kind = '', plural = ''] = key.split(' ')
  const [group, version] = splitApiVersion(apiVersion)
  if (kindType(apiVersion, kind) === undefined) throw new TypeError(`no type for ${key}`)
  const subresources: Subresource[] = [...(row.subresources ?? [])]
  if (row.status) subresources.push({ ...status, kind })
  if (row.scale) subresources.push(scaleSubresource)
  subresources.sort((a, b) => (a.name < b.name ? -1 : 1))
  const shared = sharedStorage[`${apiVersion} ${kind}`]
  return {
    resource: { group, version, plural, kind, namespaced: row.namespaced !== false },
    singular: row.singular ?? kind.toLowerCase(),
    shortNames: row.short ?? [],
    categories: row.categories ?? [],
    verbs: row.verbs ?? allVerbs,
    subresources,
    storage: shared?.storage ?? { group, plural },
    storedAs: shared?.storedAs ?? apiVersion,
    ...(shared && { conversion: shared.conversion }),
    mergeSchema: builtInMergeSchema(apiVersion, kind) ?? deduced,
  }
}

export const scaleSubresource: Subresource = {
  name: 'scale',
  kind: 'Scale',
  group: 'autoscaling',
  version: 'v1',
  verbs: ['get', 'patch', 'update'],
}

function splitApiVersion(apiVersion: string): readonly [group: string, version: string] {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? ['', apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)]
}

const sharedStorage: Readonly<
  Record<string, { storage: StoredResource; storedAs: string; conversion: Conversion }>
> = {
  'events.k8s.io/v1 Event': {
    storage: { group: '', plural: 'events' },
    storedAs: 'v1',
    conversion: { fromStored: eventFromCore, toStored: eventToCore },
  },
  'autoscaling/v1 HorizontalPodAutoscaler': {
    storage: { group: 'autoscaling', plural: 'horizontalpodautoscalers' },
    storedAs: 'autoscaling/v2',
    conversion: { fromStored: autoscalerToV1, toStored: autoscalerToV2 },
  },
}

/** `[events.k8s.io name, core name]` of the fields that the two groups of Event name differently. */
const eventFields = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
] as const

function eventFromCore(object: UnknownObject): UnknownObject {
  return renamed({ ...object, apiVersion: 'events.k8s.io/v1' }, 1, 0)
}

function eventToCore(object: UnknownObject): UnknownObject {
  return renamed({ ...object, apiVersion: 'v1' }, 0, 1)
}

function renamed(object: UnknownObject, from: 0 | 1, to: 0 | 1): UnknownObject {
  const result: Record<string, unknown> = { ...object }
  for (const pair of eventFields) {
    if (!(pair[from] in result)) continue
    result[pair[to]] = result[pair[from]]
    delete result[pair[from]]
  }
  return result as UnknownObject
}

interface Metric {
  readonly type?: string
  readonly resource?: {
    readonly name?: string
    readonly target?: { readonly type?: string; readonly averageUtilization?: number }
    readonly current?: { readonly averageUtilization?: number }
  }
}

/** Where v1 keeps what it has no fields for (autoscaling.alpha.kubernetes.io). */
const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics'
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior'
const conditionsAnnotation = 'autoscaling.alpha.kubernetes.io/conditions'
const currentMetricsAnnotation = 'autoscaling.alpha.kubernetes.io/current-metrics'

function isCpuUtilization(metric: Metric): boolean {
  return (
    metric.type === 'Resource' &&
    metric.resource?.name === 'cpu' &&
    metric.resource.target?.averageUtilization !== undefined
  )
}

function autoscalerToV1(object: UnknownObject): UnknownObject {
  const { metrics, behavior, ...spec } = (object['spec'] ?? {}) as {
    metrics?: readonly Metric[]
    behavior?: unknown
  }
  const { currentMetrics, conditions, ...status } = (object['status'] ?? {}) as {
    currentMetrics?: readonly Metric[]
    conditions?: unknown
  }
  const cpu = metrics?.find(isCpuUtilization)
  const others = metrics?.filter((metric) => metric !== cpu) ?? []
  const currentCpu = currentMetrics?.find((metric) => metric.resource?.name === 'cpu')
  const annotations = {
    ...object.metadata.annotations,
    ...(others.length > 0 && { [metricsAnnotation]: JSON.stringify(others) }),
    ...(behavior !== undefined && { [behaviorAnnotation]: JSON.stringify(behavior) }),
    ...(conditions !== undefined && { [conditionsAnnotation]: JSON.stringify(conditions) }),
    ...(currentMetrics !== undefined && {
      [currentMetricsAnnotation]: JSON.stringify(currentMetrics),
    }),
  }
  const utilization = cpu?.resource?.target?.averageUtilization
  const current = currentCpu?.resource?.current?.averageUtilization
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    metadata: {
      ...object.metadata,
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec: {
      ...spec,
      ...(utilization !== undefined && { targetCPUUtilizationPercentage: utilization }),
    },
    status: {
      ...status,
      ...(current !== undefined && { currentCPUUtilizationPercentage: current }),
    },
  }
}

function autoscalerToV2(object: UnknownObject): UnknownObject {
  const { targetCPUUtilizationPercentage: utilization, ...spec } = (object['spec'] ?? {}) as {
    targetCPUUtilizationPercentage?: number
  }
  const { currentCPUUtilizationPercentage: _, ...status } = (object['status'] ?? {}) as {
    currentCPUUtilizationPercentage?: number
  }
  const {
    [metricsAnnotation]: metricsText,
    [behaviorAnnotation]: behaviorText,
    [conditionsAnnotation]: conditionsText,
    [currentMetricsAnnotation]: currentText,
    ...annotations
  } = object.metadata.annotations ?? {}
  const others = parsed(metricsText)
  const metrics = [
    ...(utilization === undefined
      ? []
      : [
          {
            type: 'Resource',
            resource: {
              name: 'cpu',
              target: { type: 'Utilization', averageUtilization: utilization },
            },
          },
        ]),
    ...(Array.isArray(others) ? others : []),
  ]
  const behavior = parsed(behaviorText)
  const conditions = parsed(conditionsText)
  const currentMetrics = parsed(currentText)
  const { annotations: _annotations, ...metadata } = object.metadata
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    metadata: { ...metadata, ...(Object.keys(annotations).length > 0 && { annotations }) },
    spec: {
      ...spec,
      ...(metrics.length > 0 && { metrics }),
      ...(behavior !== undefined && { behavior }),
    },
    status: {
      ...status,
      ...(conditions !== undefined && { conditions }),
      ...(currentMetrics !== undefined && { currentMetrics }),
    },
  }
}

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The stored object as this version shows it. */
export function fromStored(served: ServedResource, object: UnknownObject): UnknownObject {
  const apiVersion = apiVersionOf(served.resource)
  if (object.apiVersion === apiVersion) return object
  return served.conversion ? served.conversion.fromStored(object) : { ...object, apiVersion }
}

export function toStored(served: ServedResource, object: UnknownObject): UnknownObject {
  if (object.apiVersion === served.storedAs) return object
  return served.conversion
    ? served.conversion.toStored(object)
    : { ...object, apiVersion: served.storedAs }
}
