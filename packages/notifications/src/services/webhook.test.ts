import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { configured, content, sendOnce, serviceContract } from './service-contract.ts'
import { webhook } from './webhook.ts'

const options = {
  url: 'https://hook.example/in',
  headers: [{ name: 'X-Token', value: 'header-secret' }],
}
const accepted = () => new Response(null, { status: 204 })

serviceContract(webhook, {
  options,
  credential: 'header-secret',
  accepted,
  limited: () => new Response('', { status: 429, headers: { 'Retry-After': '7' } }),
  refused: () => new Response('no', { status: 400 }),
})

async function sent(more: Record<string, unknown>, block: Record<string, unknown> | null) {
  const service = configured(webhook, { ...options, ...more })
  const rendered = service.render({ ...content, block })
  const payload = rendered.ok ? rendered.payload : {}
  const { requests } = await sendOnce(service, accepted, { payload })
  const [request] = requests
  if (!request) throw new Error('no request')
  return { request, body: await request.text() }
}

test('method, path, body, headers and basic auth follow configuration and template', async () => {
  const basicAuth = { username: 'u', password: 'p' }
  const { request, body } = await sent(
    { url: 'https://hook.example/in/', basicAuth },
    {
      method: 'PUT',
      path: '/a/b',
      body: '{"x":1}',
    },
  )
  expect(request.method).toBe('PUT')
  expect(request.url).toBe('https://hook.example/in/a/b')
  expect(body).toBe('{"x":1}')
  expect(request.headers.get('X-Token')).toBe('header-secret')
  expect(request.headers.get('Authorization')).toBe(`Basic ${btoa('u:p')}`)
  expect(request.headers.get('Content-Type')).toBe('application/json')
})

test('a repetition carries the same idempotency key and a signature proves the sender', async () => {
  const { request, body } = await sent(
    { signingSecret: 's3cret' },
    { method: 'POST', body: 'text' },
  )
  expect(request.headers.get('Idempotency-Key')).toBe('delivery-1')
  expect(request.headers.get('X-Argo-Rollouts-Delivery')).toBe('delivery-1')
  const signature = createHmac('sha256', 's3cret').update(body).digest('hex')
  expect(request.headers.get('X-Signature-256')).toBe(`sha256=${signature}`)
})

test('without a block the message is the body', async () => {
  const { request, body } = await sent({}, null)
  expect(request.method).toBe('POST')
  expect(body).toBe(content.message)
})

test('a block without a body sends none', async () => {
  const { request, body } = await sent({}, { path: 'ping' })
  expect([request.method, request.url, body]).toEqual(['GET', 'https://hook.example/in/ping', ''])
})

test.each([
  ['1s', 1000],
  ['500ms', 500],
  [1_000_000_000, 1000],
])('retryWaitMin %j loads [notifications 43]', (retryWaitMin, firstMs) => {
  expect(configured(webhook, { ...options, retryWaitMin }).retry?.firstMs).toBe(firstMs)
})

test.each([
  [{ url: 'ftp://x' }, '.url'],
  [{ headers: 'a: b' }, '.headers'],
  [{ retryWaitMax: 'soon' }, '.retryWaitMax'],
  [{ retryMax: 'x' }, '.retryMax'],
])('%j is refused at %s', (more, path) => {
  const result = webhook.configure({ ...options, ...more })
  expect(result.ok ? [] : result.problems.map((problem) => problem.path)).toEqual([path])
})
