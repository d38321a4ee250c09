import { type AnalysisRun, kinds } from '@serinus/api'
import { type KubeObject, Unreachable } from '@serinus/kube'
import { expect, test } from 'vitest'
import { analysisWorld, endJob, jobMetric, put, web } from './test-world.ts'

test('two slow metrics take as long as one [metric-providers 6]', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  put(api, { metrics: [web('a'), web('b')] })
  start(async (_, signal) => {
    await clock.until(clock.now() + 2000, signal)
    return Response.json(1)
  })
  await clock.advance(1999)
  expect(status()).toMatchObject({ phase: 'Running', startedAt: '2026-08-17T10:00:00Z' })
  await clock.advance(1)
  expect(status()).toMatchObject({ phase: 'Successful', completedAt: '2026-08-17T10:00:02Z' })
})

test('a provider that never answers ends at its deadline and delays no other run [metric-providers 24]', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  put(api, { metrics: [web('silent', { consecutiveErrorLimit: 0 })] }, 'stuck')
  put(api, { metrics: [web('fine')] }, 'fine')
  // It does not even heed the signal of the request.
  start((url) => (url.pathname === '/silent' ? new Promise(() => {}) : Response.json(1)))
  await clock.advance(0)
  expect(status('fine')?.phase).toBe('Successful')
  await clock.advance(9_999)
  expect(status('stuck')?.phase).toBe('Running')
  await clock.advance(1)
  expect(status('stuck')).toMatchObject({
    phase: 'Error',
    message:
      'Metric "silent" assessed Error due to consecutiveErrors (1) > consecutiveErrorLimit (0): "Error Message: Get "http://checks/silent": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"',
  })
})

test('a provider that does not heed its deadline is left a quarter of a second after it', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  put(api, { metrics: [jobMetric({ consecutiveErrorLimit: 0 })] })
  start(undefined, { jobClient: { ...api.client(), create: () => new Promise(() => {}) } })
  await clock.advance(30_000)
  expect(status()?.phase).toBe('Running')
  await clock.advance(250)
  expect(status()).toMatchObject({
    phase: 'Error',
    message:
      'Metric "smoke" assessed Error due to consecutiveErrors (1) > consecutiveErrorLimit (0): "Error Message: context deadline exceeded"',
  })
})

test('a provider that heeds its deadline of 1 s tells where the time went [metric-providers 16]', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  const prometheus = { address: 'http://p:9090', query: 'up', timeout: 1 }
  put(api, { metrics: [{ name: 'm', provider: { prometheus }, consecutiveErrorLimit: 0 }] })
  start(async (_, signal) => {
    await clock.until(clock.now() + 3000, signal)
    return Response.json({})
  })
  await clock.advance(1000)
  expect(status()?.metricResults?.[0]?.measurements).toMatchObject([
    { phase: 'Error', message: 'Post "http://p:9090/api/v1/query": context deadline exceeded' },
  ])
})

test('a run with the deadline 0 fails without a request', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  const prometheus = { address: 'http://p:9090', query: 'up', timeout: 0 }
  put(api, { metrics: [{ name: 'm', provider: { prometheus }, consecutiveErrorLimit: 0 }] })
  start(() => {
    throw new Error('asked')
  })
  await clock.advance(0)
  expect(status()?.metricResults?.[0]?.message).toMatch(/context deadline exceeded$/)
})

