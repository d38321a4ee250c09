import type { Defaulter, Draft } from './draft.ts'
import { child, children, keepInStep, setAbsent } from './draft.ts'
import { imageTag } from './image-tag.ts'
import { addQuantities, parseQuantity, type Quantity } from './quantity.ts'

/** Defaults of pods and of what pod templates are made of (kubernetes `pkg/apis/core/v1`). */
export const podDefaulters: Readonly<Record<string, Defaulter>> = {
  'core/v1.Pod': pod,
  'core/v1.PodSpec': podSpec,
  'core/v1.Container': container,
  'core/v1.EphemeralContainer': container,
  'core/v1.Probe': (probe) =>
    setAbsent(probe, {
      timeoutSeconds: 1,
      periodSeconds: 10,
      successThreshold: 1,
      failureThreshold: 3,
    }),
  'core/v1.HTTPGetAction': (action) => setAbsent(action, { path: '/', scheme: 'HTTP' }),
  'core/v1.ObjectFieldSelector': (selector) => setAbsent(selector, { apiVersion: 'v1' }),
  'core/v1.Volume': volume,
  'core/v1.SecretVolumeSource': withDefaultMode,
  'core/v1.ConfigMapVolumeSource': withDefaultMode,
  'core/v1.DownwardAPIVolumeSource': withDefaultMode,
  'core/v1.ProjectedVolumeSource': withDefaultMode,
  'core/v1.HostPathVolumeSource': (source) => setAbsent(source, { type: '' }),
  'core/v1.ServiceAccountTokenProjection': (token) => setAbsent(token, { expirationSeconds: 3600 }),
  'core/v1.PersistentVolumeClaimSpec': (claim) => setAbsent(claim, { volumeMode: 'Filesystem' }),
}

function podSpec(spec: Draft): void {
  setAbsent(spec, {
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
    schedulerName: 'default-scheduler',
  })
  // The server keeps the old name of the field in step with the new one.
  const account = spec['serviceAccountName'] ?? spec['serviceAccount']
  if (account !== undefined) {
    spec['serviceAccountName'] = account
    spec['serviceAccount'] = account
  }
}

function container(draft: Draft): void {
  const image = typeof draft['image'] === 'string' ? draft['image'] : ''
  setAbsent(draft, {
    imagePullPolicy: imageTag(image) === 'latest' ? 'Always' : 'IfNotPresent',
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  })
}

function volume(draft: Draft): void {
  if (Object.keys(draft).every((key) => key === 'name')) draft['emptyDir'] = {}
}

function withDefaultMode(source: Draft): void {
  setAbsent(source, { defaultMode: 0o644 })
}

/** What only pods get; the templates of workloads do not. */
function pod(draft: Draft): void {
  const status = child(draft, 'status')
  if (status) keepInStep({ draft: status, one: 'podIP', many: 'podIPs', wrap: (ip) => ({ ip }) })
  const spec = child(draft, 'spec')
  if (!spec) return
  const grace = spec['terminationGracePeriodSeconds']
  if (typeof grace === 'number' && grace < 0) spec['terminationGracePeriodSeconds'] = 1
  const all = [...children(spec, 'containers'), ...children(spec, 'initContainers')]
  for (const one of all) requestWhatIsLimited(one)
  limitHugePagesOfPod(spec)
  requestForPod(spec)
  setAbsent(spec, { enableServiceLinks: true })
  if (spec['hostNetwork'] !== true) return
  for (const one of all) {
    for (const port of children(one, 'ports')) setAbsent(port, { hostPort: port['containerPort'] })
  }
}

function requestWhatIsLimited(draft: Draft): void {
  const resources = child(draft, 'resources')
  const limits = resources && child(resources, 'limits')
  if (!limits) return
  resources['requests'] = { ...limits, ...child(resources, 'requests') }
}

/** Pod-level resources, once somebody set some of them, are completed from the containers'. */
function limitHugePagesOfPod(spec: Draft): void {
  const resources = child(spec, 'resources')
  if (!resources || (!child(resources, 'limits') && !child(resources, 'requests'))) return
  const requests = child(resources, 'requests') ?? {}
  const limits = { ...child(resources, 'limits') }
  for (const [name, amount] of totals(spec, 'limits')) {
    if (name.startsWith('hugepages-') && !(name in requests)) limits[name] ??= amount.canonical
  }
  if (Object.keys(limits).length > 0) resources['limits'] = limits
}

function requestForPod(spec: Draft): void {
  const resources = child(spec, 'resources')
  const limits = resources && child(resources, 'limits')
  if (!limits) return
  const requests = { ...child(resources, 'requests') }
  for (const [name, amount] of totals(spec, 'requests')) {
    if (name === 'cpu' || name === 'memory') requests[name] ??= amount.canonical
  }
  for (const [name, amount] of Object.entries(limits)) {
    const podLevel = name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')
    if (podLevel) requests[name] ??= amount
  }
  if (Object.keys(requests).length > 0) resources['requests'] = requests
}

type Amounts = Map<string, Quantity>

/** What the pod needs at its peak: its containers and sidecars, or the largest init step. */
function totals(spec: Draft, what: 'limits' | 'requests'): Amounts {
  const running: Amounts = new Map()
  for (const one of children(spec, 'containers')) add(running, amountsOf(one, what))
  const sidecars: Amounts = new Map()
  const peak: Amounts = new Map()
  for (const one of children(spec, 'initContainers')) {
    const own = amountsOf(one, what)
    if (one['restartPolicy'] === 'Always') {
      add(running, own)
      add(sidecars, own)
      raise(peak, sidecars)
    } else {
      add(own, sidecars)
      raise(peak, own)
    }
  }
  raise(running, peak)
  return running
}

function amountsOf(draft: Draft, what: 'limits' | 'requests'): Amounts {
  const amounts: Amounts = new Map()
  const resources = child(draft, 'resources')
  for (const [name, text] of Object.entries((resources && child(resources, what)) ?? {})) {
    const quantity = typeof text === 'string' ? parseQuantity(text) : undefined
    if (quantity) amounts.set(name, quantity)
  }
  return amounts
}

function add(into: Amounts, more: Amounts): void {
  for (const [name, amount] of more) {
    const before = into.get(name)
    into.set(name, before ? addQuantities(before, amount) : amount)
  }
}

function raise(into: Amounts, other: Amounts): void {
  for (const [name, amount] of other) {
    const before = into.get(name)
    if (!before || amount.nanos > before.nanos) into.set(name, amount)
  }
}
