import {
  child,
  childMade,
  children,
  type Defaulter,
  type Draft,
  keepInStep,
  setAbsent,
} from './draft.ts'

/** Defaults of all kinds but pods, by struct (kubernetes `pkg/apis/<group>/<version>/defaults.go`). */
export const kindDefaulters: Readonly<Record<string, Defaulter>> = {
  'core/v1.ReplicationController': replicationController,
  'core/v1.Service': service,
  'core/v1.ServicePort': servicePort,
  'core/v1.Secret': secret,
  'core/v1.Namespace': namespace,
  'core/v1.NamespaceStatus': (status) => setAbsent(status, { phase: 'Active' }),
  'core/v1.NodeStatus': (status) => {
    if (status['capacity']) setAbsent(status, { allocatable: status['capacity'] })
  },
  'core/v1.NodeSpec': (spec) =>
    keepInStep({ draft: spec, one: 'podCIDR', many: 'podCIDRs', wrap: (range) => range }),
  'core/v1.PersistentVolume': (volume) => {
    setAbsent(childMade(volume, 'status'), { phase: 'Pending' })
    setAbsent(childMade(volume, 'spec'), {
      persistentVolumeReclaimPolicy: 'Retain',
      volumeMode: 'Filesystem',
    })
  },
  'core/v1.PersistentVolumeClaim': (claim) =>
    setAbsent(childMade(claim, 'status'), { phase: 'Pending' }),
  'core/v1.EndpointPort': (port) => setAbsent(port, { protocol: 'TCP' }),
  'core/v1.LimitRangeItem': limitRangeItem,
  'core/v1.PodLogOptions': (options) => setAbsent(options, { stream: 'All' }),
  'apps/v1.Deployment': deployment,
  'apps/v1.DaemonSet': daemonSet,
  'apps/v1.StatefulSet': statefulSet,
  'apps/v1.ReplicaSet': (set) => setAbsent(childMade(set, 'spec'), { replicas: 1 }),
  'batch/v1.Job': job,
  'batch/v1.CronJob': (cronJob) =>
    setAbsent(childMade(cronJob, 'spec'), {
      concurrencyPolicy: 'Allow',
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    }),
  'batch/v1.PodFailurePolicyOnPodConditionsPattern': (pattern) => {
    if (!pattern['status']) pattern['status'] = 'True'
  },
  'autoscaling/v1.HorizontalPodAutoscaler': (autoscaler) =>
    setAbsent(childMade(autoscaler, 'spec'), {
      minReplicas: 1,
      targetCPUUtilizationPercentage: 80,
    }),
  'autoscaling/v2.HorizontalPodAutoscaler': autoscaler,
  'networking/v1.NetworkPolicy': networkPolicy,
  'networking/v1.NetworkPolicyPort': (port) => setAbsent(port, { protocol: 'TCP' }),
  'networking/v1.IngressClassParametersReference': (reference) =>
    setAbsent(reference, { scope: 'Cluster' }),
  'rbac/v1.RoleRef': (role) => {
    if (!role['apiGroup']) role['apiGroup'] = rbac
  },
  'rbac/v1.Subject': (subject) => {
    const named = subject['kind'] === 'User' || subject['kind'] === 'Group'
    if (named) setAbsent(subject, { apiGroup: rbac })
  },
  'storage/v1.StorageClass': (storage) =>
    setAbsent(storage, { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' }),
  'storage/v1.CSIDriver': (driver) =>
    setAbsent(childMade(driver, 'spec'), {
      attachRequired: true,
      podInfoOnMount: false,
      storageCapacity: false,
      fsGroupPolicy: 'ReadWriteOnceWithFSType',
      volumeLifecycleModes: ['Persistent'],
      requiresRepublish: false,
      seLinuxMount: false,
    }),
  'scheduling/v1.PriorityClass': (priority) =>
    setAbsent(priority, { preemptionPolicy: 'PreemptLowerPriority' }),
  'discovery/v1.EndpointPort': (port) => setAbsent(port, { name: '', protocol: 'TCP' }),
  'authentication/v1.TokenRequestSpec': (spec) => setAbsent(spec, { expirationSeconds: 3600 }),
  'admissionregistration/v1.ValidatingWebhook': webhook,
  'admissionregistration/v1.MutatingWebhook': (draft) => {
    webhook(draft)
    setAbsent(draft, { reinvocationPolicy: 'Never' })
  },
  'admissionregistration/v1.RuleWithOperations': (rule) => setAbsent(rule, { scope: '*' }),
  'admissionregistration/v1.NamedRuleWithOperations': (rule) => setAbsent(rule, { scope: '*' }),
  'admissionregistration/v1.ServiceReference': (service) => setAbsent(service, { port: 443 }),
  'admissionregistration/v1.ValidatingAdmissionPolicySpec': (spec) =>
    setAbsent(spec, { failurePolicy: 'Fail' }),
  'admissionregistration/v1.MatchResources': (match) =>
    setAbsent(match, { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {} }),
  'apiextensions/v1.CustomResourceDefinition': customResourceDefinition,
  'apiextensions/v1.ServiceReference': (service) => setAbsent(service, { port: 443 }),
}

const rbac = 'rbac.authorization.k8s.io'

function replicationController(draft: Draft): void {
  const spec = childMade(draft, 'spec')
  setAbsent(spec, { replicas: 1, minReadySeconds: 0 })
  const template = child(spec, 'template')
  const metadata = template && child(template, 'metadata')
  const labels = metadata && child(metadata, 'labels')
  if (!labels) return
  setAbsent(spec, { selector: { ...labels } })
  setAbsent(childMade(draft, 'metadata'), { labels: { ...labels } })
}

function service(draft: Draft): void {
  const spec = childMade(draft, 'spec')
  setAbsent(spec, { type: 'ClusterIP', sessionAffinity: 'None' })
  sessionAffinity(spec)
  const type = spec['type']
  const outside = Array.isArray(spec['externalIPs']) && spec['externalIPs'].length > 0
  const reachable =
    type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && outside)
  if (reachable) setAbsent(spec, { externalTrafficPolicy: 'Cluster' })
  if (type === 'NodePort' || type === 'LoadBalancer' || type === 'ClusterIP') {
    setAbsent(spec, { internalTrafficPolicy: 'Cluster' })
  }
  if (type !== 'LoadBalancer') return
  setAbsent(spec, { allocateLoadBalancerNodePorts: true })
  const status = child(draft, 'status')
  const balancer = status && child(status, 'loadBalancer')
  for (const ingress of balancer ? children(balancer, 'ingress') : []) {
    if (ingress['ip'] !== undefined) setAbsent(ingress, { ipMode: 'VIP' })
  }
}

function sessionAffinity(spec: Draft): void {
  if (spec['sessionAffinity'] === 'None') delete spec['sessionAffinityConfig']
  if (spec['sessionAffinity'] !== 'ClientIP') return
  setAbsent(childMade(childMade(spec, 'sessionAffinityConfig'), 'clientIP'), {
    timeoutSeconds: 10800,
  })
}

function servicePort(port: Draft): void {
  setAbsent(port, { protocol: 'TCP' })
  const target = port['targetPort']
  if (target === undefined || target === 0 || target === '') port['targetPort'] = port['port']
}

/** `stringData` is a convenience of writers: it is stored as data. */
function secret(draft: Draft): void {
  setAbsent(draft, { type: 'Opaque' })
  const texts = child(draft, 'stringData')
  if (!texts) return
  const data = childMade(draft, 'data')
  for (const [key, text] of Object.entries(texts)) {
    data[key] = Buffer.from(String(text)).toString('base64')
  }
  delete draft['stringData']
}

function namespace(draft: Draft): void {
  const metadata = childMade(draft, 'metadata')
  if (metadata['name'] === undefined) return
  childMade(metadata, 'labels')['kubernetes.io/metadata.name'] = metadata['name']
}

function limitRangeItem(item: Draft): void {
  if (item['type'] !== 'Container') return
  const standard = { ...child(item, 'max'), ...child(item, 'default') }
  item['default'] = standard
  item['defaultRequest'] = {
    ...child(item, 'min'),
    ...standard,
    ...child(item, 'defaultRequest'),
  }
}

function deployment(draft: Draft): void {
  const spec = childMade(draft, 'spec')
  setAbsent(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 })
  const strategy = childMade(spec, 'strategy')
  setAbsent(strategy, { type: 'RollingUpdate' })
  if (strategy['type'] !== 'RollingUpdate') return
  setAbsent(childMade(strategy, 'rollingUpdate'), { maxUnavailable: '25%', maxSurge: '25%' })
}

