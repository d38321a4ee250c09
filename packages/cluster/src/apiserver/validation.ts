import { parseQuantity } from '@serinus/kinds'
import type { UnknownObject } from '@serinus/kube'
import {
  configMapKeyProblems,
  dns1035LabelProblems,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  envVarNameProblems,
  labelKeyProblems,
  labelValueProblems,
  pathSegmentProblems,
  portNameProblems,
  portNumberProblems,
} from './names.ts'
import { matchesLabelSelector } from './selectors.ts'
import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from './status-error.ts'
import { at, isObject, listAt, objectAt, sameJson, textAt } from './values.ts'

/**
 * The mistakes that people make in built-in kinds, in the words of kube-apiserver (pkg/apis/…/validation).
 * Objects come with their defaults.
 */
export function validateBuiltIn(
  id: string,
  object: UnknownObject,
  old: UnknownObject | undefined,
): readonly FieldError[] {
  const errors: FieldError[] = []
  const check = kinds[id]
  if (check) check(object, old, errors)
  return errors
}

type Check = (object: UnknownObject, old: UnknownObject | undefined, errors: FieldError[]) => void

const kinds: Readonly<Record<string, Check>> = {
  pods: (object, old, errors) => {
    if (old) podUpdate(object, old, errors)
    else podSpec(objectAt(object, 'spec'), 'spec', errors)
  },
  'deployments.apps': (object, old, errors) => {
    workload(object, errors)
    deploymentStrategy(objectAt(object, 'spec'), errors)
    immutable(object, old, ['spec', 'selector'], errors)
  },
  'replicasets.apps': (object, old, errors) => {
    workload(object, errors)
    immutable(object, old, ['spec', 'selector'], errors)
  },
  'daemonsets.apps': (object, old, errors) => {
    workload(object, errors)
    immutable(object, old, ['spec', 'selector'], errors)
  },
  'statefulsets.apps': (object, old, errors) => {
    workload(object, errors)
    statefulSetUpdate(object, old, errors)
  },
  replicationcontrollers: (object, _old, errors) => {
    podTemplate(objectAt(object, 'spec', 'template'), 'spec.template', errors)
  },
  'jobs.batch': job,
  'cronjobs.batch': cronJob,
  services: service,
  configmaps: configMap,
  secrets: secret,
  'ingresses.networking.k8s.io': ingress,
  'rolebindings.rbac.authorization.k8s.io': roleBinding,
  'clusterrolebindings.rbac.authorization.k8s.io': roleBinding,
  'horizontalpodautoscalers.autoscaling': autoscaler,
  'poddisruptionbudgets.policy': disruptionBudget,
  resourcequotas: (object, _old, errors) =>
    quantities(at(object, 'spec', 'hard'), 'spec.hard', errors),
  persistentvolumeclaims: (object, _old, errors) => {
    quantities(at(object, 'spec', 'resources', 'requests'), 'spec.resources.requests', errors)
    if (listAt(object, 'spec', 'accessModes').length === 0) {
      errors.push(required('spec.accessModes', 'at least 1 access mode is required'))
    }
  },
}

/** Name and labels of any object; `id` decides what a name may look like. */
export function validateMetadata(
  id: string,
  object: UnknownObject,
  custom: boolean,
): readonly FieldError[] {
  const errors: FieldError[] = []
  const { metadata } = object
  const problems = custom ? dns1123SubdomainProblems : nameRule(id)
  if (metadata.generateName !== undefined && metadata.generateName !== '') {
    for (const problem of problems(metadata.generateName.replace(/[-.]$/, ''))) {
      errors.push(invalidValue('metadata.generateName', metadata.generateName, problem))
    }
  }
  if (!metadata.name) errors.push(required('metadata.name', 'name or generateName is required'))
  else {
    for (const problem of problems(metadata.name)) {
      errors.push(invalidValue('metadata.name', metadata.name, problem))
    }
  }
  labels(metadata.labels, 'metadata.labels', errors)
  annotations(metadata.annotations, 'metadata.annotations', errors)
  ownerReferences(metadata.ownerReferences, errors)
  for (const finalizer of metadata.finalizers ?? []) {
    for (const problem of labelKeyProblems(finalizer)) {
      errors.push(invalidValue('metadata.finalizers', finalizer, problem))
    }
  }
  return errors
}

