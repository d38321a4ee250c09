import { type AnalysisRun, kinds } from '@serinus/api'
import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { virtualCluster } from './virtual-cluster.ts'

const common: ReadonlySet<string> = new Set(['accept', 'content-type', 'user-agent'])

/** A vendor, or a proxy before it, that tells what it was told, as debugging pages do. */
function echo(request: Request, status: number): Response {
  const told = [...request.headers].filter(([name]) => !common.has(name))
  return Response.json({ data: Object.fromEntries(told) }, { status })
}

test.each([
  ['datadog', 403, ['example-api-key', 'example-app-key']],
  ['new-relic', 403, ['NRAK-EXAMPLE']],
  ['wavefront', 403, ['example-token']],
  // Here it becomes the measured value itself.
  ['web', 200, ['example-token']],
])(
  'a key for %s that the vendor sends back with status %i is stored nowhere',
  async (name, status, secrets) => {
    await using world = await virtualCluster()
    let asked = ''
    world.faults.network = (request) => {
      asked += JSON.stringify([...request.headers])
      return echo(request, status)
    }
    await world.apply(...readManifests(`examples/providers/${name}.yaml`))
    await world.pass(120_000)
    const { items } = await world.client.list<AnalysisRun & KubeObject>(kinds.analysisRuns)
    const events = await world.client.list(resources.events)
    const stored = JSON.stringify([items, events.items, world.errors])
    expect(JSON.stringify(items[0]?.status?.metricResults)).toContain('*****')
    for (const secret of secrets) {
      expect(asked).toContain(secret)
      expect(stored).not.toContain(secret)
    }
  },
)

test('a password and a header come from Secrets of the namespace, and are stored nowhere', async () => {
  await using world = await virtualCluster()
  const asked: string[] = []
  world.faults.network = (request) => {
    asked.push(JSON.stringify([...request.headers]))
    return echo(request, 200)
  }
  await world.apply(login('swordfish', 'key-of-the-shop'), runWith(1))
  await world.pass(30_000)
  const [run] = (await world.client.list<AnalysisRun & KubeObject>(kinds.analysisRuns)).items
  const stored = JSON.stringify([run, (await world.client.list(resources.events)).items])
  const basic = Buffer.from('shop:swordfish').toString('base64')
  expect(asked).toHaveLength(1)
  expect(asked[0]).toContain(`Basic ${basic}`)
  expect(asked[0]).toContain('key-of-the-shop')
  expect(run?.status?.metricResults?.[0]?.measurements?.[0]?.value).toContain('*****')
  for (const secret of ['swordfish', basic, 'key-of-the-shop']) expect(stored).not.toContain(secret)
})

test('a password that is changed at the source and in its Secret costs no measurement', async () => {
  await using world = await virtualCluster()
  let valid = 'swordfish'
  const answers: number[] = []
  world.faults.network = (request) => {
    const basic = `Basic ${Buffer.from(`shop:${valid}`).toString('base64')}`
    const status = request.headers.get('authorization') === basic ? 200 : 401
    answers.push(status)
    return Response.json(1, { status })
  }
  await world.apply(login(valid, 'key'), runWith(4))
  await world.pass(15_000)
  valid = 'marlin'
  await world.apply(login(valid, 'key'))
  await world.pass(60_000)
  const [run] = (await world.client.list<AnalysisRun & KubeObject>(kinds.analysisRuns)).items
  expect(run?.status?.phase).toBe('Successful')
  const [result] = run?.status?.metricResults ?? []
  expect([result?.successful, result?.error]).toEqual([4, undefined])
  expect(answers).toEqual([200, 200, 401, 200, 200])
})

test('a key that its Secret lacks is named with its field', async () => {
  await using world = await virtualCluster()
  const { data: _, ...empty } = login('', '') as KubeObject & { readonly data: unknown }
  await world.apply(empty, runWith(1))
  await world.pass(60_000)
  const [run] = (await world.client.list<AnalysisRun & KubeObject>(kinds.analysisRuns)).items
  expect(run?.status?.phase).toBe('Error')
  expect(run?.status?.metricResults?.[0]?.measurements?.[0]?.message).toBe(
    "provider.web.authentication.basicAuth.passwordFrom: key 'password' does not exist in secret 'login' (in namespace default) (http://vendor.test)",
  )
})

function login(password: string, key: string): KubeObject {
  const data = Object.entries({ password, key }).map(([name, text]) => [
    name,
    Buffer.from(text).toString('base64'),
  ])
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'login', namespace: 'default' },
    data: Object.fromEntries(data),
  } as KubeObject
}

function runWith(count: number): KubeObject {
  const from = (key: string) => ({ secretKeyRef: { name: 'login', key } })
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisRun',
    metadata: { name: 'shop', namespace: 'default' },
    spec: {
      metrics: [
        {
          name: 'shop',
          interval: '10s',
          count,
          successCondition: 'true',
          provider: {
            web: {
              url: 'http://vendor.test/',
              headers: [{ key: 'X-Key', valueFrom: from('key') }],
              authentication: { basicAuth: { username: 'shop', passwordFrom: from('password') } },
            },
          },
        },
      ],
    },
  } as unknown as KubeObject
}
