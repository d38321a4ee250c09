import { kinds } from '@serinus/api'
import { expect, test } from 'vitest'
import { readManifests } from '../../packages/cli/src/serinus/manifests.ts'
import { type ClusterUnderTest, clusterUnderTest } from '../cluster-under-test.ts'
import { testWithKubectl } from '../kubectl.ts'

const rolloutsOf = ({ namespace }: ClusterUnderTest) =>
  `/apis/argoproj.io/v1alpha1/namespaces/${namespace}/rollouts`

/** The example with a gate in the test's namespace; nobody acts on it. */
async function withGate() {
  const world = await clusterUnderTest()
  await world.apply(...readManifests('examples/gate.yaml'))
  const path = rolloutsOf(world)
  return Object.assign(world, { path, gate: `${path}/gate` })
}

testWithKubectl(
  'the shipped kinds and roles are applied with kubectl',
  { timeout: 60_000 },
  async () => {
    await using world = await clusterUnderTest({ kubectl: true })
    const applied = await world.kubectl(
      'apply',
      '--server-side',
      '--force-conflicts',
      '-f',
      'deploy/crds.yaml',
    )
    expect(applied.trim().split('\n')).toEqual(
      Object.values(kinds).map(
        ({ plural, group }) =>
          `customresourcedefinition.apiextensions.k8s.io/${plural}.${group} serverside-applied`,
      ),
    )
    await world.kubectl('apply', '-f', 'deploy/controller-rbac.yaml')
    await world.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
  },
)

testWithKubectl(
  'kubectl get shows the columns of a kind, and knows its short names',
  { timeout: 60_000 },
  async () => {
    await using world = await clusterUnderTest({ kubectl: true })
    const { kubectl } = world
    await kubectl('apply', '-f', 'examples/gate.yaml')
    const lines = (await kubectl('get', 'ro')).replace(/ +/g, ' ')
    expect(lines).toMatch(/^NAME DESIRED CURRENT UP-TO-DATE AVAILABLE AGE\ngate 5 \d+s\n$/)
    expect((await kubectl('get', 'rollout', 'gate', '-o', 'name')).trim()).toBe(
      'rollout.argoproj.io/gate',
    )
    expect(await kubectl('explain', 'rollout.spec.strategy.canary.steps')).toContain('setWeight')
  },
)

testWithKubectl(
  'an unknown field is refused by a strict apply [api 44]',
  { timeout: 60_000 },
  async () => {
    await using world = await clusterUnderTest({ kubectl: true })
    const [gate] = readManifests('examples/gate.yaml')
    const { spec } = gate as unknown as { readonly spec: object }
    const wrong = JSON.stringify({ ...gate, spec: { ...spec, strategi: {} } })
    await expect(world.kubectlWith(wrong, 'apply', '-f', '-')).rejects.toThrow(
      'Rollout in version "v1alpha1" cannot be handled as a Rollout: strict decoding error: unknown field "spec.strategi"',
    )
  },
)

test.each([
  ['Strict', 400, []],
  ['Warn', 201, ['unknown field "spec.strategi"']],
  ['Ignore', 201, []],
])(
  'fieldValidation=%s treats an unknown field of a Rollout so [api 44]',
  async (mode, status, warnings) => {
    await using world = await clusterUnderTest()
    const [gate] = readManifests('examples/gate.yaml')
    const { spec } = gate as unknown as { readonly spec: object }
    const path = `${rolloutsOf(world)}?fieldValidation=${mode}`
    const answer = await world.call('POST', path, { ...gate, spec: { ...spec, strategi: {} } })
    expect([answer.status, answer.warnings]).toEqual([status, warnings])
    if (mode !== 'Strict') expect(answer.body.spec.strategi).toBeUndefined()
  },
)

test('the selector of a Rollout cannot be changed [api 43]', async () => {
  await using world = await withGate()
  const answer = await world.call('PATCH', world.gate, {
    spec: { selector: { matchLabels: { app: 'other' } } },
  })
  expect(answer.status).toBe(422)
  expect(answer.body.message).toBe(
    'Rollout.argoproj.io "gate" is invalid: spec.selector: Invalid value: .spec.selector is immutable',
  )
})