/** Metadata that an update may not change. */
export function validateMetadataUpdate(
  object: UnknownObject,
  old: UnknownObject,
): readonly FieldError[] {
  const errors: FieldError[] = []
  const before = old.metadata.finalizers ?? []
  const added = (object.metadata.finalizers ?? []).filter((name) => !before.includes(name))
  if (old.metadata.deletionTimestamp !== undefined && added.length > 0) {
    errors.push(
      forbiddenField(
        'metadata.finalizers',
        `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added
          .map((name) => JSON.stringify(name))
          .join(', ')}}`,
      ),
    )
  }
  return errors
}

function nameRule(id: string): (name: string) => readonly string[] {
  switch (id) {
    case 'namespaces':
      return dns1123LabelProblems
    case 'services':
      return dns1035LabelProblems
    case 'roles.rbac.authorization.k8s.io':
    case 'rolebindings.rbac.authorization.k8s.io':
    case 'clusterroles.rbac.authorization.k8s.io':
    case 'clusterrolebindings.rbac.authorization.k8s.io':
      return pathSegmentProblems
    default:
      return dns1123SubdomainProblems
  }
}

function labels(value: unknown, path: string, errors: FieldError[]): void {
  if (!isObject(value)) return
  for (const key in value) {
    for (const problem of labelKeyProblems(key)) errors.push(invalidValue(path, key, problem))
    const text = String(value[key])
    for (const problem of labelValueProblems(text)) errors.push(invalidValue(path, text, problem))
  }
}

const annotationLimit = 256 * 1024

function annotations(value: unknown, path: string, errors: FieldError[]): void {
  if (!isObject(value)) return
  let size = 0
  for (const key in value) {
    for (const problem of labelKeyProblems(key.toLowerCase())) {
      errors.push(invalidValue(path, key, problem))
    }
    size += Buffer.byteLength(key) + Buffer.byteLength(String(value[key]))
  }
  if (size > annotationLimit) errors.push(tooLong(path, annotationLimit))
}

function ownerReferences(value: unknown, errors: FieldError[]): void {
  const controllers: string[] = []
  const list = Array.isArray(value) ? (value as readonly unknown[]) : []
  list.forEach((reference, index) => {
    const path = `metadata.ownerReferences[${index}]`
    const problem = (field: string) =>
      errors.push(invalidValue(`${path}.${field}`, '', 'must not be empty'))
    if (textAt(reference, 'apiVersion') === '') {
      errors.push(invalidValue(`${path}.apiVersion`, '', 'version must not be empty'))
    }
    if (textAt(reference, 'kind') === '') problem('kind')
    if (textAt(reference, 'name') === '') problem('name')
    if (textAt(reference, 'uid') === '') problem('uid')
    if (at(reference, 'controller') === true) {
      controllers.push(`${textAt(reference, 'kind')} ${textAt(reference, 'name')}`)
    }
  })
  if (controllers.length > 1) {
    errors.push(
      invalidValue(
        'metadata.ownerReferences',
        value,
        `Only one reference can have Controller set to true. Found "true" in references for ${controllers[0]?.replace(' ', '/')} and ${controllers[1]?.replace(' ', '/')}`,
      ),
    )
  }
}

function workload(object: UnknownObject, errors: FieldError[]): void {
  const spec = objectAt(object, 'spec')
  nonNegative(at(spec, 'replicas'), 'spec.replicas', errors)
  nonNegative(at(spec, 'minReadySeconds'), 'spec.minReadySeconds', errors)
  nonNegative(at(spec, 'revisionHistoryLimit'), 'spec.revisionHistoryLimit', errors)
  const selector = at(spec, 'selector')
  const template = objectAt(spec, 'template')
  const templateLabels = objectAt(template, 'metadata', 'labels') as Record<string, string>
  const empty =
    Object.keys(objectAt(selector, 'matchLabels')).length === 0 &&
    listAt(selector, 'matchExpressions').length === 0
  if (selector === undefined || selector === null) errors.push(required('spec.selector'))
  else {
    labelSelector(selector, 'spec.selector', errors)
    if (empty) {
      const detail = `empty selector is invalid for ${selectorOwner(object)}`
      errors.push(invalidValue('spec.selector', selector, detail))
    }
  }
  // A missing selector selects nothing, an empty one everything.
  if (!matchesLabelSelector(selector, templateLabels)) {
    errors.push(
      invalidValue(
        'spec.template.metadata.labels',
        at(template, 'metadata', 'labels') ?? null,
        '`selector` does not match template `labels`',
      ),
    )
  }
  podTemplate(template, 'spec.template', errors)
  const policy = at(template, 'spec', 'restartPolicy')
  if (policy !== undefined && policy !== 'Always') {
    errors.push(notSupported('spec.template.spec.restartPolicy', policy, ['Always']))
  }
}

