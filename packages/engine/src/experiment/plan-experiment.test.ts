import {
  type AnalysisRun,
  type AnalysisTemplate,
  annotationKeys,
  type Experiment,
  type ExperimentStatus,
  hashLabel,
  labelKeys,
  type Rollout,
} from '@serinus/api'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatInstant } from '../instant.ts'
import type { Write } from '../plan.ts'
import type { ReplicaSet, Service } from '../snapshot.ts'
import { planExperiment } from './plan-experiment.ts'
import type { ExperimentSnapshot } from './snapshot.ts'

const start = Date.UTC(2026, 0, 1)
type Template = NonNullable<ExperimentStatus['templateStatuses']>[number]
type Run = NonNullable<ExperimentStatus['analysisRuns']>[number]

function template(name: string, more: object = {}): Experiment['spec']['templates'][number] {
  const labels = { app: 'web' }
  return {
    name,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: { containers: [{ name: 'web', image: 'web', ports: [{ containerPort: 80 }] }] },
    },
    ...more,
  }
}

function snapshotOf(
  spec: Partial<Experiment['spec']>,
  more: Partial<ExperimentSnapshot> & { readonly status?: ExperimentStatus } = {},
): ExperimentSnapshot {
  const { status, ...rest } = more
  return {
    experiment: {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Experiment',
      metadata: { name: 'exp', namespace: 'default', uid: 'uid', resourceVersion: '7' },
      spec: { templates: [template('a')], ...spec },
      ...(status ? { status } : {}),
    } as Experiment,
    parseProblems: [],
    replicaSets: [],
    analysisRuns: [],
    services: [],
    analysisTemplates: [asking],
    clusterAnalysisTemplates: [],
    rollout: null,
    activeSince: null,
    failures: [],
    taken: [],
    leaving: [],
    ...rest,
  }
}

const asking = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'AnalysisTemplate',
  metadata: { name: 't', namespace: 'default' },
  spec: { metrics: [{ name: 'm', provider: { web: { url: 'http://x' } } }] },
} as AnalysisTemplate

const owner = [
  {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Experiment',
    name: 'exp',
    uid: 'uid',
    controller: true,
  },
]

/** A ReplicaSet as another controller made it: without a label of its own. */
function setOf(
  name: string,
  sizes: { readonly spec: number; readonly available: number },
): ReplicaSet {
  const labels = { app: 'web', [hashLabel]: `hash-${name}` }
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `exp-${name}`,
      namespace: 'default',
      uid: `uid-${name}`,
      labels,
      annotations: {
        [annotationKeys.experimentName]: 'exp',
        [annotationKeys.experimentTemplateName]: name,
      },
      ownerReferences: owner,
    },
    spec: {
      replicas: sizes.spec,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [] } },
    },
    status: {
      replicas: sizes.spec,
      readyReplicas: sizes.available,
      availableReplicas: sizes.available,
    },
  } as ReplicaSet
}

function statusOf(name: string, status: Template['status'], available = 1): Template {
  return {
    name,
    replicas: 1,
    updatedReplicas: 1,
    readyReplicas: available,
    availableReplicas: available,
    lastTransitionTime: formatInstant(start),
    podTemplateHash: `hash-${name}`,
    ...(status ? { status } : {}),
  }
}

function runOf(name: string, phase: string, message?: string): AnalysisRun {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisRun',
    metadata: { name: `exp-${name}`, namespace: 'default', ownerReferences: owner },
    spec: { metrics: [] },
    status: { phase, ...(message ? { message } : {}) },
  } as unknown as AnalysisRun
}

const stored = (plan: { readonly writes: readonly Write[] }) => {
  const write = plan.writes.find((one) => one.id === 'status')
  const body = write?.kind === 'patch' ? (write.patch.body as { status: ExperimentStatus }) : null
  return body?.status
}

