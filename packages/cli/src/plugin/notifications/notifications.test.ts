import type { UnknownObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { forbidden, run, TestCluster } from '../test-cluster.ts'
import { analysisRun, rollout } from '../test-objects.ts'

const long = 'x'.repeat(101)

function configMap(namespace: string, data: Readonly<Record<string, string>>): UnknownObject {
  const name = 'argo-rollouts-notification-configmap'
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data }
}

const data = {
  'service.slack': 'token: $slack-token',
  'template.b-said': `message: |
  {{.rollout.metadata.name}} was said
  on two lines
slack:
  attachments: |
    [{"title": "{{.rollout.metadata.name}}"}]
`,
  'template.a-runs':
    'message: "{{range .analysisRuns}}{{.metadata.name}} {{.status.phase}}{{end}}"',
  'template.long': `message: ${long}`,
  'trigger.on-b': `- when: rollout.status.phase == 'Healthy'
  send: [b-said, a-runs]
- send: [long]
`,
  'trigger.on-a': '- send: [a-runs]',
}

const secret: UnknownObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'argo-rollouts-notification-secret', namespace: 'argo-rollouts' },
  data: { 'slack-token': Buffer.from('xoxb-secret').toString('base64') },
}

/** The Rollout is in `shop`, the configuration where articles put it. */
const cluster = () =>
  new TestCluster().put(
    configMap('argo-rollouts', data),
    secret,
    rollout('web', {
      status: { phase: 'Healthy', currentPodHash: 'h' },
      annotations: {
        'rollout.argoproj.io/revision': '2',
        'notifications.argoproj.io/subscribe.on-b.slack': 'team:a',
      },
    }),
    analysisRun('web', { name: 'check', hash: 'h', revision: 2, phase: 'Failed' }),
  )

const central = 'configuration: ConfigMap argo-rollouts-notification-configmap in argo-rollouts\n'

test('templates are listed by name with the beginning of what they say', async () => {
  const { code, out, err } = await run(cluster(), 'notifications template get')
  expect({ code, err }).toEqual({ code: 0, err: central })
  expect(out.split('\n')).toEqual([
    'NAME    PREVIEW',
    'a-runs  {{range .analysisRuns}}{{.metadata.name}} {{.status.phase}}{{end}}',
    'b-said  {{.rollout.metadata.name}} was said',
    `long    ${'x'.repeat(99)}...`,
    '',
  ])
})

test('triggers are listed by name, one row for each condition [cli 44]', async () => {
  const wide = await run(cluster(), 'notifications trigger get')
  expect(wide.out.replaceAll(/ +$/gm, '').split('\n')).toEqual([
    'NAME  TEMPLATE        CONDITION',
    'on-a  a-runs',
    "on-b  b-said, a-runs  rollout.status.phase == 'Healthy'",
    '      long',
    '',
  ])
  const names = await run(cluster(), 'notifications trigger get -o name')
  expect(names.out).toBe('on-a\non-b\n')
})

test('one definition can be printed as it was written', async () => {
  const json = await run(cluster(), 'notifications trigger get on-a -o json')
  expect(JSON.parse(json.out)).toEqual({ 'on-a': [{ send: ['a-runs'] }] })
  const yaml = await run(cluster(), 'notifications trigger get on-a -o yaml')
  expect(yaml.out).toBe('on-a:\n  - send:\n      - a-runs\n')
  expect(await run(cluster(), 'notifications template get -o table')).toMatchObject({
    code: 1,
    err: "Error: output 'table' is not supported\n",
  })
})

test('the configuration of the namespace goes before that of the controller', async () => {
  const shop = cluster().put(configMap('shop', { 'template.own': 'message: ours' }))
  const { out, err } = await run(shop, 'notifications template get')
  expect(out).toBe('NAME  PREVIEW\nown   ours\n')
  expect(err).toBe('configuration: ConfigMap argo-rollouts-notification-configmap in shop\n')
  // Both are in reach of a Rollout.
  const notified = await run(shop, 'notifications template notify b-said web')
  expect(notified).toMatchObject({ code: 0 })
})