/** Upstream's text for ReplicaSets says `deployment` (pkg/apis/apps/validation/validation.go). */
function selectorOwner(object: UnknownObject): string {
  return object.kind === 'ReplicaSet' ? 'deployment' : object.kind.toLowerCase()
}

function labelSelector(selector: unknown, path: string, errors: FieldError[]): void {
  labels(at(selector, 'matchLabels'), `${path}.matchLabels`, errors)
  listAt(selector, 'matchExpressions').forEach((expression, index) => {
    const where = `${path}.matchExpressions[${index}]`
    const operator = textAt(expression, 'operator')
    const values = listAt(expression, 'values')
    for (const problem of labelKeyProblems(textAt(expression, 'key'))) {
      errors.push(invalidValue(`${where}.key`, textAt(expression, 'key'), problem))
    }
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) {
        errors.push(
          required(`${where}.values`, "must be specified when `operator` is 'In' or 'NotIn'"),
        )
      }
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0) {
        errors.push(
          forbiddenField(
            `${where}.values`,
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
          ),
        )
      }
    } else errors.push(invalidValue(`${where}.operator`, operator, 'not a valid selector operator'))
  })
}

function deploymentStrategy(spec: unknown, errors: FieldError[]): void {
  const type = textAt(spec, 'strategy', 'type')
  const rolling = at(spec, 'strategy', 'rollingUpdate')
  if (type === 'Recreate') {
    if (rolling !== undefined) {
      errors.push(
        forbiddenField(
          'spec.strategy.rollingUpdate',
          "may not be specified when strategy `type` is 'Recreate'",
        ),
      )
    }
  } else if (type === 'RollingUpdate') {
    const path = 'spec.strategy.rollingUpdate'
    const unavailable = at(rolling, 'maxUnavailable')
    const surge = at(rolling, 'maxSurge')
    intOrPercent(unavailable, `${path}.maxUnavailable`, errors)
    intOrPercent(surge, `${path}.maxSurge`, errors)
    if (amountOf(unavailable) === 0 && amountOf(surge) === 0) {
      errors.push(
        invalidValue(`${path}.maxUnavailable`, unavailable, 'may not be 0 when `maxSurge` is 0'),
      )
    }
  } else if (type !== '') {
    errors.push(notSupported('spec.strategy.type', type, ['Recreate', 'RollingUpdate']))
  }
  const deadline = at(spec, 'progressDeadlineSeconds')
  const minReady = at(spec, 'minReadySeconds') ?? 0
  nonNegative(deadline, 'spec.progressDeadlineSeconds', errors)
  if (typeof deadline === 'number' && deadline <= Number(minReady)) {
    errors.push(
      invalidValue(
        'spec.progressDeadlineSeconds',
        deadline,
        'must be greater than minReadySeconds',
      ),
    )
  }
}

function intOrPercent(value: unknown, path: string, errors: FieldError[]): void {
  if (typeof value === 'number') nonNegative(value, path, errors)
  else if (typeof value === 'string' && !/^\d+%$/.test(value)) {
    errors.push(
      invalidValue(
        path,
        value,
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%', or '93%', regex used for validation is '[0-9]+%')",
      ),
    )
  }
}

function amountOf(value: unknown): number {
  return typeof value === 'number' ? value : Number.parseInt(String(value ?? '1'), 10)
}

function nonNegative(value: unknown, path: string, errors: FieldError[]): void {
  if (typeof value === 'number' && value < 0) {
    errors.push(invalidValue(path, value, 'must be greater than or equal to 0'))
  }
}

function immutable(
  object: UnknownObject,
  old: UnknownObject | undefined,
  path: readonly string[],
  errors: FieldError[],
): void {
  if (!old || sameJson(at(object, ...path), at(old, ...path))) return
  errors.push(invalidValue(path.join('.'), at(object, ...path), 'field is immutable'))
}

