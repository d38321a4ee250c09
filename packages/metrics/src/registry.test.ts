import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Metric } from '@serinus/api'
import { expect, test } from 'vitest'
import { providerOf } from './registry.ts'

const metric = (provider: object) => ({ name: 'm', provider }) as Metric

test('each provider is found by its key in the metric and named as upstream names it', () => {
  expect(providerOf(metric({ prometheus: {} })).type).toBe('Prometheus')
  expect(providerOf(metric({ web: {} })).type).toBe('Web')
  expect(providerOf(metric({ datadog: {} })).type).toBe('Datadog')
  expect(providerOf(metric({ wavefront: {} })).type).toBe('Wavefront')
  expect(providerOf(metric({ graphite: {} })).type).toBe('Graphite')
  expect(providerOf(metric({ skywalking: {} })).type).toBe('skywalking')
  expect(providerOf(metric({ newRelic: {} })).type).toBe('NewRelic')
  expect(providerOf(metric({ cloudWatch: {} })).type).toBe('CloudWatch')
  expect(providerOf(metric({ influxdb: {} })).type).toBe('Influxdb')
  expect(providerOf(metric({ kayenta: {} })).type).toBe('Kayenta')
  expect(providerOf(metric({ plugin: {} })).type).toBe('RPCPlugin')
  expect(providerOf(metric({ prometheus: null, job: {} })).type).toBe('Job')
})

test('a metric without provider, or with one that is not carried, is an error that says so', () => {
  expect(() => providerOf(metric({}))).toThrow("no valid provider in metric 'm'")
  expect(() => providerOf(metric({ datadoc: {} }))).toThrow(
    "provider datadoc of metric 'm' is not carried by this version of Serinus; it has prometheus, job, web,",
  )
  expect(() => providerOf(metric({ constructor: {} }))).toThrow('provider constructor')
})

test('what only one provider needs is loaded when it measures: starting costs nothing', () => {
  const folder = import.meta.dirname
  const sources = globSync('**/*.ts', { cwd: folder }).filter(
    (name) => !/(^|\/)test-|\.test\.ts$/.test(name),
  )
  const early = sources.filter((name) =>
    /^import (?!type)[^;]*?from '(?:@aws|@smithy|csv-parse)/m.test(
      readFileSync(join(folder, name), 'utf8'),
    ),
  )
  expect(early).toEqual([])
})
