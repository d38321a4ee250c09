import type { Measurement, Metric } from '@serinus/api'
import { ApiError, type KubeClient, type KubeObject, Unreachable } from '@serinus/kube'
import { describe, expect, test } from 'vitest'
import { job } from './job.ts'
import type { MeasureInput } from './provider.ts'
import { providerContract } from './provider-contract.ts'
import { measureInput, testNow, testRun } from './test-input.ts'

const uid = testRun.metadata.uid as string

const metric: Metric = {
  name: 'integration-test',
  provider: {
    job: {
      spec: {
        backoffLimit: 0,
        template: {
          spec: { containers: [{ name: 'test', image: 'test:1' }], restartPolicy: 'Never' },
        },
      },
    },
  },
} as unknown as Metric

/** The Jobs and pods of a cluster, as far as the provider can tell. */
class Cluster {
  readonly jobs = new Map<string, KubeObject & { status?: object }>()
  readonly pods: (KubeObject & { status?: object })[] = []
  readonly deleted: unknown[] = []
  failure: Error | null = null
  hanging = false

  readonly client = {
    create: async (_: unknown, object: KubeObject, options: { signal: AbortSignal }) => {
      await this.#ready(options.signal)
      const key = `${object.metadata.namespace}/${object.metadata.name}`
      if (this.jobs.has(key)) {
        const message = `jobs.batch "${object.metadata.name}" already exists`
        throw new ApiError({ code: 409, reason: 'AlreadyExists', message })
      }
      this.jobs.set(key, object)
      return object
    },
    get: async (
      _: unknown,
      key: { namespace: string; name: string },
      options: { signal: AbortSignal },
    ) => {
      await this.#ready(options.signal)
      const found = this.jobs.get(`${key.namespace}/${key.name}`)
      if (found) return found
      const message = `jobs.batch "${key.name}" not found`
      throw new ApiError({ code: 404, reason: 'NotFound', message })
    },
    list: async (
      resource: { plural: string },
      options: { namespace: string; labelSelector: string },
    ) => {
      const all = resource.plural === 'pods' ? this.pods : [...this.jobs.values()]
      const wanted = options.labelSelector.split(',').map((part) => part.split('='))
      const items = all.filter(
        ({ metadata }) =>
          metadata.namespace === options.namespace &&
          wanted.every(([key, value]) => metadata.labels?.[key as string] === value),
      )
      return { items, resourceVersion: '1' }
    },
    delete: async (_: unknown, key: { namespace: string; name: string }, options: object) => {
      await this.#ready(new AbortController().signal)
      const { signal: _signal, ...rest } = options as { signal: unknown }
      this.deleted.push({ ...key, ...rest })
      if (!this.jobs.delete(`${key.namespace}/${key.name}`))
        throw new ApiError({ code: 404, reason: 'NotFound', message: 'gone' })
    },
  } as unknown as KubeClient

  get only(): KubeObject & { spec?: unknown; status?: object } {
    expect(this.jobs.size).toBe(1)
    return [...this.jobs.values()][0] as KubeObject
  }

  ends(condition: { type: string; status?: string; reason?: string; message?: string }): void {
    for (const one of this.jobs.values()) one.status = { conditions: [condition] }
  }

  async #ready(signal: AbortSignal): Promise<void> {
    if (this.failure) throw this.failure
    if (signal.aborted) throw new Error('context deadline exceeded')
    if (!this.hanging) return
    await new Promise((_, reject) =>
      signal.addEventListener('abort', () => reject(new Error('context deadline exceeded'))),
    )
  }
}

function input(cluster: Cluster, facts: Partial<MeasureInput> = {}): MeasureInput {
  return measureInput(metric, { client: cluster.client, ...facts })
}

const at = (ms: number) => new Date(ms).toISOString().replace(/\.\d+/, '')

function underWay(cluster: Cluster, startedAt = testNow - 50_250): Measurement {
  return {
    phase: 'Running',
    startedAt: at(startedAt),
    metadata: { 'job-name': cluster.only.metadata.name, 'job-namespace': 'app' },
  } as Measurement
}

