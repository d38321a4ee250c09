import {
  type AnalysisTemplate,
  annotationKeys,
  type Experiment,
  hashLabel,
  type Rollout,
} from '@serinus/api'
import { expect, test } from 'vitest'
import { type Canary, canaryRollout, World } from '../testing/world.ts'

type Status = NonNullable<Experiment['status']>
type Step = NonNullable<NonNullable<Canary['steps']>[number]['experiment']>

const sides: Step['templates'] = [
  { name: 'baseline', specRef: 'stable' },
  { name: 'canary', specRef: 'canary' },
]

/** Declares what the steps here hand over. */
const asking = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'AnalysisTemplate',
  metadata: { name: 't', namespace: 'default' },
  spec: {
    args: ['latest', 'stable', 'team', 'to'].map((name) => ({ name, value: '' })),
    metrics: [{ name: 'm', provider: { web: { url: 'http://x' } } }],
  },
} as AnalysisTemplate

function templateWith(image: string): NonNullable<Rollout['spec']['template']> {
  const containers = [{ name: 'app', image, ports: [{ containerPort: 80 }] }]
  return { metadata: { labels: { app: 'app' } }, spec: { containers } }
}

function worldAt(
  step: Partial<Step> = {},
  facts: { readonly canary?: Canary; readonly rollout?: Partial<Rollout['metadata']> } = {},
): World {
  const steps = [{ setWeight: 20 }, { experiment: { templates: sides, ...step } }, { pause: {} }]
  const rollout = canaryRollout({ steps, ...facts.canary }, { replicas: 5 })
  const world = new World(
    {
      ...rollout,
      metadata: { ...rollout.metadata, ...facts.rollout },
      spec: { ...rollout.spec, template: templateWith('h1') },
    },
    { analysisTemplates: [asking] },
  )
  world.pass(10_000)
  world.forget()
  world.edit((spec) => ({ ...spec, template: templateWith('h2') }))
  world.pass(30_000)
  return world
}

/** What the Experiment's own controller would have written. */
function tell(world: World, status: Status, name = world.status.canary?.currentExperiment): void {
  world.experiments = world.experiments.map((one) =>
    one.metadata.name === name ? { ...one, status: { ...one.status, ...status } } : one,
  )
  world.settle()
}

const namesOf = (world: World) => world.experiments.map((one) => one.metadata.name)
const index = (world: World) => world.status.currentStepIndex

test('an experiment step creates an Experiment of both versions with its name, labels and owner [api 33]', () => {
  const world = worldAt(
    { duration: '5m', analyses: [{ name: 'a', templateName: 't', requiredForCompletion: true }] },
    { rollout: { labels: { team: 'shop' } } },
  )
  const hash = world.status.currentPodHash ?? ''
  expect(namesOf(world)).toEqual([`app-${hash}-2-1`])
  expect(world.status.canary?.currentExperiment).toBe(`app-${hash}-2-1`)
  const [experiment] = world.experiments
  expect(experiment?.metadata.labels).toEqual({
    team: 'shop',
    [hashLabel]: hash,
    'step-index': '1',
  })
  expect(experiment?.metadata.annotations).toEqual({ [annotationKeys.revision]: '2' })
  expect(experiment?.metadata.ownerReferences?.[0]).toMatchObject({ kind: 'Rollout', name: 'app' })
  const spec = experiment?.spec
  expect(spec?.templates.map((one) => one.template.spec?.containers?.[0]?.image)).toEqual([
    'h1',
    'h2',
  ])
  expect(spec?.templates.map((one) => one.selector)).toEqual([
    { matchLabels: { app: 'app' } },
    { matchLabels: { app: 'app' } },
  ])
  expect(spec?.templates.some((one) => one.template.metadata?.labels?.[hashLabel])).toBe(false)
  expect(spec).toMatchObject({
    duration: '5m',
    analyses: [{ name: 'a', templateName: 't', requiredForCompletion: true }],
  })
  expect(world.reasons()).toContain('ExperimentCreated')
})

