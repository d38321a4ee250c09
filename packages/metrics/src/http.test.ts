import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { excerptOf } from './http.ts'
import { prometheus } from './prometheus.ts'
import { measureInput } from './test-input.ts'
import { socketFetch } from './test-server.ts'
import { web } from './web.ts'

type Incident = 'reset' | 'close' | 'cut off' | 'answer'

/** A server to whose requests this happens, in turn. */
async function serverWith(...incidents: readonly Incident[]) {
  const methods: string[] = []
  const server: Server = createServer((request, response) => {
    methods.push(request.method ?? '')
    const incident = incidents[Math.min(methods.length, incidents.length) - 1]
    switch (incident) {
      case 'reset':
        return request.socket.resetAndDestroy()
      case 'close':
        return request.socket.destroy()
      case 'cut off':
        response.writeHead(200, { 'content-length': 100 })
        return response.write('{', () => request.socket.destroy())
      default:
        return response.end(
          JSON.stringify({ status: 'success', data: { resultType: 'scalar', result: [1, '1'] } }),
        )
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, methods }
}

describe('a connection that breaks', () => {
  test.each<Incident>(['reset', 'close', 'cut off'])(
    '(%s) costs a reading metric one more request, not the measurement',
    async (incident) => {
      const { url, methods } = await serverWith(incident, 'answer', incident, 'answer')
      const input = { fetch: socketFetch }
      const query = { provider: { prometheus: { address: url, query: 'up' } } }
      expect(await prometheus.run(measureInput(query, input))).toMatchObject({ value: '1' })
      const get = { provider: { web: { url, jsonPath: '{$.status}' } } }
      expect(await web.run(measureInput(get, input))).toMatchObject({ value: '"success"' })
      expect(methods).toEqual(['POST', 'POST', 'GET', 'GET'])
    },
  )

  test('twice in a row is an error that says how', async () => {
    const { url, methods } = await serverWith('reset', 'close')
    const metric = { provider: { web: { url } } }
    const call = web.run(measureInput(metric, { fetch: socketFetch }))
    await expect(call).rejects.toThrow(new Error(`Get "${url}": EOF`))
    expect(methods).toEqual(['GET', 'GET'])
  })

  test('under a request that may change something is told at once: it is not sent twice', async () => {
    const { url, methods } = await serverWith('reset', 'answer')
    const metric = { provider: { web: { url, method: 'POST' as const, body: 'x' } } }
    const call = web.run(measureInput(metric, { fetch: socketFetch }))
    await expect(call).rejects.toThrow(new Error(`Post "${url}": read: connection reset by peer`))
    expect(methods).toEqual(['POST'])
  })
})

describe('what a message shows of a body', () => {
  test.each([
    [' no quota\n', 'no quota'],
    ['<html>no quota</html>', ''],
    [`${'a'.repeat(200)}`, 'a'.repeat(200)],
    // Half a key would not be known as a secret.
    [`${'a '.repeat(95)}key=hunter2hunter2== b`, 'a '.repeat(95)],
    [`{"${'a'.repeat(180)}":"hunter2hunter2hunter2"}`, `{"${'a'.repeat(180)}":"`],
    [`${'a'.repeat(195)} bcde fg`, `${'a'.repeat(195)} bcde`],
    ['a'.repeat(201), ''],
  ])('is its beginning, up to a whole word: %j', (body, shown) => {
    expect(excerptOf(body)).toBe(shown)
  })
})

describe('a server that', () => {
  /** Ends with the connection. */
  async function serving(answer: (response: ServerResponse) => void) {
    const left = Promise.withResolvers<void>()
    const server = createServer((request, response) => {
      request.socket.on('close', () => left.resolve())
      answer(response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return { url, left: left.promise }
  }

  const measuring = (url: string, signal: AbortSignal) =>
    web.run(measureInput({ provider: { web: { url } } }, { fetch: socketFetch, signal }))

  test('begins an answer and never ends it is left at the deadline', async () => {
    const deadline = new AbortController()
    const { url, left } = await serving((response) => {
      response.write('{', () => setImmediate(() => deadline.abort(new Error('late'))))
    })
    await expect(measuring(url, deadline.signal)).rejects.toThrow(
      `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
    )
    await left
  })

  test('answers without end is left after 10 MiB', async () => {
    const { url, left } = await serving((response) => {
      const more = () => response.write('x'.repeat(1024 * 1024), (error) => error ?? more())
      more()
    })
    await expect(measuring(url, new AbortController().signal)).rejects.toThrow(
      `Get "${url}": the answer is larger than 10485760 bytes`,
    )
    await left
  })

  test('does not heed that it is over costs no more than the deadline', async () => {
    const deadline = new AbortController()
    const input = measureInput(
      { provider: { web: { url: 'http://checks/m' } } },
      {
        signal: deadline.signal,
        fetch: () => {
          setImmediate(() => deadline.abort(new Error('late')))
          return new Promise(() => {})
        },
      },
    )
    await expect(web.run(input)).rejects.toThrow('context deadline exceeded')
  })
})
