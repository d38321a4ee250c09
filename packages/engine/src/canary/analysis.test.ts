import type {
  AnalysisRun,
  AnalysisTemplate,
  ClusterAnalysisTemplate,
  Metric,
  Rollout,
} from '@serinus/api'
import { expect, test } from 'vitest'
import { canaryRollout, World } from '../testing/world.ts'

type Canary = Parameters<typeof canaryRollout>[0]

function metric(name: string, facts: Partial<Metric> = {}): Metric {
  return { name, provider: { web: { url: 'http://x' } }, ...facts } as Metric
}

function template(name: string, spec: Partial<AnalysisTemplate['spec']>): AnalysisTemplate {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name, namespace: 'default' },
    spec: { metrics: [metric('m')], ...spec },
  } as AnalysisTemplate
}

function worldWith(
  canary: Canary,
  facts: {
    templates?: AnalysisTemplate[]
    cluster?: ClusterAnalysisTemplate[]
    labels?: Record<string, string>
  } = {},
): World {
  const rollout = canaryRollout(canary, { replicas: 2 })
  const labelled = {
    ...rollout,
    metadata: { ...rollout.metadata, ...(facts.labels ? { labels: facts.labels } : {}) },
  } as Rollout
  const world = new World(labelled, {
    analysisTemplates: facts.templates ?? [],
    clusterAnalysisTemplates: facts.cluster ?? [],
  })
  world.pass(10_000)
  world.forget()
  return world
}

/** What the run's own controller would have written. */
function finish(
  world: World,
  name: string,
  status: Partial<NonNullable<AnalysisRun['status']>>,
): void {
  world.analysisRuns = world.analysisRuns.map((run) =>
    run.metadata.name === name
      ? ({ ...run, status: { ...run.status, ...status } } as AnalysisRun)
      : run,
  )
  world.settle()
}

const inline = (...names: string[]) => ({
  analysis: { templates: names.map((templateName) => ({ templateName })) },
})

test('an analysis step starts a run with its name, labels and owner [analysis-and-experiments 1] [api 33] [api 34]', () => {
  const world = worldWith(
    { steps: [{ setWeight: 50 }, inline('t')] },
    { templates: [template('t', {})] },
  )
  world.setImage('h2')
  world.pass(10_000)
  const hash = world.status.currentPodHash ?? ''
  const [run] = world.analysisRuns
  expect(run?.metadata.name).toBe(`app-${hash}-2-1`)
  expect(run?.metadata.labels).toEqual({
    'rollouts-pod-template-hash': hash,
    'rollout-type': 'Step',
    'step-index': '1',
    app: 'app',
  })
  expect(run?.metadata.annotations?.['rollout.argoproj.io/revision']).toBe('2')
  expect(run?.metadata.ownerReferences?.[0]).toMatchObject({
    kind: 'Rollout',
    name: 'app',
    controller: true,
  })
})

test('a failed step run aborts; after a retry the same step asks anew under another name [analysis-and-experiments 2] [api 33]', () => {
  const world = worldWith(
    { steps: [{ setWeight: 50 }, inline('t')] },
    { templates: [template('t', {})] },
  )
  world.setImage('h2')
  world.pass(10_000)
  const name = world.analysisRuns[0]?.metadata.name ?? ''
  finish(world, name, { phase: 'Failed', message: 'bad' })
  expect(world.status.message).toBe(
    'RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed: bad',
  )
  world.pass(10_000)
  world.patchStatus({ abort: false })
  world.pass(10_000)
  expect(world.analysisRuns.map((run) => run.metadata.name)).toEqual([name, `${name}.1`])
})