test('what a step says of its templates reaches the pods, their selector and their Service', () => {
  const world = worldAt({
    scaleDownDelaySeconds: 3,
    progressDeadlineSeconds: 40,
    measurementRetention: [{ metricName: 'm', limit: 3 }],
    templates: [
      {
        name: 'a',
        specRef: 'canary',
        replicas: 2,
        metadata: { labels: { side: 'a' }, annotations: { note: 'x' } },
      },
      { name: 'b', specRef: 'canary', selector: { matchLabels: { app: 'app' } }, service: {} },
      { name: 'c', specRef: 'canary', service: { name: 'mine' } },
    ],
  })
  const spec = world.experiments[0]?.spec
  expect(spec?.templates[0]).toMatchObject({
    replicas: 2,
    selector: { matchLabels: { app: 'app', side: 'a' } },
    template: { metadata: { labels: { app: 'app', side: 'a' }, annotations: { note: 'x' } } },
  })
  expect(spec?.templates.map((one) => one.service)).toEqual([undefined, {}, { name: 'mine' }])
  expect(spec).toMatchObject({
    scaleDownDelaySeconds: 3,
    progressDeadlineSeconds: 40,
    measurementRetention: [{ metricName: 'm', limit: 3 }],
  })
})

test('metadata that the Rollout gives to its canary pods is not copied to those of an experiment', () => {
  const world = worldAt({}, { canary: { canaryMetadata: { labels: { role: 'canary' } } } })
  expect(world.setOf('h2').spec.template.metadata?.labels).toMatchObject({ role: 'canary' })
  expect(world.experiments[0]?.spec.templates[1]?.template.metadata?.labels).toEqual({ app: 'app' })
})

test('arguments come from fields and hashes of the Rollout, and tags of the Experiment stay for it', () => {
  const args = [
    { name: 'latest', valueFrom: { podTemplateHashValue: 'Latest' as const } },
    { name: 'stable', valueFrom: { podTemplateHashValue: 'Stable' as const } },
    { name: 'team', valueFrom: { fieldRef: { fieldPath: "metadata.labels['team']" } } },
    { name: 'to', value: '{{templates.canary.service.name}}' },
  ]
  const world = worldAt(
    { analyses: [{ name: 'a', templateName: 't', args }] },
    { rollout: { labels: { team: 'shop' } } },
  )
  expect(world.experiments[0]?.spec.analyses?.[0]?.args).toEqual([
    { name: 'latest', value: world.status.currentPodHash },
    { name: 'stable', value: world.status.stableRS },
    { name: 'team', value: 'shop' },
    { name: 'to', value: '{{templates.canary.service.name}}' },
  ])
})

test('a successful Experiment completes its step', () => {
  const world = worldAt()
  expect(index(world)).toBe(1)
  expect(world.plans.at(-1)?.waits).toContainEqual({
    kind: 'experiment',
    experiment: world.status.canary?.currentExperiment,
    step: 1,
  })
  tell(world, { phase: 'Successful' })
  expect(index(world)).toBe(2)
  expect(world.status.canary?.currentExperiment).toBeUndefined()
  expect(world.writes.filter((write) => write.id.startsWith('terminate/'))).toEqual([])
})

test.each(['Failed', 'Error'] as const)(
  'an Experiment that ends as %s aborts the update; a retry runs another one [api 33]',
  (phase) => {
    const world = worldAt()
    const [name = ''] = namesOf(world)
    tell(world, { phase, message: 'worse' })
    expect(world.status.message).toBe(
      'RolloutAborted: Rollout aborted update to revision 2: Experiment analysis phase is error/failed: worse',
    )
    world.pass(60_000)
    world.patchStatus({ abort: false })
    world.pass(60_000)
    expect(namesOf(world)).toEqual([name, `${name}-1`])
    expect(world.status.canary?.currentExperiment).toBe(`${name}-1`)
  },
)

