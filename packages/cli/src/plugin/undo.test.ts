import { annotationKeys, hashLabel } from '@serinus/api'
import { expect, test } from 'vitest'
import { run, TestCluster } from './test-cluster.ts'
import { replicaSet, rollout } from './test-objects.ts'

const podSpec = (image: string) => ({ containers: [{ name: 'app', image }] })

const shop = () =>
  new TestCluster().put(
    rollout('x', {
      spec: { template: { metadata: { labels: { app: 'x' } }, spec: podSpec('x:31') } },
    }),
    replicaSet('x', { hash: 'a29', revision: 29 }),
    replicaSet('x', { hash: 'c31', revision: 31, replicas: 5 }),
    replicaSet('x', { hash: 'b30', revision: 30 }),
    replicaSet('other', { hash: 'd30', revision: 30 }),
  )

const patchTo = (value: object) => [
  {
    text: 'patch rollouts/shop/x',
    body: [{ op: 'replace', path: '/spec/template', value }],
  },
]

test('the revision before the latest comes back, without the hash label [cli 14]', async () => {
  const cluster = shop()
  const { code, out } = await run(cluster, 'undo x')
  expect({ code, out }).toEqual({ code: 0, out: "rollout 'x' undo\n" })
  expect(cluster.writes).toEqual(
    patchTo({ metadata: { labels: { app: 'x' } }, spec: podSpec('x:30') }),
  )
  expect(cluster.requests.map(({ text }) => text)).toEqual([
    'get rollouts/shop/x',
    'list replicasets in shop where rollouts-pod-template-hash,app=x',
    'patch rollouts/shop/x',
  ])
})

test('a revision can be named', async () => {
  const cluster = shop()
  await run(cluster, 'undo x --to-revision=29')
  expect(cluster.writes).toEqual(
    patchTo({ metadata: { labels: { app: 'x' } }, spec: podSpec('x:29') }),
  )
})

test('nothing is written when the template is already that of the revision [cli 15]', async () => {
  const cluster = shop()
  const { code, out } = await run(cluster, 'undo x --to-revision=31')
  expect({ code, out }).toEqual({
    code: 0,
    out: 'skipped rollback (current template already matches revision 31)\n',
  })
  expect(cluster.writes).toEqual([])
})

test('a revision that is gone is named [cli 16]', async () => {
  const { code, err } = await run(shop(), 'undo x --to-revision=99')
  expect({ code, err }).toEqual({
    code: 1,
    err: 'Error: unable to find specified revision 99 in history\n',
  })
})

test('a rollout with one revision has nothing to return to', async () => {
  const cluster = new TestCluster().put(
    rollout('x'),
    replicaSet('x', { hash: 'a', revision: 1 }),
    replicaSet('x', { hash: 'b', revision: 0, annotations: { [annotationKeys.revision]: '?' } }),
  )
  const { code, err } = await run(cluster, 'undo x')
  expect({ code, err }).toEqual({
    code: 1,
    err: 'Error: no revision found for rollout "x"\n',
  })
})

test('what the controller injected does not come back as the user’s [cli 17]', async () => {
  const keepAway = {
    weight: 1,
    podAffinityTerm: {
      labelSelector: {
        matchExpressions: [{ key: hashLabel, operator: 'NotIn', values: ['a1'] }],
      },
      topologyKey: 'kubernetes.io/hostname',
    },
  }
  const users = {
    labelSelector: { matchLabels: { app: 'noisy' } },
    topologyKey: 'kubernetes.io/hostname',
  }
  const affinity = (required: readonly object[]) => ({
    podAntiAffinity: {
      ...(required.length > 0 ? { requiredDuringSchedulingIgnoredDuringExecution: required } : {}),
      preferredDuringSchedulingIgnoredDuringExecution: [keepAway],
    },
  })
  const injected = { labels: { role: 'canary' }, annotations: { note: 'n' } }
  const template = (required: readonly object[]) => ({
    metadata: {
      labels: { app: 'x', [hashLabel]: 'a1', role: 'canary' },
      annotations: { note: 'n', team: 't' },
    },
    spec: { ...podSpec('x:1'), affinity: affinity(required) },
  })
  const set = (hash: string, revision: number, required: readonly object[]) =>
    replicaSet('x', {
      hash,
      revision,
      template: template(required),
      annotations: { [annotationKeys.ephemeralMetadata]: JSON.stringify(injected) },
    })
  const cluster = new TestCluster().put(
    rollout('x', { spec: { template: { spec: podSpec('x:3') } } }),
    set('a1', 1, []),
    set('a2', 2, [users]),
  )
  await run(cluster, 'undo x --to-revision 1')
  await run(cluster, 'undo x --to-revision 2')
  const metadata = { labels: { app: 'x' }, annotations: { team: 't' } }
  expect(cluster.writes).toEqual([
    ...patchTo({ metadata, spec: podSpec('x:1') }),
    ...patchTo({
      metadata,
      spec: {
        ...podSpec('x:1'),
        affinity: {
          podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [users] },
        },
      },
    }),
  ])
})

test.each([
  ['Deployment', 'deployments', '/spec/template'],
  ['PodTemplate', 'podtemplates', '/template'],
])('with a reference to a %s its own template is replaced', async (kind, plural, path) => {
  const apiVersion = kind === 'PodTemplate' ? 'v1' : 'apps/v1'
  const workloadRef = { apiVersion, kind, name: 'web' }
  const cluster = shop().put(
    rollout('x', { spec: { workloadRef, template: undefined, selector: undefined } }),
    { ...rollout('web', { spec: { selector: { matchLabels: { app: 'x' } } } }), apiVersion, kind },
  )
  expect(await run(cluster, 'undo x')).toMatchObject({ code: 0 })
  expect(cluster.writes).toMatchObject([
    { text: `patch ${plural}/shop/web`, body: [{ op: 'replace', path }] },
  ])
})
