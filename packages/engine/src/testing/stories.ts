import type { AnalysisRun, AnalysisTemplate, CanaryStep, Rollout } from '@serinus/api'
import fc from 'fast-check'
import type { Ingress } from '../snapshot.ts'
import {
  asksAfter,
  asksBefore,
  type BlueGreen,
  blueGreenRollout,
  blueGreenTemplates,
  service,
} from './blue-green.ts'
import { type Canary, canaryRollout, type Pass, World } from './world.ts'

/** What users, pods, metrics and the clock do to a Rollout, one thing at a time. */
export type Deed =
  | { readonly kind: 'set-image'; readonly image: string }
  | { readonly kind: 'abort' | 'retry' | 'promote' | 'promote-full' | 'pause' | 'resume' }
  | { readonly kind: 'replicas'; readonly replicas: number }
  | { readonly kind: 'steps'; readonly steps: readonly CanaryStep[] }
  | { readonly kind: 'blue-green'; readonly blueGreen: Partial<BlueGreen> }
  /** EndpointSlices follow Services and pods that much later. */
  | { readonly kind: 'lag'; readonly ms: number }
  /** Somebody's tool takes the revision out of the active Service's selector. */
  | { readonly kind: 'unlabel' }
  | { readonly kind: 'break' | 'mend'; readonly image: string }
  | { readonly kind: 'restart-pods'; readonly image: string; readonly count: number }
  | {
      readonly kind: 'verdict'
      readonly phase: 'Running' | 'Successful' | 'Failed' | 'Inconclusive'
    }
  | { readonly kind: 'pass'; readonly ms: number }

/** A Rollout and what happens to it after its first deployment. */
export interface Story {
  readonly rollout: Rollout
  readonly deeds: readonly Deed[]
}

/** The part of a canary that has its traffic routed by nginx; `worldOf` brings what it names. */
export const routing = {
  stableService: 'stable',
  canaryService: 'canary',
  trafficRouting: { nginx: { stableIngress: 'web' } },
}

const images = ['h1', 'h2', 'h3', 'h4'] as const
const image = fc.constantFrom(...images)
const replicas = fc.integer({ min: 0, max: 12 })

function stepsOf(max: number, routed: boolean): fc.Arbitrary<CanaryStep[]> {
  const kinds: fc.Arbitrary<CanaryStep>[] = [
    fc.record({ setWeight: fc.integer({ min: 0, max }) }),
    fc.record({ setWeight: fc.constantFrom(0, 20, 50, 60, 100).map((of) => (of * max) / 100) }),
    fc.constant({ pause: {} }),
    fc.record({ pause: fc.record({ duration: fc.constantFrom('0', 10, '90s', '1h') }) }),
    fc.record({ analysis: fc.constant({ templates: [{ templateName: 'check' }] }) }),
    ...(routed
      ? [
          fc.record({ setCanaryScale: fc.record({ replicas: fc.integer({ min: 0, max: 12 }) }) }),
          fc.record({ setCanaryScale: fc.record({ weight: fc.integer({ min: 0, max: 100 }) }) }),
          fc.constant({ setCanaryScale: { matchTrafficWeight: true } }),
        ]
      : []),
  ]
  return fc.array(fc.oneof(...kinds), { maxLength: 6, size: 'max' })
}

const limit = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('0%', '25%', '100%'))
const isNone = (value: string | number) => value === 0 || value === '0%'

function canaryOf(max: number, routed: boolean): fc.Arbitrary<Canary> {
  return fc
    .record(
      {
        steps: stepsOf(max, routed),
        maxSurge: limit,
        maxUnavailable: limit,
        analysis: fc.record(
          {
            templates: fc.constant([{ templateName: 'watch' }]),
            startingStep: fc.integer({ min: 1, max: 3 }),
          },
          { requiredKeys: ['templates'] },
        ),
        ...(routed
          ? {
              abortScaleDownDelaySeconds: fc.constantFrom(0, 5, 1800),
              scaleDownDelaySeconds: fc.constantFrom(0, 45),
              scaleDownDelayRevisionLimit: fc.integer({ min: 0, max: 2 }),
              minPodsPerReplicaSet: fc.integer({ min: 1, max: 3 }),
              dynamicStableScale: fc.boolean(),
            }
          : {}),
      },
      { requiredKeys: ['steps'] },
    )
    .filter((canary) => !(isNone(canary.maxSurge ?? 1) && isNone(canary.maxUnavailable ?? '25%')))
    .map(({ scaleDownDelaySeconds, ...canary }) => ({
      ...canary,
      ...(scaleDownDelaySeconds === undefined || canary.dynamicStableScale
        ? {}
        : { scaleDownDelaySeconds }),
      ...(routed
        ? {
            ...routing,
            trafficRouting: {
              ...routing.trafficRouting,
              ...(max === 100 ? {} : { maxTrafficWeight: max }),
            },
          }
        : {}),
    })) as fc.Arbitrary<Canary>
}