const skip = 'a Job has an outcome, no value'

providerContract('A Job', () => {
  const source = (change: Partial<Cluster>) => Object.assign(new Cluster(), change)
  const refusal = new ApiError({ code: 403, reason: 'Forbidden', message: 'exceeded quota: pods' })
  const secretly = structuredClone(metric)
  Object.assign(secretly.provider.job?.spec.template.spec ?? {}, { hostname: 'hunter2' })
  return {
    provider: job,
    metric: secretly,
    secret: 'hunter2',
    input: (metric, facts) => measureInput(metric, facts),
    sources: {
      value: source({}),
      empty: { skip },
      notANumber: { skip },
      failing: source({ failure: refusal }),
      silent: source({ hanging: true }),
    },
    expected: {
      value: {
        kind: 'running',
        resumeAt: testNow,
        metadata: { 'job-name': `${uid}.integration-test.1`, 'job-namespace': 'app' },
      },
      failing: 'exceeded quota: pods',
      silent: /context deadline exceeded$/,
    },
  }
})

describe('the Job of a measurement', () => {
  test('is the one of the metric, marked as the run’s and owned by it', async () => {
    const cluster = new Cluster()
    await job.run(input(cluster))
    expect(cluster.only).toEqual({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name: `${uid}.integration-test.1`,
        namespace: 'app',
        labels: { 'analysisrun.argoproj.io/uid': uid },
        annotations: {
          'analysisrun.argoproj.io/name': 'web-1',
          'analysisrun.argoproj.io/namespace': 'app',
          'analysisrun.argoproj.io/metric-name': 'integration-test',
        },
        ownerReferences: [
          {
            apiVersion: 'argoproj.io/v1alpha1',
            kind: 'AnalysisRun',
            name: 'web-1',
            uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      spec: {
        backoffLimit: 0,
        template: {
          metadata: { labels: { 'analysisrun.argoproj.io/uid': uid } },
          spec: { containers: [{ name: 'test', image: 'test:1' }], restartPolicy: 'Never' },
        },
      },
    })
  })

  test.each([1, 3])('is numbered: measurement %i [metric-providers 51]', async (serial) => {
    const cluster = new Cluster()
    await job.run(input(cluster, { serial }))
    expect(cluster.only.metadata.name).toBe(`${uid}.integration-test.${serial}`)
  })

  test('has a name of 63 characters at most [metric-providers 52]', async () => {
    const cluster = new Cluster()
    await job.run(input(cluster, { metric: { ...metric, name: 'a'.repeat(40) } }))
    expect(cluster.only.metadata.name).toBe(`${uid}.${'a'.repeat(24)}.1`)
  })

  test('has a valid name whatever the metric is called', async () => {
    const cluster = new Cluster()
    await job.run(input(cluster, { metric: { ...metric, name: 'Error_Rate of the whole-thing' } }))
    expect(cluster.only.metadata.name).toBe(`${uid}.error-rate-of-the-whole.1`)
    expect(cluster.only.metadata.annotations).toMatchObject({
      'analysisrun.argoproj.io/metric-name': 'Error_Rate of the whole-thing',
    })
  })

  test('is not shared by two metrics whose names are cut to the same', async () => {
    const cluster = new Cluster()
    const names = ['success-rate-of-the-checkout-a', 'success-rate-of-the-checkout-b']
    for (const name of [...names, ...names]) {
      await job.run(input(cluster, { metric: { ...metric, name } }))
    }
    const jobs = [...cluster.jobs.values()].map(({ metadata }) => metadata)
    expect(
      jobs.map(({ annotations }) => annotations?.['analysisrun.argoproj.io/metric-name']),
    ).toEqual(names)
    for (const { name } of jobs) expect(name.length).toBeLessThanOrEqual(63)
  })

  test('carries the labels of the metric; the pods carry the run’s [metric-providers 53]', async () => {
    const cluster = new Cluster()
    const labelled = structuredClone(metric)
    Object.assign(labelled.provider.job ?? {}, {
      metadata: { labels: { foo: 'bar' }, annotations: { a: 'b' } },
    })
    await job.run(input(cluster, { metric: labelled }))
    expect(cluster.only).toMatchObject({
      metadata: {
        labels: { foo: 'bar', 'analysisrun.argoproj.io/uid': uid },
        annotations: { a: 'b', 'analysisrun.argoproj.io/name': 'web-1' },
      },
      spec: { template: { metadata: { labels: { 'analysisrun.argoproj.io/uid': uid } } } },
    })
  })

  test('may live in a namespace of its own, without owner [metric-providers 54]', async () => {
    const cluster = new Cluster()
    const env = { ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE: 'jobs' }
    const measured = await job.run(input(cluster, { env }))
    expect(measured.metadata).toEqual({
      'job-name': `${uid}.integration-test.1`,
      'job-namespace': 'jobs',
    })
    const { metadata } = cluster.only
    expect(metadata.namespace).toBe('jobs')
    expect(metadata.annotations).toMatchObject({ 'analysisrun.argoproj.io/namespace': 'app' })
    expect(metadata).not.toHaveProperty('ownerReferences')
  })

  test('is found again after a crash, but only if it is the run’s own', async () => {
    const cluster = new Cluster()
    const first = await job.run(input(cluster))
    expect(await job.run(input(cluster))).toEqual(first)
    expect(cluster.jobs.size).toBe(1)
    const foreign = cluster.only as { metadata: { ownerReferences: unknown } }
    foreign.metadata.ownerReferences = [{ uid: 'other', controller: true }]
    await expect(job.run(input(cluster))).rejects.toThrow(
      `jobs.batch "${uid}.integration-test.1" already exists`,
    )
  })
})

describe('the outcome of a Job', () => {
  async function resumed(change: (cluster: Cluster) => void, startedAt?: number) {
    const cluster = new Cluster()
    await job.run(input(cluster))
    const measurement = underWay(cluster, startedAt)
    change(cluster)
    return job.resume?.(input(cluster), measurement)
  }

  test.each([
    [{ type: 'Complete', status: 'True' }, { phase: 'Successful' }],
    [{ type: 'Complete' }, { phase: 'Successful' }],
    [{ type: 'Failed', status: 'True' }, { phase: 'Failed' }],
    [
      {
        type: 'Failed',
        reason: 'BackoffLimitExceeded',
        message: 'Job has reached the backoff limit',
      },
      { phase: 'Failed', message: 'BackoffLimitExceeded: Job has reached the backoff limit' },
    ],
  ])('with condition %j is %j', async (condition, verdict) => {
    expect(await resumed((cluster) => cluster.ends(condition))).toEqual({
      kind: 'done',
      ...verdict,
      metadata: { 'job-name': `${uid}.integration-test.1`, 'job-namespace': 'app' },
    })
  })

  test.each(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName'])(
    'is inconclusive while its image cannot be had: %s [metric-providers 55]',
    async (reason) => {
      const waiting = { reason, message: 'no such image' }
      for (const list of ['containerStatuses', 'initContainerStatuses']) {
        const measured = await resumed((cluster) => {
          cluster.pods.push({
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: {
              name: 'p-1',
              namespace: 'app',
              labels: {
                'analysisrun.argoproj.io/uid': uid,
                'job-name': `${uid}.integration-test.1`,
              },
            },
            status: {
              [list]: [
                { name: 'ok', state: {} },
                { name: 'test', state: { waiting } },
              ],
            },
          })
        })
        expect(measured).toMatchObject({
          kind: 'done',
          phase: 'Inconclusive',
          message: `Pod p-1, container test has terminal error (${reason}): no such image\n`,
        })
      }
    },
  )

  test('goes on after one pull that failed, and is deleted when none will succeed', async () => {
    const cluster = new Cluster()
    await job.run(input(cluster))
    const measurement = underWay(cluster)
    const waitFor = (reason: string, ageMs: number) => {
      cluster.pods.length = 0
      cluster.pods.push({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: 'p-1',
          namespace: 'app',
          creationTimestamp: new Date(testNow - ageMs).toISOString(),
          labels: {
            'analysisrun.argoproj.io/uid': uid,
            'job-name': `${uid}.integration-test.1`,
          },
        },
        status: { containerStatuses: [{ name: 'test', state: { waiting: { reason } } }] },
      })
      return job.resume?.(input(cluster), measurement)
    }
    expect(await waitFor('ErrImagePull', 59_000)).toMatchObject({ kind: 'running' })
    expect(cluster.jobs).toHaveLength(1)
    expect(await waitFor('ErrImagePull', 60_000)).toMatchObject({ phase: 'Inconclusive' })
    expect(cluster.jobs).toHaveLength(0)
  })

  test.each([
    [50_250, 10.025],
    [2_250, 2.121],
    [250, 1],
  ])(
    'is asked for again later and later: after %i ms in %d s [metric-providers 56]',
    async (elapsedMs, seconds) => {
      const startedAt = Math.floor((testNow - elapsedMs) / 1000) * 1000
      const measured = await resumed(() => {}, startedAt)
      const inMs = measured?.kind === 'running' ? measured.resumeAt - testNow : Number.NaN
      expect(inMs / 1000).toBeCloseTo(Math.max(1, Math.sqrt((2 * (testNow - startedAt)) / 1000)), 6)
      expect(inMs / 1000).toBeCloseTo(seconds, 2)
    },
  )

  test('of a Job that is gone is an error', async () => {
    await expect(resumed((cluster) => cluster.jobs.clear())).rejects.toThrow(
      new Error(`job.batch "${uid}.integration-test.1" not found`),
    )
    const lost = { phase: 'Running' } as Measurement
    await expect(job.resume?.(input(new Cluster()), lost)).rejects.toThrow(
      'job metadata reference missing',
    )
  })

  test.each([
    new Unreachable('connection refused'),
    new ApiError({ code: 503, reason: 'ServiceUnavailable', message: 'busy' }),
  ])(
    'is waited for while the API is away, since a second Job must not start beside it (%s)',
    async (failure) => {
      expect(await resumed((cluster) => Object.assign(cluster, { failure }))).toMatchObject({
        kind: 'running',
        resumeAt: testNow + 10_000,
      })
    },
  )
})

describe('the end of a Job before its time', () => {
  test('deletes it with its pods and is inconclusive [metric-providers 57] [analysis-and-experiments 32]', async () => {
    const cluster = new Cluster()
    await job.run(input(cluster))
    const measurement = underWay(cluster)
    for (const present of [true, false]) {
      expect(cluster.jobs.size).toBe(present ? 1 : 0)
      expect(await job.terminate?.(input(cluster), measurement)).toMatchObject({
        kind: 'done',
        phase: 'Inconclusive',
        message: 'Metric Terminated',
      })
    }
    expect(cluster.deleted[0]).toEqual({
      namespace: 'app',
      name: `${uid}.integration-test.1`,
      propagationPolicy: 'Foreground',
    })
  })

  test('fails when the API refuses the deletion', async () => {
    const cluster = new Cluster()
    await job.run(input(cluster))
    const measurement = underWay(cluster)
    cluster.failure = new ApiError({ code: 403, reason: 'Forbidden', message: 'not yours' })
    await expect(job.terminate?.(input(cluster), measurement)).rejects.toThrow('not yours')
  })
})

test('a Job that still runs is kept, however old it is', async () => {
  const cluster = new Cluster()
  for (const serial of [1, 2]) await job.run(input(cluster, { serial }))
  await job.garbageCollect?.(input(cluster), 1)
  expect(cluster.jobs.size).toBe(2)
})

test('old Jobs of the metric are deleted; those that run and those of other metrics stay', async () => {
  const cluster = new Cluster()
  for (const serial of [1, 2, 3, 10]) await job.run(input(cluster, { serial }))
  cluster.ends({ type: 'Complete' })
  await job.run(input(cluster, { serial: 11 }))
  await job.run(input(cluster, { metric: { ...metric, name: 'other' } }))
  await job.garbageCollect?.(input(cluster), 2)
  expect([...cluster.jobs.values()].map(({ metadata }) => metadata.name.slice(37))).toEqual([
    'integration-test.10',
    'integration-test.11',
    'other.1',
  ])
})
