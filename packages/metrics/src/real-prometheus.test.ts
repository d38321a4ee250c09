import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Metric } from '@serinus/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prometheus } from './prometheus.ts'
import { providerOf } from './registry.ts'
import { measureInput, testNow } from './test-input.ts'
import { socketFetch } from './test-server.ts'

const isInstalled = ['prometheus', 'promtool'].every(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
)

/** A Prometheus of this machine that knows what `samples` says (OpenMetrics), and two users. */
async function realPrometheus(samples: string) {
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'))
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const data = join(folder, 'data')
  execFileSync(
    'promtool',
    ['tsdb', 'create-blocks-from', 'openmetrics', file('samples', samples), data],
    { stdio: 'ignore' },
  )
  const child = spawn(
    'prometheus',
    [
      `--config.file=${file('prometheus.yml', 'global: {}\n')}`,

      `--web.config.file=${file('web.yml', `basic_auth_users:\n  myuser: ${passwordHash}\n`)}`,
      `--storage.tsdb.path=${data}`,
      '--storage.tsdb.retention.time=100y',
      '--web.listen-address=127.0.0.1:0',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let address = ''
  const told: string[] = []
  for await (const line of createInterface({ input: child.stderr })) {
    told.push(line)
    address ||= /msg="Listening on" address=(\S+)/.exec(line)?.[1] ?? ''
    if (line.includes('Server is ready to receive web requests')) break
  }
  if (!address) throw new Error(`Prometheus did not start:\n${told.join('\n')}`)
  // Nobody reads on: it must not wait for us.
  child.stderr.resume()
  const ended = new Promise((resolve) => child.once('exit', resolve))
  return {
    address: `http://${address}`,
    async close() {
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

// bcrypt of `mypassword`, at the least cost.
const passwordHash = '$2y$04$aaaaaaaaaaaaaaaaaaaaaO5cs6MkPca2tPVHdWXfW68A71OpsofRK'

/** One sample every 15 s for the 10 minutes before the present of the tests. */
function series(name: string, value: (index: number) => number | string): string {
  return Array.from({ length: 41 }, (_, index) => {
    const at = testNow / 1000 - (40 - index) * 15
    return `${name} ${value(index)} ${at}\n`
  }).join('')
}

const samples = [
  '# TYPE requests counter\n',
  series('requests_total{version="canary",code="200"}', (index) => index * 95),
  series('requests_total{version="canary",code="500"}', (index) => index * 5),
  '# TYPE late counter\n',
  `late_total 7 ${testNow / 1000 - 15}\n`,
  '# TYPE load gauge\n',
  series('load{pod="a"}', () => 0.25),
  series('load{pod="b"}', () => 'NaN'),
  '# EOF\n',
].join('')

describe.skipIf(!isInstalled)(
  'a real Prometheus (needs prometheus and promtool on the PATH)',
  () => {
    let real: Awaited<ReturnType<typeof realPrometheus>>
    beforeAll(async () => {
      real = await realPrometheus(samples)
    })
    afterAll(() => real?.close())

    type Config = NonNullable<Metric['provider']['prometheus']>
    const basicAuth = { username: 'myuser', password: 'mypassword' }

    const measure = (query: string, conditions: Partial<Metric> = {}, config: Config = {}) => {
      const metric = {
        ...conditions,
        provider: {
          prometheus: { address: real.address, query, authentication: { basicAuth }, ...config },
        },
      }
      return prometheus.run(measureInput(metric, { fetch: socketFetch }))
    }

    test('answers the error rate of a canary, which is judged', async () => {
      const rate = 'rate(requests_total{version="canary"%}[5m])'
      const query = `sum(${rate.replace('%', ',code="500"')}) / sum(${rate.replace('%', '')})\n`
      const measured = await measure(query, { failureCondition: 'result[0] > 0.01' })
      expect(measured).toMatchObject({ kind: 'done', phase: 'Failed' })
      expect(Number(measured.kind === 'done' && measured.value?.slice(1, -1))).toBeCloseTo(0.05, 6)
    })

    test.each<[query: string, conditions: Partial<Metric>, measured: object]>([
      ['scalar(vector(1e21))', {}, { value: '1000000000000000000000' }],
      ['1 / 0', { successCondition: 'result >= 0.9' }, { value: '+Inf', phase: 'Successful' }],
      [
        'load{pod="a"}',
        { successCondition: 'result[0] == 0.25' },
        { value: '[0.25]', phase: 'Successful' },
      ],
      [
        'load{pod="b"}',
        { successCondition: 'result[0] > 0.9', failureCondition: 'result[0] <= 0.9' },
        { value: '[NaN]', phase: 'Inconclusive' },
      ],
      [
        'load{pod="c"}',
        { successCondition: 'result[0] > 0.9' },
        {
          value: '[]',
          phase: 'Error',
          message: expect.stringContaining('query returned no series'),
        },
      ],
      ['load[30s]', {}, { value: expect.stringMatching(/^\[0\.25,0\.25,.*NaN\]$/) }],
    ])('%s is measured as it says', async (query, conditions, measured) => {
      expect(await measure(query, conditions)).toMatchObject(measured)
    })

    test('answers a range, point by point', async () => {
      const rangeQuery = { start: 'now() - duration("1m")', end: 'now()', step: '30s' }
      expect(await measure('load{pod="a"}', {}, { rangeQuery })).toMatchObject({
        value: '[0.25,0.25,0.25]',
      })
    })

    test('answers counters at the ends of the parts of a look, all of one sum', async () => {
      // A sample every 15 s, of which the newest before each instant counts; a series that was not there yet adds none.
      const burst = { interval: '30s', test: { bound: '1%', burst: '5s' } }
      const source = (query: string) => ({
        prometheus: { address: real.address, query, authentication: { basicAuth } },
      })
      const total = source('sum(requests_total{version="canary"} or late_total)')
      const bad = source('requests_total{version="canary",code="500"}')
      const metric = { name: 'm', ...burst, provider: { counts: { canary: { total, bad } } } }
      const measured = await providerOf(metric).run(measureInput(metric, { fetch: socketFetch }))
      const { parts, canary } = JSON.parse((measured.kind === 'done' && measured.value) || '')
      const [first] = parts
      expect(parts.map(({ at }: { at: number }) => (at - first.at) / 1000)).toEqual(
        Array.from({ length: 12 }, (_, index) => index * 5),
      )
      expect(first.at).toBe(Math.floor(testNow / 5000) * 5000 - 55_000)
      expect(parts.map((part: { canary: object }) => part.canary)).toEqual(
        parts.map(({ at }: { at: number }) => {
          const samples = 40 - Math.ceil((testNow - at) / 15_000)
          return { bad: samples * 5, total: samples * 100 + (samples < 39 ? 0 : 7) }
        }),
      )
      expect(canary).toEqual({ bad: 39 * 5, total: 39 * 100 + 7 })
    })

    test.each([
      ['sum(', /^bad_data: .*parse error/],
      ['load * on() load', /^execution: .*many-to-many|duplicate series/],
      ['"text"', /^unexpected value type "string"$/],
    ])('refuses %s in its own words', async (query, message) => {
      await expect(measure(query)).rejects.toThrow(message)
    })

    test('turns away who is not known to it', async () => {
      const authentication = { basicAuth: { username: 'myuser', password: 'wrong' } }
      await expect(measure('up', {}, { authentication })).rejects.toThrow(
        /^client_error: client error: 401 \(Unauthorized\)$/,
      )
    })
  },
)
