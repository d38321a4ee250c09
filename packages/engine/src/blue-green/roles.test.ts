import { hashLabel, type Rollout } from '@serinus/api'
import { expect, test } from 'vitest'
import { planRollout } from '../plan-rollout.ts'
import type { Pod } from '../snapshot.ts'
import { blueGreenWorld, servedBy } from '../testing/blue-green.ts'
import type { World } from '../testing/world.ts'

const roles = {
  previewMetadata: { labels: { role: 'preview' } },
  activeMetadata: { labels: { role: 'active' } },
}

const roleOf = (world: World, image: string) =>
  world.setOf(image).spec.template.metadata?.labels?.['role']

test('the preview carries its own metadata until it is promoted, and the version that it replaced loses that of the active one', () => {
  const world = blueGreenWorld({ ...roles, autoPromotionEnabled: false })
  expect(roleOf(world, 'h1')).toBe('active')
  world.setImage('h2')
  world.pass(20_000)
  expect([world.status.phase, roleOf(world, 'h1'), roleOf(world, 'h2')]).toEqual([
    'Paused',
    'active',
    'preview',
  ])
  const { currentPodHash } = world.status
  world.patchStatus({ pauseConditions: null })
  world.pass(5_000)
  expect(servedBy(world, 'active')).toBe('h2')
  expect([roleOf(world, 'h1'), roleOf(world, 'h2')]).toEqual([undefined, 'active'])
  expect(world.size('h1')).toBe(5)
  expect(world.status.currentPodHash).toBe(currentPodHash)
})

interface Affinity {
  readonly podAntiAffinity?: Readonly<Record<string, readonly unknown[]>>
}

test('the pods of a preview may be kept off the nodes of the active version until it is promoted', () => {
  const antiAffinity = { requiredDuringSchedulingIgnoredDuringExecution: {} }
  const world = blueGreenWorld({ antiAffinity, autoPromotionEnabled: false })
  world.setImage('h2')
  world.pass(20_000)
  const affinity = () => world.setOf('h2').spec.template.spec?.affinity as Affinity | undefined
  expect(affinity()?.podAntiAffinity?.['requiredDuringSchedulingIgnoredDuringExecution']).toEqual([
    {
      labelSelector: {
        matchExpressions: [
          {
            key: hashLabel,
            operator: 'In',
            values: [world.setOf('h1').metadata.labels?.[hashLabel]],
          },
        ],
      },
      namespaces: ['default'],
      topologyKey: 'kubernetes.io/hostname',
    },
  ])
  world.patchStatus({ pauseConditions: null })
  world.pass(5_000)
  expect(affinity()).toBeUndefined()
})

test('a restart of a blue-green Rollout takes a quarter of the pods at a time, also while it waits for a promotion', () => {
  const world = blueGreenWorld({ autoPromotionEnabled: false })
  world.edit((spec) => ({ ...spec, replicas: 8 }))
  world.pass(20_000)
  world.setImage('h2')
  world.pass(7_200_000)
  expect(world.status.phase).toBe('Paused')
  const pods = ['h2', 'h1'].flatMap((image) =>
    Array.from(
      { length: 8 },
      (_, index): Pod => ({
        name: `${image}-${index}`,
        uid: `${image}-${index}`,
        owner: world.setOf(image).metadata.uid ?? '',
        labels: {},
        annotations: {},
        createdAt: world.now - 3_600_000,
        isTerminating: false,
        readySince: world.now - 3_599_000,
        evictionDenied: null,
      }),
    ),
  )
  const restartAt = new Date(world.now).toISOString()
  const rollout: Rollout = { ...world.rollout, spec: { ...world.rollout.spec, restartAt } }
  const { writes } = planRollout({ ...world.snapshot(), rollout, pods }, world.now)
  const evicted = writes.flatMap((write) => (write.kind === 'evict' ? [write.key.name] : []))
  expect(evicted).toEqual(['h1-0', 'h1-1'])
})

test('a Deployment makes room for the pods that are active and not for those in preview', () => {
  const world = blueGreenWorld({ autoPromotionEnabled: false })
  world.setImage('h2')
  world.pass(20_000)
  world.mostReady.set('h1', 2)
  world.settle()
  const { template, selector, ...spec } = world.rollout.spec
  const workloadRef = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: 'app',
    scaleDown: 'progressively',
  } as const
  const rollout = { ...world.rollout, spec: { ...spec, workloadRef } } as Rollout
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app', namespace: 'default' },
    spec: {
      replicas: 5,
      ...(template ? { template } : {}),
      ...(selector ? { selector } : {}),
    },
  }
  const workload = { kind: 'found', object, generation: '1' } as const
  const { writes } = planRollout({ ...world.snapshot(), rollout, workload }, world.now)
  expect(writes.find(({ id }) => id === 'workload/app')).toMatchObject({
    patch: { body: { spec: { replicas: 3 } } },
  })
})
