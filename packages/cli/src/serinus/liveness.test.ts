import { VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { Liveness } from './liveness.ts'

function world() {
  const clock = new VirtualClock(0)
  const queue: { stuck: string | null } = { stuck: null }
  return { clock, queue, liveness: new Liveness({ clock, stuckQueue: () => queue.stuck }) }
}

const term = { holder: 'a', transitions: 0 }

test('a standby and a leader that renews or is refused are alive however long', async () => {
  const { clock, liveness } = world()
  await clock.advance(600_000)
  expect(liveness.problem()).toBeNull()
  liveness.onLease({ kind: 'acquired', term })
  for (let minute = 0; minute < 10; minute++) {
    await clock.advance(50_000)
    liveness.onLease(
      minute % 2 ? { kind: 'failed', error: new Error('no') } : { kind: 'renewed', at: 0 },
    )
  }
  expect(liveness.problem()).toBeNull()
})

test('a leader that has stopped asking for its lease is to be restarted', async () => {
  const { clock, liveness } = world()
  liveness.onLease({ kind: 'acquired', term })
  await clock.advance(61_000)
  expect(liveness.problem()).toContain('neither renewed nor refused for 61 s')
})

test('work that does not end after the lease was lost is a reason, and its end mends it', async () => {
  const { clock, liveness } = world()
  liveness.onLease({ kind: 'acquired', term })
  liveness.onLease({ kind: 'lost', reason: 'taken by b' })
  await clock.advance(59_000)
  expect(liveness.problem()).toBeNull()
  await clock.advance(2_000)
  expect(liveness.problem()).toContain('work goes on 61 s after the lease was lost')
  liveness.onTermOver()
  expect(liveness.problem()).toBeNull()
})

test('a queue in which nothing moves is a reason', () => {
  const { queue, liveness } = world()
  queue.stuck = 'Rollouts'
  expect(liveness.problem()).toBe('nothing has moved in queue Rollouts for 180 s')
})