test('a background run waits for its starting step [analysis-and-experiments 4]', () => {
  const world = worldWith(
    {
      steps: [{ setWeight: 50 }, { pause: {} }],
      analysis: { startingStep: 1, templates: [{ templateName: 't' }] },
    },
    { templates: [template('t', { metrics: [metric('m', { interval: '1m' })] })] },
  )
  world.setImage('h2')
  expect(world.analysisRuns).toEqual([])
  world.pass(5_000)
  expect(world.analysisRuns.map((run) => run.metadata.labels?.['rollout-type'])).toEqual([
    'Background',
  ])
})

test('without steps a background run starts at once [analysis-and-experiments 5]', () => {
  const world = worldWith(
    { analysis: { startingStep: 2, templates: [{ templateName: 't' }] } },
    { templates: [template('t', { metrics: [metric('m', { interval: '1m' })] })] },
  )
  world.setImage('h2')
  expect(world.analysisRuns).toHaveLength(1)
})

test('a first deployment is not analysed [analysis-and-experiments 6]', () => {
  const world = worldWith(
    { steps: [inline('t')], analysis: { templates: [{ templateName: 't' }] } },
    { templates: [template('t', {})] },
  )
  expect(world.analysisRuns).toEqual([])
  expect(world.status.phase).toBe('Healthy')
})

test('templates are merged and the Rollout has the last word on arguments [analysis-and-experiments 7]', () => {
  const world = worldWith(
    {
      steps: [
        {
          analysis: {
            templates: [{ templateName: 'a' }, { templateName: 'b' }],
            args: [{ name: 'svc', value: 'y' }],
          },
        },
      ],
    },
    {
      templates: [
        template('a', { metrics: [metric('m1')], args: [{ name: 'svc' }] }),
        template('b', { metrics: [metric('m2')], args: [{ name: 'svc', value: 'x' }] }),
      ],
    },
  )
  world.setImage('h2')
  const [run] = world.analysisRuns
  expect(run?.spec.metrics?.map((one) => one.name)).toEqual(['m1', 'm2'])
  expect(run?.spec.args).toEqual([{ name: 'svc', value: 'y' }])
})

test('arguments of two templates that disagree are refused [analysis-and-experiments 8]', () => {
  const world = worldWith(
    {
      steps: [
        {
          analysis: {
            templates: [{ templateName: 'a' }, { templateName: 'b' }],
            args: [{ name: 'svc', value: 'y' }],
          },
        },
      ],
    },
    {
      templates: [
        template('a', { metrics: [metric('m1')], args: [{ name: 'svc', value: 'x' }] }),
        template('b', { metrics: [metric('m2')], args: [{ name: 'svc', value: 'z' }] }),
      ],
    },
  )
  expect(world.status.message).toContain(
    "Argument `svc` specified multiple times with different values: 'x', 'z'",
  )
})

test('templates that name each other are refused as a cycle [analysis-and-experiments 10] [api 23]', () => {
  const world = worldWith(
    { steps: [inline('a')] },
    {
      templates: [
        template('a', { templates: [{ templateName: 'b' }] }),
        template('b', { metrics: [metric('n')], templates: [{ templateName: 'a' }] }),
      ],
    },
  )
  expect(world.status.message).toContain('templates a -> b -> a form a cycle')
})

test('arguments are read from fields of the Rollout [analysis-and-experiments 11]', () => {
  const world = worldWith(
    {
      steps: [
        {
          analysis: {
            templates: [{ templateName: 't' }],
            args: [
              { name: 'env', valueFrom: { fieldRef: { fieldPath: "metadata.labels['env']" } } },
              {
                name: 'image',
                valueFrom: { fieldRef: { fieldPath: 'spec.template.spec.containers[0].image' } },
              },
            ],
          },
        },
      ],
    },
    {
      templates: [template('t', { args: [{ name: 'env' }, { name: 'image' }] })],
      labels: { env: 'dev' },
    },
  )
  world.setImage('h2')
  expect(world.analysisRuns[0]?.spec.args).toEqual([
    { name: 'env', value: 'dev' },
    { name: 'image', value: 'h2' },
  ])
})

