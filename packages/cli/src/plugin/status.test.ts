import type { RolloutStatus } from '@serinus/api'
import { expect, test } from 'vitest'
import { forbidden, run, start, TestCluster } from './test-cluster.ts'
import { rollout } from './test-objects.ts'

const shop = (status: RolloutStatus = {}, generation = 1) =>
  new TestCluster().put(rollout('x', { status, generation }))

const aborted: RolloutStatus = {
  phase: 'Degraded',
  message: 'RolloutAborted: Rollout aborted update to revision 2',
}
const degraded =
  'Error: The rollout is in a degraded state with message: RolloutAborted: Rollout aborted update to revision 2\n'

async function expectOnce(status: RolloutStatus, line: string): Promise<void> {
  const cluster = shop(status)
  const { code, out, err } = await run(cluster, 'status x --watch=false')
  expect({ code, out, err }).toEqual({ code: 0, out: line, err: '' })
  expect(cluster.requests.map(({ text }) => text)).toEqual(['get rollouts/shop/x'])
}

test('once: a healthy rollout prints one word [cli 22]', () =>
  expectOnce({ phase: 'Healthy' }, 'Healthy\n'))

test('once: a paused blue-green is no failure [cli 23]', () =>
  expectOnce({ phase: 'Paused', message: 'BlueGreenPause' }, 'Paused - BlueGreenPause\n'))

test('once: a resumption that the controller has not acted on is Progressing [cli 27]', () =>
  expectOnce(
    { phase: 'Paused', message: 'CanaryPauseStep', controllerPause: true },
    'Progressing - waiting for rollout to unpause\n',
  ))

test('once: without a message the separator is still printed', () =>
  expectOnce({ phase: 'Progressing' }, 'Progressing - \n'))

test('once: a spec that the controller has not seen is Progressing [cli 26]', async () => {
  const { code, out } = await run(
    shop({ phase: 'Healthy', observedGeneration: '4' }, 5),
    'status x --watch=false',
  )
  expect({ code, out }).toEqual({
    code: 0,
    out: 'Progressing - waiting for rollout spec update to be observed\n',
  })
})

test('once: a degraded rollout prints one word and fails with its message', async () => {
  const { code, out, err } = await run(shop(aborted), 'status x -w=false')
  expect({ code, out, err }).toEqual({ code: 1, out: 'Degraded\n', err: degraded })
})

test('an aborted rollout ends the wait at once [cli 24]', async () => {
  const { code, out, err } = await run(shop(aborted), 'status x')
  expect({ code, out, err }).toEqual({
    code: 1,
    out: 'Degraded - RolloutAborted: Rollout aborted update to revision 2\n',
    err: degraded,
  })
})

test('a paused rollout outlasts the timeout [cli 25]', async () => {
  const wait = start(shop({ phase: 'Paused', message: 'CanaryPauseStep' }), 'status x --timeout 1s')
  await wait.clock.advance(999)
  expect(wait.screens).toEqual(['Paused - CanaryPauseStep\n'])
  await wait.clock.advance(1)
  expect(await wait.ended).toMatchObject({
    code: 1,
    out: 'Paused - CanaryPauseStep\n',
    err: 'Error: Rollout status watch exceeded timeout\n',
  })
})

test('each change is one line, equal lines are told once, and Healthy ends the wait', async () => {
  const cluster = shop({ phase: 'Progressing', message: 'more replicas need to be updated' })
  const wait = start(cluster, 'status x')
  const change = async (status: RolloutStatus) => {
    cluster.put(rollout('x', { status }))
    await wait.clock.advance(1000)
  }
  await wait.clock.advance(1000)
  await change({ phase: 'Progressing', message: 'more replicas need to be updated', replicas: 2 })
  await change({ phase: 'Paused', message: 'CanaryPauseStep' })
  await change({ phase: 'Healthy' })
  expect(await wait.ended).toMatchObject({
    code: 0,
    err: '',
    screens: [
      'Progressing - more replicas need to be updated\n',
      'Paused - CanaryPauseStep\n',
      'Healthy\n',
    ],
  })
})

test('a wait follows one rollout only', async () => {
  const cluster = shop({ phase: 'Progressing' })
  const wait = start(cluster, 'status x')
  await wait.clock.advance(1000)
  wait.interrupt()
  await wait.ended
  expect(cluster.requests.map(({ text }) => text)).toEqual([
    'get rollouts/shop/x',
    'list rollouts in shop where metadata.name=x',
    'watch rollouts in shop where metadata.name=x',
    'get rollouts/shop/x',
  ])
})

test('an interruption reads once more, and only Healthy is a success', async () => {
  const wait = start(shop({ phase: 'Progressing' }), 'status x')
  await wait.clock.advance(100)
  wait.interrupt()
  expect(await wait.ended).toMatchObject({
    code: 1,
    err: 'Error: Rollout status watch exceeded timeout\n',
  })

  const late = shop({ phase: 'Progressing' })
  // The watch never comes up, as behind a proxy that buffers.
  late.fail = (text) => (text.startsWith('list') ? forbidden('no') : undefined)
  const unseen = start(late, 'status x --timeout 10s')
  await unseen.clock.advance(100)
  late.put(rollout('x', { status: { phase: 'Healthy' } }))
  await unseen.clock.advance(10_000)
  expect(await unseen.ended).toMatchObject({ code: 0, out: 'Progressing\n', err: '' })
})

test('a rollout that is deleted meanwhile ends the wait with an error [cli 50]', async () => {
  const cluster = shop({ phase: 'Progressing' })
  const wait = start(cluster, 'status x')
  await wait.clock.advance(1000)
  cluster.remove('rollouts/shop/x')
  await wait.clock.advance(0)
  expect(await wait.ended).toMatchObject({
    code: 1,
    err: 'Error: rollout.argoproj.io "x" not found\n',
  })
})

test('a timeout that is no duration is refused', async () => {
  const { code, err } = await run(shop(), 'status x --timeout soon')
  expect({ code, err }).toEqual({
    code: 1,
    err: 'Error: invalid argument "soon" for "-t, --timeout" flag: time: invalid duration "soon"\n',
  })
})