test('an inconclusive Experiment pauses the Rollout and stays the current one until a user promotes [analysis-and-experiments 55]', () => {
  const world = worldAt()
  tell(world, { phase: 'Inconclusive' })
  world.pass(3_600_000)
  expect([world.status.phase, world.status.message]).toEqual(['Paused', 'InconclusiveExperiment'])
  expect(namesOf(world)).toHaveLength(1)
  expect(index(world)).toBe(1)
  expect(world.plans.at(-1)?.waits[0]).toMatchObject({
    kind: 'inconclusive',
    run: namesOf(world)[0],
  })
  // As `promote` does where no run is inconclusive.
  world.patchStatus({ pauseConditions: null })
  world.pass(60_000)
  expect(index(world)).toBe(2)
  expect(namesOf(world)).toHaveLength(1)
  expect(world.status.canary?.currentExperiment).toBeUndefined()
})

test.each<[string, object]>([
  ['skips the step', { currentStepIndex: 2 }],
  ['aborts', { abort: true }],
  ['promotes in full', { promoteFull: true }],
])('an Experiment is ended when a user %s', (_, patch) => {
  const world = worldAt()
  tell(world, { phase: 'Running' })
  world.patchStatus(patch)
  world.pass(5_000)
  expect(world.experiments[0]?.spec.terminate).toBe(true)
  expect(world.status.canary?.currentExperiment).toBeUndefined()
  expect(namesOf(world)).toHaveLength(1)
})

test('the step after a skipped Experiment is not judged by it', () => {
  const steps = [{ experiment: { templates: sides } }, { experiment: { templates: sides } }]
  const world = worldAt({}, { canary: { steps } })
  tell(world, { phase: 'Running' })
  const [first = ''] = namesOf(world)
  world.rollout = {
    ...world.rollout,
    status: { ...world.status, currentStepIndex: 1 },
  } as Rollout
  tell(world, { phase: 'Failed' }, first)
  expect(world.status.abort).toBeUndefined()
  expect(namesOf(world)).toEqual([first, first.replace(/-0$/, '-1')])
  expect(world.status.canary?.currentExperiment).toBe(namesOf(world)[1])
})

test('another template ends the Experiment of the one before', () => {
  const world = worldAt()
  tell(world, { phase: 'Running' })
  world.setImage('h3')
  world.pass(60_000)
  const [old, next] = world.experiments
  expect(old?.spec.terminate).toBe(true)
  expect(next?.metadata.name).toBe(`app-${world.status.currentPodHash}-3-1`)
})

test('an Experiment that was made and not recorded is taken for its own, and a foreign name is left alone', () => {
  const world = worldAt()
  const [name = ''] = namesOf(world)
  const { currentExperiment: _, ...canary } = world.status.canary ?? {}
  world.rollout = { ...world.rollout, status: { ...world.status, canary } } as Rollout
  world.settle()
  expect(world.status.canary?.currentExperiment).toBe(name)
  expect(namesOf(world)).toEqual([name])

  const other = worldAt(
    {},
    { canary: { steps: [{ pause: {} }, { experiment: { templates: sides } }] } },
  )
  const base = `app-${other.status.currentPodHash}-2-1`
  other.takenNames = [base]
  other.patchStatus({ pauseConditions: null })
  other.pass(30_000)
  expect(namesOf(other)).toEqual([`${base}-1`])
})

test('Experiments are kept and removed as runs are', () => {
  const world = worldAt()
  const [first] = world.experiments
  if (!first) throw new Error('no Experiment')
  const hash = first.metadata.labels?.[hashLabel] ?? ''
  const old = (name: string, phase: Status['phase'], second: number, label = hash): Experiment => ({
    ...first,
    metadata: {
      ...first.metadata,
      name,
      labels: { [hashLabel]: label },
      creationTimestamp: new Date(Date.parse('2025-01-01T00:00:00Z') + second * 1000).toISOString(),
    },
    status: phase ? { phase } : {},
  })
  const many = (phase: 'Successful' | 'Failed', count: number) =>
    Array.from({ length: count }, (_, at) => old(`${phase}-${at}`, phase, at))
  world.experiments = [
    first,
    ...many('Successful', 7),
    ...many('Failed', 6),
    old('lost', 'Running', 0, 'gone'),
  ]
  world.settle()
  const left = namesOf(world)
  expect(left).toContain(first.metadata.name)
  expect(left).not.toContain('lost')
  expect(left.filter((name) => name.startsWith('Successful'))).toEqual(
    [2, 3, 4, 5, 6].map((at) => `Successful-${at}`),
  )
  expect(left.filter((name) => name.startsWith('Failed'))).toEqual(
    [1, 2, 3, 4, 5].map((at) => `Failed-${at}`),
  )
})