test('an inline metric must come to an end, a background one need not [analysis-and-experiments 12] [api 24]', () => {
  const templates = [template('t', { metrics: [metric('m', { interval: '1m' })] })]
  expect(worldWith({ steps: [inline('t')] }, { templates }).status.message).toContain(
    'runs indefinitely',
  )
  expect(
    worldWith({ analysis: { templates: [{ templateName: 't' }] } }, { templates }).status.phase,
  ).toBe('Healthy')
})

test('a failed background run aborts with its message and takes the weight back [analysis-and-experiments 13] [api 36]', () => {
  const world = worldWith(
    { steps: [{ setWeight: 50 }, { pause: {} }], analysis: { templates: [{ templateName: 't' }] } },
    { templates: [template('t', { metrics: [metric('m', { interval: '1m' })] })] },
  )
  world.setImage('h2')
  world.pass(10_000)
  const message = 'Metric "e" assessed Failed due to failed (1) > failureLimit (0)'
  finish(world, world.analysisRuns[0]?.metadata.name ?? '', { phase: 'Failed', message })
  expect(world.status.message).toBe(
    `RolloutAborted: Rollout aborted update to revision 2: Background analysis phase error/failed: ${message}`,
  )
  expect(world.reasons().filter((reason) => reason === 'RolloutAborted')).toHaveLength(1)
  world.pass(20_000)
  expect(world.size('h2')).toBe(0)
})

test('an inconclusive background run pauses; resumed, the question is asked again [analysis-and-experiments 15]', () => {
  const world = worldWith(
    {
      steps: [{ setWeight: 50 }, { setWeight: 100 }],
      analysis: { templates: [{ templateName: 't' }] },
    },
    { templates: [template('t', { metrics: [metric('m', { interval: '1m' })] })] },
  )
  world.setImage('h2')
  finish(world, world.analysisRuns[0]?.metadata.name ?? '', { phase: 'Inconclusive' })
  world.pass(20_000)
  expect([world.status.phase, world.status.message]).toEqual(['Paused', 'InconclusiveAnalysisRun'])
  world.patchStatus({ pauseConditions: null })
  expect(world.analysisRuns).toHaveLength(2)
})

test('an inconclusive step run pauses; promoted, the step is passed [analysis-and-experiments 14]', () => {
  const world = worldWith(
    { steps: [inline('t'), { pause: {} }] },
    { templates: [template('t', {})] },
  )
  world.setImage('h2')
  finish(world, world.analysisRuns[0]?.metadata.name ?? '', { phase: 'Inconclusive' })
  expect([world.status.phase, world.status.message]).toEqual(['Paused', 'InconclusiveAnalysisRun'])
  world.patchStatus({ pauseConditions: null, controllerPause: null, currentStepIndex: 1 })
  expect(world.status.currentStepIndex).toBe(1)
  expect(world.status.message).toBe('CanaryPauseStep')
})

test('of two analysis steps in a row each has its own run: a promotion ends the first and starts the second', () => {
  const world = worldWith(
    { steps: [inline('t'), inline('t'), { pause: {} }] },
    { templates: [template('t', {})] },
  )
  world.setImage('h2')
  world.pass(10_000)
  const [first] = world.analysisRuns
  world.patchStatus({ currentStepIndex: 1 })
  world.pass(10_000)
  const runs = world.analysisRuns.map(({ metadata, spec }) => [
    metadata.labels?.['step-index'],
    spec.terminate === true,
  ])
  expect(runs).toEqual([
    ['0', true],
    ['1', false],
  ])
  // What the first still has to say is about a step that is over.
  finish(world, first?.metadata.name ?? '', { phase: 'Failed', message: 'late' })
  expect([world.status.currentStepIndex, world.status.abort]).toEqual([1, undefined])
  finish(world, world.analysisRuns[1]?.metadata.name ?? '', { phase: 'Successful' })
  expect(world.status.currentStepIndex).toBe(2)
})

