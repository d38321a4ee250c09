import { type AnalysisTemplate, type Experiment, finalPhases } from '@serinus/api'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { type Ending, ExperimentWorld } from '../testing/experiment-world.ts'

vi.setConfig({ testTimeout: 60_000 })

const asking = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'AnalysisTemplate',
  metadata: { name: 't', namespace: 'default' },
  spec: {
    args: [{ name: 'to', value: '' }],
    metrics: [{ name: 'm', provider: { web: { url: 'http://x' } } }],
  },
} as AnalysisTemplate

type Deed =
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'terminate' }
  | { readonly kind: 'retry' }
  | { readonly kind: 'edit'; readonly spec: object }
  | { readonly kind: 'delete-pods'; readonly at: number }

const second = 1_000
const deeds: fc.Arbitrary<readonly Deed[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc
        .integer({ min: 1, max: 90 })
        .map((s): Deed => ({ kind: 'pass', ms: s * second })),
    },
    { weight: 1, arbitrary: fc.constant<Deed>({ kind: 'terminate' }) },
    { weight: 1, arbitrary: fc.constant<Deed>({ kind: 'retry' }) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom<object>({ duration: '5x' }, { duration: '20s' }, { scaleDownDelaySeconds: 0 })
        .map((spec): Deed => ({ kind: 'edit', spec })),
    },
    { weight: 1, arbitrary: fc.nat(1).map((at): Deed => ({ kind: 'delete-pods', at })) },
  ),
  { maxLength: 8 },
)

const endings = fc.record({
  phase: fc.constantFrom<Ending['phase']>('Successful', 'Failed', 'Error', 'Inconclusive'),
  afterMs: fc.integer({ min: 0, max: 120 }).map((s) => s * second),
})

const worlds = fc
  .record({
    duration: fc.constantFrom(undefined, '0s', '30s'),
    delay: fc.constantFrom(undefined, 0, 5),
    replicas: fc.tuple(fc.nat(2), fc.nat(2)),
    ready: fc.tuple(fc.constantFrom(null, 0, 3, 20), fc.constantFrom(0, 3, 20)),
    analyses: fc.array(
      fc.record({ required: fc.boolean(), service: fc.boolean(), ending: endings }),
      {
        maxLength: 3,
      },
    ),
  })
  .map((facts) => () => {
    const { duration, delay, replicas, ready, analyses } = facts
    const labels = { app: 'web' }
    const containers = [{ name: 'web', image: 'web', ports: [{ containerPort: 80 }] }]
    const spec: Experiment['spec'] = {
      ...(duration ? { duration } : {}),
      ...(delay === undefined ? {} : { scaleDownDelaySeconds: delay }),
      progressDeadlineSeconds: 60,
      templates: ['a', 'b'].map((name, at) => ({
        name,
        replicas: replicas[at] ?? 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers } },
        ...(at === 0 ? { service: {} } : {}),
      })),
      analyses: analyses.map(({ required, service }, at) => ({
        name: `r${at}`,
        templateName: 't',
        requiredForCompletion: required,
        args: [{ name: 'to', value: service ? '{{templates.b.service.name}}' : 'x' }],
      })),
    }
    return new ExperimentWorld({
      spec,
      templates: [asking],
      readyAfterMs: {
        a: ready[0] === null ? null : ready[0] * second,
        b: ready[1] * second,
      },
      endings: Object.fromEntries(analyses.map(({ ending }, at) => [`r${at}`, ending])),
    })
  })

function doDeed(world: ExperimentWorld, deed: Deed): void {
  switch (deed.kind) {
    case 'pass':
      world.pass(deed.ms)
      return
    case 'terminate':
      world.patch({ spec: { terminate: true } })
      return
    case 'retry':
      world.patch({ spec: { terminate: false }, status: null })
      return
    case 'edit':
      world.patch({ spec: deed.spec })
      return
    case 'delete-pods':
      world.replicaSets = world.replicaSets.filter((_, at) => at !== deed.at)
      world.settle()
      return
    default:
      throw new TypeError(`unknown deed: ${JSON.stringify(deed satisfies never)}`)
  }
}

/** What users can see of a world, without the instants at which it came about. */
function endOf(world: ExperimentWorld): unknown {
  const { status } = world
  return {
    phase: [status.phase, status.message],
    templates: status.templateStatuses?.map(({ lastTransitionTime: _, ...rest }) => rest),
    runs: status.analysisRuns,
    conditions: status.conditions?.map(({ type, status: state, reason }) => [type, state, reason]),
    sizes: world.replicaSets.map((set) => [set.metadata.name, set.spec.replicas]),
    services: world.services.map((service) => service.metadata.name),
    made: world.analysisRuns.map((run) => [
      run.metadata.name,
      run.status?.phase,
      run.spec.terminate,
    ]),
  }
}

test('an experiment ends alike, with nothing doubled, when the process dies after every write', () => {
  fc.assert(
    fc.property(worlds, deeds, (worldOf, story) => {
      const [calm, dying] = [worldOf(), worldOf()]
      dying.diesAfter = () => true
      for (const deed of [...story, { kind: 'pass', ms: 600 * second } as const]) {
        doDeed(calm, deed)
        doDeed(dying, deed)
      }
      expect(endOf(dying)).toEqual(endOf(calm))
    }),
    { seed: 20260101, numRuns: 500 },
  )
})

test('a plan that was applied leads to one without writes, and the same snapshot gives the same plan', () => {
  fc.assert(
    fc.property(worlds, deeds, (worldOf, story) => {
      const world = worldOf()
      for (const deed of story) {
        expect(world.plan()).toEqual(world.plan())
        doDeed(world, deed)
        expect(world.plan().writes).toEqual([])
      }
    }),
    { seed: 20260101, numRuns: 300 },
  )
})

test('of an experiment that is over nothing is left running, and its verdict stays', () => {
  fc.assert(
    fc.property(worlds, deeds, (worldOf, story) => {
      const world = worldOf()
      for (const deed of story) doDeed(world, deed)
      world.patch({ spec: { terminate: true } })
      world.pass(300 * second)
      expect(finalPhases.has(world.status.phase ?? '')).toBe(true)
      const verdict = [world.status.phase, world.status.message]
      expect(
        world.replicaSets.map((set) => set.spec.replicas).filter((size) => size !== 0),
      ).toEqual([])
      expect(world.services).toEqual([])
      expect(world.analysisRuns.filter((run) => !finalPhases.has(run.status?.phase ?? ''))).toEqual(
        [],
      )
      world.pass(3_600 * second)
      expect([world.status.phase, world.status.message]).toEqual(verdict)
    }),
    { seed: 20260101, numRuns: 300 },
  )
})
