import { expect, test } from 'vitest'
import { serve } from './serve.ts'

test('a handler is served on a free port until it is closed', async () => {
  const served = await serve(
    async (request) =>
      Response.json({ path: new URL(request.url).pathname, host: request.headers.get('host') }),
    { host: '127.0.0.1', port: 0 },
  )
  const answer = await fetch(`${served.url}/hello`)
  expect(await answer.json()).toEqual({ path: '/hello', host: served.url.replace('http://', '') })
  await served.close()
  await expect(fetch(served.url)).rejects.toThrow('fetch failed')
})

test('a port that is taken is said so', async () => {
  const first = await serve(async () => new Response(), { host: '127.0.0.1', port: 0 })
  const port = Number(new URL(first.url).port)
  await expect(
    serve(async () => new Response(), { host: '127.0.0.1', port }),
  ).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await first.close()
})