test('a run that changes its phase is told on the Rollout [analysis-and-experiments 19]', () => {
  const world = worldWith({ steps: [inline('t')] }, { templates: [template('t', {})] })
  world.setImage('h2')
  const name = world.analysisRuns[0]?.metadata.name ?? ''
  finish(world, name, { phase: 'Running' })
  finish(world, name, { phase: 'Failed' })
  expect(world.transitions.find((t) => t.reason === 'AnalysisRunFailed')).toMatchObject({
    type: 'Warning',
    message: `Step Analysis Run '${name}' Status New: 'Failed' Previous: 'Running'`,
  })
})

test('only a ClusterAnalysisTemplate of that name: it is used, with a warning, unless clusterScope says no [analysis-and-experiments 20]', () => {
  const cluster = [
    {
      ...template('t', {}),
      kind: 'ClusterAnalysisTemplate',
      metadata: { name: 't' },
    } as ClusterAnalysisTemplate,
  ]
  const world = worldWith({ steps: [inline('t')] }, { cluster })
  world.setImage('h2')
  expect(world.analysisRuns).toHaveLength(1)
  expect(world.reasons()).toContain('ClusterTemplateFallback')
  const strict = worldWith(
    { steps: [{ analysis: { templates: [{ templateName: 't', clusterScope: false }] } }] },
    { cluster },
  )
  expect(strict.status.message).toContain("AnalysisTemplate 't' not found")
})

test('a successful step run completes its step, and an abort ends the runs under way', () => {
  const world = worldWith(
    { steps: [inline('t'), { pause: {} }], analysis: { templates: [{ templateName: 'b' }] } },
    {
      templates: [
        template('t', {}),
        template('b', { metrics: [metric('bg', { interval: '1m' })] }),
      ],
    },
  )
  world.setImage('h2')
  const step = world.analysisRuns.find((run) => run.metadata.labels?.['rollout-type'] === 'Step')
  finish(world, step?.metadata.name ?? '', { phase: 'Successful' })
  expect(world.status.currentStepIndex).toBe(1)
  world.patchStatus({ abort: true })
  const background = world.analysisRuns.find(
    (run) => run.metadata.labels?.['rollout-type'] === 'Background',
  )
  expect(background?.spec.terminate).toBe(true)
})

test('a pause for want of a verdict says which limit would allow it', () => {
  const world = worldWith(
    { steps: [inline('t'), { pause: {} }] },
    { templates: [template('t', {})] },
  )
  world.setImage('h2')
  finish(world, world.analysisRuns[0]?.metadata.name ?? '', {
    phase: 'Inconclusive',
    message: 'Metric "m" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)',
    metricResults: [{ name: 'm', phase: 'Inconclusive', inconclusive: 1 }],
  })
  expect(world.transitions.find((t) => t.reason === 'RolloutPaused')?.message).toBe(
    'Rollout is paused (InconclusiveAnalysisRun): Metric "m" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0); set inconclusiveLimit: 2 to allow 2',
  )
})

test('a template that several others mention is measured once [analysis-and-experiments 9]', () => {
  const templates = [
    template('a', {
      metrics: [metric('a')],
      templates: [{ templateName: 'b' }, { templateName: 'c' }],
    }),
    template('b', { metrics: [metric('b')] }),
    template('c', { metrics: [metric('c')], templates: [{ templateName: 'b' }] }),
  ]
  const world = worldWith({ steps: [{ setWeight: 50 }, inline('a')] }, { templates })
  world.setImage('h2')
  world.pass(10_000)
  expect(world.analysisRuns[0]?.spec.metrics?.map((each) => each.name)).toEqual(['a', 'b', 'c'])
})

