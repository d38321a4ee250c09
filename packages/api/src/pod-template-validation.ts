import { quantityToNumber } from '@serinus/kinds'
import { dnsLabelProblem, labelKeyProblem, labelValueProblem } from './names-and-labels.ts'
import { invalid, missing, type Problem } from './problem.ts'
import type { Container, PodSpec, PodTemplateSpec } from './schema/pod-template.ts'

/**
 * What Kubernetes itself would refuse in the pods of a Rollout (spec api 9.1, rows 8 to 10): the
 * mistakes people make in pod templates. The rest is left to the API server, which checks the
 * ReplicaSet in any case.
 */
export function podTemplateProblems(template: PodTemplateSpec, path: string): readonly Problem[] {
  const problems: Problem[] = []
  for (const [key, value] of Object.entries(template.metadata?.labels ?? {})) {
    const bad = labelKeyProblem(key)
    if (bad) problems.push(invalid(`${path}.metadata.labels`, key, bad))
    const badValue = labelValueProblem(value)
    if (badValue) problems.push(invalid(`${path}.metadata.labels`, value, badValue))
  }
  for (const key of Object.keys(template.metadata?.annotations ?? {})) {
    const bad = labelKeyProblem(key.toLowerCase())
    if (bad) problems.push(invalid(`${path}.metadata.annotations`, key, bad))
  }
  const spec = template.spec ?? {}
  problems.push(...volumeProblems(spec, `${path}.spec.volumes`))
  problems.push(...containerListProblems(spec, `${path}.spec`))
  const { restartPolicy, terminationGracePeriodSeconds: grace, dnsPolicy } = spec
  if (restartPolicy !== undefined && !restartPolicies.includes(restartPolicy)) {
    problems.push(unsupported(`${path}.spec.restartPolicy`, restartPolicy, restartPolicies))
  }
  if (typeof dnsPolicy === 'string' && !dnsPolicies.includes(dnsPolicy)) {
    problems.push(unsupported(`${path}.spec.dnsPolicy`, dnsPolicy, dnsPolicies))
  }
  if (grace !== undefined && grace < 0) {
    problems.push(invalid(`${path}.spec.terminationGracePeriodSeconds`, grace, notNegative))
  }
  if (restartPolicy !== undefined && restartPolicy !== 'Always') {
    problems.push(unsupported(`${path}.spec.restartPolicy`, restartPolicy, ['Always']))
  }
  if (spec.activeDeadlineSeconds !== undefined) {
    problems.push({
      path: `${path}.spec.activeDeadlineSeconds`,
      kind: 'Forbidden',
      detail: 'activeDeadlineSeconds in ReplicaSet is not Supported',
    })
  }
  return problems
}

const notNegative = 'must be greater than or equal to 0'
const restartPolicies = ['Always', 'Never', 'OnFailure']
const dnsPolicies = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']
const pullPolicies = ['Always', 'IfNotPresent', 'Never']
const protocols = ['SCTP', 'TCP', 'UDP']

function unsupported(path: string, value: unknown, supported: readonly string[]): Problem {
  const listed = supported.map((each) => JSON.stringify(each)).join(', ')
  return { path, kind: 'Unsupported value', value, detail: `supported values: ${listed}` }
}

function volumeProblems(spec: PodSpec, path: string): readonly Problem[] {
  const problems: Problem[] = []
  const seen = new Set<string>()
  ;(spec.volumes ?? []).forEach((volume, index) => {
    const place = `${path}[${index}].name`
    problems.push(...nameProblems(volume.name, place, seen))
  })
  return problems
}

function nameProblems(name: string, path: string, seen: Set<string>): readonly Problem[] {
  if (name === '') return [missing(path, '')]
  const bad = dnsLabelProblem(name)
  if (bad) return [invalid(path, name, bad)]
  if (seen.has(name)) return [{ path, kind: 'Duplicate value', value: name, detail: '' }]
  seen.add(name)
  return []
}

function containerListProblems(spec: PodSpec, path: string): readonly Problem[] {
  const problems: Problem[] = []
  const names = new Set<string>()
  const volumes = new Set((spec.volumes ?? []).map((volume) => volume.name))
  const containers = spec.containers ?? []
  if (containers.length === 0) problems.push(missing(`${path}.containers`, ''))
  for (const list of ['containers', 'initContainers'] as const) {
    ;(spec[list] ?? []).forEach((container, index) => {
      const place = `${path}.${list}[${index}]`
      problems.push(...nameProblems(container.name, `${place}.name`, names))
      problems.push(...containerProblems(container, place, volumes))
    })
  }
  return problems
}

