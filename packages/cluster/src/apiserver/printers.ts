import { parseQuantity } from '@serinus/kinds'
import type { UnknownObject } from '@serinus/kube'
import { humanDuration } from './durations.ts'
import { selectorText } from './scale.ts'
import { at, isObject, listAt, objectAt, textAt } from './values.ts'

/** `Name`, `Name:type`, with a leading `+` for columns only `-o wide` shows. */
export interface Printer {
  readonly columns: readonly string[]
  readonly row: (object: UnknownObject, now: number) => readonly unknown[]
}

const none = '<none>'

/** Columns of built-in kinds, as kube-apiserver prints them (pkg/printers/internalversion/printers.go). */
export const printers: Readonly<Record<string, Printer>> = {
  pods: {
    columns: [
      'Name',
      'Ready',
      'Status',
      'Restarts',
      'Age',
      '+IP',
      '+Node',
      '+Nominated Node',
      '+Readiness Gates',
    ],
    row: podRow,
  },
  podtemplates: {
    columns: ['Name', 'Containers', 'Images', 'Pod Labels'],
    row: (object) => [
      object.metadata.name,
      ...containersAndImages(objectAt(object, 'template', 'spec')),
      labelsText(at(object, 'template', 'metadata', 'labels')),
    ],
  },
  'poddisruptionbudgets.policy': {
    columns: ['Name', 'Min Available', 'Max Unavailable', 'Allowed Disruptions:integer', 'Age'],
    row: (object, now) => [
      object.metadata.name,
      orElse(at(object, 'spec', 'minAvailable'), 'N/A'),
      orElse(at(object, 'spec', 'maxUnavailable'), 'N/A'),
      at(object, 'status', 'disruptionsAllowed') ?? 0,
      ageOf(object, now),
    ],
  },
  replicationcontrollers: replicas(),
  'replicasets.apps': replicas(),
  'daemonsets.apps': {
    columns: [
      'Name',
      'Desired:integer',
      'Current:integer',
      'Ready:integer',
      'Up-to-date:integer',
      'Available:integer',
      'Node Selector',
      'Age',
      '+Containers',
      '+Images',
      '+Selector',
    ],
    row: (object, now) => [
      object.metadata.name,
      ...[
        'desiredNumberScheduled',
        'currentNumberScheduled',
        'numberReady',
        'updatedNumberScheduled',
        'numberAvailable',
      ].map((field) => at(object, 'status', field) ?? 0),
      labelsText(at(object, 'spec', 'template', 'spec', 'nodeSelector')),
      ageOf(object, now),
      ...containersAndImages(objectAt(object, 'spec', 'template', 'spec')),
      selectorText(at(object, 'spec', 'selector')) || none,
    ],
  },
  'deployments.apps': {
    columns: [
      'Name',
      'Ready',
      'Up-to-date',
      'Available',
      'Age',
      '+Containers',
      '+Images',
      '+Selector',
    ],
    row: (object, now) => [
      object.metadata.name,
      `${at(object, 'status', 'readyReplicas') ?? 0}/${at(object, 'spec', 'replicas') ?? 0}`,
      at(object, 'status', 'updatedReplicas') ?? 0,
      at(object, 'status', 'availableReplicas') ?? 0,
      ageOf(object, now),
      ...containersAndImages(objectAt(object, 'spec', 'template', 'spec')),
      selectorText(at(object, 'spec', 'selector')) || none,
    ],
  },
  'statefulsets.apps': {
    columns: ['Name', 'Ready', 'Age', '+Containers', '+Images'],
    row: (object, now) => [
      object.metadata.name,
      `${at(object, 'status', 'readyReplicas') ?? 0}/${at(object, 'spec', 'replicas') ?? 0}`,
      ageOf(object, now),
      ...containersAndImages(objectAt(object, 'spec', 'template', 'spec')),
    ],
  },
  'jobs.batch': {
    columns: [
      'Name',
      'Status',
      'Completions',
      'Duration',
      'Age',
      '+Containers',
      '+Images',
      '+Selector',
    ],
    row: jobRow,
  },
  'cronjobs.batch': {
    columns: [
      'Name',
      'Schedule',
      'Timezone',
      'Suspend:boolean',
      'Active:integer',
      'Last Schedule',
      'Age',
      '+Containers',
      '+Images',
      '+Selector',
    ],
    row: (object, now) => [
      object.metadata.name,
      textAt(object, 'spec', 'schedule'),
      textAt(object, 'spec', 'timeZone') || none,
      at(object, 'spec', 'suspend') === true ? 'True' : 'False',
      listAt(object, 'status', 'active').length,
      textAt(object, 'status', 'lastScheduleTime') === ''
        ? none
        : since(textAt(object, 'status', 'lastScheduleTime'), now),
      ageOf(object, now),
      ...containersAndImages(objectAt(object, 'spec', 'jobTemplate', 'spec', 'template', 'spec')),
      selectorText(at(object, 'spec', 'jobTemplate', 'spec', 'selector')) || none,
    ],
  },
  services: {
    columns: ['Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', '+Selector'],
    row: (object, now) => [
      object.metadata.name,
      textAt(object, 'spec', 'type'),
      textAt(object, 'spec', 'clusterIP') || none,
      externalIp(object),
      servicePorts(object),
      ageOf(object, now),
      labelsText(at(object, 'spec', 'selector')),
    ],
  },
  'ingresses.networking.k8s.io': {
    columns: ['Name', 'Class', 'Hosts', 'Address', 'Ports', 'Age'],
    row: (object, now) => [
      object.metadata.name,
      textAt(object, 'spec', 'ingressClassName') ||
        object.metadata.annotations?.['kubernetes.io/ingress.class'] ||
        none,
      ingressHosts(object),
      loadBalancerAddresses(object),
      listAt(object, 'spec', 'tls').length > 0 ? '80, 443' : '80',
      ageOf(object, now),
    ],
  },
  'ingressclasses.networking.k8s.io': {
    columns: ['Name', 'Controller', 'Parameters', 'Age'],
    row: (object, now) => {
      const parameters = at(object, 'spec', 'parameters')
      const group = textAt(parameters, 'apiGroup')
      return [
        object.metadata.name,
        textAt(object, 'spec', 'controller'),
        isObject(parameters)
          ? `${textAt(parameters, 'kind')}${group === '' ? '' : `.${group}`}/${textAt(parameters, 'name')}`
          : none,
        ageOf(object, now),
      ]
    },
  },
  endpoints: {
    columns: ['Name', 'Endpoints', 'Age'],
    row: (object, now) => [object.metadata.name, endpointsText(object), ageOf(object, now)],
  },
  'endpointslices.discovery.k8s.io': {
    columns: ['Name', 'AddressType', 'Ports', 'Endpoints', 'Age'],
    row: (object, now) => {
      const ports = listAt(object, 'ports').map((port) => String(at(port, 'port') ?? '*'))
      const addresses = listAt(object, 'endpoints').flatMap((endpoint) =>
        listAt(endpoint, 'addresses').map(String),
      )
      return [
        object.metadata.name,
        textAt(object, 'addressType'),
        shortened(ports, '<unset>'),
        shortened(addresses, '<unset>'),
        ageOf(object, now),
      ]
    },
  },
  nodes: {
    columns: [
      'Name',
      'Status',
      'Roles',
      'Age',
      'Version',
      '+Internal-IP',
      '+External-IP',
      '+OS-Image',
      '+Kernel-Version',
      '+Container-Runtime',
    ],
    row: nodeRow,
  },
  events: event('involvedObject', 'message'),
  'events.events.k8s.io': event('regarding', 'note'),
  namespaces: {
    columns: ['Name', 'Status', 'Age'],
    row: (object, now) => [
      object.metadata.name,
      textAt(object, 'status', 'phase'),
      ageOf(object, now),
    ],
  },
  secrets: {
    columns: ['Name', 'Type', 'Data', 'Age'],
    row: (object, now) => [
      object.metadata.name,
      textAt(object, 'type'),
      Object.keys(objectAt(object, 'data')).length,
      ageOf(object, now),
    ],
  },
  serviceaccounts: {
    columns: ['Name', 'Secrets', 'Age'],
    row: (object, now) => [
      object.metadata.name,
      listAt(object, 'secrets').length,
      ageOf(object, now),
    ],
  },
  configmaps: {
    columns: ['Name', 'Data', 'Age'],
    row: (object, now) => [
      object.metadata.name,
      Object.keys(objectAt(object, 'data')).length +
        Object.keys(objectAt(object, 'binaryData')).length,
      ageOf(object, now),
    ],
  },
  persistentvolumeclaims: {
    columns: [
      'Name',
      'Status',
      'Volume',
      'Capacity',
      'Access Modes',
      'StorageClass',
      'VolumeAttributesClass',
      'Age',
      '+VolumeMode',
    ],
    row: (object, now) => [
      object.metadata.name,
      object.metadata.deletionTimestamp ? 'Terminating' : textAt(object, 'status', 'phase'),
      textAt(object, 'spec', 'volumeName'),
      textAt(object, 'status', 'capacity', 'storage'),
      accessModes(listAt(object, 'status', 'accessModes')),
      textAt(object, 'spec', 'storageClassName'),
      textAt(object, 'spec', 'volumeAttributesClassName') || '<unset>',
      ageOf(object, now),
      textAt(object, 'spec', 'volumeMode') || '<unset>',
    ],
  },
  persistentvolumes: {
    columns: [
      'Name',
      'Capacity',
      'Access Modes',
      'Reclaim Policy',
      'Status',
      'Claim',
      'StorageClass',
      'VolumeAttributesClass',
      'Reason',
      'Age',
      '+VolumeMode',
    ],
    row: (object, now) => {
      const claim = at(object, 'spec', 'claimRef')
      return [
        object.metadata.name,
        textAt(object, 'spec', 'capacity', 'storage'),
        accessModes(listAt(object, 'spec', 'accessModes')),
        textAt(object, 'spec', 'persistentVolumeReclaimPolicy'),
        object.metadata.deletionTimestamp ? 'Terminating' : textAt(object, 'status', 'phase'),
        claim ? `${textAt(claim, 'namespace')}/${textAt(claim, 'name')}` : '',
        textAt(object, 'spec', 'storageClassName'),
        textAt(object, 'spec', 'volumeAttributesClassName') || '<unset>',
        textAt(object, 'status', 'reason'),
        ageOf(object, now),
        textAt(object, 'spec', 'volumeMode') || '<unset>',
      ]
    },
  },
  'volumeattachments.storage.k8s.io': {
    columns: ['Name', 'Attacher', 'PV', 'Node', 'Attached:boolean', 'Age'],
    row: (object, now) => [
      object.metadata.name,
      textAt(object, 'spec', 'attacher'),
      textAt(object, 'spec', 'source', 'persistentVolumeName'),
      textAt(object, 'spec', 'nodeName'),
      at(object, 'status', 'attached') ?? false,
      ageOf(object, now),
    ],
  },
  'networkpolicies.networking.k8s.io': {
    columns: ['Name', 'Pod-Selector', 'Age'],
    row: (object, now) => [
      object.metadata.name,
      selectorText(at(object, 'spec', 'podSelector')) || none,
      ageOf(object, now),
    ],
  },
  'rolebindings.rbac.authorization.k8s.io': binding(),
  'clusterrolebindings.rbac.authorization.k8s.io': binding(),
  'horizontalpodautoscalers.autoscaling': {
    columns: ['Name', 'Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas', 'Age'],
    row: (object, now) => [
      object.metadata.name,
      `${textAt(object, 'spec', 'scaleTargetRef', 'kind')}/${textAt(object, 'spec', 'scaleTargetRef', 'name')}`,
      autoscalerTargets(object),
      String(at(object, 'spec', 'minReplicas') ?? '<unset>'),
      at(object, 'spec', 'maxReplicas') ?? 0,
      at(object, 'status', 'currentReplicas') ?? 0,
      ageOf(object, now),
    ],
  },
  'leases.coordination.k8s.io': {
    columns: ['Name', 'Holder', 'Age'],
    row: (object, now) => [
      object.metadata.name,
      textAt(object, 'spec', 'holderIdentity'),
      ageOf(object, now),
    ],
  },
  'priorityclasses.scheduling.k8s.io': {
    columns: ['Name', 'Value:integer', 'Global-Default:boolean', 'Age', 'PreemptionPolicy'],
    row: (object, now) => [
      object.metadata.name,
      at(object, 'value') ?? 0,
      at(object, 'globalDefault') ?? false,
      ageOf(object, now),
      textAt(object, 'preemptionPolicy'),
    ],
  },
  'storageclasses.storage.k8s.io': {
    columns: [
      'Name',
      'Provisioner',
      'ReclaimPolicy',
      'VolumeBindingMode',
      'AllowVolumeExpansion',
      'Age',
    ],
    row: (object, now) => [
      `${object.metadata.name}${object.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true' ? ' (default)' : ''}`,
      textAt(object, 'provisioner'),
      textAt(object, 'reclaimPolicy') || 'Delete',
      textAt(object, 'volumeBindingMode') || 'Immediate',
      at(object, 'allowVolumeExpansion') ?? false,
      ageOf(object, now),
    ],
  },
  'controllerrevisions.apps': {
    columns: ['Name', 'Controller', 'Revision', 'Age'],
    row: (object, now) => {
      const owner = object.metadata.ownerReferences?.find(({ controller }) => controller)
      const group = owner?.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : ''
      return [
        object.metadata.name,
        owner ? `${owner.kind.toLowerCase()}${group}/${owner.name}` : none,
        at(object, 'revision') ?? 0,
        ageOf(object, now),
      ]
    },
  },
  resourcequotas: {
    columns: ['Name', 'Request', 'Limit', 'Age'],
    row: quotaRow,
  },
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': webhooks(),
  'validatingwebhookconfigurations.admissionregistration.k8s.io': webhooks(),
}