function statefulSetUpdate(
  object: UnknownObject,
  old: UnknownObject | undefined,
  errors: FieldError[],
): void {
  if (!old) return
  const free = [
    'replicas',
    'ordinals',
    'template',
    'updateStrategy',
    'revisionHistoryLimit',
    'persistentVolumeClaimRetentionPolicy',
    'minReadySeconds',
  ]
  const fixed = (value: UnknownObject) =>
    Object.fromEntries(
      Object.entries(objectAt(value, 'spec')).filter(([name]) => !free.includes(name)),
    )
  if (!sameJson(fixed(object), fixed(old))) {
    errors.push(
      forbiddenField(
        'spec',
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ),
    )
  }
}

function podTemplate(template: unknown, path: string, errors: FieldError[]): void {
  labels(at(template, 'metadata', 'labels'), `${path}.labels`, errors)
  annotations(at(template, 'metadata', 'annotations'), `${path}.annotations`, errors)
  podSpec(objectAt(template, 'spec'), `${path}.spec`, errors)
}

function podSpec(spec: unknown, path: string, errors: FieldError[]): void {
  const volumes = new Set<string>()
  listAt(spec, 'volumes').forEach((volume, index) => {
    const where = `${path}.volumes[${index}]`
    const name = textAt(volume, 'name')
    if (name === '') errors.push(required(`${where}.name`))
    else {
      for (const problem of dns1123LabelProblems(name)) {
        errors.push(invalidValue(`${where}.name`, name, problem))
      }
      if (volumes.has(name)) errors.push(duplicate(`${where}.name`, name))
    }
    volumes.add(name)
  })
  const names = new Set<string>()
  const containers = listAt(spec, 'containers')
  if (containers.length === 0) errors.push(required(`${path}.containers`))
  containers.forEach((item, index) => {
    container(item, `${path}.containers[${index}]`, { names, volumes }, errors)
  })
  listAt(spec, 'initContainers').forEach((item, index) => {
    container(item, `${path}.initContainers[${index}]`, { names, volumes }, errors)
  })
  const policy = at(spec, 'restartPolicy')
  if (policy !== undefined && !['Always', 'OnFailure', 'Never'].includes(String(policy))) {
    errors.push(notSupported(`${path}.restartPolicy`, policy, ['Always', 'OnFailure', 'Never']))
  }
  labels(at(spec, 'nodeSelector'), `${path}.nodeSelector`, errors)
}

function container(
  value: unknown,
  path: string,
  known: { readonly names: Set<string>; readonly volumes: ReadonlySet<string> },
  errors: FieldError[],
): void {
  const name = textAt(value, 'name')
  if (name === '') errors.push(required(`${path}.name`))
  else {
    for (const problem of dns1123LabelProblems(name)) {
      errors.push(invalidValue(`${path}.name`, name, problem))
    }
    if (known.names.has(name)) errors.push(duplicate(`${path}.name`, name))
    known.names.add(name)
  }
  const image = textAt(value, 'image')
  if (image === '') errors.push(required(`${path}.image`))
  else if (image.trim() !== image) {
    errors.push(
      invalidValue(`${path}.image`, image, 'must not have leading or trailing whitespace'),
    )
  }
  const policy = at(value, 'imagePullPolicy')
  if (policy !== undefined && !['Always', 'IfNotPresent', 'Never'].includes(String(policy))) {
    errors.push(
      notSupported(`${path}.imagePullPolicy`, policy, ['Always', 'IfNotPresent', 'Never']),
    )
  }
  containerPorts(listAt(value, 'ports'), `${path}.ports`, errors)
  listAt(value, 'env').forEach((variable, index) => {
    const variableName = textAt(variable, 'name')
    const where = `${path}.env[${index}]`
    if (variableName === '') errors.push(required(`${where}.name`))
    else {
      for (const problem of envVarNameProblems(variableName)) {
        errors.push(invalidValue(`${where}.name`, variableName, problem))
      }
    }
    if (textAt(variable, 'value') !== '' && at(variable, 'valueFrom') !== undefined) {
      errors.push(
        invalidValue(`${where}.valueFrom`, '', 'may not be specified when `value` is not empty'),
      )
    }
  })
  listAt(value, 'volumeMounts').forEach((mount, index) => {
    const where = `${path}.volumeMounts[${index}]`
    const volume = textAt(mount, 'name')
    if (volume === '') errors.push(required(`${where}.name`))
    else if (!known.volumes.has(volume)) {
      errors.push({
        reason: 'FieldValueNotFound',
        field: `${where}.name`,
        body: `Not found: ${JSON.stringify(volume)}`,
      })
    }
    if (textAt(mount, 'mountPath') === '') errors.push(required(`${where}.mountPath`))
  })
  resources(at(value, 'resources'), `${path}.resources`, errors)
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    probeRules(at(value, probe), `${path}.${probe}`, errors)
  }
}