test('no configuration anywhere is a failure that names both places', async () => {
  expect(await run(new TestCluster(), 'notifications template get')).toMatchObject({
    code: 1,
    out: '',
    err: 'Error: failed to get api: configmaps "argo-rollouts-notification-configmap" not found in the namespaces shop and argo-rollouts\n',
  })
  const elsewhere = await run(
    cluster(),
    'notifications trigger get on-a -o name --config-namespace elsewhere',
  )
  expect(elsewhere.code).toBe(1)
})

test('a notification is rendered on the console and the user told that nothing was sent', async () => {
  const { code, out, err } = await run(cluster(), 'notifications template notify b-said web')
  expect({ code, err }).toEqual({
    code: 0,
    err: `${central}not sent; add --recipient slack:<channel> to send\n`,
  })
  expect(out).toBe(`message: |
  web was said
  on two lines
slack:
  attachments: |
    [{"title": "web"}]
`)
})

test('templates see the runs of the present revision', async () => {
  const { out } = await run(cluster(), 'notifications template notify a-runs web')
  expect(out).toBe('message: check Failed\n')
})

test('a template that does not exist is a failure [cli 45]', async () => {
  expect(await run(cluster(), 'notifications template notify nope web')).toMatchObject({
    code: 1,
    out: '',
    err: `${central}Error: failed to notify 'console:stdout': template 'nope' is not supported\n`,
  })
})

test('a rollout that does not exist is a failure', async () => {
  expect(await run(cluster(), 'notifications template notify b-said nope')).toMatchObject({
    code: 1,
    err: `${central}Error: failed to load resource: rollouts.argoproj.io "nope" not found\n`,
  })
})

test('a named recipient is sent to, also one with a colon in it', async () => {
  for (const recipient of ['slack:team:a', 'subscribed']) {
    const asked: string[] = []
    const { code, out } = await run(
      cluster(),
      `notifications template notify b-said web --recipient ${recipient}`,
      {
        vendor: async (request) => {
          asked.push(`${request.headers.get('authorization')} ${await request.text()}`)
          return Response.json({ ok: true, ts: '1.2', channel: 'C1' })
        },
      },
    )
    expect({ code, out }).toEqual({ code: 0, out: 'sent to slack:team:a\n' })
    expect(asked).toHaveLength(1)
    expect(asked[0]).toMatch(/^Bearer xoxb-secret .*team/)
  }
})

test('a refusal of the vendor is a failure', async () => {
  const { code, err } = await run(
    cluster(),
    'notifications template notify b-said web --recipient slack:gone',
    { vendor: async () => Response.json({ ok: false, error: 'channel_not_found' }) },
  )
  expect(code).toBe(1)
  expect(err).toMatch(/Error: failed to notify 'slack:gone': .*channel_not_found/)
})

test('a service that is not configured is a failure', async () => {
  const { code, err } = await run(
    cluster(),
    'notifications template notify b-said web --recipient pager:x',
  )
  expect(code).toBe(1)
  expect(err).toContain(
    "Error: failed to notify 'pager:x': notification service 'pager' is not supported\n",
  )
})

test('somebody who may read only one of the namespaces uses that one', async () => {
  const shop = cluster().put(configMap('shop', data))
  shop.fail = (text) => (text.includes('/argo-rollouts/') ? forbidden('no') : undefined)
  expect(await run(shop, 'notifications trigger get -o name')).toMatchObject({
    code: 0,
    out: 'on-a\non-b\n',
  })
})

test.each([
  ['notifications template', 'select child command'],
  ['notifications trigger', 'select child command'],
  ['notifications template notify', 'expected two arguments, got 0'],
  ['notifications template notify b-said', 'expected two arguments, got 1'],
])('"%s" is refused: %s', async (words, message) => {
  expect(await run(cluster(), words)).toMatchObject({
    code: 1,
    out: '',
    err: `Error: ${message}\n`,
  })
})

test('the group alone prints its help', async () => {
  const { code, out, err } = await run(cluster(), 'notifications')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toContain('Usage:\n  kubectl-argo-rollouts notifications [command]\n')
})
