import { expect, test } from 'vitest'
import { conflict, run, TestCluster } from './test-cluster.ts'
import { rollout } from './test-objects.ts'

const podSpec = {
  initContainers: [{ name: 'app', image: 'img:1' }],
  containers: [
    { name: 'app', image: 'img:1', env: [{ name: 'A', value: 'b' }] },
    { name: 'proxy', image: 'proxy:1' },
  ],
  ephemeralContainers: [{ name: 'debug', image: 'debug:1' }],
  futureField: { kept: true },
}

const shop = () => new TestCluster().put(rollout('x', { spec: { template: { spec: podSpec } } }))

test('every container of the name gets the image, others do not [cli 18]', async () => {
  const cluster = shop()
  const { code, out } = await run(cluster, 'set image x app=img:2')
  expect({ code, out }).toEqual({ code: 0, out: 'rollout "x" image updated\n' })
  expect(cluster.requests.map(({ text }) => text)).toEqual([
    'get rollouts/shop/x',
    'update rollouts/shop/x',
  ])
  expect(cluster.get('rollouts/shop/x')).toMatchObject({
    spec: {
      replicas: 5,
      template: {
        spec: {
          ...podSpec,
          initContainers: [{ name: 'app', image: 'img:2' }],
          containers: [
            { name: 'app', image: 'img:2', env: [{ name: 'A', value: 'b' }] },
            { name: 'proxy', image: 'proxy:1' },
          ],
        },
      },
    },
  })
})

test('the star stands for all containers [cli 19]', async () => {
  const cluster = shop()
  await run(cluster, 'set image x *=img:2')
  expect(cluster.get('rollouts/shop/x')).toMatchObject({
    spec: {
      template: {
        spec: {
          initContainers: [{ image: 'img:2' }],
          containers: [{ image: 'img:2' }, { image: 'img:2' }],
          ephemeralContainers: [{ image: 'img:2' }],
        },
      },
    },
  })
})

test('a conflict is answered by reading again, five times at most [cli 20]', async () => {
  const cluster = shop()
  let conflicts = 2
  cluster.fail = (text) => (text.startsWith('update') && conflicts-- > 0 ? conflict() : undefined)
  expect(await run(cluster, 'set image x app=img:2')).toMatchObject({ code: 0 })
  const pair = ['get rollouts/shop/x', 'update rollouts/shop/x']
  expect(cluster.requests.map(({ text }) => text)).toEqual([...pair, ...pair, ...pair])

  const busy = shop()
  busy.fail = (text) => (text.startsWith('update') ? conflict() : undefined)
  const { code, out, err } = await run(busy, 'set image x app=img:2')
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(/^Error: Operation cannot be fulfilled on rollouts\.argoproj\.io .*\n$/)
  expect(busy.writes).toHaveLength(5)
})

test('with a workload reference the Deployment gets the image [cli 21]', async () => {
  const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
  const cluster = new TestCluster().put(rollout('x', { spec: { workloadRef } }), {
    ...rollout('web', { spec: { template: { spec: podSpec } } }),
    apiVersion: 'apps/v1',
    kind: 'Deployment',
  })
  const { out } = await run(cluster, 'set image x proxy=proxy:2')
  expect(out).toBe('deployment "web" image updated\n')
  expect(cluster.get('deployments/shop/web')).toMatchObject({
    spec: { template: { spec: { containers: [{ image: 'img:1' }, { image: 'proxy:2' }] } } },
  })
})

test('a reference to a kind that makes no pods is refused', async () => {
  const workloadRef = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'web' }
  const cluster = new TestCluster().put(rollout('x', { spec: { workloadRef } }))
  const { code, err } = await run(cluster, 'set image x app=img:2')
  expect({ code, err }).toEqual({
    code: 1,
    err: 'Error: workload of type DaemonSet is not supported\n',
  })
})

test('a container that does not exist is named and nothing written', async () => {
  const cluster = shop()
  const { code, err } = await run(cluster, 'set image x sidecar=img:2')
  expect({ code, err }).toEqual({
    code: 1,
    err: 'Error: unable to find container named "sidecar"\n',
  })
  expect(cluster.writes).toEqual([])
})

test.each(['app', 'app=img=2'])('the assignment %s prints the usage', async (assignment) => {
  const cluster = shop()
  const { code, out, err } = await run(cluster, `set image x ${assignment}`)
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(
    /^Usage:\n {2}kubectl-argo-rollouts set image ROLLOUT_NAME CONTAINER=IMAGE \[flags\]\n/,
  )
  expect(cluster.requests).toEqual([])
})
