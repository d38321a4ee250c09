import { annotationKeys, type Rollout } from '@serinus/api'
import { expect, test } from 'vitest'
import { blueGreenWorld, servedBy, service } from '../testing/blue-green.ts'
import { healthyWorld, type World } from '../testing/world.ts'

const steps = [{ setWeight: 20 }, { pause: {} }]

function changeStrategy(world: World, strategy: Rollout['spec']['strategy']): void {
  world.edit((spec) => ({ ...spec, strategy }) as Rollout['spec'])
}

const blueGreen = { activeService: 'active' }

test('a canary that becomes blue-green moves no pod; its Service is taken over [api 55]', () => {
  const world = healthyWorld({ steps })
  world.services = [service('active')]
  expect(world.status.currentStepHash).toBeDefined()
  changeStrategy(world, { blueGreen })
  world.pass(60_000)
  expect(world.scalings()).toEqual([])
  expect(servedBy(world, 'active')).toBe('h1')
  const { canary, currentStepHash, currentStepIndex, phase } = world.status
  expect([canary, currentStepHash, currentStepIndex, phase]).toEqual([
    undefined,
    undefined,
    undefined,
    'Healthy',
  ])
})

test('a canary that becomes blue-green at a gate goes on as blue-green', () => {
  const world = healthyWorld({ steps })
  world.setImage('h2')
  world.pass(20_000)
  expect(world.status.message).toBe('CanaryPauseStep')
  world.services = [service('active')]
  changeStrategy(world, { blueGreen: { ...blueGreen, autoPromotionEnabled: false } })
  expect([world.size('h1'), world.size('h2'), servedBy(world, 'active')]).toEqual([5, 5, null])
  world.pass(20_000)
  expect([servedBy(world, 'active'), world.status.message]).toEqual(['h1', 'BlueGreenPause'])
  world.patchStatus({ pauseConditions: null })
  expect(servedBy(world, 'active')).toBe('h2')
})

test('a promoted blue-green Rollout that becomes a canary skips all steps, moves no pod and gives its Services back', () => {
  const world = blueGreenWorld()
  changeStrategy(world, { canary: { steps } })
  world.pass(60_000)
  expect(world.scalings()).toEqual([])
  expect(world.reasons()).toContain('SkipSteps')
  expect([world.status.currentStepIndex, world.status.blueGreen, world.status.phase]).toEqual([
    2,
    undefined,
    'Healthy',
  ])
  for (const { metadata, spec } of world.services) {
    expect(metadata.annotations?.[annotationKeys.managedBy]).toBeUndefined()
    expect(spec?.selector).toEqual({ app: 'app' })
  }
})