/** For kinds without a printer of their own. */
export const standardPrinter: Printer = {
  columns: ['Name', 'Created At:date'],
  row: (object) => [object.metadata.name, object.metadata.creationTimestamp ?? ''],
}

function ageOf(object: UnknownObject, now: number): string {
  return since(object.metadata.creationTimestamp ?? '', now)
}

/** How long ago an instant was, in kubectl's words. */
export function since(time: string, now: number): string {
  const at = Date.parse(time)
  return Number.isNaN(at) ? '<unknown>' : humanDuration(now - at)
}

function orElse(value: unknown, other: string): string {
  return value === undefined || value === null ? other : String(value)
}

function labelsText(labels: unknown): string {
  if (!isObject(labels)) return none
  const text = Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`)
    .join(',')
  return text === '' ? none : text
}

function containersAndImages(podSpec: unknown): readonly [string, string] {
  const containers = listAt(podSpec, 'containers')
  return [
    containers.map((container) => textAt(container, 'name')).join(','),
    containers.map((container) => textAt(container, 'image')).join(','),
  ]
}

function shortened(items: readonly string[], empty: string): string {
  if (items.length === 0) return empty
  const shown = items.slice(0, 3).join(',')
  return items.length > 3 ? `${shown} + ${items.length - 3} more...` : shown
}

function replicas(): Printer {
  return {
    columns: [
      'Name',
      'Desired:integer',
      'Current:integer',
      'Ready:integer',
      'Age',
      '+Containers',
      '+Images',
      '+Selector',
    ],
    row: (object, now) => [
      object.metadata.name,
      at(object, 'spec', 'replicas') ?? 0,
      at(object, 'status', 'replicas') ?? 0,
      at(object, 'status', 'readyReplicas') ?? 0,
      ageOf(object, now),
      ...containersAndImages(objectAt(object, 'spec', 'template', 'spec')),
      selectorText(at(object, 'spec', 'selector')) || none,
    ],
  }
}

function podRow(object: UnknownObject, now: number): readonly unknown[] {
  const { ready, total, reason, restarts, lastRestart } = podSummary(object)
  const restartText =
    restarts > 0 && lastRestart !== ''
      ? `${restarts} (${since(lastRestart, now)} ago)`
      : String(restarts)
  const gates = listAt(object, 'spec', 'readinessGates')
  const conditions = listAt(object, 'status', 'conditions')
  const trueGates = gates.filter((gate) =>
    conditions.some(
      (condition) =>
        textAt(condition, 'type') === textAt(gate, 'conditionType') &&
        textAt(condition, 'status') === 'True',
    ),
  )
  const ip =
    textAt(listAt(object, 'status', 'podIPs')[0], 'ip') || textAt(object, 'status', 'podIP')
  return [
    object.metadata.name,
    `${ready}/${total}`,
    reason,
    restartText,
    ageOf(object, now),
    ip || none,
    textAt(object, 'spec', 'nodeName') || none,
    textAt(object, 'status', 'nominatedNodeName') || none,
    gates.length > 0 ? `${trueGates.length}/${gates.length}` : none,
  ]
}

/** The words kubectl shows in STATUS, from phase, container states and deletion (printPod). */
function podSummary(object: UnknownObject) {
  const isSidecar = (container: unknown) => textAt(container, 'restartPolicy') === 'Always'
  const initContainers = listAt(object, 'spec', 'initContainers')
  const sidecars = new Map(
    initContainers.map((container) => [textAt(container, 'name'), isSidecar(container)]),
  )
  let total = listAt(object, 'spec', 'containers').length
  let ready = 0
  let restarts = 0
  let sidecarRestarts = 0
  let lastRestart = ''
  let reason = textAt(object, 'status', 'reason') || textAt(object, 'status', 'phase')
  const conditions = listAt(object, 'status', 'conditions')
  for (const condition of conditions) {
    if (
      textAt(condition, 'type') === 'PodScheduled' &&
      textAt(condition, 'reason') === 'SchedulingGated'
    ) {
      reason = 'SchedulingGated'
    }
  }
  total += initContainers.filter(isSidecar).length
  let initializing = false
  const initStatuses = listAt(object, 'status', 'initContainerStatuses')
  for (let index = 0; index < initStatuses.length; index++) {
    const status = initStatuses[index]
    const sidecar = sidecars.get(textAt(status, 'name')) === true
    restarts += Number(at(status, 'restartCount') ?? 0)
    const ended = textAt(status, 'lastState', 'terminated', 'finishedAt')
    if (ended > lastRestart) lastRestart = ended
    if (sidecar) sidecarRestarts += Number(at(status, 'restartCount') ?? 0)
    const terminated = at(status, 'state', 'terminated')
    if (isObject(terminated) && terminated['exitCode'] === 0) continue
    if (isObject(terminated) && terminated['exitCode'] === undefined) continue
    if (sidecar && at(status, 'started') === true) {
      if (at(status, 'ready') === true) ready++
      continue
    }
    if (isObject(terminated)) reason = `Init:${terminationReason(terminated)}`
    else {
      const waiting = textAt(status, 'state', 'waiting', 'reason')
      reason =
        waiting !== '' && waiting !== 'PodInitializing'
          ? `Init:${waiting}`
          : `Init:${index}/${initContainers.length}`
    }
    initializing = true
    break
  }
  const initialized = conditions.some(
    (condition) =>
      textAt(condition, 'type') === 'Initialized' && textAt(condition, 'status') === 'True',
  )
  if (!initializing || initialized) {
    restarts = sidecarRestarts
    let running = false
    for (const status of [...listAt(object, 'status', 'containerStatuses')].reverse()) {
      restarts += Number(at(status, 'restartCount') ?? 0)
      const ended = textAt(status, 'lastState', 'terminated', 'finishedAt')
      if (ended > lastRestart) lastRestart = ended
      const waiting = textAt(status, 'state', 'waiting', 'reason')
      const terminated = at(status, 'state', 'terminated')
      if (waiting !== '') reason = waiting
      else if (isObject(terminated)) reason = terminationReason(terminated)
      else if (at(status, 'ready') === true && isObject(at(status, 'state', 'running'))) {
        running = true
        ready++
      }
    }
    if (reason === 'Completed' && running) {
      const isReady = conditions.some(
        (condition) =>
          textAt(condition, 'type') === 'Ready' && textAt(condition, 'status') === 'True',
      )
      reason = isReady ? 'Running' : 'NotReady'
    }
  }
  const phase = textAt(object, 'status', 'phase')
  if (object.metadata.deletionTimestamp && textAt(object, 'status', 'reason') === 'NodeLost')
    reason = 'Unknown'
  else if (object.metadata.deletionTimestamp && phase !== 'Succeeded' && phase !== 'Failed')
    reason = 'Terminating'
  return { ready, total, reason, restarts, lastRestart }
}

function terminationReason(terminated: Readonly<Record<string, unknown>>): string {
  const reason = textAt(terminated, 'reason')
  if (reason !== '') return reason
  const signal = at(terminated, 'signal')
  return signal ? `Signal:${signal}` : `ExitCode:${at(terminated, 'exitCode') ?? 0}`
}

function jobRow(object: UnknownObject, now: number): readonly unknown[] {
  const conditions = listAt(object, 'status', 'conditions')
  const has = (type: string) =>
    conditions.some(
      (condition) => textAt(condition, 'type') === type && textAt(condition, 'status') === 'True',
    )
  const status = has('Complete')
    ? 'Complete'
    : has('Failed')
      ? 'Failed'
      : object.metadata.deletionTimestamp
        ? 'Terminating'
        : has('Suspended')
          ? 'Suspended'
          : has('FailureTarget')
            ? 'FailureTarget'
            : has('SuccessCriteriaMet')
              ? 'SuccessCriteriaMet'
              : 'Running'
  const succeeded = at(object, 'status', 'succeeded') ?? 0
  const completions = at(object, 'spec', 'completions')
  const parallelism = Number(at(object, 'spec', 'parallelism') ?? 0)
  const completionText =
    completions !== undefined
      ? `${succeeded}/${completions}`
      : parallelism > 1
        ? `${succeeded}/1 of ${parallelism}`
        : `${succeeded}/1`
  const started = Date.parse(textAt(object, 'status', 'startTime'))
  const ended = Date.parse(textAt(object, 'status', 'completionTime'))
  const duration = Number.isNaN(started)
    ? ''
    : humanDuration((Number.isNaN(ended) ? now : ended) - started)
  return [
    object.metadata.name,
    status,
    completionText,
    duration,
    ageOf(object, now),
    ...containersAndImages(objectAt(object, 'spec', 'template', 'spec')),
    selectorText(at(object, 'spec', 'selector')) || none,
  ]
}

function externalIp(object: UnknownObject): string {
  const given = listAt(object, 'spec', 'externalIPs').map(String)
  switch (textAt(object, 'spec', 'type')) {
    case 'LoadBalancer': {
      const addresses = [loadBalancerAddresses(object), ...given].filter((text) => text !== '')
      return addresses.length > 0 ? addresses.join(',') : '<pending>'
    }
    case 'ExternalName':
      return textAt(object, 'spec', 'externalName')
    default:
      return given.length > 0 ? given.join(',') : none
  }
}

function loadBalancerAddresses(object: UnknownObject): string {
  return listAt(object, 'status', 'loadBalancer', 'ingress')
    .map((entry) => textAt(entry, 'ip') || textAt(entry, 'hostname'))
    .filter((text) => text !== '')
    .join(',')
}

function servicePorts(object: UnknownObject): string {
  const ports = listAt(object, 'spec', 'ports').map((port) => {
    const nodePort = at(port, 'nodePort')
    return `${at(port, 'port')}${nodePort ? `:${nodePort}` : ''}/${textAt(port, 'protocol')}`
  })
  return ports.length > 0 ? ports.join(',') : none
}

function ingressHosts(object: UnknownObject): string {
  const hosts = listAt(object, 'spec', 'rules')
    .map((rule) => textAt(rule, 'host'))
    .filter((host) => host !== '')
  if (hosts.length === 0) return '*'
  return hosts.length > 3
    ? `${hosts.slice(0, 3).join(',')} + ${hosts.length - 3} more...`
    : hosts.join(',')
}

function endpointsText(object: UnknownObject): string {
  const all = listAt(object, 'subsets').flatMap((subset) => {
    const ports = listAt(subset, 'ports')
    return listAt(subset, 'addresses').flatMap((address) =>
      ports.length === 0
        ? [textAt(address, 'ip')]
        : ports.map((port) => `${textAt(address, 'ip')}:${at(port, 'port')}`),
    )
  })
  return shortened(all, none)
}

function nodeRow(object: UnknownObject, now: number): readonly unknown[] {
  const ready = listAt(object, 'status', 'conditions').find(
    (condition) => textAt(condition, 'type') === 'Ready',
  )
  const words = [ready ? (textAt(ready, 'status') === 'True' ? 'Ready' : 'NotReady') : 'Unknown']
  if (at(object, 'spec', 'unschedulable') === true) words.push('SchedulingDisabled')
  const prefix = 'node-role.kubernetes.io/'
  const roles = Object.keys(object.metadata.labels ?? {})
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
    .sort()
  const address = (type: string) =>
    textAt(
      listAt(object, 'status', 'addresses').find((entry) => textAt(entry, 'type') === type),
      'address',
    ) || none
  const info = (field: string) => textAt(object, 'status', 'nodeInfo', field) || '<unknown>'
  return [
    object.metadata.name,
    words.join(','),
    roles.length > 0 ? roles.join(',') : none,
    ageOf(object, now),
    textAt(object, 'status', 'nodeInfo', 'kubeletVersion'),
    address('InternalIP'),
    address('ExternalIP'),
    info('osImage'),
    info('kernelVersion'),
    info('containerRuntimeVersion'),
  ]
}

function event(reference: string, message: string): Printer {
  const source = reference === 'involvedObject' ? 'source' : 'deprecatedSource'
  const first = reference === 'involvedObject' ? 'firstTimestamp' : 'deprecatedFirstTimestamp'
  const last = reference === 'involvedObject' ? 'lastTimestamp' : 'deprecatedLastTimestamp'
  const count = reference === 'involvedObject' ? 'count' : 'deprecatedCount'
  return {
    columns: [
      'Last Seen',
      'Type',
      'Reason',
      'Object',
      '+Subobject',
      '+Source',
      'Message',
      '+First Seen',
      '+Count',
      '+Name',
    ],
    row: (object, now) => {
      const eventTime = textAt(object, 'eventTime')
      const firstSeen = textAt(object, first) || eventTime
      const series = at(object, 'series')
      const lastSeen = isObject(series)
        ? textAt(series, 'lastObservedTime')
        : textAt(object, last) || firstSeen
      const kind = textAt(object, reference, 'kind').toLowerCase()
      const name = textAt(object, reference, 'name')
      const component =
        textAt(object, source, 'component') ||
        textAt(object, 'reportingComponent') ||
        textAt(object, 'reportingController')
      const host = textAt(object, source, 'host') || textAt(object, 'reportingInstance')
      return [
        since(lastSeen, now),
        textAt(object, 'type'),
        textAt(object, 'reason'),
        name === '' ? kind : `${kind}/${name}`,
        textAt(object, reference, 'fieldPath'),
        host === '' ? component : `${component}, ${host}`,
        textAt(object, message).trim(),
        since(firstSeen, now),
        isObject(series) ? series['count'] : at(object, count) || 1,
        object.metadata.name,
      ]
    },
  }
}

function accessModes(modes: readonly unknown[]): string {
  const short: Readonly<Record<string, string>> = {
    ReadWriteOnce: 'RWO',
    ReadOnlyMany: 'ROX',
    ReadWriteMany: 'RWX',
    ReadWriteOncePod: 'RWOP',
  }
  return modes.map((mode) => short[String(mode)] ?? String(mode)).join(',')
}

function binding(): Printer {
  return {
    columns: ['Name', 'Role', 'Age', '+Users', '+Groups', '+ServiceAccounts'],
    row: (object, now) => {
      const subjects = (kind: string) =>
        listAt(object, 'subjects')
          .filter((subject) => textAt(subject, 'kind') === kind)
          .map((subject) =>
            kind === 'ServiceAccount'
              ? `${textAt(subject, 'namespace')}/${textAt(subject, 'name')}`
              : textAt(subject, 'name'),
          )
          .join(', ')
      return [
        object.metadata.name,
        `${textAt(object, 'roleRef', 'kind')}/${textAt(object, 'roleRef', 'name')}`,
        ageOf(object, now),
        subjects('User'),
        subjects('Group'),
        subjects('ServiceAccount'),
      ]
    },
  }
}

function autoscalerTargets(object: UnknownObject): string {
  const metrics = listAt(object, 'spec', 'metrics')
  const current = listAt(object, 'status', 'currentMetrics')
  if (metrics.length === 0) {
    const target = at(object, 'spec', 'targetCPUUtilizationPercentage')
    if (target === undefined) return none
    const value = at(object, 'status', 'currentCPUUtilizationPercentage')
    return `cpu: ${value === undefined ? '<unknown>' : `${value}%`}/${target}%`
  }
  const texts = metrics.map((metric, index) => {
    const kind =
      {
        Resource: 'resource',
        Pods: 'pods',
        Object: 'object',
        External: 'external',
        ContainerResource: 'containerResource',
      }[textAt(metric, 'type')] ?? 'resource'
    const target = objectAt(metric, kind, 'target')
    const now = objectAt(current[index], kind, 'current')
    const name = textAt(metric, kind, 'name')
    if (target['averageUtilization'] !== undefined) {
      const value = now['averageUtilization']
      return `${name}: ${value === undefined ? '<unknown>' : `${value}%`}/${target['averageUtilization']}%`
    }
    const prefix = name === '' ? '' : `${name}: `
    if (target['averageValue'] !== undefined) {
      const suffix = kind === 'resource' || kind === 'pods' ? '' : ' (avg)'
      return `${prefix}${orElse(now['averageValue'], '<unknown>')}/${String(target['averageValue'])}${suffix}`
    }
    return `${prefix}${orElse(now['value'], '<unknown>')}/${orElse(target['value'], '<auto>')}`
  })
  return texts.length > 2
    ? `${texts.slice(0, 2).join(', ')} + ${texts.length - 2} more...`
    : texts.join(', ')
}

function quotaRow(object: UnknownObject, now: number): readonly unknown[] {
  const hard = objectAt(object, 'status', 'hard')
  const used = objectAt(object, 'status', 'used')
  const requests: string[] = []
  const limits: string[] = []
  for (const name of Object.keys(hard).sort()) {
    const usedText = parseQuantity(String(used[name] ?? '0'))?.canonical ?? '0'
    const text = `${name}: ${usedText}/${String(hard[name])}`
    if (name.startsWith('limits')) limits.push(text)
    else requests.push(text)
  }
  return [object.metadata.name, requests.join(', '), limits.join(', '), ageOf(object, now)]
}

function webhooks(): Printer {
  return {
    columns: ['Name', 'Webhooks:integer', 'Age'],
    row: (object, now) => [
      object.metadata.name,
      listAt(object, 'webhooks').length,
      ageOf(object, now),
    ],
  }
}
