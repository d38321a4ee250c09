import { expect, test } from 'vitest'
import { routing, worldOf } from '../testing/stories.ts'
import { type Canary, canaryRollout, type World } from '../testing/world.ts'

const dynamic: Canary = { ...routing, dynamicStableScale: true }

function worldWith(canary: Partial<Canary>): World {
  return worldOf(canaryRollout({ ...dynamic, ...canary }, { replicas: 10 }))
}

const sizes = (world: World) => [world.size('h1'), world.size('h2'), world.weight]

/** Sizes and weight after every change, in order. */
function movesOf(world: World): string[] {
  const moves: string[] = []
  world.observe = ({ snapshot, plan }) => {
    const from = snapshot.routers[0]?.weight
    if (plan.routes && plan.routes.weight !== from) moves.push(`${from}→${plan.routes.weight}`)
    for (const { reason, message } of plan.transitions) {
      const [, from, to] = /from (\d+) to (\d+)$/.exec(message) ?? []
      const set = snapshot.replicaSets.find(({ metadata }) => message.includes(metadata.name))
      const image = set?.spec.template.spec?.containers?.[0]?.image ?? 'h2'
      if (reason === 'ScalingReplicaSet') moves.push(`${image} ${from}→${to}`)
    }
  }
  return moves
}

test('stable shrinks only behind the weight that relieves it [rollout-controller 30]', () => {
  const world = worldWith({
    steps: [{ setWeight: 20 }, { pause: {} }, { setWeight: 60 }, { pause: {} }],
  })
  world.setImage('h2')
  world.pass(10_000)
  expect(sizes(world)).toEqual([8, 2, 20])
  world.patchStatus({ pauseConditions: null })
  expect(sizes(world)).toEqual([8, 6, 20])
  world.pass(10_000)
  expect(sizes(world)).toEqual([4, 6, 60])
})

test('an abort grows stable back step by step, and the weight follows its pods [rollout-controller 31]', () => {
  const world = worldWith({
    steps: [{ setWeight: 20 }, { pause: {} }, { setWeight: 60 }, { pause: {} }],
  })
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ pauseConditions: null })
  world.pass(10_000)
  const moves = movesOf(world)
  world.patchStatus({ abort: true })
  world.pass(60_000)
  expect(moves).toEqual(['h1 4→8', '60→20', 'h2 6→2', 'h1 8→10', '20→0', 'h2 2→0'])
  expect(world.status.phase).toBe('Degraded')
})

test('an explicit delay keeps the aborted canary until stable has all its pods', () => {
  const world = worldWith({
    steps: [{ setWeight: 60 }, { pause: {} }],
    abortScaleDownDelaySeconds: 60,
  })
  world.setImage('h2')
  world.pass(10_000)
  expect(sizes(world)).toEqual([4, 6, 60])
  world.patchStatus({ abort: true })
  world.pass(20_000)
  expect(sizes(world)).toEqual([10, 6, 0])
  world.pass(61_000)
  expect(sizes(world)).toEqual([10, 0, 0])
})

test('a share that no router confirms is given time to settle before stable shrinks behind it', () => {
  const world = worldWith({ steps: [{ setWeight: 60 }, { pause: {} }] })
  world.options = { ...world.options, routerSettleMs: 10_000 }
  world.setImage('h2')
  world.pass(6_000)
  expect(sizes(world)).toEqual([10, 6, 60])
  world.pass(8_000)
  expect(sizes(world)).toEqual([10, 6, 60])
  world.pass(2_000)
  expect(sizes(world)).toEqual([4, 6, 60])
})

test('the old pods left at the end go without delay once nothing leads to them', () => {
  const world = worldWith({ steps: [{ setWeight: 60 }] })
  world.setImage('h2')
  world.pass(20_000)
  expect(sizes(world)).toEqual([0, 10, 0])
  expect(world.status.phase).toBe('Healthy')
  expect(world.writes.some(({ id }) => id.startsWith('deadline/'))).toBe(false)
})

test('going back to the stable template in mid-update returns the traffic as its pods come back', () => {
  const world = worldWith({ steps: [{ setWeight: 20 }, { setWeight: 60 }, { pause: {} }] })
  world.setImage('h2')
  world.pass(20_000)
  expect(sizes(world)).toEqual([4, 6, 60])
  const carried: number[] = []
  world.observe = ({ snapshot, plan }) => {
    const h1 = snapshot.replicaSets[0]?.status?.availableReplicas ?? 0
    const weight = plan.routes?.weight ?? 0
    carried.push(h1 - Math.floor((100 - weight) / 10))
  }
  world.setImage('h1')
  expect(sizes(world)).toEqual([10, 6, 60])
  world.pass(20_000)
  expect(sizes(world)).toEqual([10, 0, 0])
  expect(Math.min(...carried)).toBeGreaterThanOrEqual(0)
})

test('a lower weight comes before a smaller canary', () => {
  const world = worldWith({
    dynamicStableScale: false,
    steps: [{ setWeight: 60 }, { pause: {} }, { setWeight: 20 }, { pause: {} }],
  })
  world.setImage('h2')
  world.pass(10_000)
  const moves = movesOf(world)
  world.patchStatus({ pauseConditions: null })
  world.pass(1_000)
  expect(moves).toEqual(['60→20', 'h2 6→2'])
  expect(world.status.currentStepIndex).toBe(3)
})
