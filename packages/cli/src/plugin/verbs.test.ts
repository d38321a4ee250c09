import { expect, test } from 'vitest'
import { conflict, run, TestCluster } from './test-cluster.ts'
import { analysisRun, rollout } from './test-objects.ts'

const cluster = (...names: readonly string[]) =>
  new TestCluster().put(...names.map((name) => rollout(name)))

test('abort writes the status once and says so [cli 1]', async () => {
  const shop = cluster('guestbook')
  const { code, out, err } = await run(shop, 'abort guestbook')
  expect({ code, out, err }).toEqual({ code: 0, out: "rollout 'guestbook' aborted\n", err: '' })
  expect(shop.requests).toEqual([
    { text: 'patch rollouts/shop/guestbook/status', body: { status: { abort: true } } },
  ])
})

test('abort writes the main path where there is no status path [cli 2]', async () => {
  const shop = cluster('guestbook')
  shop.hasStatusPath = false
  expect(await run(shop, 'abort guestbook')).toMatchObject({ code: 0 })
  expect(shop.requests).toEqual([
    { text: 'patch rollouts/shop/guestbook/status', body: { status: { abort: true } } },
    { text: 'patch rollouts/shop/guestbook', body: { status: { abort: true } } },
  ])
})

test('with several names the first failure ends the command; what is done stays done [cli 3]', async () => {
  const shop = cluster('a', 'b')
  const { code, out, err } = await run(shop, 'abort a missing b')
  expect(code).toBe(1)
  expect(out).toBe("rollout 'a' aborted\n")
  expect(err).toBe('Error: rollouts.argoproj.io "missing" not found\n')
  expect(shop.get('rollouts/shop/a')).toMatchObject({ status: { abort: true } })
  expect(shop.get('rollouts/shop/b')).not.toHaveProperty('status.abort')
})

test.each([
  [
    'pause guestbook',
    "rollout 'guestbook' paused",
    { text: 'patch rollouts/shop/guestbook', body: { spec: { paused: true } } },
  ],
  [
    'retry rollout guestbook',
    "rollout 'guestbook' retried",
    { text: 'patch rollouts/shop/guestbook/status', body: { status: { abort: false } } },
  ],
  [
    'retry ro guestbook',
    "rollout 'guestbook' retried",
    { text: 'patch rollouts/shop/guestbook/status', body: { status: { abort: false } } },
  ],
  [
    'restart guestbook',
    "rollout 'guestbook' restarts in 0s",
    {
      text: 'patch rollouts/shop/guestbook',
      body: { spec: { restartAt: '2026-01-02T03:04:05Z' } },
    },
  ],
  [
    'terminate analysisrun check',
    "analysisRun 'check' terminated",
    { text: 'patch analysisruns/shop/check', body: { spec: { terminate: true } } },
  ],
  [
    'terminate experiment trial',
    "experiment 'trial' terminated",
    { text: 'patch experiments/shop/trial', body: { spec: { terminate: true } } },
  ],
  [
    'retry exp trial',
    "experiment 'trial' retried",
    { text: 'patch experiments/shop/trial', body: { status: null } },
  ],
])('%s sends one patch and prints: %s', async (words, line, request) => {
  const shop = cluster('guestbook').put(
    analysisRun('guestbook', { name: 'check', hash: 'h', revision: 1, phase: 'Running' }),
    { ...rollout('trial'), kind: 'Experiment' },
  )
  expect(await run(shop, words)).toMatchObject({ code: 0, out: `${line}\n`, err: '' })
  expect(shop.requests).toEqual([request])
})

test('a restart can be asked for later, and echoes the delay as it was typed [cli 12]', async () => {
  const shop = cluster('x')
  const { out } = await run(shop, 'restart x --in 10m')
  expect(out).toBe("rollout 'x' restarts in 10m\n")
  expect(shop.requests).toEqual([
    { text: 'patch rollouts/shop/x', body: { spec: { restartAt: '2026-01-02T03:14:05Z' } } },
  ])
})

test('a delay that is no duration is refused in one line [cli 13]', async () => {
  const shop = cluster('x')
  const { code, out, err } = await run(shop, 'restart x --in nonsense')
  expect({ code, out, err }).toEqual({
    code: 1,
    out: '',
    err: 'Error: time: invalid duration "nonsense"\n',
  })
  expect(shop.requests).toEqual([])
})

test('any other failure of the status path is not tried again on the main path', async () => {
  const shop = cluster('x')
  shop.fail = () => conflict()
  expect(await run(shop, 'abort x')).toMatchObject({ code: 1 })
  expect(shop.requests).toHaveLength(1)
})