/** Settings of a blue-green update, each present or not. */
const blueGreenOf: fc.Arbitrary<Partial<BlueGreen>> = fc.record(
  {
    autoPromotionEnabled: fc.boolean(),
    autoPromotionSeconds: fc.constantFrom(0, 10, 90),
    previewReplicaCount: fc.integer({ min: 0, max: 12 }),
    scaleDownDelaySeconds: fc.constantFrom(0, 45),
    scaleDownDelayRevisionLimit: fc.integer({ min: 0, max: 2 }),
    abortScaleDownDelaySeconds: fc.constantFrom(0, 5, 1800),
    ...Object.fromEntries(
      Object.entries({ ...asksBefore, ...asksAfter }).map(([key, of]) => [key, fc.constant(of)]),
    ),
  },
  { requiredKeys: [] },
)

const lag = fc.record({
  kind: fc.constant('lag' as const),
  ms: fc.constantFrom(0, 1_000, 20_000, 120_000),
})

const blueGreenDeeds: readonly fc.Arbitrary<Deed>[] = [
  fc.record({ kind: fc.constant('blue-green' as const), blueGreen: blueGreenOf }),
  lag,
  fc.record({ kind: fc.constant('unlabel' as const) }),
]

function canaryDeeds(max: number, routed: boolean): readonly fc.Arbitrary<Deed>[] {
  return [fc.record({ kind: fc.constant('steps' as const), steps: stepsOf(max, routed) })]
}

function deedOf(ofStrategy: readonly fc.Arbitrary<Deed>[]): fc.Arbitrary<Deed> {
  const only = <const Kind extends string>(kind: Kind) => fc.record({ kind: fc.constant(kind) })
  return fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('set-image' as const), image }) },
    { weight: 2, arbitrary: only('abort') },
    { weight: 2, arbitrary: only('retry') },
    { weight: 5, arbitrary: only('promote') },
    only('promote-full'),
    only('pause'),
    { weight: 3, arbitrary: only('resume') },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('replicas' as const), replicas }) },
    ...ofStrategy,
    fc.record({ kind: fc.constant('break' as const), image }),
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('mend' as const), image }) },
    fc.record({
      kind: fc.constant('restart-pods' as const),
      image,
      count: fc.integer({ min: 1, max: 6 }),
    }),
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('verdict' as const),
        phase: fc.constantFrom('Running', 'Successful', 'Successful', 'Failed', 'Inconclusive'),
      }),
    },
    {
      weight: 10,
      arbitrary: fc.record({
        kind: fc.constant('pass' as const),
        ms: fc.constantFrom(1, 400, 3_000, 6_000, 31_000, 700_000),
      }),
    },
  )
}

export type StoryKind = 'basic' | 'routed' | 'canary' | 'blue-green' | 'any'

/** Stories of canary Rollouts without traffic routing and with it, and of blue-green ones. */
export function stories(kind: StoryKind): fc.Arbitrary<Story> {
  switch (kind) {
    case 'basic':
    case 'routed':
      return canaryStories(kind === 'routed')
    case 'canary':
      return fc.boolean().chain(canaryStories)
    case 'blue-green':
      return storiesOf(
        blueGreenOf.map((blueGreen) => blueGreenRollout(blueGreen)),
        blueGreenDeeds,
      ).chain((story) => lag.map((first) => ({ ...story, deeds: [first, ...story.deeds] })))
    case 'any':
      return fc.constantFrom('basic', 'routed', 'blue-green').chain(stories)
    default:
      throw new TypeError(`unknown stories: ${kind satisfies never}`)
  }
}

function canaryStories(routed: boolean): fc.Arbitrary<Story> {
  return fc.constantFrom(100, 100, 250).chain((wide) => {
    const max = routed ? wide : 100
    const rollout = canaryOf(max, routed).map((canary) => canaryRollout(canary))
    return storiesOf(rollout, canaryDeeds(max, routed))
  })
}

