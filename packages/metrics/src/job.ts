import type { Measurement } from '@serinus/api'
import { ApiError, type KubeObject, type ObjectKey, resources, Unreachable } from '@serinus/kube'
import type { Measured, MeasureInput, Provider } from './provider.ts'

const uidLabel = 'analysisrun.argoproj.io/uid'
const metricAnnotation = 'analysisrun.argoproj.io/metric-name'
const longestName = 63
const retryMs = 10_000

interface Condition {
  readonly type: string
  readonly reason?: string
  readonly message?: string
}

interface Job extends KubeObject {
  readonly status?: { readonly conditions?: readonly Condition[] }
}

interface Pod extends KubeObject {
  readonly status?: {
    readonly containerStatuses?: readonly Container[]
    readonly initContainerStatuses?: readonly Container[]
  }
}

interface Container {
  readonly name: string
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } }
}

const neverStarts: ReadonlySet<string | undefined> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
])

/** One pull that failed says little: a registry may be away for a moment. `ImagePullBackOff` follows where it stays so. */
const transientMs = 60_000

/** A Kubernetes Job whose outcome is the verdict; conditions are ignored (spec metric-providers 12). */
export const job: Provider = {
  type: 'Job',
  async run(input) {
    const key = await createOnce(input)
    return {
      kind: 'running',
      resumeAt: input.clock.now(),
      metadata: { 'job-name': key.name, 'job-namespace': key.namespace },
    }
  },
  async resume(input, measurement) {
    const key = keyOf(measurement)
    if (!key) throw new Error('job metadata reference missing')
    try {
      return await observe(input, key, measurement)
    } catch (error) {
      if (error instanceof ApiError && error.code === 404)
        throw new Error(`job.batch "${key.name}" not found`, { cause: error })
      // The Job goes on while the API is away; ending the measurement would start a second one beside it.
      if (!passes(error)) throw error
      return stillRunning(measurement, input.clock.now() + retryMs)
    }
  },
  async terminate(input, measurement) {
    const key = keyOf(measurement)
    if (key) await deleteJob(input, key)
    return {
      kind: 'done',
      phase: 'Inconclusive',
      message: 'Metric Terminated',
      ...kept(measurement),
    }
  },
  async garbageCollect(input, limit) {
    const jobs = await input.client.list<Job>(resources.jobs, {
      namespace: namespaceOf(input),
      labelSelector: `${uidLabel}=${input.run.metadata.uid}`,
      signal: input.signal,
    })
    // Upstream counts the Jobs of all metrics together and may delete one that still runs.
    const newestFirst = jobs.items
      .filter((one) => one.metadata.annotations?.[metricAnnotation] === input.metric.name)
      .sort((a, b) => createdAt(b) - createdAt(a) || serialOf(b) - serialOf(a))
    for (const { metadata, status } of newestFirst.slice(limit)) {
      if (!status?.conditions?.some(isOutcome)) continue
      await deleteJob(input, { namespace: metadata.namespace ?? 'default', name: metadata.name })
    }
  },
}

/**
 * Deletes the Jobs of a run that was deleted, where no owner reference does it: in a namespace or cluster of their own
 * (spec metric-providers 12.2). Upstream leaves them for ever.
 */
export async function deleteJobsOf(
  run: Pick<MeasureInput['run'], 'metadata'>,
  input: Pick<MeasureInput, 'client' | 'env' | 'signal'>,
): Promise<void> {
  const { uid } = run.metadata
  if (!uid) return
  const jobs = await input.client.list<Job>(resources.jobs, {
    namespace: namespaceOf({ run, env: input.env }),
    labelSelector: `${uidLabel}=${uid}`,
    signal: input.signal,
  })
  for (const { metadata } of jobs.items) {
    if (metadata.ownerReferences?.some((reference) => reference.controller)) continue
    await deleteJob(input, { namespace: metadata.namespace ?? 'default', name: metadata.name })
  }
}

interface JobKey extends ObjectKey {
  readonly namespace: string
}

/**
 * Creates the Job of this measurement, or finds the one that was created before a crash: its name says which measurement
 * it belongs to. Two metrics whose names are cut to the same text must not share a Job: the second name tells them apart.
 */
async function createOnce(input: MeasureInput): Promise<JobKey> {
  const { run, metric } = input
  const namespace = namespaceOf(input)
  const plain = nameOf(input, metric.name)
  for (const name of [plain, nameOf(input, metric.name, `-${fingerprint(metric.name)}`)]) {
    const key = { namespace, name }
    try {
      await input.client.create(resources.jobs, desiredJob(input, key), { signal: input.signal })
      return key
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
      const present = await input.client.get<Job>(resources.jobs, key, { signal: input.signal })
      if (ownerOf(present) !== run.metadata.uid) throw error
      const owner = present.metadata.annotations?.[metricAnnotation]
      if (owner === undefined || owner === metric.name) return key
    }
  }
  throw new Error(`jobs.batch "${plain}" already exists for another metric of this run`)
}

/** Whose Job it is: its controller, or its label where it has none. */
function ownerOf(present: Job): string | undefined {
  const controller = present.metadata.ownerReferences?.find((reference) => reference.controller)
  return controller?.uid ?? present.metadata.labels?.[uidLabel]
}