function containerPorts(ports: readonly unknown[], path: string, errors: FieldError[]): void {
  const names = new Set<string>()
  ports.forEach((port, index) => {
    const where = `${path}[${index}]`
    const name = textAt(port, 'name')
    if (name !== '') {
      const problems = portNameProblems(name)
      for (const problem of problems) errors.push(invalidValue(`${where}.name`, name, problem))
      if (names.has(name)) errors.push(duplicate(`${where}.name`, name))
      names.add(name)
    }
    const number = at(port, 'containerPort')
    if (number === undefined || number === 0) errors.push(required(`${where}.containerPort`))
    else {
      for (const problem of portNumberProblems(Number(number))) {
        errors.push(invalidValue(`${where}.containerPort`, number, problem))
      }
    }
    protocol(at(port, 'protocol'), `${where}.protocol`, errors)
  })
}

function protocol(value: unknown, path: string, errors: FieldError[]): void {
  if (value !== undefined && !['TCP', 'UDP', 'SCTP'].includes(String(value))) {
    errors.push(notSupported(path, value, ['SCTP', 'TCP', 'UDP']))
  }
}

function probeRules(probe: unknown, path: string, errors: FieldError[]): void {
  if (!isObject(probe)) return
  const handlers = ['exec', 'grpc', 'httpGet', 'tcpSocket'].filter(
    (name) => probe[name] !== undefined,
  )
  if (handlers.length === 0) errors.push(required(path, 'must specify a handler type'))
  for (const extra of handlers.slice(1)) {
    errors.push(forbiddenField(`${path}.${extra}`, 'may not specify more than 1 handler type'))
  }
  for (const name of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ]) {
    nonNegative(probe[name], `${path}.${name}`, errors)
  }
}

function resources(value: unknown, path: string, errors: FieldError[]): void {
  const limits = at(value, 'limits')
  const requests = at(value, 'requests')
  quantities(limits, `${path}.limits`, errors)
  quantities(requests, `${path}.requests`, errors)
  if (!isObject(limits) || !isObject(requests)) return
  for (const name in requests) {
    const request = parseQuantity(String(requests[name]))
    const limit = limits[name] === undefined ? undefined : parseQuantity(String(limits[name]))
    if (request && limit && request.nanos > limit.nanos) {
      errors.push(
        invalidValue(
          `${path}.requests`,
          String(requests[name]),
          `must be less than or equal to ${name} limit of ${limit.canonical}`,
        ),
      )
    }
  }
}

function quantities(value: unknown, path: string, errors: FieldError[]): void {
  if (!isObject(value)) return
  for (const name in value) {
    const quantity = parseQuantity(String(value[name]))
    if (quantity && quantity.nanos < 0n) {
      errors.push(
        invalidValue(`${path}[${name}]`, quantity.canonical, 'must be greater than or equal to 0'),
      )
    }
  }
}

const podUpdateRule =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

function podUpdate(object: UnknownObject, old: UnknownObject, errors: FieldError[]): void {
  if (object['spec'] === old['spec']) return
  const fixed = (pod: UnknownObject) => {
    const spec: Record<string, unknown> = { ...objectAt(pod, 'spec') }
    const free = [
      'activeDeadlineSeconds',
      'tolerations',
      'nodeName',
      'schedulingGates',
      'ephemeralContainers',
    ]
    for (const name of free) delete spec[name]
    for (const list of ['containers', 'initContainers']) {
      spec[list] = listAt(pod, 'spec', list).map((item) =>
        isObject(item) ? { ...item, image: '' } : item,
      )
    }
    return spec
  }
  if (!sameJson(fixed(object), fixed(old))) errors.push(forbiddenField('spec', podUpdateRule))
}