test('the first pass creates the pods at their size, with a label that no other pods have', () => {
  const [a, b] = [template('a', { replicas: 2 }), template('b')]
  const plan = planExperiment(snapshotOf({ templates: [a, b] }), start)
  const sets = plan.writes.flatMap((write) =>
    write.kind === 'create' ? [write.object as ReplicaSet] : [],
  )
  expect(sets.map((set) => [set.metadata.name, set.spec.replicas])).toEqual([
    ['exp-a', 2],
    ['exp-b', 1],
  ])
  const [first, second] = sets.map((set) => set.spec.selector.matchLabels)
  expect(first?.[labelKeys.experimentTemplate]).toBe('exp-a')
  expect(first?.[hashLabel]).not.toBe(second?.[hashLabel])
  expect(sets[0]?.spec.template.metadata?.labels).toMatchObject(first ?? {})
  expect(stored(plan)?.phase).toBe('Pending')
  expect(plan.transitions.map(({ reason }) => reason)).toEqual([
    'NewReplicaSetCreated',
    'TemplateProgressing',
    'NewReplicaSetCreated',
    'TemplateProgressing',
    'ExperimentPending',
  ])
})

test('what Argo Rollouts has in flight goes on with the pods it has', () => {
  const status: ExperimentStatus = {
    phase: 'Running',
    availableAt: formatInstant(start),
    templateStatuses: [statusOf('a', 'Running')],
    analysisRuns: [{ name: 'q', analysisRun: 'exp-q', phase: 'Running' }],
    conditions: [
      {
        type: 'Progressing',
        status: 'True',
        reason: 'NewReplicaSetAvailable',
        message: 'Experiment "exp" is running.',
        lastUpdateTime: formatInstant(start),
        lastTransitionTime: formatInstant(start),
      },
    ],
  }
  const snapshot = snapshotOf(
    { analyses: [{ name: 'q', templateName: 't' }], templates: [template('a', { service: {} })] },
    {
      status,
      replicaSets: [{ ...setOf('a', { spec: 1, available: 1 }) }],
      analysisRuns: [runOf('q', 'Running')],
      services: [
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: {
            name: 'exp-a',
            namespace: 'default',
            ownerReferences: owner,
            annotations: { [annotationKeys.experimentTemplateName]: 'a' },
          },
          spec: { selector: { app: 'web', [hashLabel]: 'hash-a' } },
        } as Service,
      ],
    },
  )
  const withService = {
    ...status,
    templateStatuses: [{ ...statusOf('a', 'Running'), serviceName: 'exp-a' }],
  }
  const plan = planExperiment(
    { ...snapshot, experiment: { ...snapshot.experiment, status: withService } },
    start + 60_000,
  )
  expect(plan.writes).toEqual([])
})

test('equal templates have revisions of their own, in one experiment as in two', () => {
  const hashes = (name: string) => {
    const snapshot = snapshotOf({ templates: [template('a'), template('b')] })
    const { experiment } = snapshot
    const named = { ...experiment, metadata: { ...experiment.metadata, name } }
    return planExperiment({ ...snapshot, experiment: named }, start).writes.flatMap((write) =>
      write.kind === 'create' ? [(write.object as ReplicaSet).metadata.labels?.[hashLabel]] : [],
    )
  }
  expect(new Set([...hashes('one'), ...hashes('other')]).size).toBe(4)
})

const phases: readonly [string, Template['status'][], [Run['phase'], boolean][], string][] = [
  ['nothing is there yet', ['Progressing'], [], 'Pending'],
  ['all templates run', ['Running', 'Running'], [], 'Running'],
  ['one template is late', ['Running', 'Progressing'], [], 'Pending'],
  ['a template has failed', ['Running', 'Failed'], [], 'Failed'],
  ['failed is worse than in error', ['Error', 'Failed'], [], 'Failed'],
  ['the time is over and nothing was asked', ['Successful'], [], 'Successful'],
  [
    'the time is over and an optional run goes on',
    ['Successful'],
    [['Running', false]],
    'Successful',
  ],
  ['the time is over and a required run goes on', ['Successful'], [['Running', true]], 'Running'],
  ['the time is over and a required run has failed', ['Successful'], [['Failed', true]], 'Failed'],
  ['an optional run has failed', ['Running'], [['Failed', false]], 'Failed'],
  ['an optional run is inconclusive', ['Running'], [['Inconclusive', false]], 'Inconclusive'],
  ['an optional run is in error', ['Running'], [['Error', false]], 'Error'],
  ['all optional runs have succeeded', ['Running'], [['Successful', false]], 'Running'],
  [
    'of two required runs one has succeeded',
    ['Running'],
    [
      ['Successful', true],
      ['Running', true],
    ],
    'Running',
  ],
  [
    'the required run has succeeded and an optional one goes on',
    ['Running'],
    [
      ['Running', false],
      ['Successful', true],
    ],
    'Successful',
  ],
  [
    'the required run has succeeded and an optional one has failed',
    ['Running'],
    [
      ['Failed', false],
      ['Successful', true],
    ],
    'Failed',
  ],
]

