import { annotationKeys } from '@serinus/api'
import { expect, test } from 'vitest'
import type { RolloutPlan } from '../plan.ts'
import { planRollout } from '../plan-rollout.ts'
import type { Pod } from '../snapshot.ts'
import { healthyWorld, type World } from '../testing/world.ts'

const gate = { steps: [{ setWeight: 40 }, { pause: {} }] }

function podsOf(world: World, image: string, facts: readonly Partial<Pod>[]): readonly Pod[] {
  const set = world.setOf(image)
  return facts.map((fact, index) => ({
    name: `${image}-${index}`,
    uid: `${image}-${index}`,
    owner: set.metadata.uid ?? '',
    labels: { ...set.spec.template.metadata?.labels },
    annotations: { ...set.spec.template.metadata?.annotations },
    createdAt: world.now,
    isTerminating: false,
    readySince: world.now,
    evictionDenied: null,
    ...fact,
  }))
}

const plan = (world: World, pods: readonly Pod[] | null) =>
  planRollout({ ...world.snapshot(), pods }, world.now)

const patches = ({ writes }: RolloutPlan, kind: 'pod' | 'role') =>
  writes.flatMap((write) =>
    write.kind === 'patch' && write.id.startsWith(`${kind}/`)
      ? [[write.id.slice(kind.length + 1), write.patch.body]]
      : [],
  )

const memoOf = (world: World, image: string) =>
  world.setOf(image).metadata.annotations?.[annotationKeys.ephemeralMetadata]

test('a Rollout without metadata never needs its pods', () => {
  const world = healthyWorld(gate)
  world.setImage('h2')
  world.pass(60_000)
  expect(world.plans.filter(({ needsPods }) => needsPods)).toEqual([])
})

test('pods that lag behind their role are changed, and those that are right or going are left alone', () => {
  const world = healthyWorld({ ...gate, stableMetadata: { labels: { role: 'stable' } } })
  const old = { labels: { app: 'app', role: 'canary' } }
  const pods = podsOf(world, 'h1', [{}, old, { ...old, isTerminating: true }, {}, {}])
  expect(patches(plan(world, pods), 'pod')).toEqual([
    ['h1-1', { metadata: { labels: { role: 'stable' } } }],
  ])
})

test('a key of a former role is taken off every pod before the memo forgets it', () => {
  const world = healthyWorld({
    ...gate,
    canaryMetadata: { annotations: { watched: 'yes' } },
    stableMetadata: { labels: { role: 'stable' } },
  })
  world.setImage('h2')
  world.pass(10_000)
  expect(memoOf(world, 'h2')).toBe('{"annotations":{"watched":"yes"}}')
  world.patchStatus({ promoteFull: true })
  world.pass(60_000)
  expect(world.status.phase).toBe('Healthy')
  // Nobody has shown the pods yet.
  expect(memoOf(world, 'h2')).toBe(
    '{"labels":{"role":"stable"},"leaving":{"annotations":["watched"]}}',
  )
  const template = world.setOf('h2').spec.template.metadata
  expect([template?.labels?.['role'], template?.annotations?.['watched']]).toEqual([
    'stable',
    undefined,
  ])
  const late = { annotations: { watched: 'yes' } }
  const dirty = plan(world, podsOf(world, 'h2', [late, {}, {}, {}, {}]))
  expect(patches(dirty, 'pod')).toEqual([
    ['h2-0', { metadata: { annotations: { watched: null } } }],
  ])
  expect(patches(dirty, 'role')).toEqual([])
  const unseen = plan(world, podsOf(world, 'h2', [{}, {}, {}, {}]))
  expect(patches(unseen, 'role')).toEqual([])
  const clean = plan(world, podsOf(world, 'h2', [{}, {}, {}, {}, {}]))
  expect(patches(clean, 'role')).toEqual([
    [
      world.setOf('h2').metadata.name,
      {
        metadata: {
          annotations: { [annotationKeys.ephemeralMetadata]: '{"labels":{"role":"stable"}}' },
        },
      },
    ],
  ])
})

test('a label of the user that the role had replaced comes back with the end of the role', () => {
  const world = healthyWorld({ ...gate, stableMetadata: { labels: { tier: 'stable' } } })
  world.edit((spec) => ({
    ...spec,
    template: {
      metadata: { labels: { app: 'app', tier: 'mine' } },
      spec: { containers: [{ name: 'app', image: 'h2' }] },
    },
  }))
  world.patchStatus({ promoteFull: true })
  world.pass(60_000)
  expect(world.setOf('h2').spec.template.metadata?.labels?.['tier']).toBe('stable')
  world.edit((spec) => ({ ...spec, strategy: { canary: gate } }))
  expect(world.setOf('h2').spec.template.metadata?.labels?.['tier']).toBe('mine')
})

test('one pass changes at most fifty pods', () => {
  const world = healthyWorld(
    { ...gate, stableMetadata: { labels: { role: 's' } } },
    { replicas: 80 },
  )
  const bare = podsOf(
    world,
    'h1',
    Array.from({ length: 80 }, () => ({ labels: {} })),
  )
  expect(patches(plan(world, bare), 'pod')).toHaveLength(50)
})

test('a version whose place another has taken loses the metadata of its role while it still runs', () => {
  const world = healthyWorld({ ...gate, canaryMetadata: { labels: { role: 'canary' } } })
  world.setImage('h2')
  world.pass(10_000)
  const labels = () => world.setOf('h2').spec.template.metadata?.labels
  expect(labels()?.['role']).toBe('canary')
  world.setImage('h3')
  expect(world.size('h2')).toBeGreaterThan(0)
  expect(labels()?.['role']).toBeUndefined()
  expect(
    patches(plan(world, podsOf(world, 'h2', [{ labels: { role: 'canary' } }])), 'pod'),
  ).toEqual([['h2-0', { metadata: { labels: { role: null } } }]])
})

test('nothing is written to an old version without pods', () => {
  const world = healthyWorld({ stableMetadata: { labels: { role: 'stable' } } })
  world.setImage('h2')
  world.pass(60_000)
  expect(world.size('h1')).toBe(0)
  world.forget()
  world.pass(3_600_000)
  expect(world.writes).toEqual([])
})

test('an unreadable memo is no reason to stop', () => {
  const world = healthyWorld(gate)
  world.replicaSets = world.replicaSets.map((set) => ({
    ...set,
    metadata: {
      ...set.metadata,
      annotations: { ...set.metadata.annotations, [annotationKeys.ephemeralMetadata]: '{"la' },
    },
  }))
  world.setImage('h2')
  world.pass(10_000)
  expect(world.status.phase).toBe('Paused')
})