function job(object: UnknownObject, old: UnknownObject | undefined, errors: FieldError[]): void {
  const spec = objectAt(object, 'spec')
  for (const name of [
    'parallelism',
    'completions',
    'backoffLimit',
    'activeDeadlineSeconds',
    'ttlSecondsAfterFinished',
  ]) {
    nonNegative(at(spec, name), `spec.${name}`, errors)
  }
  podTemplate(objectAt(spec, 'template'), 'spec.template', errors)
  jobRestartPolicy(objectAt(spec, 'template'), 'spec.template', errors)
  if (!old) return
  immutable(object, old, ['spec', 'selector'], errors)
  immutable(object, old, ['spec', 'completions'], errors)
  if (at(old, 'spec', 'suspend') !== true) immutable(object, old, ['spec', 'template'], errors)
}

function jobRestartPolicy(template: unknown, path: string, errors: FieldError[]): void {
  const policy = at(template, 'spec', 'restartPolicy')
  if (policy !== 'OnFailure' && policy !== 'Never') {
    errors.push({
      reason: 'FieldValueRequired',
      field: `${path}.spec.restartPolicy`,
      body: 'Required value: valid values: "OnFailure", "Never"',
    })
  }
}

function cronJob(
  object: UnknownObject,
  _old: UnknownObject | undefined,
  errors: FieldError[],
): void {
  const schedule = textAt(object, 'spec', 'schedule')
  if (object.metadata.name.length > 52) {
    errors.push(
      invalidValue('metadata.name', object.metadata.name, 'must be no more than 52 characters'),
    )
  }
  if (schedule === '') errors.push(required('spec.schedule'))
  else if (!/^(@\w+( \S+)?|\S+( \S+){4})$/.test(schedule.trim().replace(/\s+/g, ' '))) {
    const count = schedule.trim().split(/\s+/).length
    errors.push(
      invalidValue(
        'spec.schedule',
        schedule,
        `expected exactly 5 fields, found ${count}: [${schedule.trim().split(/\s+/).join(' ')}]`,
      ),
    )
  }
  const template = objectAt(object, 'spec', 'jobTemplate', 'spec', 'template')
  podTemplate(template, 'spec.jobTemplate.spec.template', errors)
  jobRestartPolicy(template, 'spec.jobTemplate.spec.template', errors)
}

