import { ApiError, type KubeObject, resources } from '@serinus/kube'
import type { MeasureInput, Provider } from './provider.ts'

const uidLabel = 'analysisrun.argoproj.io/uid'

interface Job extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string
      readonly status?: string
      readonly reason?: string
      readonly message?: string
    }[]
  }
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

/** A Kubernetes Job whose outcome is the verdict; conditions are ignored (spec metric-providers 12). */
export const job: Provider = {
  type: 'Job',
  async run(input) {
    const desired = desiredJob(input)
    const { namespace = 'default', name } = desired.metadata
    try {
      await input.client.create(resources.jobs, desired)
    } catch (error) {
      // A crash between the creation and the stored answer must not double the Job: the name says whose it is.
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
      const present = await input.client.get<Job>(resources.jobs, { namespace, name })
      if (present.metadata.labels?.[uidLabel] !== input.run.metadata.uid) throw error
    }
    return {
      kind: 'running',
      resumeAt: input.clock.now(),
      metadata: { 'job-name': name, 'job-namespace': namespace },
    }
  },
  async resume(input, measurement) {
    const key = keyOf(measurement)
    if (!key) return { kind: 'done', phase: 'Error', message: 'job metadata reference missing' }
    const metadata = measurement.metadata ?? {}
    const present = await input.client.get<Job>(resources.jobs, key)
    const ended = present.status?.conditions?.find(
      (c) => (c.type === 'Complete' || c.type === 'Failed') && c.status !== 'False',
    )
    if (ended?.type === 'Complete') return { kind: 'done', phase: 'Successful', metadata }
    if (ended) return { kind: 'done', phase: 'Failed', metadata, ...why(ended) }
    const stuck = await terminalPodError(input, key)
    if (stuck) return { kind: 'done', phase: 'Inconclusive', message: stuck, metadata }
    const elapsed = Math.max(
      0,
      (input.clock.now() - Date.parse(measurement.startedAt ?? '')) / 1000,
    )
    return {
      kind: 'running',
      resumeAt: input.clock.now() + Math.sqrt(2 * elapsed) * 1000,
      metadata,
    }
  },
  async terminate(input, measurement) {
    const key = keyOf(measurement)
    if (key) await deleteJob(input, key)
    return {
      kind: 'done',
      phase: 'Inconclusive',
      message: 'Metric Terminated',
      metadata: measurement.metadata ?? {},
    }
  },
  async garbageCollect(input, limit) {
    const jobs = await input.client.list<Job>(resources.jobs, {
      namespace: namespaceOf(input),
      labelSelector: `${uidLabel}=${input.run.metadata.uid}`,
    })
    const mine = jobs.items
      .filter(
        (one) =>
          one.metadata.annotations?.['analysisrun.argoproj.io/metric-name'] === input.metric.name,
      )
      .filter((one) =>
        one.status?.conditions?.some((c) => c.type === 'Complete' || c.type === 'Failed'),
      )
      .sort(
        (a, b) =>
          Date.parse(b.metadata.creationTimestamp ?? '') -
          Date.parse(a.metadata.creationTimestamp ?? ''),
      )
    for (const old of mine.slice(limit))
      await deleteJob(input, {
        namespace: old.metadata.namespace ?? 'default',
        name: old.metadata.name,
      })
  },
}

function why(condition: { readonly reason?: string; readonly message?: string }): {
  message?: string
} {
  const text = [condition.reason, condition.message].filter(Boolean).join(': ')
  return text ? { message: text } : {}
}

function keyOf(measurement: {
  readonly metadata?: Readonly<Record<string, string>>
}): { namespace: string; name: string } | null {
  const name = measurement.metadata?.['job-name']
  return name ? { namespace: measurement.metadata?.['job-namespace'] ?? 'default', name } : null
}

function namespaceOf(input: MeasureInput): string {
  return (
    input.env['ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE'] || (input.run.metadata.namespace ?? 'default')
  )
}

function desiredJob(input: MeasureInput): Job {
  const { run, metric, serial } = input
  const config = metric.provider.job
  const namespace = namespaceOf(input)
  const runNamespace = run.metadata.namespace ?? 'default'
  const uid = run.metadata.uid ?? ''
  const surplus = Math.max(0, `${uid}.${metric.name}.${serial}`.length - 63)
  const template = config?.spec.template
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${uid}.${metric.name.slice(0, metric.name.length - surplus)}.${serial}`,
      namespace,
      labels: { ...config?.metadata?.labels, [uidLabel]: uid },
      annotations: {
        ...config?.metadata?.annotations,
        'analysisrun.argoproj.io/name': run.metadata.name,
        'analysisrun.argoproj.io/namespace': runNamespace,
        'analysisrun.argoproj.io/metric-name': metric.name,
      },
      ...(namespace === runNamespace
        ? {
            ownerReferences: [
              {
                apiVersion: 'argoproj.io/v1alpha1',
                kind: 'AnalysisRun',
                name: run.metadata.name,
                uid,
                controller: true,
                blockOwnerDeletion: true,
              },
            ],
          }
        : {}),
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

async function terminalPodError(
  input: MeasureInput,
  key: { namespace: string; name: string },
): Promise<string | null> {
  const pods = await input.client.list<Pod>(resources.pods, {
    namespace: key.namespace,
    labelSelector: `${uidLabel}=${input.run.metadata.uid},job-name=${key.name}`,
  })
  for (const pod of pods.items) {
    for (const container of [
      ...(pod.status?.initContainerStatuses ?? []),
      ...(pod.status?.containerStatuses ?? []),
    ]) {
      const waiting = container.state?.waiting
      if (!neverStarts.has(waiting?.reason)) continue
      return `Pod ${pod.metadata.name}, container ${container.name} has terminal error (${waiting?.reason}): ${waiting?.message ?? ''}\n`
    }
  }
  return null
}

async function deleteJob(
  input: MeasureInput,
  key: { namespace: string; name: string },
): Promise<void> {
  try {
    await input.client.delete(resources.jobs, key, { propagationPolicy: 'Foreground' })
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 404) throw error
  }
}
