import { VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { Inbox } from '../inbox/inbox.ts'
import { clusterFetch } from './cluster-fetch.ts'

const clock = new VirtualClock(0)

/** Says who answered. */
function ask(url: string, options: { readonly inbox?: Inbox; readonly body?: string } = {}) {
  const fetch = clusterFetch({
    prometheus: async () => new Response('prometheus'),
    service: async (name, namespace, request) =>
      name === 'my-app' || name === 'prometheus'
        ? new Response(`service ${namespace}/${name} ${await request.text()}`.trim())
        : null,
    home: 'default',
    outside: async (request) => new Response(`outside ${await request.text()}`.trim()),
    ...(options.inbox && { inbox: options.inbox }),
  })
  const init = options.body === undefined ? {} : { method: 'POST', body: options.body }
  return fetch(new Request(url, init)).then((answer) => answer.text())
}

test.each([
  ['http://prometheus:9090/api/v1/query', 'prometheus'],
  ['http://prometheus.monitoring:9090/', 'prometheus'],
  ['http://prometheus-server.monitoring.svc.cluster.local/', 'prometheus'],
  ['http://my-app/', 'service default/my-app'],
  ['http://my-app.team-a.svc:8080/', 'service team-a/my-app'],
  ['https://api.example.com/', 'outside'],
  ['https://example.com/', 'outside'],
  ['https://slack.com/api/chat.postMessage', 'outside'],
  ['http://127.0.0.1:9090/', 'outside'],
])('%s is answered by %s', async (url, answer) => {
  expect(await ask(url)).toBe(answer)
})

test.each([
  'http://nobody/',
  'http://nobody.team-a.svc/',
  'http://nobody.team-a.svc.cluster.local/',
])('the unknown name %s fails as in a pod', async (url) => {
  await expect(ask(url)).rejects.toMatchObject({
    message: 'fetch failed',
    cause: { code: 'ENOTFOUND', message: expect.stringContaining('getaddrinfo ENOTFOUND nobody') },
  })
})

test('with an inbox Slack is played and everybody else is called as before, body and all', async () => {
  const inbox = new Inbox(clock)
  expect(await ask('https://slack.com/api/auth.test', { inbox, body: 'token=xoxb-1' })).toContain(
    '"ok":true',
  )
  expect(await ask('http://my-app/', { inbox, body: 'hello' })).toBe('service default/my-app hello')
  expect(await ask('https://api.example.com/', { inbox, body: 'hello' })).toBe('outside hello')
})
