import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Metric } from '@serinus/api'
import type { Clock } from '@serinus/kube'
import { describe, expect, onTestFinished, test } from 'vitest'
import { datadog } from './datadog.ts'
import { graphite } from './graphite.ts'
import { newRelic } from './new-relic.ts'
import type { MeasureInput, Provider } from './provider.ts'
import { skywalking } from './skywalking.ts'
import { measureInput, testNow } from './test-input.ts'
import { socketFetch } from './test-server.ts'
import { wavefront } from './wavefront.ts'

const MiB = 1024 * 1024

/** A vendor on a socket that does this to every request. */
async function serverThat(
  answers: (response: ServerResponse) => void,
): Promise<{ readonly url: string; readonly asked: () => number }> {
  let asked = 0
  const server = createServer((request, response) => {
    asked++
    request.resume().once('end', () => answers(response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked }
}

/** Time that does not make anybody wait. */
const hurried: Clock = { now: () => testNow, until: async () => {} }

interface Vendor {
  readonly provider: Provider
  /** As messages have it. */
  readonly name: string
  readonly settings: (url: string) => Metric['provider']
  readonly secret: (url: string) => Readonly<Record<string, string>>
}

const query = 'target=q'
const none = () => ({})

const vendors: Readonly<Record<string, Vendor>> = {
  'Datadog v1': {
    provider: datadog,
    name: 'Datadog',
    settings: () => ({ datadog: { apiVersion: 'v1', query } }),
    secret: (url) => ({ 'api-key': 'a', 'app-key': 'b', address: url }),
  },
  'Datadog v2': {
    provider: datadog,
    name: 'Datadog',
    settings: () => ({ datadog: { apiVersion: 'v2', query } }),
    secret: (url) => ({ 'api-key': 'a', 'app-key': 'b', address: url }),
  },
  'New Relic': {
    provider: newRelic,
    name: 'New Relic',
    settings: () => ({ newRelic: { query } }),
    secret: (url) => ({
      'personal-api-key': 'a',
      'account-id': '1',
      'base-url-nerdgraph': `${url}/graphql`,
    }),
  },
  Wavefront: {
    provider: wavefront,
    name: 'Wavefront',
    settings: () => ({ wavefront: { address: 'wavefront.test', query } }),
    secret: () => ({ 'wavefront.test': 'a' }),
  },
  Graphite: {
    provider: graphite,
    name: 'Graphite',
    settings: (url) => ({ graphite: { address: url, query } }),
    secret: none,
  },
  SkyWalking: {
    provider: skywalking,
    name: 'SkyWalking',
    settings: (url) => ({ skywalking: { address: url, query, interval: '3m' } }),
    secret: none,
  },
}

describe.each(Object.entries(vendors))(
  '%s on a socket',
  (_, { provider, name, settings, secret }) => {
    const told = (url: string, signal = new AbortController().signal) => {
      // Wavefront is asked by TLS only; its requests go where all others go.
      const fetch: MeasureInput['fetch'] = (request) =>
        socketFetch(new Request(request.url.replace('https://wavefront.test', url), request))
      const readSecret = async () => secret(url)
      const facts = { fetch, clock: hurried, readSecret, signal }
      return provider.run(measureInput({ provider: settings(url) }, facts)).then(
        () => 'no error',
        (error: Error) => error.message,
      )
    }

    test.each([
      [401, 'who are you'],
      [403, 'not you'],
      [429, 'slow down'],
      [500, 'it broke'],
      [503, 'overloaded'],
    ])('that answers %i is told with its words, its name and its address', async (status, body) => {
      const { url } = await serverThat((response) => response.writeHead(status).end(body))
      const message = await told(url)
      expect(message).toContain(body)
      expect(message).toMatch(new RegExp(`\\(${name} at https?://[^ ]+\\)$`))
    })

    test.each([
      ['nothing', ''],
      ['a page', '<html>welcome</html>'],
      ['half of it', '{"data":{"actor":'],
      ['binary', '\u0000\u0001\u0002'],
    ])('that answers %s is told with its name and address', async (_, body) => {
      const { url } = await serverThat((response) => response.writeHead(200).end(body))
      expect(await told(url)).toMatch(
        new RegExp(`^(Could not parse JSON body|decoding response): .* \\(${name} at http`, 's'),
      )
    })

    test('that answers 50 MiB is not heard to the end', async () => {
      const chunk = Buffer.alloc(MiB, 'x')
      let sent = 0
      const { url, asked } = await serverThat((response) => {
        const more = () => {
          while (!response.destroyed && sent < 50) {
            sent++
            if (!response.write(chunk)) return response.once('drain', more)
          }
          return response.end()
        }
        more()
      })
      expect(await told(url)).toMatch(
        new RegExp(`: the answer is larger than 10485760 bytes \\(${name}\\)$`),
      )
      expect(asked()).toBe(1)
      expect(sent).toBeLessThan(50)
    })

    test('that is silent is given up at the deadline', async () => {
      const deadline = new AbortController()
      const { url } = await serverThat(() => deadline.abort(new Error('late')))
      expect(await told(url, deadline.signal)).toMatch(
        new RegExp(`: context deadline exceeded( \\(Client.*\\))? \\(${name}\\)$`),
      )
    })
  },
)
