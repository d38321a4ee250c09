import type { Rollout } from '@serinus/api'
import { expect, test } from 'vitest'
import type { RolloutPlan } from '../plan.ts'
import { planRollout } from '../plan-rollout.ts'
import type { Pod } from '../snapshot.ts'
import { healthyWorld, type World } from '../testing/world.ts'

/** The pods of a version, ready since they were a second old. */
function podsOf(world: World, image: string, facts: readonly Partial<Pod>[]): readonly Pod[] {
  const set = world.setOf(image)
  return facts.map((fact, index) => ({
    name: `${image}-${index}`,
    uid: `${image}-${index}`,
    owner: set.metadata.uid ?? '',
    labels: {},
    annotations: {},
    createdAt: world.now - 3_600_000,
    isTerminating: false,
    readySince: world.now - 3_599_000,
    evictionDenied: null,
    ...fact,
  }))
}

function restart(world: World, pods: readonly Pod[] | null, spec: Partial<Rollout['spec']> = {}) {
  const restartAt = new Date(world.now).toISOString()
  const rollout = { ...world.rollout, spec: { ...world.rollout.spec, restartAt, ...spec } }
  return planRollout({ ...world.snapshot(), rollout, pods }, world.now)
}

const evicted = ({ writes }: RolloutPlan) =>
  writes.flatMap((write) => (write.kind === 'evict' ? [write.key.name] : []))

const many = (count: number, fact: Partial<Pod> = {}) => Array.from({ length: count }, () => fact)

function rested(replicas: number): World {
  const world = healthyWorld({}, { replicas })
  world.pass(7_200_000)
  return world
}

test('of ten pods two may be missing, and so two go first [rollout-controller 52]', () => {
  const world = rested(10)
  const plan = restart(world, podsOf(world, 'h1', many(10)))
  expect(evicted(plan)).toEqual(['h1-0', 'h1-1'])
  expect(plan.waits).toContainEqual(expect.objectContaining({ kind: 'restart', left: 10 }))
  expect(plan.checkAt).toBe(world.now + 30_000)
})

test('pods that are going or not yet ready are not there to replace others', () => {
  const world = rested(10)
  const going = podsOf(world, 'h1', [
    ...many(1, { isTerminating: true }),
    ...many(1, { createdAt: world.now, readySince: null }),
    ...many(8),
  ])
  expect(evicted(restart(world, going))).toEqual([])
})

test('a pod that is not available goes without taking the room of one that is', () => {
  const world = rested(10)
  const pods = podsOf(world, 'h1', [...many(9), { readySince: null }])
  expect(evicted(restart(world, pods))).toEqual(['h1-0', 'h1-9'])
})

test('one pod always goes, even where none may be missing', () => {
  const world = rested(1)
  const plan = restart(world, podsOf(world, 'h1', many(1)))
  expect(evicted(plan)).toEqual(['h1-0'])
  expect(plan.warnings.map(({ reason }) => reason)).toEqual(['RestartInterrupts'])
})

test('the pods of stable go before those of the new version', () => {
  const world = healthyWorld({ steps: [{ setWeight: 50 }, { pause: {} }] }, { replicas: 4 })
  world.setImage('h2')
  world.pass(7_200_000)
  const pods = [...podsOf(world, 'h2', many(2)), ...podsOf(world, 'h1', many(2))]
  expect(evicted(restart(world, pods))).toEqual(['h1-0'])
})

test('pods that have become available count only after minReadySeconds, which are waited for', () => {
  const world = rested(4)
  const pods = podsOf(world, 'h1', [
    ...many(3),
    { createdAt: world.now, readySince: world.now - 5_000 },
  ])
  const plan = restart(world, pods, { minReadySeconds: 10 })
  expect(evicted(plan)).toEqual([])
  expect(plan.checkAt).toBe(world.now + 5_000)
})

test('it is done when no older pod is left, and not before the pods are known', () => {
  const world = rested(4)
  const unknown = restart(world, null)
  expect([unknown.needsPods, evicted(unknown)]).toEqual([true, []])
  const fresh = podsOf(world, 'h1', many(4, { createdAt: world.now }))
  const done = restart(world, fresh)
  const [status] = done.writes.filter(({ id }) => id === 'status')
  const restartedAt = new Date(world.now).toISOString()
  expect(status).toMatchObject({ patch: { body: { status: { restartedAt } } } })
  expect(JSON.stringify(unknown.writes)).not.toContain('restartedAt')
})

test('while sizes change no pod is taken away', () => {
  const world = rested(4)
  const pods = podsOf(world, 'h1', many(4))
  const plan = restart(world, pods, { replicas: 6 })
  expect(plan.writes.some(({ id }) => id.startsWith('scale/'))).toBe(true)
  expect(evicted(plan)).toEqual([])
})

test('a pod that a disruption budget keeps is asked again after half a minute', () => {
  const world = rested(4)
  const denied = { at: world.now - 10_000, message: 'Cannot evict pod' }
  const pods = podsOf(world, 'h1', many(4, { evictionDenied: denied }))
  const plan = restart(world, pods)
  expect(evicted(plan)).toEqual([])
  expect(plan.checkAt).toBe(world.now + 20_000)
  expect(plan.waits).toContainEqual({
    kind: 'disruption-budget',
    pods: ['h1-0', 'h1-1', 'h1-2', 'h1-3'],
    message: 'Cannot evict pod',
    until: world.now + 20_000,
  })
  const later = podsOf(
    world,
    'h1',
    many(4, { evictionDenied: { ...denied, at: world.now - 30_000 } }),
  )
  expect(evicted(restart(world, later))).toEqual(['h1-0'])
})

test('a restart that lies ahead is waited for, and needs no pods until then', () => {
  const world = rested(4)
  const restartAt = new Date(world.now + 60_000).toISOString()
  const plan = restart(world, null, { restartAt })
  expect([plan.needsPods, plan.checkAt]).toEqual([false, world.now + 60_000])
})