function daemonSet(draft: Draft): void {
  const spec = childMade(draft, 'spec')
  setAbsent(spec, { revisionHistoryLimit: 10 })
  const strategy = childMade(spec, 'updateStrategy')
  setAbsent(strategy, { type: 'RollingUpdate' })
  if (strategy['type'] !== 'RollingUpdate') return
  setAbsent(childMade(strategy, 'rollingUpdate'), { maxUnavailable: 1, maxSurge: 0 })
}

function statefulSet(draft: Draft): void {
  const spec = childMade(draft, 'spec')
  setAbsent(spec, { podManagementPolicy: 'OrderedReady', replicas: 1, revisionHistoryLimit: 10 })
  const strategy = childMade(spec, 'updateStrategy')
  if (strategy['type'] === undefined) {
    strategy['type'] = 'RollingUpdate'
    childMade(strategy, 'rollingUpdate')
  }
  const rolling = strategy['type'] === 'RollingUpdate' && child(strategy, 'rollingUpdate')
  if (rolling) setAbsent(rolling, { partition: 0 })
  setAbsent(childMade(spec, 'persistentVolumeClaimRetentionPolicy'), {
    whenDeleted: 'Retain',
    whenScaled: 'Retain',
  })
  for (const claim of children(spec, 'volumeClaimTemplates')) {
    claim['kind'] = 'PersistentVolumeClaim'
    claim['apiVersion'] = 'v1'
  }
}