test.each(phases)('when %s', (_, templates, runs, expected) => {
  const names = templates.map((_template, at) => `t${at}`)
  const available = (status: Template['status']) => (status === 'Progressing' ? 0 : 1)
  const status: ExperimentStatus = {
    phase: 'Running',
    availableAt: formatInstant(start),
    templateStatuses: templates.map((one, at) => statusOf(`t${at}`, one, available(one))),
    analysisRuns: runs.map((_run, at) => ({
      name: `r${at}`,
      analysisRun: `exp-r${at}`,
      phase: 'Running',
    })),
  }
  const plan = planExperiment(
    snapshotOf(
      {
        templates: names.map((name) => template(name)),
        analyses: runs.map(([, requiredForCompletion], at) => ({
          name: `r${at}`,
          templateName: 't',
          requiredForCompletion,
        })),
      },
      {
        status,
        replicaSets: names.map((name, at) =>
          setOf(name, { spec: 1, available: available(templates[at]) }),
        ),
        analysisRuns: runs.map(([phase], at) => runOf(`r${at}`, phase)),
      },
    ),
    start + 1_000,
  )
  expect(stored(plan)?.phase ?? 'Running').toBe(expected)
})

test('a required analysis that was not even asked is waited for, unless the experiment is ended before', () => {
  const spec = { analyses: [{ name: 'q', templateName: 't', requiredForCompletion: true }] }
  const status: ExperimentStatus = {
    phase: 'Running',
    availableAt: formatInstant(start),
    templateStatuses: [statusOf('a', 'Successful')],
  }
  const replicaSets = [setOf('a', { spec: 1, available: 1 })]
  const later = start + 1_000
  const going = planExperiment(snapshotOf(spec, { status, replicaSets }), later)
  expect(stored(going)?.analysisRuns).toEqual([
    { name: 'q', analysisRun: 'exp-q', phase: 'Pending' },
  ])
  expect(stored(going)?.phase).toBeUndefined()
  const ended = planExperiment(
    snapshotOf({ ...spec, terminate: true }, { status, replicaSets }),
    later,
  )
  expect(stored(ended)?.phase).toBe('Successful')
})

test('pods that were long there and are ended by hand have not failed', () => {
  const status: ExperimentStatus = {
    phase: 'Running',
    availableAt: formatInstant(start),
    templateStatuses: [statusOf('a', 'Running')],
  }
  const replicaSets = [setOf('a', { spec: 1, available: 1 })]
  const plan = planExperiment(
    snapshotOf({ terminate: true }, { status, replicaSets }),
    start + 3_600_000,
  )
  expect(stored(plan)?.phase).toBe('Successful')
})

test('a template that loses a pod has its deadline again from then on, and asks for more as long', () => {
  const status: ExperimentStatus = {
    phase: 'Running',
    availableAt: formatInstant(start),
    templateStatuses: [statusOf('a', 'Running')],
  }
  const at = start + 3_600_000
  const lost = planExperiment(
    snapshotOf({}, { status, replicaSets: [setOf('a', { spec: 1, available: 0 })] }),
    at,
  )
  expect(stored(lost)).toMatchObject({
    phase: 'Pending',
    templateStatuses: [{ status: 'Progressing' }],
  })
  expect(lost.checkAt).toBe(at + 600_001)
  const more = planExperiment(
    snapshotOf(
      { templates: [template('a', { replicas: 3 })] },
      { status, replicaSets: [setOf('a', { spec: 1, available: 1 })] },
    ),
    at,
  )
  expect(stored(more)?.templateStatuses?.[0]?.status).toBe('Progressing')
})

test('the time in which no controller ran does not count for the deadline', () => {
  const status: ExperimentStatus = {
    phase: 'Pending',
    templateStatuses: [statusOf('a', 'Progressing', 0)],
  }
  const replicaSets = [setOf('a', { spec: 1, available: 0 })]
  const now = start + 3_600_000
  const judged = (activeSince: number | null) =>
    stored(planExperiment(snapshotOf({}, { status, replicaSets, activeSince }), now))?.phase
  expect(judged(null)).toBe('Failed')
  expect(judged(now)).toBeUndefined()
})