test('a secret is used, but stands nowhere in the run, however it is spelled [analysis-and-experiments 35] [metric-providers 4]', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  const secret = 's3cr3t "+<& x'
  api.put('secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'tokens', namespace: 'app' },
    data: { tok: Buffer.from(secret).toString('base64') },
  } as KubeObject)
  const args = [{ name: 'tok', valueFrom: { secretKeyRef: { name: 'tokens', key: 'tok' } } }]
  const url = 'http://checks/refused?token={{args.tok}}'
  const prometheus = { address: 'http://p', query: 'up{t="{{args.tok}}"}' }
  put(api, {
    args,
    metrics: [
      web('refused', { consecutiveErrorLimit: 0 }, { url }),
      web('echo'),
      web('mirror', {}, { url: 'http://checks/mirror?token={{args.tok}}' }),
      { name: 'prom', provider: { prometheus }, consecutiveErrorLimit: 0 },
    ],
  })
  const asked: string[] = []
  start((at) => {
    asked.push(at.href)
    if (at.pathname === '/echo') return Response.json({ got: secret })
    if (at.pathname === '/mirror') return new Response(`${at.search} ${encodeURIComponent(secret)}`)
    if (at.host === 'p') {
      if (at.search === '') return new Response('', { status: 405 })
    }
    throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED', address: '::1', port: 80 })
  })
  await clock.advance(0)
  expect(asked.some((href) => href.includes('s3cr3t'))).toBe(true)
  const stored = status()
  expect(stored?.phase).toBe('Error')
  expect(JSON.stringify(stored)).not.toMatch(/s3cr3t/)
  const [refused, echo, mirror, prom] = stored?.metricResults ?? []
  expect(refused?.measurements?.[0]?.message).toBe(
    'Get "http://checks/refused?token=*****": dial tcp [::1]:80: connect: connection refused',
  )
  expect(echo?.measurements?.[0]?.value).toBe('{"got":"*****"}')
  expect(mirror?.measurements?.[0]?.value).toBe('?token=***** *****')
  expect(prom?.measurements?.[0]?.message).toMatch(
    /^Get "http:\/\/p\/api\/v1\/query\?query=up%7Bt%3D%22\*{5}%22%7D&/,
  )
  expect(prom?.metadata).toEqual({ ResolvedPrometheusQuery: 'up{t="*****"}' })
  expect(JSON.stringify(api.all('events'))).not.toMatch(/s3cr3t/)
})

test('a missing key of a secret ends the run; an API that is away does not [analysis-and-experiments 36]', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  api.put('secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', namespace: 'app' },
    data: {},
  } as KubeObject)
  const args = [{ name: 'tok', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }]
  put(api, { args, metrics: [web('m')] })
  api.before = (call) => (call.startsWith('get secrets') ? new Unreachable('cut') : undefined)
  start()
  await clock.advance(5000)
  expect(status()).toBeUndefined()
  api.before = undefined
  await clock.advance(10_000)
  expect(status()).toMatchObject({
    phase: 'Error',
    message: "Unable to resolve metric arguments: key 'k' does not exist in secret 's'",
  })
})

test('a value written out is used instead of the secret, which then need not exist', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  const valueFrom = { secretKeyRef: { name: 'nowhere', key: 'k' } }
  put(api, { args: [{ name: 'a', value: 'x', valueFrom }], metrics: [web('{{args.a}}')] })
  start()
  await clock.advance(0)
  expect(status()).toMatchObject({ phase: 'Successful', metricResults: [{ name: 'x' }] })
})

test('a metric may be called after a secret: it is found and its secret stays one', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  api.put('secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', namespace: 'app' },
    data: { k: Buffer.from('hush').toString('base64') },
  } as KubeObject)
  const valueFrom = { secretKeyRef: { name: 's', key: 'k' } }
  put(api, { args: [{ name: 'a', valueFrom }], metrics: [web('m-{{args.a}}')] })
  const asked: string[] = []
  start((url) => {
    asked.push(url.pathname)
    return Response.json(1)
  })
  await clock.advance(0)
  expect(asked).toEqual(['/m-hush'])
  expect(JSON.stringify(status())).not.toContain('hush')
  expect(status()?.phase).toBe('Successful')
})

test('measurements beyond the limit take their Jobs with them', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  put(api, {
    metrics: [jobMetric({ interval: '60s', count: 3 })],
    measurementRetention: [{ metricName: 'smoke', limit: 1 }],
  })
  start()
  for (const seconds of [0, 60, 60]) {
    await clock.advance(seconds * 1000)
    endJob(api)
    await clock.advance(0)
  }
  expect(status()).toMatchObject({ phase: 'Successful', metricResults: [{ count: 3 }] })
  expect(status()?.metricResults?.[0]?.measurements).toHaveLength(1)
  expect(api.all('jobs').map(({ metadata }) => metadata.name)).toEqual(['uid-run.smoke.3'])
})

