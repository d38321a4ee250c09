import { resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import type { Job } from './objects.ts'
import { job, TestCluster } from './test-cluster.ts'

const command = (...words: string[]) => ({
  containers: [{ name: 'main', image: 'busybox:1.36', command: words }],
})

async function status(cluster: TestCluster, name = 'work') {
  return (await cluster.get<Job>(resources.jobs, name)).status ?? {}
}

function conditions(of: Job['status']) {
  return (of?.conditions ?? []).map(({ type, reason, message }) => [type, reason, message])
}

test('a Job of five completions runs two at a time and ends Complete with its counts', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.jobs, job('work', { completions: 5, parallelism: 2 }))
  await cluster.pass(4)
  expect(await status(cluster)).toMatchObject({ active: 2, ready: 2 })
  await cluster.pass(60)
  const done = await status(cluster)
  expect(done).toMatchObject({ succeeded: 5 })
  expect(done.active ?? 0).toBe(0)
  expect(done.completionTime).toBeDefined()
  expect(conditions(done)).toEqual([
    ['SuccessCriteriaMet', 'CompletionsReached', 'Reached expected number of succeeded pods'],
    ['Complete', 'CompletionsReached', 'Reached expected number of succeeded pods'],
  ])
  expect(await cluster.pods()).toHaveLength(5)
  expect(await cluster.told('work', 'Completed')).toEqual(['Job completed'])
  expect(cluster.errors).toEqual([])
})

test('a Job whose pods fail tries again after 10 s, 20 s, 40 s and ends at its backoff limit', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.jobs, job('work', { backoffLimit: 3 }, command('false')))
  await cluster.pass(300)
  const failed = await status(cluster)
  expect(failed).toMatchObject({ failed: 4 })
  expect(conditions(failed)).toEqual([
    ['FailureTarget', 'BackoffLimitExceeded', 'Job has reached the specified backoff limit'],
    ['Failed', 'BackoffLimitExceeded', 'Job has reached the specified backoff limit'],
  ])
  const created = (await cluster.pods()).map(({ metadata }) =>
    Date.parse(metadata.creationTimestamp ?? ''),
  )
  created.sort((a, b) => a - b)
  const gaps = created.slice(1).map((at, index) => (at - (created[index] ?? 0)) / 1000)
  expect(gaps).toEqual([11, 21, 41])
})

test('with restartPolicy OnFailure restarts in place count against the backoff limit', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(
    resources.jobs,
    job('work', { backoffLimit: 2 }, { restartPolicy: 'OnFailure', ...command('false') }),
  )
  await cluster.pass(120)
  expect(conditions(await status(cluster)).at(-1)).toEqual([
    'Failed',
    'BackoffLimitExceeded',
    'Job has reached the specified backoff limit',
  ])
})

test('activeDeadlineSeconds ends a Job that runs too long, with its pods', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(
    resources.jobs,
    job('work', { activeDeadlineSeconds: 20 }, command('sleep', '3600')),
  )
  await cluster.pass(19)
  expect(await status(cluster)).toMatchObject({ active: 1 })
  await cluster.pass(10)
  const ended = await status(cluster)
  expect(ended).toMatchObject({ failed: 1 })
  expect(conditions(ended).at(-1)).toEqual([
    'Failed',
    'DeadlineExceeded',
    'Job was active longer than specified deadline',
  ])
  expect(await cluster.pods()).toEqual([])
})

test('a suspended Job has no pods and starts when it is resumed', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.jobs, job('work', { suspend: true }))
  await cluster.pass(10)
  expect(await cluster.pods()).toEqual([])
  const before = await status(cluster)
  expect(before.startTime).toBeUndefined()
  expect(conditions(before)).toEqual([['Suspended', 'JobSuspended', 'Job suspended']])
  await cluster.merge(resources.jobs, 'work', { spec: { suspend: false } })
  await cluster.pass(20)
  expect(conditions(await status(cluster)).map(([type]) => type)).toEqual([
    'Suspended',
    'SuccessCriteriaMet',
    'Complete',
  ])
  expect(await cluster.told('work', 'Resumed')).toEqual(['Job resumed'])
})

test('suspending a running Job deletes its pods without counting them as failed', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.jobs, job('work', {}, command('sleep', '3600')))
  await cluster.pass(5)
  await cluster.merge(resources.jobs, 'work', { spec: { suspend: true } })
  await cluster.pass(10)
  expect(await cluster.pods()).toEqual([])
  const suspended = await status(cluster)
  expect([suspended.active ?? 0, suspended.failed ?? 0]).toEqual([0, 0])
})

test('a Job is deleted ttlSecondsAfterFinished after its end, with its pods', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.jobs, job('work', { ttlSecondsAfterFinished: 60 }))
  await cluster.pass(30)
  expect(conditions(await status(cluster)).at(-1)?.[0]).toBe('Complete')
  await cluster.pass(60)
  await expect(status(cluster)).rejects.toMatchObject({ code: 404 })
  expect(await cluster.pods()).toEqual([])
})

test('an Indexed Job gives each pod its index and lists the completed ones as ranges', async () => {
  using cluster = await TestCluster.start()
  const spec = { completions: 4, parallelism: 4, completionMode: 'Indexed' }
  await cluster.create(resources.jobs, job('work', spec))
  await cluster.pass(2)
  const pods = await cluster.pods()
  const indexes = pods.map(
    ({ metadata }) => metadata.annotations?.['batch.kubernetes.io/job-completion-index'],
  )
  expect(indexes.sort()).toEqual(['0', '1', '2', '3'])
  expect(pods[0]?.spec.containers[0]?.env?.map(({ name }) => name)).toContain(
    'JOB_COMPLETION_INDEX',
  )
  await cluster.pass(30)
  expect(await status(cluster)).toMatchObject({ succeeded: 4, completedIndexes: '0-3' })
})

test('a pod failure policy fails the Job at once, or ignores the failure', async () => {
  using cluster = await TestCluster.start()
  const rule = (action: string) => ({
    rules: [{ action, onExitCodes: { operator: 'In', values: [42] } }],
  })
  const exits = command('sh', '-c', 'exit 42')
  await cluster.create(resources.jobs, job('fails', { podFailurePolicy: rule('FailJob') }, exits))
  await cluster.create(
    resources.jobs,
    job('ignores', { backoffLimit: 0, podFailurePolicy: rule('Ignore') }, exits),
  )
  await cluster.pass(30)
  const failed = await status(cluster, 'fails')
  const [type, reason, message] = conditions(failed).at(-1) ?? []
  expect([type, reason]).toEqual(['Failed', 'PodFailurePolicy'])
  expect(message).toMatch(
    /^Container main for pod default\/fails-[a-z0-9]{5} failed with exit code 42 matching FailJob rule at index 0$/,
  )
  const ignored = await status(cluster, 'ignores')
  expect(ignored.failed ?? 0).toBe(0)
  expect(conditions(ignored)).toEqual([])
})

test('deleting a running Job takes its pods along, whatever their finalizers', async () => {
  using cluster = await TestCluster.start()
  await cluster.create(resources.jobs, job('work', { parallelism: 2 }, command('sleep', '3600')))
  await cluster.pass(5)
  await cluster.delete(resources.jobs, 'work', { propagationPolicy: 'Background' })
  await cluster.pass(10)
  expect(await cluster.pods()).toEqual([])
})
