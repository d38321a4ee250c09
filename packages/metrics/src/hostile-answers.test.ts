import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Metric } from '@serinus/api'
import { describe, expect, onTestFinished, test } from 'vitest'
import { cloudWatch } from './cloud-watch.ts'
import { datadog } from './datadog.ts'
import { graphite } from './graphite.ts'
import { influxdb } from './influxdb.ts'
import { kayenta } from './kayenta.ts'
import { newRelic } from './new-relic.ts'
import { prometheus } from './prometheus.ts'
import type { Measured, MeasureInput, Provider } from './provider.ts'
import { skywalking } from './skywalking.ts'
import { testKeys } from './test-aws.ts'
import { measureInput, testNow } from './test-input.ts'
import { socketFetch } from './test-server.ts'
import { wavefront } from './wavefront.ts'
import { web } from './web.ts'

type Answering = (response: ServerResponse, request: IncomingMessage) => void

async function serverThat(answers: Answering): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => answers(response, request))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Case {
  readonly provider: Provider
  readonly settings: (url: string) => Metric['provider']
  readonly secret?: (url: string) => Readonly<Record<string, string>>
  /** An answer with this number. Absent: a comparison takes more than one. */
  readonly saying?: (number: string) => string
}

const query = 'target=q'
const keys = (url: string) => ({ 'api-key': 'a', 'app-key': 'b', address: url })

const cases: Readonly<Record<string, Case>> = {
  Prometheus: {
    provider: prometheus,
    settings: (url) => ({ prometheus: { address: url, query } }),
    saying: (n) =>
      `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"${n}"]}]}}`,
  },
  Web: {
    provider: web,
    settings: (url) => ({ web: { url, jsonPath: '{$.x}' } }),
    saying: (n) => `{"x":${n}}`,
  },
  'Datadog v1': {
    provider: datadog,
    settings: () => ({ datadog: { apiVersion: 'v1', query } }),
    secret: keys,
    saying: (n) => `{"series":[{"pointlist":[[1,${n}]]}]}`,
  },
  'Datadog v2': {
    provider: datadog,
    settings: () => ({ datadog: { apiVersion: 'v2', query } }),
    secret: keys,
    saying: (n) => `{"data":{"attributes":{"columns":[{"values":[${n}]}]}}}`,
  },
  'New Relic': {
    provider: newRelic,
    settings: () => ({ newRelic: { query } }),
    secret: (url) => ({
      'personal-api-key': 'a',
      'account-id': '1',
      'base-url-nerdgraph': `${url}/graphql`,
    }),
    saying: (n) => `{"data":{"actor":{"account":{"nrql":{"results":[{"x":${n}}]}}}}}`,
  },
  Wavefront: {
    provider: wavefront,
    settings: () => ({ wavefront: { address: 'wavefront.test', query } }),
    secret: () => ({ 'wavefront.test': 'a' }),
    saying: (n) => `{"timeseries":[{"data":[[${Math.floor(testNow / 1000)},${n}]]}]}`,
  },
  Graphite: {
    provider: graphite,
    settings: (url) => ({ graphite: { address: url, query } }),
    saying: (n) => `[{"target":"q","datapoints":[[${n},1]]}]`,
  },
  SkyWalking: {
    provider: skywalking,
    settings: (url) => ({ skywalking: { address: url, query, interval: '3m' } }),
    saying: (n) => `{"data":{"x":${n}}}`,
  },
  InfluxDB: {
    provider: influxdb,
    settings: () => ({ influxdb: { query } }),
    secret: (url) => ({ address: url, authToken: 't', org: 'o' }),
    saying: (n) => `#datatype,string,long,double\n,result,table,_value\n,,0,${n}\n`,
  },
  CloudWatch: {
    provider: cloudWatch,
    settings: () => ({ cloudWatch: { metricDataQueries: [{ id: 'a', expression: 'b' }] } }),
    saying: (n) =>
      `{"MetricDataResults":[{"Id":"a","Label":"a","StatusCode":"Complete","Timestamps":[1],"Values":[${n}]}]}`,
  },
  Kayenta: {
    provider: kayenta,
    settings: (url) => {
      const side = { scope: 's', region: 'r', step: 60 }
      const accounts = { metricsAccountName: 'm', configurationAccountName: 'c' }
      return {
        kayenta: {
          address: url,
          application: 'a',
          canaryConfigName: 'c',
          ...accounts,
          storageAccountName: 's',
          threshold: { pass: 90, marginal: 75 },
          scopes: [{ name: 'default', controlScope: side, experimentScope: side }],
        },
      }
    },
  },
}