function service(
  object: UnknownObject,
  old: UnknownObject | undefined,
  errors: FieldError[],
): void {
  const spec = objectAt(object, 'spec')
  const type = textAt(spec, 'type')
  const ports = listAt(spec, 'ports')
  const headless = textAt(spec, 'clusterIP') === 'None'
  if (!['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'].includes(type)) {
    errors.push(
      notSupported('spec.type', type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']),
    )
  }
  if (ports.length === 0 && !headless && type !== 'ExternalName')
    errors.push(required('spec.ports'))
  const names = new Set<string>()
  const numbers = new Set<string>()
  ports.forEach((port, index) => {
    const where = `spec.ports[${index}]`
    const name = textAt(port, 'name')
    if (name === '' && ports.length > 1) errors.push(required(`${where}.name`))
    if (name !== '') {
      for (const problem of dns1123LabelProblems(name)) {
        errors.push(invalidValue(`${where}.name`, name, problem))
      }
      if (names.has(name)) errors.push(duplicate(`${where}.name`, name))
      names.add(name)
    }
    const number = Number(at(port, 'port') ?? 0)
    for (const problem of portNumberProblems(number)) {
      errors.push(invalidValue(`${where}.port`, number, problem))
    }
    protocol(at(port, 'protocol'), `${where}.protocol`, errors)
    const key = `${number}/${textAt(port, 'protocol')}`
    if (numbers.has(key)) {
      errors.push(duplicate(where, { port: number, protocol: textAt(port, 'protocol') }))
    }
    numbers.add(key)
    targetPort(at(port, 'targetPort'), `${where}.targetPort`, errors)
  })
  labels(at(spec, 'selector'), 'spec.selector', errors)
  if (type === 'ExternalName' && textAt(spec, 'externalName') === '') {
    errors.push(required('spec.externalName'))
  }
  const before = textAt(old, 'spec', 'clusterIP')
  if (old && textAt(old, 'spec', 'type') !== 'ExternalName' && type !== 'ExternalName') {
    const now = textAt(spec, 'clusterIP')
    if (before !== '' && before !== now) {
      errors.push(invalidValue('spec.clusterIPs[0]', [now], 'may not change once set'))
    }
  }
}

function targetPort(value: unknown, path: string, errors: FieldError[]): void {
  if (typeof value === 'number') {
    for (const problem of portNumberProblems(value)) errors.push(invalidValue(path, value, problem))
  } else if (typeof value === 'string') {
    for (const problem of portNameProblems(value)) errors.push(invalidValue(path, value, problem))
  }
}

function configMap(
  object: UnknownObject,
  old: UnknownObject | undefined,
  errors: FieldError[],
): void {
  dataKeys(object, ['data', 'binaryData'], errors)
  immutableData(object, old, ['data', 'binaryData'], errors)
}

function secret(object: UnknownObject, old: UnknownObject | undefined, errors: FieldError[]): void {
  dataKeys(object, ['data'], errors)
  immutableData(object, old, ['data'], errors)
  if (old) immutable(object, old, ['type'], errors)
  const needed = {
    'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
    'kubernetes.io/tls': ['tls.crt', 'tls.key'],
    'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  }[textAt(object, 'type')]
  for (const key of needed ?? []) {
    if (at(object, 'data', key) === undefined) errors.push(required(`data[${key}]`))
  }
}

function dataKeys(object: UnknownObject, fields: readonly string[], errors: FieldError[]): void {
  let size = 0
  for (const field of fields) {
    for (const [key, value] of Object.entries(objectAt(object, field))) {
      for (const problem of configMapKeyProblems(key)) {
        errors.push(invalidValue(`${field}[${key}]`, key, problem))
      }
      size += String(value).length
    }
  }
  if (size > 1024 * 1024 * (fields.includes('binaryData') ? 1 : 4 / 3)) {
    errors.push(tooLong(fields.includes('binaryData') ? '' : 'data', 1024 * 1024))
  }
}

function immutableData(
  object: UnknownObject,
  old: UnknownObject | undefined,
  fields: readonly string[],
  errors: FieldError[],
): void {
  if (at(old, 'immutable') !== true) return
  const rule = 'field is immutable when `immutable` is set'
  if (at(object, 'immutable') !== true) errors.push(forbiddenField('immutable', rule))
  for (const field of fields) {
    if (!sameJson(at(object, field), at(old, field))) errors.push(forbiddenField(field, rule))
  }
}

function ingress(
  object: UnknownObject,
  _old: UnknownObject | undefined,
  errors: FieldError[],
): void {
  const spec = objectAt(object, 'spec')
  const rules = listAt(spec, 'rules')
  if (rules.length === 0 && at(spec, 'defaultBackend') === undefined) {
    errors.push(invalidValue('spec', rules, 'either `defaultBackend` or `rules` must be specified'))
  }
  if (at(spec, 'defaultBackend') !== undefined) {
    ingressBackend(at(spec, 'defaultBackend'), 'spec.defaultBackend', errors)
  }
  rules.forEach((rule, index) => {
    const host = textAt(rule, 'host')
    const where = `spec.rules[${index}]`
    if (host !== '') {
      const problems = host.startsWith('*.')
        ? dns1123SubdomainProblems(host.slice(2))
        : dns1123SubdomainProblems(host)
      for (const problem of problems) errors.push(invalidValue(`${where}.host`, host, problem))
    }
    if (at(rule, 'http') !== undefined && listAt(rule, 'http', 'paths').length === 0) {
      errors.push(required(`${where}.http.paths`))
    }
    listAt(rule, 'http', 'paths').forEach((path, pathIndex) => {
      const place = `${where}.http.paths[${pathIndex}]`
      const type = at(path, 'pathType')
      if (type === undefined)
        errors.push(required(`${place}.pathType`, 'pathType must be specified'))
      else if (!['Exact', 'Prefix', 'ImplementationSpecific'].includes(String(type))) {
        errors.push(
          notSupported(`${place}.pathType`, type, ['Exact', 'ImplementationSpecific', 'Prefix']),
        )
      } else if (type !== 'ImplementationSpecific' && !textAt(path, 'path').startsWith('/')) {
        errors.push(invalidValue(`${place}.path`, textAt(path, 'path'), 'must be an absolute path'))
      }
      ingressBackend(at(path, 'backend'), `${place}.backend`, errors)
    })
  })
}

function ingressBackend(backend: unknown, path: string, errors: FieldError[]): void {
  const serviceBackend = at(backend, 'service')
  const resourceBackend = at(backend, 'resource')
  if (serviceBackend === undefined && resourceBackend === undefined) {
    errors.push(required(path, 'exactly one of `resource` or `service` is required'))
    return
  }
  if (serviceBackend === undefined) return
  const name = textAt(serviceBackend, 'name')
  if (name === '') errors.push(required(`${path}.service.name`))
  else {
    for (const problem of dns1035LabelProblems(name)) {
      errors.push(invalidValue(`${path}.service.name`, name, problem))
    }
  }
  const portName = textAt(serviceBackend, 'port', 'name')
  const number = at(serviceBackend, 'port', 'number')
  if (portName !== '') {
    for (const problem of portNameProblems(portName)) {
      errors.push(invalidValue(`${path}.service.port.name`, portName, problem))
    }
  } else if (number === undefined || number === 0) {
    errors.push(required(`${path}.service.port`, 'port name or number is required'))
  } else {
    for (const problem of portNumberProblems(Number(number))) {
      errors.push(invalidValue(`${path}.service.port.number`, number, problem))
    }
  }
}

function roleBinding(
  object: UnknownObject,
  old: UnknownObject | undefined,
  errors: FieldError[],
): void {
  const kind = textAt(object, 'roleRef', 'kind')
  const allowed = object.kind === 'RoleBinding' ? ['Role', 'ClusterRole'] : ['ClusterRole']
  if (!allowed.includes(kind)) errors.push(notSupported('roleRef.kind', kind, allowed))
  if (textAt(object, 'roleRef', 'name') === '') errors.push(required('roleRef.name'))
  if (old && !sameJson(object['roleRef'], old['roleRef'])) {
    errors.push(invalidValue('roleRef', object['roleRef'], 'cannot change roleRef'))
  }
  listAt(object, 'subjects').forEach((subject, index) => {
    const where = `subjects[${index}]`
    if (textAt(subject, 'name') === '') errors.push(required(`${where}.name`))
    const subjectKind = textAt(subject, 'kind')
    if (subjectKind === 'ServiceAccount') {
      // A RoleBinding means an account of its own namespace.
      const isClear = object.metadata.namespace || textAt(subject, 'namespace') !== ''
      if (!isClear) errors.push(required(`${where}.namespace`))
    } else if (subjectKind !== 'User' && subjectKind !== 'Group') {
      errors.push(notSupported(`${where}.kind`, subjectKind, ['Group', 'ServiceAccount', 'User']))
    }
  })
}

function autoscaler(
  object: UnknownObject,
  _old: UnknownObject | undefined,
  errors: FieldError[],
): void {
  const spec = objectAt(object, 'spec')
  const min = at(spec, 'minReplicas')
  const max = at(spec, 'maxReplicas')
  if (typeof min === 'number' && min < 1) {
    errors.push(invalidValue('spec.minReplicas', min, 'must be greater than or equal to 1'))
  }
  if (typeof max !== 'number' || max < 1) {
    errors.push(invalidValue('spec.maxReplicas', max ?? 0, 'must be greater than 0'))
  } else if (typeof min === 'number' && max < min) {
    errors.push(
      invalidValue('spec.maxReplicas', max, 'must be greater than or equal to `minReplicas`'),
    )
  }
  for (const name of ['kind', 'name']) {
    if (textAt(spec, 'scaleTargetRef', name) === '')
      errors.push(required(`spec.scaleTargetRef.${name}`))
  }
}

function disruptionBudget(
  object: UnknownObject,
  _old: UnknownObject | undefined,
  errors: FieldError[],
): void {
  const spec = objectAt(object, 'spec')
  const min = at(spec, 'minAvailable')
  const max = at(spec, 'maxUnavailable')
  if (min !== undefined && max !== undefined) {
    errors.push(invalidValue('spec', spec, 'minAvailable and maxUnavailable cannot be both set'))
  }
  intOrPercent(min, 'spec.minAvailable', errors)
  intOrPercent(max, 'spec.maxUnavailable', errors)
}