test('Jobs in a namespace of their own go when their run is deleted', async () => {
  using world = analysisWorld()
  const { clock, api, start } = world
  put(api, { metrics: [jobMetric()] })
  start(undefined, { env: { ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE: 'jobs' } })
  await clock.advance(0)
  expect(api.all('jobs').map(({ metadata }) => metadata.namespace)).toEqual(['jobs'])
  await api.client().delete(kinds.analysisRuns, { namespace: 'app', name: 'run' })
  await clock.advance(0)
  expect(api.all('jobs')).toEqual([])
})

test('a crash between the creation of a Job and the stored answer doubles no Job', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  put(api, { metrics: [jobMetric()] })
  // The process dies at the very moment the Job exists.
  let first: AbortController | undefined
  api.after = (call) => {
    if (call.startsWith('create jobs')) first?.abort(new Error('killed'))
    return undefined
  }
  first = start()
  await clock.advance(0)
  expect(api.all('jobs')).toHaveLength(1)
  expect(status()?.metricResults).toBeUndefined()
  api.after = undefined
  start()
  await clock.advance(0)
  expect(api.calls.filter((call) => call.startsWith('create jobs'))).toHaveLength(2)
  expect(api.all('jobs').map(({ metadata }) => metadata.name)).toEqual(['uid-run.smoke.1'])
  endJob(api)
  await clock.advance(0)
  expect(status()).toMatchObject({
    phase: 'Successful',
    metricResults: [{ count: 1, measurements: [{ phase: 'Successful' }] }],
  })
})

test('a Job that ends wakes its run at once, not at the next look', async () => {
  using world = analysisWorld()
  const { clock, api, start, status, seconds } = world
  put(api, { metrics: [jobMetric()] })
  start()
  await clock.advance(200_000)
  const next = Date.parse(status()?.metricResults?.[0]?.measurements?.[0]?.resumeAt ?? '')
  expect(next - clock.now()).toBeGreaterThan(5000)
  endJob(api, 'Failed')
  await clock.advance(0)
  expect(seconds()).toBe(200)
  expect(status()?.phase).toBe('Failed')
})

test('ending a run by hand deletes its Job [analysis-and-experiments 32] [metric-providers 57]', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  put(api, { metrics: [jobMetric()] })
  start()
  await clock.advance(5000)
  const run = api.get<KubeObject & { spec: object }>('analysisruns', 'app/run')
  api.put('analysisruns', { ...run, spec: { ...run.spec, terminate: true } } as KubeObject)
  await clock.advance(0)
  expect(api.all('jobs')).toEqual([])
  expect(status()).toMatchObject({
    phase: 'Successful',
    metricResults: [{ measurements: [{ phase: 'Inconclusive', message: 'Metric Terminated' }] }],
  })
})

test('an answer whose storage succeeded without our knowledge is counted once', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  put(api, { metrics: [web('m', { interval: '60s', count: 2 })] })
  let lost = 0
  api.after = (call) => {
    const counted = status()?.metricResults?.[0]?.count === 1
    return call.startsWith('patch') && counted && lost++ === 0 ? new Unreachable('cut') : undefined
  }
  start()
  await clock.advance(30_000)
  expect(lost).toBeGreaterThan(0)
  expect(status()?.metricResults?.[0]).toMatchObject({ count: 1, successful: 1 })
  await clock.advance(30_000)
  expect(status()).toMatchObject({ phase: 'Successful', metricResults: [{ count: 2 }] })
})

test.each(['was seen to go', 'was not seen to go'])(
  'a run that %s has its questions cancelled; one of the same name starts afresh',
  async (how) => {
    using world = analysisWorld()
    const { clock, api, start, status } = world
    put(api, { metrics: [web('m')] })
    const cancelled: boolean[] = []
    let slow = true
    start((_, signal) => {
      if (!slow) return Response.json(1)
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => {
          cancelled.push(true)
          reject(signal.reason)
        }),
      )
    })
    await clock.advance(100)
    if (how === 'was seen to go') {
      await api.client().delete(kinds.analysisRuns, { namespace: 'app', name: 'run' })
      await clock.advance(0)
      expect(cancelled).toEqual([true])
    }
    slow = false
    put(api, { metrics: [web('m')] }, 'run', { uid: 'another' })
    await clock.advance(0)
    expect(cancelled).toEqual([true])
    expect(status()?.phase).toBe('Successful')
  },
)