test('only what the API refuses for good ends an experiment; anything else is tried again', () => {
  const judged = (reason: string) =>
    stored(
      planExperiment(
        snapshotOf(
          {},
          {
            failures: [
              { id: 'create/exp-a', effect: 'write', reason, message: 'no', since: start },
            ],
          },
        ),
        start,
      ),
    )
  expect(judged('Invalid')).toMatchObject({
    phase: 'Error',
    message: "Failed to create ReplicaSet for template 'a': no",
  })
  for (const reason of ['Conflict', 'InternalError', 'Unreachable', 'TooManyRequests']) {
    expect(judged(reason)?.phase, reason).toBe('Pending')
  }
})

test('a run that somebody deletes in mid-experiment is an error, and one of somebody else takes no name away', () => {
  const status = (phase: Run['phase']): ExperimentStatus => ({
    phase: 'Running',
    availableAt: formatInstant(start),
    templateStatuses: [statusOf('a', 'Running')],
    analysisRuns: [{ name: 'q', analysisRun: 'exp-q', phase }],
  })
  const spec = { analyses: [{ name: 'q', templateName: 't' }] }
  const replicaSets = [setOf('a', { spec: 1, available: 1 })]
  const deleted = planExperiment(
    snapshotOf(spec, { status: status('Running'), replicaSets }),
    start,
  )
  expect(stored(deleted)).toMatchObject({
    phase: 'Error',
    message: 'analysisruns.argoproj.io "exp-q" not found',
  })
  const taken = planExperiment(
    snapshotOf(spec, { status: status('Pending'), replicaSets, taken: ['run/exp-q'] }),
    start,
  )
  expect(stored(taken)?.analysisRuns?.[0]?.analysisRun).toBe('exp-q.1')
})

test('pods without ports get a Service with the ports of the stable Service of their Rollout', () => {
  const plan = planExperiment(
    snapshotOf(
      {
        templates: [
          template('a', { service: {}, template: { spec: { containers: [{ name: 'web' }] } } }),
        ],
      },
      {
        rollout: {
          metadata: { name: 'web' },
          spec: { strategy: { canary: { stableService: 'web-stable' } } },
        } as Rollout,
        services: [
          {
            apiVersion: 'v1',
            kind: 'Service',
            metadata: { name: 'web-stable', namespace: 'default' },
            spec: {
              selector: { x: 'y' },
              ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }],
            },
          },
        ],
      },
    ),
    start,
  )
  const [service, set] = plan.writes
  expect(service).toMatchObject({
    kind: 'create',
    object: { kind: 'Service', spec: { ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] } },
  })
  expect(set).toMatchObject({ object: { kind: 'ReplicaSet' }, requires: [service?.id] })
})

test('a Service waits for the stable Service whose ports it is to have, as long as pods may take', () => {
  const spec = {
    progressDeadlineSeconds: 60,
    templates: [
      template('a', { service: {}, template: { spec: { containers: [{ name: 'web' }] } } }),
    ],
  }
  const rollout = {
    metadata: { name: 'web' },
    spec: { strategy: { canary: { stableService: 'web-stable' } } },
  } as Rollout
  const plan = planExperiment(snapshotOf(spec, { rollout }), start)
  expect(plan.writes.filter((write) => write.kind === 'create')).toEqual([])
  expect(stored(plan)?.templateStatuses?.[0]?.status).toBe('Progressing')
  expect(plan.waits).toContainEqual({
    kind: 'effect',
    id: 'service/exp-a',
    message: "Service web-stable, whose ports template 'a' is to have, is not there",
    since: start,
  })
  const status = stored(plan)
  const late = planExperiment(
    snapshotOf(spec, { rollout, ...(status ? { status } : {}) }),
    start + 61_000,
  )
  expect(stored(late)?.templateStatuses?.[0]).toMatchObject({
    status: 'Failed',
    message: "Template 'a' exceeded its progressDeadlineSeconds (60)",
  })
})