function job(draft: Draft): void {
  const spec = childMade(draft, 'spec')
  const single = spec['completions'] === undefined && spec['parallelism'] === undefined
  if (single) spec['completions'] = 1
  setAbsent(spec, {
    parallelism: 1,
    backoffLimit: spec['backoffLimitPerIndex'] === undefined ? 6 : 2147483647,
    completionMode: 'NonIndexed',
    suspend: false,
    podReplacementPolicy: spec['podFailurePolicy'] ? 'Failed' : 'TerminatingOrFailed',
    manualSelector: false,
  })
  const template = child(spec, 'template')
  const metadata = template && child(template, 'metadata')
  const labels = metadata && child(metadata, 'labels')
  if (labels) setAbsent(childMade(draft, 'metadata'), { labels: { ...labels } })
}

function autoscaler(draft: Draft): void {
  const spec = childMade(draft, 'spec')
  setAbsent(spec, { minReplicas: 1 })
  if (!Array.isArray(spec['metrics']) || spec['metrics'].length === 0) {
    const target = { type: 'Utilization', averageUtilization: 80 }
    spec['metrics'] = [{ type: 'Resource', resource: { name: 'cpu', target } }]
  }
  const behavior = child(spec, 'behavior')
  if (!behavior) return
  const percent = { type: 'Percent', value: 100, periodSeconds: 15 }
  setAbsent(childMade(behavior, 'scaleUp'), {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }, { ...percent }],
  })
  setAbsent(childMade(behavior, 'scaleDown'), { selectPolicy: 'Max', policies: [{ ...percent }] })
}

function networkPolicy(draft: Draft): void {
  const spec = childMade(draft, 'spec')
  const types = children(spec, 'egress').length > 0 ? ['Ingress', 'Egress'] : ['Ingress']
  setAbsent(spec, { policyTypes: types })
}

function webhook(draft: Draft): void {
  setAbsent(draft, {
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    objectSelector: {},
    timeoutSeconds: 10,
  })
}

function customResourceDefinition(draft: Draft): void {
  const spec = childMade(draft, 'spec')
  const names = childMade(spec, 'names')
  const kind = typeof names['kind'] === 'string' ? names['kind'] : ''
  if (!names['singular']) names['singular'] = kind.toLowerCase()
  if (kind !== '' && !names['listKind']) names['listKind'] = `${kind}List`
  setAbsent(spec, { conversion: { strategy: 'None' } })
  const status = childMade(draft, 'status')
  const storage = children(spec, 'versions').find((version) => version['storage'] === true)
  const known = Array.isArray(status['storedVersions']) && status['storedVersions'].length > 0
  if (storage && !known) status['storedVersions'] = [storage['name']]
}