test('runs of another instance are left alone, even when a Job of theirs ends', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  const labels = { 'argo-rollouts.argoproj.io/controller-instance-id': 'other' }
  put(api, { metrics: [web('m')] }, 'run', { labels })
  start()
  api.put('jobs', {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: 'j',
      namespace: 'app',
      labels: { 'analysisrun.argoproj.io/uid': 'uid-run' },
      annotations: {
        'analysisrun.argoproj.io/name': 'run',
        'analysisrun.argoproj.io/namespace': 'app',
        'analysisrun.argoproj.io/metric-name': 'm',
      },
    },
    status: { conditions: [{ type: 'Complete' }] },
  } as KubeObject)
  await clock.advance(60_000)
  expect(status()).toBeUndefined()
})

test('the article’s run takes its metrics from a template, runs and tells it by events [api 49] [analysis-and-experiments 39]', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  api.put('analysistemplates', {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name: 'success-rate', namespace: 'app' },
    spec: {
      args: [{ name: 'service-name' }],
      metrics: [web('success-rate', {}, { url: 'http://checks/{{args.service-name}}' })],
    },
  } as KubeObject)
  put(api, {
    templates: [{ templateName: 'success-rate' }],
    args: [{ name: 'service-name', value: 'shop' }],
  })
  // Templates that are merely not seen yet do not count as missing.
  api.slowLists.set('analysistemplates', 700)
  const asked: string[] = []
  start((url) => {
    asked.push(url.href)
    return Response.json(0.97)
  })
  await clock.advance(1000)
  expect(asked).toEqual(['http://checks/shop'])
  expect(api.get<AnalysisRun>('analysisruns', 'app/run').spec).toMatchObject({
    metrics: [{ name: 'success-rate' }],
    args: [{ name: 'service-name', value: 'shop' }],
  })
  expect(status()?.phase).toBe('Successful')
  await clock.advance(1000)
  expect(api.all('events')).toMatchObject([
    {
      type: 'Normal',
      reason: 'MetricSuccessful',
      message: "Metric 'success-rate' Completed. Result: Successful",
      involvedObject: { kind: 'AnalysisRun', namespace: 'app', name: 'run' },
    },
    { reason: 'AnalysisRunSuccessful', message: 'Analysis Completed. Result: Successful' },
  ])
})

test('a template of the cluster that is merely not seen yet does not count as missing', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  api.put('clusteranalysistemplates', {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'ClusterAnalysisTemplate',
    metadata: { name: 'health' },
    spec: { metrics: [web('m')] },
  } as KubeObject)
  api.slowLists.set('clusteranalysistemplates', 700)
  put(api, { templates: [{ templateName: 'health' }] })
  start()
  await clock.advance(5000)
  expect(status()?.phase).toBe('Successful')
  expect(api.all('events')).toMatchObject([
    { type: 'Warning', reason: 'ClusterTemplateFallback' },
    { reason: 'MetricSuccessful' },
    { reason: 'AnalysisRunSuccessful' },
  ])
})

test('the secrets of a finished run are read no more', async () => {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  api.put('secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', namespace: 'app' },
    data: { k: 'aHVzaA==' },
  } as KubeObject)
  const valueFrom = { secretKeyRef: { name: 's', key: 'k' } }
  put(api, { args: [{ name: 'a', valueFrom }], metrics: [web('m')] })
  start()
  await clock.advance(1000)
  expect(status()?.phase).toBe('Successful')
  const reads = () => api.calls.filter((call) => call === 'get secrets app/s').length
  const before = reads()
  expect(before).toBeGreaterThan(0)
  const run = api.get<KubeObject>('analysisruns', 'app/run')
  api.put('analysisruns', { ...run, metadata: { ...run.metadata, annotations: { seen: 'yes' } } })
  await clock.advance(1000)
  expect(reads()).toBe(before)
})

test('a finished run is deleted on time and costs nothing before [analysis-and-experiments 37]', async () => {
  using world = analysisWorld()
  const { clock, api, start } = world
  put(api, { metrics: [web('m')], ttlStrategy: { secondsAfterSuccess: 5 } })
  start()
  await clock.advance(0)
  const calls = api.calls.length
  await clock.advance(5999)
  const later = api.calls.slice(calls).filter((call) => !call.includes(' events '))
  expect(later).toEqual([])
  await clock.advance(1)
  expect(api.all('analysisruns')).toEqual([])
})
