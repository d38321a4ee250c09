import { expect, test } from 'vitest'
import { canaryRollout, World } from '../testing/world.ts'
import { errorRate, promMetric, template } from './test-metrics.ts'

const analysis = (value: string) => ({
  templates: [{ templateName: 'rate' }],
  args: [{ name: 'service', value }],
})
const steps = [{ setWeight: 20 }, { pause: {} }]

function worldWith(service: string): World {
  const strategy = {
    canaryService: 'shop-canary',
    stableService: 'shop',
    analysis: analysis(service),
    steps,
  }
  const rate = template('rate', [promMetric(errorRate)], ['service'])
  const world = new World(canaryRollout(strategy, { replicas: 5 }), {
    analysisTemplates: [{ ...rate, metadata: { name: 'rate', namespace: 'default' } }],
    services: ['shop', 'shop-canary'].map((name) => ({
      metadata: { name, namespace: 'default' },
      spec: { selector: { app: 'app' } },
    })) as unknown as World['services'],
  })
  world.pass(10_000)
  return world
}

const doubts = (world: World) =>
  world.transitions.filter(({ reason }) => reason === 'QueryDiluted').map(({ message }) => message)

test('an analysis over both versions is told on its Rollout, once for each change of the spec', () => {
  const world = worldWith('shop')
  expect(doubts(world)).toEqual([
    expect.stringMatching(
      /^spec\.strategy\.canary\.analysis: metric checked of rate: .*at 20 % weight a new version that fails 4\.9 %/,
    ),
  ])
  world.pass(3_600_000)
  expect(doubts(world)).toHaveLength(1)
  world.setImage('h2')
  world.pass(60_000)
  expect(doubts(world)).toHaveLength(2)
})

test('one of the new version alone gives no cause', () => {
  const world = worldWith('shop-canary')
  world.setImage('h2')
  world.pass(60_000)
  expect(doubts(world)).toEqual([])
})
