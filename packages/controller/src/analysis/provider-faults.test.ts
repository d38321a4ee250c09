import type { AnalysisRun } from '@serinus/api'
import { expect, test } from 'vitest'
import { analysisWorld, put, startAt } from './test-world.ts'

const MiB = 1024 * 1024

/** Sends as much as it is asked for and counts it. */
function endless(sizeMiB: number, sent: { bytes: number }): Response {
  const chunk = new Uint8Array(MiB)
  let left = sizeMiB
  const body = new ReadableStream({
    pull(controller) {
      if (left-- === 0) return controller.close()
      sent.bytes += chunk.length
      controller.enqueue(chunk)
    },
  })
  return new Response(body)
}

function refused(host: string): never {
  const cause = Object.assign(new Error('connect ECONNREFUSED'), {
    code: 'ECONNREFUSED',
    address: host,
    port: 9090,
  })
  throw new TypeError('fetch failed', { cause })
}

test('sources that are away, slow, huge or talk nonsense each end their own run as its limits say, with provider, address and cause', async () => {
  using world = analysisWorld()
  const { clock, api, start } = world
  const sent = { bytes: 0 }
  const answers: Readonly<Record<string, (of: AbortSignal) => Response | Promise<Response>>> = {
    away: () => refused('10.0.0.7'),
    gone: () => refused('10.0.0.8'),
    nonsense: () => new Response('<html>502</html>', { headers: { 'content-type': 'text/html' } }),
    slow: async (of) => {
      await clock.until(clock.now() + 60_000, of)
      return Response.json({})
    },
    huge: () => endless(50, sent),
    good: () => Response.json(1),
  }
  const prometheus = (host: string) => ({
    provider: { prometheus: { address: `http://${host}:9090`, query: 'up' } },
  })
  const health = (host: string) => ({ provider: { web: { url: `http://${host}/health` } } })
  const metrics: Readonly<Record<string, object>> = {
    away: { ...prometheus('away'), consecutiveErrorLimit: 2 },
    gone: { ...health('gone'), consecutiveErrorLimit: 0 },
    nonsense: { ...prometheus('nonsense'), consecutiveErrorLimit: 1 },
    slow: { ...prometheus('slow'), consecutiveErrorLimit: 1 },
    huge: { ...health('huge'), consecutiveErrorLimit: 1 },
    good: { ...health('good'), interval: '10s', count: 12 },
  }
  for (const [name, metric] of Object.entries(metrics)) {
    put(api, { metrics: [{ name, ...metric }] }, name)
  }
  start((url, signal) => {
    const answer = answers[url.hostname]
    if (!answer) throw new Error(`nobody is called ${url.href}`)
    return answer(signal)
  })
  await clock.advance(180_000)

  const ended = (name: string) => {
    const { phase, message, completedAt } =
      api.get<AnalysisRun>('analysisruns', `app/${name}`).status ?? {}
    return { phase, message, seconds: (Date.parse(completedAt ?? '') - startAt) / 1000 }
  }
  const error = (name: string, errors: number, cause: string) =>
    `Metric "${name}" assessed Error due to consecutiveErrors (${errors}) > consecutiveErrorLimit (${errors - 1}): "Error Message: ${cause}"`
  const query = (host: string) => `Post "http://${host}:9090/api/v1/query"`
  expect(ended('away')).toEqual({
    phase: 'Error',
    message: error(
      'away',
      3,
      `${query('away')}: dial tcp 10.0.0.7:9090: connect: connection refused`,
    ),
    seconds: 20,
  })
  expect(ended('gone')).toEqual({
    phase: 'Error',
    message: error(
      'gone',
      1,
      'Get "http://gone/health": dial tcp 10.0.0.8:9090: connect: connection refused',
    ),
    seconds: 0,
  })
  expect(ended('nonsense')).toMatchObject({ phase: 'Error', seconds: 10 })
  expect(ended('nonsense').message).toContain('is not valid JSON (http://nonsense:9090)')
  expect(ended('slow')).toEqual({
    phase: 'Error',
    message: error('slow', 2, `${query('slow')}: context deadline exceeded`),
    seconds: 70,
  })
  expect(ended('huge')).toEqual({
    phase: 'Error',
    message: error('huge', 2, 'Get "http://huge/health": the answer is larger than 10485760 bytes'),
    seconds: 10,
  })
  expect(ended('good')).toEqual({ phase: 'Successful', message: undefined, seconds: 110 })
  // Two tries, each given up at the limit instead of being held whole.
  expect(sent.bytes).toBeLessThan(2 * 14 * MiB)
})