function storiesOf(
  rolloutOf: fc.Arbitrary<Rollout>,
  deeds: readonly fc.Arbitrary<Deed>[],
): fc.Arbitrary<Story> {
  return fc.record({
    rollout: fc
      .record({
        rollout: rolloutOf,
        replicas,
        progressDeadlineAbort: fc.boolean(),
        rollbackWindow: fc.option(fc.record({ revisions: fc.integer({ min: 1, max: 3 }) })),
      })
      .map(({ rollout, replicas: count, progressDeadlineAbort, rollbackWindow }) => {
        const spec = {
          ...rollout.spec,
          replicas: count,
          progressDeadlineAbort,
          ...(rollbackWindow ? { rollbackWindow } : {}),
        }
        return { ...rollout, spec } as Rollout
      }),
    deeds: fc
      .array(deedOf(deeds), { minLength: 1, maxLength: 20, size: 'max' })
      .map((list): Deed[] => [{ kind: 'set-image', image: 'h2' }, ...list]),
  })
}

/** The world of a story at its beginning: revision 1 was created and its pods had a minute. */
export function worldOf(rollout: Rollout, observe?: (pass: Pass) => void): World {
  const { canary, blueGreen } = rollout.spec.strategy ?? {}
  const world = new World(rollout, {
    analysisTemplates: [
      template('check', {}),
      template('watch', { interval: '1m' }),
      ...blueGreenTemplates,
    ],
    ...(canary?.stableService ? { services: [service('stable'), service('canary')] } : {}),
    ...(canary?.trafficRouting ? { ingresses: [ingress], weight: 0 } : {}),
    ...(blueGreen ? { services: [service('active'), service('preview')] } : {}),
    ...(observe ? { observe } : {}),
  })
  world.pass(60_000)
  return world
}

export function doDeed(world: World, deed: Deed): void {
  const { status } = world
  switch (deed.kind) {
    case 'set-image':
      world.setImage(deed.image)
      return
    case 'abort':
      world.patchStatus({ abort: true })
      return
    case 'retry':
      world.patchStatus({ abort: false })
      return
    case 'promote':
      promote(world)
      return
    case 'promote-full':
      if (status.stableRS !== status.currentPodHash) world.patchStatus({ promoteFull: true })
      return
    case 'pause':
      world.edit((spec) => ({ ...spec, paused: true }))
      return
    case 'resume':
      world.edit(({ paused: _, ...spec }) => spec)
      return
    case 'replicas':
      world.edit((spec) => ({ ...spec, replicas: deed.replicas }))
      return
    case 'steps':
      world.edit(
        (spec) =>
          ({
            ...spec,
            strategy: { canary: { ...spec.strategy?.canary, steps: deed.steps } },
          }) as Rollout['spec'],
      )
      return
    case 'blue-green':
      world.edit(
        (spec) =>
          ({
            ...spec,
            strategy: { blueGreen: { ...spec.strategy?.blueGreen, ...deed.blueGreen } },
          }) as Rollout['spec'],
      )
      return
    case 'lag':
      world.endpointLagMs = deed.ms
      return
    case 'unlabel':
      world.pointService('active', null)
      return
    case 'break':
      world.broken.add(deed.image)
      world.pass(0)
      return
    case 'mend':
      world.broken.delete(deed.image)
      world.pass(0)
      return
    case 'restart-pods':
      world.restartPods(deed.image, deed.count)
      return
    case 'verdict':
      judge(world, deed.phase)
      return
    case 'pass':
      world.pass(deed.ms)
      return
    default:
      throw new TypeError(`unknown deed: ${JSON.stringify(deed satisfies never)}`)
  }
}

/** What `promote` of the command line sends (spec rollout-controller 4.7). */
function promote(world: World): void {
  const { status } = world
  const steps = world.rollout.spec.strategy?.canary?.steps?.length ?? 0
  const index = status.currentStepIndex ?? 0
  if ((status.pauseConditions?.length ?? 0) > 0) world.patchStatus({ pauseConditions: null })
  else if (index < steps) {
    world.patchStatus({ pauseConditions: null, currentStepIndex: index + 1 })
  }
}

/** What the controller of AnalysisRuns would write to the oldest run that has no verdict yet. */
function judge(world: World, phase: string): void {
  const final = ['Successful', 'Failed', 'Error', 'Inconclusive']
  const open = world.analysisRuns.find((run) => !final.includes(run.status?.phase ?? ''))
  world.analysisRuns = world.analysisRuns.map((run) =>
    run === open ? ({ ...run, status: { phase, message: `is ${phase}` } } as AnalysisRun) : run,
  )
  world.settle()
}

function template(name: string, metric: object): AnalysisTemplate {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name, namespace: 'default' },
    spec: { metrics: [{ name, provider: { web: { url: 'http://x' } }, ...metric }] },
  } as AnalysisTemplate
}

const backend = { service: { name: 'stable', port: { number: 80 } } }
const ingress: Ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    rules: [{ host: 'a', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
  },
}
