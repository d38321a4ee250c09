import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Metric } from '@serinus/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { influxdb } from './influxdb.ts'
import { measureInput } from './test-input.ts'
import { socketFetch } from './test-server.ts'

// `go install github.com/influxdata/influxdb/cmd/influxd@v1.8.10`: its Flux has the same API as that of 2.x.
const isInstalled = /^InfluxDB v/.test(
  spawnSync('influxd', ['version'], { encoding: 'utf8' }).stdout ?? '',
)

/** An InfluxDB of this machine with an empty database `istio`. */
async function realInfluxdb() {
  const folder = mkdtempSync(join(tmpdir(), 'influxdb-'))
  const path = (name: string) => JSON.stringify(join(folder, name))
  const config = `reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
dir = ${path('meta')}
[data]
dir = ${path('data')}
wal-dir = ${path('wal')}
[http]
bind-address = "127.0.0.1:0"
flux-enabled = true
`
  writeFileSync(join(folder, 'config'), config)
  const child = spawn('influxd', ['-config', join(folder, 'config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let address = ''
  const told: string[] = []
  for await (const line of createInterface({ input: child.stderr })) {
    told.push(line)
    address ||= /Listening on HTTP.* addr=(\S+)/.exec(line)?.[1] ?? ''
    if (address && line.includes('Listening for signals')) break
  }
  if (!address) throw new Error(`InfluxDB did not start:\n${told.join('\n')}`)
  child.stderr.resume()
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const post = async (pathAndQuery: string, body: string) => {
    const answer = await fetch(`http://${address}${pathAndQuery}`, { method: 'POST', body })
    if (!answer.ok) throw new Error(await answer.text())
    await answer.body?.cancel()
  }
  await post('/query?q=CREATE%20DATABASE%20istio', '')
  return {
    address: `http://${address}`,
    /** @param lines line protocol, instants in seconds */
    write: (lines: string) => post('/write?db=istio&precision=s', lines),
    async close() {
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** 2026-08-17T10:00:00Z, in seconds. */
const at = Date.UTC(2026, 7, 17, 10) / 1000

describe.skipIf(!isInstalled)('a real InfluxDB (needs influxd 1.8 on the PATH)', () => {
  let real: Awaited<ReturnType<typeof realInfluxdb>>
  beforeAll(async () => {
    real = await realInfluxdb()
    await real.write(
      [
        `error_ratio,service=shop value=0.003,count=300i,ok=true,text="a,\\"b\\"" ${at}`,
        `error_ratio,service=shop value=0.000002 ${at + 60}`,
        `error_ratio,service=shop value=1000000 ${at + 120}`,
      ].join('\n'),
    )
  }, 60_000)
  afterAll(() => real?.close())

  const rows =
    'from(bucket: "istio/autogen") |> range(start: 2026-08-17T09:00:00Z, stop: 2026-08-17T11:00:00Z)'
  const field = (name: string) => `${rows} |> filter(fn: (r) => r._field == "${name}")`

  const measure = (query: string, conditions: Partial<Metric> = {}) =>
    influxdb.run(
      measureInput(
        { ...conditions, provider: { influxdb: { query } } },
        {
          fetch: socketFetch,
          readSecret: async () => ({ address: real.address, authToken: 'user:pass', org: 'acme' }),
        },
      ),
    )

  test.each<[query: string, condition: string, value: string]>([
    [field('value'), 'result[0] == 0.003', '[0.003 2e-06 1e+06]'],
    [`${field('value')} |> last()`, 'result[0] > 1', '[1e+06]'],
    [field('count'), 'result[0] == 300', '[300]'],
    [field('ok'), 'result[0]', '[true]'],
    [field('text'), 'result[0] contains "b"', '[a,"b"]'],
    [
      `${field('ok')} |> map(fn: (r) => ({_value: r._time}))`,
      'result[0].Year() == 2026',
      '[2026-08-17 10:00:00 +0000 UTC]',
    ],
    [
      `${field('ok')} |> yield(name: "a")\n${field('count')} |> yield(name: "b")`,
      'len(result) == 2',
      '[true 300]',
    ],
  ])('%s is measured: %s', async (query, successCondition, value) => {
    expect(await measure(query, { successCondition })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value,
    })
  })

  test.each([
    [field('nothing'), /^no results returned from flux query \(InfluxDB at/],
    ['from(bucket:', /expected RPAREN/],
    ['from(bucket: "missing") |> range(start: -1m)', /no database/],
    [
      `${field('ok')} |> map(fn: (r) => ({_value: float(v: "x")}))`,
      /parsing \\"x\\": invalid syntax/,
    ],
  ])('%s is an error in its own words', async (query, message) => {
    await expect(measure(query)).rejects.toThrow(message)
  })
})