const routed = { stableService: 'stable', canaryService: 'canary', trafficRouting: { smi: {} } }
const weighted: Step['templates'] = sides.map((side) => ({ ...side, weight: 5 }))

/** A world whose router takes over whatever weight it is asked for. */
function routedWorld(steps: Canary['steps']): World {
  const service = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { selector: { app: 'app' } },
  })
  const world = new World(
    canaryRollout({ ...routed, ...(steps ? { steps } : {}) }, { replicas: 5 }),
    {
      services: [service('stable'), service('canary')],
      weight: 0,
    },
  )
  world.pass(30_000)
  world.forget()
  world.setImage('h2')
  world.pass(60_000)
  return world
}

const templateStatuses = ['baseline', 'canary'].map((name) => ({
  name,
  replicas: 1,
  updatedReplicas: 1,
  readyReplicas: 1,
  availableReplicas: 1,
  serviceName: `exp-${name}`,
  podTemplateHash: `hash-${name}`,
}))
const additional = ['baseline', 'canary'].map((name) => ({
  weight: 5,
  serviceName: `exp-${name}`,
  podTemplateHash: `hash-${name}`,
}))

test('templates with a weight take it from stable while the Experiment is Running, and not before [analysis-and-experiments 56]', () => {
  const world = routedWorld([{ experiment: { templates: weighted } }, { pause: {} }])
  expect(world.experiments[0]?.spec.templates.map((one) => one.service)).toEqual([{}, {}])
  const weights = () => world.status.canary?.weights
  tell(world, { phase: 'Pending', templateStatuses })
  expect(world.plans.at(-1)?.routes?.additional).toEqual([])
  expect([weights()?.stable.weight, weights()?.additional]).toEqual([100, undefined])
  tell(world, { phase: 'Running' })
  expect(world.plans.at(-1)?.routes).toMatchObject({
    weight: 0,
    additional: [
      { service: 'exp-baseline', hash: 'hash-baseline', weight: 5 },
      { service: 'exp-canary', hash: 'hash-canary', weight: 5 },
    ],
  })
  expect(weights()).toMatchObject({ canary: { weight: 0 }, stable: { weight: 90 }, additional })
  tell(world, { phase: 'Successful' })
  expect([weights()?.stable.weight, weights()?.additional]).toEqual([100, undefined])
})

test('a template without its Service gets its share once that is there', () => {
  const world = routedWorld([{ experiment: { templates: weighted } }, { pause: {} }])
  const [baseline, canary] = templateStatuses
  if (!baseline || !canary) throw new Error('there are two')
  const { serviceName: _, ...alone } = baseline
  tell(world, { phase: 'Running', templateStatuses: [alone, canary] })
  const weights = () => world.status.canary?.weights
  expect(world.plans.at(-1)?.routes?.additional).toEqual([
    { service: 'exp-canary', hash: 'hash-canary', weight: 5 },
  ])
  expect([weights()?.stable.weight, weights()?.additional]).toEqual([95, additional.slice(1)])
  tell(world, { phase: 'Running', templateStatuses })
  expect([weights()?.stable.weight, weights()?.additional]).toEqual([90, additional])
})

test('an experiment beside a canary with a share leaves the rest to stable [traffic-routing 16]', () => {
  const world = routedWorld([
    { setWeight: 20 },
    { experiment: { templates: weighted } },
    { pause: {} },
  ])
  tell(world, { phase: 'Running', templateStatuses })
  const weights = () => world.status.canary?.weights
  expect(weights()).toMatchObject({ canary: { weight: 20 }, stable: { weight: 70 }, additional })
  tell(world, { phase: 'Successful' })
  expect([weights()?.stable.weight, weights()?.additional]).toEqual([80, undefined])
})