/** `<run uid>.<metric>.<serial>`: the metric's part is made a DNS name and cut so that all fits. */
function nameOf(input: MeasureInput, metricName: string, ending = ''): string {
  const uid = input.run.metadata.uid ?? ''
  const room = longestName - `${uid}.${ending}.${input.serial}`.length
  const part = metricName
    .toLowerCase()
    .replace(/[^a-z0-9.-]/g, '-')
    .slice(0, Math.max(0, room))
    .replace(/^[.-]+|[.-]+$/g, '')
  return `${uid}.${part}${part ? ending : ending.slice(1)}.${input.serial}`
}

/** FNV-1a of the name, six digits in base 36. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash.toString(36).padStart(6, '0').slice(-6)
}

function namespaceOf(input: {
  readonly run: Pick<MeasureInput['run'], 'metadata'>
  readonly env: MeasureInput['env']
}): string {
  return input.env['ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE'] || runNamespaceOf(input)
}

function runNamespaceOf(input: { readonly run: Pick<MeasureInput['run'], 'metadata'> }): string {
  return input.run.metadata.namespace ?? 'default'
}

function desiredJob(input: MeasureInput, key: JobKey): Job {
  const { run, metric } = input
  const config = metric.provider.job
  const uid = run.metadata.uid ?? ''
  const template = config?.spec.template
  const owner = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisRun',
    name: run.metadata.name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      ...key,
      labels: { ...config?.metadata?.labels, [uidLabel]: uid },
      annotations: {
        ...config?.metadata?.annotations,
        'analysisrun.argoproj.io/name': run.metadata.name,
        'analysisrun.argoproj.io/namespace': runNamespaceOf(input),
        [metricAnnotation]: metric.name,
      },
      // An owner in another namespace would have the Job collected at once.
      ...(key.namespace === runNamespaceOf(input) ? { ownerReferences: [owner] } : {}),
    },
    spec: {
      ...config?.spec,
      template: {
        ...template,
        metadata: {
          ...template?.metadata,
          labels: { ...template?.metadata?.labels, [uidLabel]: uid },
        },
      },
    },
  } as Job
}

function keyOf(measurement: Measurement): JobKey | null {
  const { 'job-name': name, 'job-namespace': namespace = 'default' } = measurement.metadata ?? {}
  return name ? { namespace, name } : null
}

function kept(measurement: Measurement): { metadata?: Readonly<Record<string, string>> } {
  return measurement.metadata ? { metadata: measurement.metadata } : {}
}

async function observe(
  input: MeasureInput,
  key: JobKey,
  measurement: Measurement,
): Promise<Measured> {
  const { signal } = input
  const present = await input.client.get<Job>(resources.jobs, key, { signal })
  const ended = present.status?.conditions?.find(isOutcome)
  if (ended?.type === 'Complete') return { kind: 'done', phase: 'Successful', ...kept(measurement) }
  if (ended) {
    // Upstream says nothing of a failed Job; the condition knows why.
    const message = [ended.reason, ended.message].filter(Boolean).join(': ')
    return { kind: 'done', phase: 'Failed', ...(message ? { message } : {}), ...kept(measurement) }
  }
  const message = await terminalPodError(input, key)
  if (message) {
    // Upstream leaves it: the Job would go on trying, and might run long after the verdict.
    await deleteJob(input, key)
    return { kind: 'done', phase: 'Inconclusive', message, ...kept(measurement) }
  }
  const now = input.clock.now()
  const startedAt = Date.parse(measurement.startedAt ?? '') || now
  // Looks at longer and longer intervals, at first after a second: 50 s of running are asked again in 10 s.
  const seconds = Math.max(1, Math.sqrt((2 * Math.max(0, now - startedAt)) / 1000))
  return stillRunning(measurement, now + seconds * 1000)
}

function isOutcome(condition: Condition): boolean {
  return condition.type === 'Complete' || condition.type === 'Failed'
}

function stillRunning(measurement: Measurement, resumeAt: number): Measured {
  return { kind: 'running', resumeAt, ...kept(measurement) }
}

/** Whether a failure of the API is one that time may heal. */
function passes(error: unknown): boolean {
  if (error instanceof Unreachable) return true
  return error instanceof ApiError && (error.code === 429 || error.code >= 500)
}

async function terminalPodError(input: MeasureInput, key: JobKey): Promise<string | null> {
  const pods = await input.client.list<Pod>(resources.pods, {
    namespace: key.namespace,
    labelSelector: `${uidLabel}=${input.run.metadata.uid},job-name=${key.name}`,
    signal: input.signal,
  })
  for (const { metadata, status } of pods.items) {
    const isYoung = input.clock.now() - createdAt({ metadata }) < transientMs
    for (const container of [
      ...(status?.initContainerStatuses ?? []),
      ...(status?.containerStatuses ?? []),
    ]) {
      const { reason, message = '' } = container.state?.waiting ?? {}
      if (!neverStarts.has(reason) || (reason === 'ErrImagePull' && isYoung)) continue
      return `Pod ${metadata.name}, container ${container.name} has terminal error (${reason}): ${message}\n`
    }
  }
  return null
}

async function deleteJob(
  input: Pick<MeasureInput, 'client' | 'signal'>,
  key: JobKey,
): Promise<void> {
  try {
    await input.client.delete(resources.jobs, key, {
      propagationPolicy: 'Foreground',
      signal: input.signal,
    })
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 404) throw error
  }
}

function createdAt(one: Pick<KubeObject, 'metadata'>): number {
  return Date.parse(one.metadata.creationTimestamp ?? '') || 0
}

function serialOf(one: Job): number {
  return Number(one.metadata.name.slice(one.metadata.name.lastIndexOf('.') + 1))
}
