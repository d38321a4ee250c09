import { expect, test } from 'vitest'
import { forbidden, run, start, TestCluster } from './test-cluster.ts'
import { canary, rollout } from './test-objects.ts'

const steps = Array.from({ length: 8 }, (_, index) => ({ setWeight: 10 * (index + 1) }))

const checkout = (status: object = {}) =>
  rollout('checkout', {
    spec: canary([{ setWeight: 20 }, ...steps.slice(1, 3), { setWeight: 20 }, ...steps.slice(4)]),
    status: {
      phase: 'Paused',
      currentStepIndex: 3,
      replicas: 6,
      readyReplicas: 5,
      updatedReplicas: 2,
      availableReplicas: 5,
      ...status,
    },
  })

const storefront = rollout('storefront', {
  spec: { replicas: 2, strategy: { blueGreen: { activeService: 's' } } },
  status: {
    phase: 'Healthy',
    replicas: 2,
    readyReplicas: 2,
    updatedReplicas: 2,
    availableReplicas: 2,
  },
})

const shop = () => new TestCluster().put(checkout(), storefront)

test('rollouts are listed in columns whose cells are padded as upstream pads them', async () => {
  const cluster = shop()
  const { code, out, err } = await run(cluster, 'list rollouts')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toBe(
    [
      'NAME        STRATEGY   STATUS        STEP  SET-WEIGHT  READY  DESIRED  UP-TO-DATE  AVAILABLE\n',
      'checkout    Canary     Paused        3/8   20          5/6    5        2           5        \n',
      'storefront  BlueGreen  Healthy       -     -           2/2    2        2           2        \n',
    ].join(''),
  )
  expect(cluster.requests).toEqual([{ text: 'list rollouts in shop' }])
})

test('an empty list says so on stderr [cli 36]', async () => {
  expect(await run(new TestCluster(), 'list rollouts')).toMatchObject({
    code: 0,
    out: '',
    err: 'No resources found.\n',
  })
})

test('namespaces and times are columns in front [cli 37]', async () => {
  const cluster = shop()
  const { out } = await run(cluster, 'list ro -A --timestamps')
  const [header, first] = out.split('\n')
  expect(header).toMatch(/^TIMESTAMP {13}NAMESPACE {2}NAME /)
  expect(first).toMatch(/^2026-01-02T03:04:05Z {2}shop {7}checkout /)
  expect(cluster.requests).toEqual([{ text: 'list rollouts' }])
})

test('one rollout is selected by the server, and arguments are ignored', async () => {
  const cluster = shop()
  const { out } = await run(cluster, 'list rollout --name storefront whatever')
  expect(out.split('\n')).toHaveLength(3)
  expect(cluster.requests).toEqual([
    { text: 'list rollouts in shop where metadata.name=storefront' },
  ])
})

test('a watch prints a row only when one of its cells changed [cli 38]', async () => {
  const cluster = shop()
  const watch = start(cluster, 'list rollouts -w --timestamps')
  await watch.clock.advance(1000)
  expect(watch.screens).toHaveLength(1)
  cluster.put(checkout({ message: 'is in no column' }))
  await watch.clock.advance(1000)
  expect(watch.screens).toHaveLength(1)
  cluster.put(checkout({ availableReplicas: 6 }))
  await watch.clock.advance(1000)
  expect(watch.screens.slice(1).map((row) => row.replace(/ +\n$/, ''))).toEqual([
    '2026-01-02T03:04:07Z  checkout    Canary     Paused        3/8   20          5/6    5        2           6',
  ])
  watch.interrupt()
  expect(await watch.ended).toMatchObject({ code: 0, err: '' })
})

test('a watch of an empty namespace begins with the header alone', async () => {
  const watch = start(new TestCluster(), 'list rollouts --watch')
  await watch.clock.advance(600)
  expect(watch.screens.join('')).toMatch(/^NAME {8}STRATEGY .*\n$/)
  watch.interrupt()
  await watch.ended
})

test('a missing permission ends a watch at once', async () => {
  const cluster = shop()
  cluster.fail = () => forbidden('rollouts.argoproj.io is forbidden')
  expect(await run(cluster, 'list rollouts -w')).toMatchObject({
    code: 1,
    out: '',
    err: 'Error: rollouts.argoproj.io is forbidden\n',
  })
})