test('a Service follows pods that somebody deleted and that are made again', () => {
  const status: ExperimentStatus = {
    phase: 'Running',
    availableAt: formatInstant(start),
    templateStatuses: [{ ...statusOf('a', 'Running'), serviceName: 'exp-a' }],
  }
  const services: Service[] = [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'exp-a',
        namespace: 'default',
        ownerReferences: owner,
        annotations: { [annotationKeys.experimentTemplateName]: 'a' },
      },
      spec: { selector: { app: 'web', [hashLabel]: 'hash-a' } },
    },
  ]
  const spec = { templates: [template('a', { service: {} })] }
  const { writes } = planExperiment(snapshotOf(spec, { status, services }), start + 1_000)
  const set = writes.find((write) => write.kind === 'create')?.object as ReplicaSet
  expect(writes[0]).toMatchObject({
    kind: 'patch',
    key: { name: 'exp-a' },
    patch: { body: { spec: { selector: set.spec.selector.matchLabels } } },
  })
})

test('rules for the measurements of all runs reach those that have such a metric', () => {
  const other = {
    ...asking,
    metadata: { ...asking.metadata, name: 'u' },
    spec: { metrics: [{ name: 'other', provider: { web: { url: 'http://x' } } }] },
  } as AnalysisTemplate
  const status: ExperimentStatus = {
    phase: 'Running',
    availableAt: formatInstant(start),
    templateStatuses: [statusOf('a', 'Running')],
    analysisRuns: [
      { name: 'q', analysisRun: 'exp-q', phase: 'Pending' },
      { name: 'r', analysisRun: 'exp-r', phase: 'Pending' },
    ],
  }
  const plan = planExperiment(
    snapshotOf(
      {
        dryRun: [{ metricName: '^m$' }],
        analyses: [
          { name: 'q', templateName: 't' },
          { name: 'r', templateName: 'u' },
        ],
      },
      {
        status,
        replicaSets: [setOf('a', { spec: 1, available: 1 })],
        analysisTemplates: [asking, other],
      },
    ),
    start,
  )
  const made = plan.writes.flatMap((write) =>
    write.kind === 'create' ? [(write.object as AnalysisRun).spec.dryRun] : [],
  )
  expect(made).toEqual([[{ metricName: '^m$' }], undefined])
})

test('a template that is missing is told before any pod is judged, whatever its scope', () => {
  const judged = (more: object) =>
    stored(
      planExperiment(
        snapshotOf({ analyses: [{ name: 'q', templateName: 'gone', ...more }] }),
        start,
      ),
    )
  expect(judged({ clusterScope: false })).toMatchObject({
    phase: 'Error',
    message:
      "AnalysisTemplate verification failed for analysis 'q': AnalysisTemplate 'gone' not found",
  })
  expect(judged({ clusterScope: true })?.message).toBe(
    "ClusterAnalysisTemplate verification failed for analysis 'q': ClusterAnalysisTemplate 'gone' not found",
  )
})

test('the verdict does not depend on the order of templates and runs', () => {
  const phase = fc.constantFrom<Run['phase']>(
    'Pending',
    'Running',
    'Successful',
    'Failed',
    'Error',
    'Inconclusive',
  )
  const part = fc.constantFrom<Template['status']>(
    'Progressing',
    'Running',
    'Successful',
    'Failed',
    'Error',
  )
  const asked = fc.record({ phase, required: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 4 }),
      fc.array(asked, { maxLength: 4 }),
      (templates, runs) => {
        const judged = (order: 'given' | 'reversed') => {
          const arranged = <T>(list: readonly T[]) =>
            order === 'given' ? [...list] : [...list].reverse()
          const ts = arranged(templates.map((status, at) => ({ status, name: `t${at}` })))
          const rs = arranged(runs.map((run, at) => ({ ...run, name: `r${at}` })))
          const plan = planExperiment(
            snapshotOf(
              {
                templates: ts.map(({ name }) => template(name)),
                analyses: rs.map(({ name, required }) => ({
                  name,
                  templateName: 't',
                  requiredForCompletion: required,
                })),
              },
              {
                status: {
                  phase: 'Running',
                  availableAt: formatInstant(start),
                  templateStatuses: ts.map(({ name, status }) => statusOf(name, status, 1)),
                  analysisRuns: rs.map(({ name }) => ({
                    name,
                    analysisRun: `exp-${name}`,
                    phase: 'Running',
                  })),
                },
                replicaSets: ts.map(({ name }) => setOf(name, { spec: 1, available: 1 })),
                analysisRuns: rs.map(({ name, phase: is }) => runOf(name, is)),
              },
            ),
            start + 1_000,
          )
          return stored(plan)?.phase
        }
        expect(judged('reversed')).toBe(judged('given'))
      },
    ),
    { seed: 20260101, numRuns: 300 },
  )
})