test('labels of analysisRunMetadata reach the run, except those by which it is found again [analysis-and-experiments 17]', () => {
  const analysisRunMetadata = {
    labels: { team: 'a', 'rollout-type': 'Background', 'rollouts-pod-template-hash': 'x' },
    annotations: { note: 'n', 'rollout.argoproj.io/revision': '7' },
  }
  const step = { analysis: { ...inline('t').analysis, analysisRunMetadata } }
  const world = worldWith({ steps: [{ setWeight: 50 }, step] }, { templates: [template('t', {})] })
  world.setImage('h2')
  world.pass(10_000)
  expect(world.analysisRuns[0]?.metadata).toMatchObject({
    labels: {
      team: 'a',
      'rollout-type': 'Step',
      'rollouts-pod-template-hash': world.status.currentPodHash,
    },
    annotations: { note: 'n', 'rollout.argoproj.io/revision': '2' },
  })
})

test('of finished runs the newest five of either kind stay, as long as their version has a ReplicaSet [analysis-and-experiments 16]', () => {
  const world = worldWith({ steps: [{ setWeight: 50 }, { pause: {} }] })
  world.setImage('h2')
  world.pass(10_000)
  const hash = world.status.currentPodHash ?? ''
  const old = (name: string, phase: string, second: number, of = hash) =>
    ({
      metadata: {
        name,
        namespace: 'default',
        uid: `uid-${name}`,
        creationTimestamp: new Date(world.now + second * 1000).toISOString(),
        labels: { 'rollouts-pod-template-hash': of, 'rollout-type': 'Step' },
      },
      spec: { metrics: [metric('m')] },
      status: { phase },
    }) as unknown as AnalysisRun
  const bad = ['Failed', 'Error', 'Inconclusive', 'Failed', 'Failed', 'Failed']
  world.analysisRuns = [
    ...[1, 2, 3, 4, 5, 6, 7].map((n) => old(`good-${n}`, 'Successful', n)),
    ...bad.map((phase, index) => old(`bad-${index + 1}`, phase, index + 1)),
    old('orphan', 'Successful', 9, 'gone'),
  ]
  world.settle()
  expect(world.analysisRuns.map((run) => run.metadata.name)).toEqual([
    ...[3, 4, 5, 6, 7].map((n) => `good-${n}`),
    ...[2, 3, 4, 5, 6].map((n) => `bad-${n}`),
  ])
})

test('a background run can wait for a pod to measure', () => {
  const runsAtOnce = (waitForCanaryReady: boolean) => {
    const world = worldWith(
      {
        steps: [{ setWeight: 50 }, { pause: {} }],
        analysis: { templates: [{ templateName: 't' }], waitForCanaryReady },
      },
      { templates: [template('t', {})] },
    )
    world.setImage('h2')
    world.pass(1_000)
    const early = world.analysisRuns.length
    world.pass(10_000)
    return [early, world.analysisRuns.length]
  }
  expect(runsAtOnce(false)).toEqual([1, 1])
  expect(runsAtOnce(true)).toEqual([0, 1])
})

test('a run is told how many metrics with a test share alpha in the whole update', () => {
  const source = { prometheus: { address: 'http://p', query: 'up' } }
  const counts = { canary: { total: source, bad: source } }
  const tested = (name: string) =>
    metric(name, { interval: '5s', count: 9, test: { bound: 0.01 }, provider: { counts } } as never)
  const templates = [
    template('a', { metrics: [tested('a1'), tested('a2'), metric('plain')] }),
    template('b', { metrics: [tested('b1'), tested('b2')], dryRun: [{ metricName: 'b2' }] }),
  ]
  const world = worldWith(
    {
      steps: [{ setWeight: 50 }, inline('a'), inline('a')],
      analysis: { templates: [{ templateName: 'b' }] },
    },
    { templates },
  )
  world.setImage('h2')
  world.pass(10_000)
  const shares = world.analysisRuns.map(
    (run) => run.metadata.annotations?.['serinus.dev/alpha-shares'],
  )
  expect(shares).toEqual(['5', '5'])
})
