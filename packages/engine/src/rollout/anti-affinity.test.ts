import { hashLabel, type PodSpec } from '@serinus/api'
import { expect, test } from 'vitest'
import { canaryRollout, healthyWorld, type World } from '../testing/world.ts'
import { withAntiAffinity, withoutAntiAffinity } from './anti-affinity.ts'

const required = { requiredDuringSchedulingIgnoredDuringExecution: {} }
const termFor = (hash: string | undefined) => ({
  labelSelector: { matchExpressions: [{ key: hashLabel, operator: 'In', values: [hash] }] },
  namespaces: ['default'],
  topologyKey: 'kubernetes.io/hostname',
})

interface Affinity {
  readonly podAntiAffinity?: Readonly<Record<string, readonly unknown[]>>
}

function termsOf(world: World, image: string): readonly unknown[] | undefined {
  const affinity = world.setOf(image).spec.template.spec?.affinity as Affinity | undefined
  return affinity?.podAntiAffinity?.['requiredDuringSchedulingIgnoredDuringExecution']
}

const hashOf = (world: World, image: string) => world.setOf(image).metadata.labels?.[hashLabel]

test('the pods of an update may not share a node with the stable version of its time [rollout-controller 56]', () => {
  const world = healthyWorld({ antiAffinity: required, steps: [{ setWeight: 40 }] })
  expect(termsOf(world, 'h1')).toBeUndefined()
  world.setImage('h2')
  expect(termsOf(world, 'h2')).toEqual([termFor(hashOf(world, 'h1'))])
  world.pass(60_000)
  expect(world.status.phase).toBe('Healthy')
  // The one that has become stable has nobody left to keep away from.
  expect(termsOf(world, 'h2')).toBeUndefined()
  world.setImage('h3')
  expect(termsOf(world, 'h3')).toEqual([termFor(hashOf(world, 'h2'))])
})

test('a version that comes back keeps away from the stable version of now, not of then', () => {
  const world = healthyWorld({
    antiAffinity: required,
    steps: [{ setWeight: 40 }, { pause: {} }],
  })
  world.setImage('h2')
  world.pass(20_000)
  world.patchStatus({ promoteFull: true })
  world.pass(60_000)
  world.setImage('h3')
  world.pass(20_000)
  world.patchStatus({ promoteFull: true })
  world.pass(60_000)
  expect(world.status.phase).toBe('Healthy')
  world.setImage('h2')
  expect(termsOf(world, 'h2')).toEqual([termFor(hashOf(world, 'h3'))])
})

test('an anti-affinity that is no longer asked for leaves the template, and no update begins', () => {
  const world = healthyWorld({
    antiAffinity: required,
    steps: [{ setWeight: 40 }, { pause: {} }],
  })
  world.setImage('h2')
  world.pass(20_000)
  const { currentPodHash } = world.status
  world.edit((spec) => ({
    ...spec,
    strategy: { canary: { steps: [{ setWeight: 40 }, { pause: {} }] } },
  }))
  expect(termsOf(world, 'h2')).toBeUndefined()
  expect(world.status.currentPodHash).toBe(currentPodHash)
  expect(world.status.currentStepIndex).toBe(1)
})

const users = [
  { topologyKey: 'zone' },
  { labelSelector: null, topologyKey: 'zone' },
  { labelSelector: { matchLabels: { app: 'noisy' } }, topologyKey: 'kubernetes.io/hostname' },
]

test('terms of the user stay, also those that select nothing', () => {
  const spec: PodSpec = {
    containers: [],
    affinity: {
      nodeAffinity: { a: 1 },
      podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: users },
    },
  }
  const rollout = canaryRollout({ antiAffinity: required })
  const first = withAntiAffinity(spec, rollout, 'h1')
  expect(first.affinity?.podAntiAffinity).toEqual({
    requiredDuringSchedulingIgnoredDuringExecution: [...users, termFor('h1')],
  })
  expect(withAntiAffinity(first, rollout, 'h2').affinity?.podAntiAffinity).toEqual({
    requiredDuringSchedulingIgnoredDuringExecution: [...users, termFor('h2')],
  })
  expect(withoutAntiAffinity(first)).toEqual(spec)
  expect(withAntiAffinity(first, rollout, null)).toEqual(spec)
})

test('a preference has its weight', () => {
  const wish = { preferredDuringSchedulingIgnoredDuringExecution: { weight: 7 } }
  const { affinity } = withAntiAffinity(
    { containers: [] },
    canaryRollout({ antiAffinity: wish }),
    'h1',
  )
  expect(affinity).toEqual({
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 7, podAffinityTerm: termFor('h1') },
      ],
    },
  })
})

test('a ReplicaSet that carries the term, under whatever hash, is the version that the user wrote', () => {
  const world = healthyWorld({
    antiAffinity: required,
    steps: [{ setWeight: 40 }, { pause: {} }],
  })
  world.setImage('h2')
  world.pass(20_000)
  const h2 = world.setOf('h2')
  world.replicaSets = world.replicaSets.map((set) =>
    set === h2
      ? {
          ...set,
          metadata: { ...set.metadata, labels: { ...set.metadata.labels, [hashLabel]: 'other' } },
        }
      : set,
  )
  world.forget()
  world.patchStatus({ currentPodHash: 'other' })
  world.pass(60_000)
  expect(world.replicaSets).toHaveLength(2)
  expect(world.status.currentPodHash).toBe('other')
  expect(world.scalings()).toEqual([])
})