function containerProblems(
  container: Container,
  path: string,
  volumes: ReadonlySet<string>,
): readonly Problem[] {
  const problems: Problem[] = []
  const { image, imagePullPolicy } = container
  if (!image) problems.push(missing(`${path}.image`, ''))
  else if (image.trim() !== image) {
    problems.push(invalid(`${path}.image`, image, 'must not have leading or trailing whitespace'))
  }
  if (typeof imagePullPolicy === 'string' && !pullPolicies.includes(imagePullPolicy)) {
    problems.push(unsupported(`${path}.imagePullPolicy`, imagePullPolicy, pullPolicies))
  }
  problems.push(...portProblems(container, path))
  ;(container.env ?? []).forEach((variable, index) => {
    const place = `${path}.env[${index}]`
    if (variable.name === '') problems.push(missing(`${place}.name`, ''))
    else if (variable.name.includes('=')) {
      problems.push(
        invalid(
          `${place}.name`,
          variable.name,
          "a valid environment variable name must consist only of printable ASCII characters other than '='",
        ),
      )
    }
    if (variable.value && variable.valueFrom) {
      problems.push(
        invalid(`${place}.valueFrom`, '', 'may not be specified when `value` is not empty'),
      )
    }
  })
  const mountPaths = new Set<string>()
  ;(container.volumeMounts ?? []).forEach((mount, index) => {
    const place = `${path}.volumeMounts[${index}]`
    if (mount.name === '') problems.push(missing(`${place}.name`, ''))
    else if (!volumes.has(mount.name)) {
      problems.push({ path: `${place}.name`, kind: 'Not found', value: mount.name, detail: '' })
    }
    if (mount.mountPath === '') problems.push(missing(`${place}.mountPath`, ''))
    else if (mountPaths.has(mount.mountPath)) {
      problems.push(invalid(`${place}.mountPath`, mount.mountPath, 'must be unique'))
    }
    mountPaths.add(mount.mountPath)
  })
  problems.push(...resourceProblems(container, `${path}.resources`))
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    problems.push(...probeProblems(container[probe], `${path}.${probe}`))
  }
  return problems
}

function portProblems(container: Container, path: string): readonly Problem[] {
  const problems: Problem[] = []
  const names = new Set<string>()
  ;(container.ports ?? []).forEach((port, index) => {
    const place = `${path}.ports[${index}]`
    if (port.containerPort === 0) problems.push(missing(`${place}.containerPort`, ''))
    else if (port.containerPort < 1 || port.containerPort > 65535) {
      problems.push(invalid(`${place}.containerPort`, port.containerPort, portRange))
    }
    if (port.hostPort !== undefined && (port.hostPort < 0 || port.hostPort > 65535)) {
      problems.push(invalid(`${place}.hostPort`, port.hostPort, portRange))
    }
    if (port.protocol !== undefined && port.protocol !== '' && !protocols.includes(port.protocol)) {
      problems.push(unsupported(`${place}.protocol`, port.protocol, protocols))
    }
    if (!port.name) return
    if (port.name.length > 15) {
      problems.push(invalid(`${place}.name`, port.name, 'must be no more than 15 characters'))
    } else if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(port.name) || !/[a-z]/.test(port.name)) {
      problems.push(
        invalid(
          `${place}.name`,
          port.name,
          'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-), and at least one letter (a-z)',
        ),
      )
    } else if (names.has(port.name)) {
      problems.push({
        path: `${place}.name`,
        kind: 'Duplicate value',
        value: port.name,
        detail: '',
      })
    }
    names.add(port.name)
  })
  return problems
}

const portRange = 'must be between 1 and 65535, inclusive'

function resourceProblems(container: Container, path: string): readonly Problem[] {
  const problems: Problem[] = []
  const { limits = {}, requests = {} } = container.resources ?? {}
  for (const [list, quantities] of Object.entries({ limits, requests })) {
    for (const [name, written] of Object.entries(quantities)) {
      const amount = quantityToNumber(String(written))
      const place = `${path}.${list}[${name}]`
      if (amount === undefined) problems.push(invalid(place, written, badQuantity))
      else if (amount < 0) problems.push(invalid(place, String(written), notNegative))
    }
  }
  for (const [name, written] of Object.entries(requests)) {
    const limit = limits[name]
    if (limit === undefined) continue
    const wanted = quantityToNumber(String(written)) ?? 0
    if (wanted > (quantityToNumber(String(limit)) ?? Number.POSITIVE_INFINITY)) {
      problems.push(
        invalid(
          `${path}.requests`,
          String(written),
          `must be less than or equal to ${name} limit of ${limit}`,
        ),
      )
    }
  }
  return problems
}

const badQuantity =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

function probeProblems(probe: unknown, path: string): readonly Problem[] {
  if (typeof probe !== 'object' || probe === null) return []
  const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'].filter((name) => {
    const handler = (probe as Readonly<Record<string, unknown>>)[name]
    return handler !== undefined && handler !== null
  })
  if (handlers.length === 0) return [missing(path, 'must specify a handler type')]
  return handlers.slice(1).map((name) => ({
    path: `${path}.${name}`,
    kind: 'Forbidden' as const,
    detail: 'may not specify more than 1 handler type',
  }))
}