describe.each(Object.entries(cases))('%s', (_, { provider, settings, secret, saying }) => {
  const measured = async (answers: Answering, conditions: Partial<Metric> = {}) => {
    const url = await serverThat(answers)
    // Wavefront is asked by TLS only; its requests go where all others go.
    const fetch: MeasureInput['fetch'] = (request) =>
      socketFetch(new Request(request.url.replace('https://wavefront.test', url), request))
    const metric = { interval: '1m', ...conditions, provider: settings(url) }
    const env = { ...testKeys, AWS_REGION: 'eu-west-1', AWS_ENDPOINT_URL: url }
    const clock = { now: () => testNow, until: async () => {} }
    const readSecret = async () => secret?.(url) ?? {}
    return provider.run(measureInput(metric, { fetch, env, clock, readSecret }))
  }
  const failure = (answers: Answering): Promise<string> =>
    measured(answers).then(
      (result) => `no error: ${JSON.stringify(result).slice(0, 200)}`,
      (error: Error) => error.message,
    )
  const json = { 'content-type': 'application/json' }

  test('does not unpack more than it would read: a small answer may be a bomb', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20, ' '))
    const headers = { ...json, 'content-encoding': 'gzip' }
    const message = await failure((response) => response.writeHead(200, headers).end(bomb))
    expect(message).toContain('the answer is larger than 10485760 bytes')
  })

  test('leaves redirects that lead in a circle', async () => {
    let asked = 0
    const message = await failure((response) => {
      asked++
      response.writeHead(302, { location: '/again' }).end()
    })
    expect(message).toContain('stopped after 10 redirects')
    expect(asked).toBeLessThanOrEqual(44)
  })

  test.skipIf(provider === web)('takes no page and no silence for a value', async () => {
    for (const [status, body] of [
      [204, ''],
      [200, ''],
      [200, '<!doctype html><title>Sign in</title>'],
    ] as const) {
      const message = await failure((response) =>
        response.writeHead(status, { 'content-type': 'text/html' }).end(body),
      )
      expect(message).not.toContain('no error')
      expect(message.length).toBeLessThan(1000)
    }
  })

  test.skipIf(!saying)('reads past the mark that some servers put before their text', async () => {
    const body = `\ufeff${saying?.('0.5')}`
    const result = await measured((response) => response.writeHead(200, json).end(body))
    expect(result).toMatchObject({ kind: 'done', phase: 'Successful' })
    expect((result as { value?: string }).value).toMatch(/0\.5/)
  })

  // The SDK of Amazon reads it, and has a word for infinity of its own.
  test.skipIf(!saying || provider === cloudWatch)(
    'judges no number that is too large for one',
    async () => {
      const condition = { successCondition: 'any([result], true)' }
      const outcome = await measured(
        (response) => response.writeHead(200, json).end(saying?.('1e999')),
        condition,
      ).catch((): Measured => ({ kind: 'done', phase: 'Error' }))
      // As Go has it: no number, so text for a web metric, and an error for all others.
      if (provider === web) expect(outcome).toMatchObject({ value: '{"x":1e999}' })
      else expect(outcome).toMatchObject({ phase: 'Error' })
    },
  )
})