test('spec and status of a Rollout have doors of their own', async () => {
  await using world = await withGate()
  await world.call('PATCH', world.gate, { status: { phase: 'Healthy' } })
  await world.call('PATCH', `${world.gate}/status`, {
    status: { phase: 'Paused', HPAReplicas: 2, selector: 'app=gate' },
    spec: { replicas: 9 },
  })
  const { body } = await world.call('GET', world.gate)
  expect([body.spec.replicas, body.status.phase, body.metadata.generation]).toEqual([
    5,
    'Paused',
    1,
  ])
})

test('the scale subresource reads and writes what an autoscaler needs [api 42]', async () => {
  await using world = await withGate()
  await world.call('PATCH', `${world.gate}/status`, {
    status: { HPAReplicas: 5, selector: 'app=gate' },
  })
  const scale = await world.call('GET', `${world.gate}/scale`)
  expect(scale.body).toMatchObject({
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    spec: { replicas: 5 },
    status: { replicas: 5, selector: 'app=gate' },
  })
  const patched = await world.call('PATCH', `${world.gate}/scale`, { spec: { replicas: 7 } })
  expect(patched.body.spec.replicas).toBe(7)
  expect((await world.call('GET', world.gate)).body.spec.replicas).toBe(7)
})

test.each([
  ['application/json-patch+json', [{ op: 'replace', path: '/spec/replicas', value: 3 }], 200],
  ['application/merge-patch+json', { spec: { replicas: 3 } }, 200],
  ['application/strategic-merge-patch+json', { spec: { replicas: 3 } }, 415],
])('a patch of a Rollout by %s', async (type, patch, status) => {
  await using world = await withGate()
  const answer = await world.call('PATCH', world.gate, patch, { 'content-type': type })
  expect(answer.status).toBe(status)
  expect((await world.call('GET', world.gate)).body.spec.replicas).toBe(status === 200 ? 3 : 5)
})

test('a server-side apply owns what it says and tells of conflicts', async () => {
  await using world = await withGate()
  const apply = (manager: string, replicas: number, force = false) =>
    world.call(
      'PATCH',
      `${world.gate}?fieldManager=${manager}&force=${force}`,
      {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'Rollout',
        metadata: { name: 'gate' },
        spec: { replicas },
      },
      { 'content-type': 'application/apply-patch+yaml' },
    )
  expect((await apply('one', 5)).status).toBe(200)
  const refused = await apply('two', 6)
  expect(refused.status).toBe(409)
  expect(refused.body.message).toMatch(/conflict.* with "one".*\.spec\.replicas/s)
  expect((await apply('two', 6, true)).body.spec.replicas).toBe(6)
})

test('a write of an older state is refused', async () => {
  await using world = await withGate()
  const { body: old } = await world.call('GET', world.gate)
  await world.call('PATCH', world.gate, { spec: { replicas: 6 } })
  const answer = await world.call('PUT', world.gate, { ...old, spec: { ...old.spec, replicas: 7 } })
  expect([answer.status, answer.body.message]).toEqual([
    409,
    'Operation cannot be fulfilled on rollouts.argoproj.io "gate": the object has been modified; please apply your changes to the latest version and try again',
  ])
})

test('selectors by label and name find Rollouts', async () => {
  await using world = await withGate()
  await world.call('PATCH', world.gate, { metadata: { labels: { team: 'a' } } })
  const names = async (query: string) =>
    (await world.call('GET', `${world.path}?${query}`)).body.items.map(
      ({ metadata }: { metadata: { name: string } }) => metadata.name,
    )
  expect(await names('labelSelector=team%3Da')).toEqual(['gate'])
  expect(await names('labelSelector=team%21%3Da')).toEqual([])
  expect(await names('fieldSelector=metadata.name%3Dgate')).toEqual(['gate'])
  expect(await names('fieldSelector=metadata.name%3Dother')).toEqual([])
  const wrong = await world.call('GET', `${world.path}?fieldSelector=spec.replicas%3D5`)
  expect([wrong.status, wrong.body.message]).toEqual([
    400,
    'field label not supported: spec.replicas',
  ])
})
