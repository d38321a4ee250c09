import { expect, test } from 'vitest'
import { createMatcher } from './matcher.ts'
import { queryInstant } from './query.ts'
import { OutOfOrderSample, SeriesStore } from './store.ts'

const MINUTE = 60_000

test('a sample older than the newest of its series is refused, an equal time overwrites', () => {
  const store = new SeriesStore()
  store.append({ __name__: 'up' }, 2000, 1)
  store.append({ __name__: 'up' }, 2000, 3)
  expect(() => store.append({ __name__: 'up' }, 1999, 1)).toThrow(OutOfOrderSample)
  expect(() => store.append({ __name__: 'up' }, Number.NaN, 1)).toThrow(OutOfOrderSample)
  expect(valuesOf(store, 'up[1m]', 3000)).toEqual([[[2, '3']]])
})

test('label order and empty labels make no difference to a series', () => {
  const store = new SeriesStore()
  const ref = store.ref({ __name__: 'up', a: '1', b: '2', c: '' })
  expect(store.ref({ b: '2', a: '1', __name__: 'up' })).toBe(ref)
  expect(store.size).toBe(1)
})

test('memory stays flat: samples beyond retention go, and so do series without samples', () => {
  const store = new SeriesStore({ retentionMs: 10 * MINUTE })
  const steady = store.ref({ __name__: 'steady' })
  for (let minute = 0; minute < 5000; minute++) {
    store.appendTo(steady, minute * MINUTE, minute)
    store.append({ __name__: 'pod', pod: `web-${Math.floor(minute / 5)}` }, minute * MINUTE, 1)
  }
  expect(store.size).toBeLessThan(8)
  expect(valuesOf(store, 'count_over_time(steady[1000m])', 5000 * MINUTE)).toEqual([
    [[300_000, '11']],
  ])
})

test('a reference outlives its series: appending brings the series back', () => {
  const store = new SeriesStore({ retentionMs: 10 * MINUTE })
  const rare = store.ref({ __name__: 'rare' })
  store.appendTo(rare, 0, 1)
  for (let minute = 1; minute < 60; minute++) store.append({ __name__: 'up' }, minute * MINUTE, 1)
  expect([...store.series()].map((labels) => labels['__name__'])).toEqual(['up'])
  store.appendTo(rare, 60 * MINUTE, 2)
  store.append({ __name__: 'rare' }, 61 * MINUTE, 3)
  store.appendTo(rare, 62 * MINUTE, 4)
  expect(valuesOf(store, 'count_over_time(rare[5m])', 62 * MINUTE)).toEqual([[[3720, '3']]])
})

test('series, label names and label values can be asked for by matchers', () => {
  const store = new SeriesStore()
  store.append({ __name__: 'a', pod: 'x', zone: 'eu' }, 0, 1)
  store.append({ __name__: 'a', pod: 'y' }, 0, 1)
  store.append({ __name__: 'b', node: 'n' }, 0, 1)
  const named = [createMatcher('__name__', '=', 'a')]
  const zoned = [createMatcher('zone', '!=', '')]
  expect([...store.series(named)].map((labels) => labels['pod'])).toEqual(['x', 'y'])
  expect([...store.series(zoned)]).toHaveLength(1)
  expect(store.labelNames()).toEqual(['__name__', 'node', 'pod', 'zone'])
  expect(store.labelNames(named)).toEqual(['__name__', 'pod', 'zone'])
  expect(store.labelValues('pod', named, zoned)).toEqual(['x', 'y'])
  expect(store.labelValues('__name__')).toEqual(['a', 'b'])
})

test('label names that JavaScript objects treat specially are ordinary labels', () => {
  const store = new SeriesStore()
  store.append(JSON.parse('{"__name__":"a","__proto__":"p","constructor":"c"}'), 0, 1)
  expect(store.labelValues('__proto__')).toEqual(['p'])
  expect(valuesOf(store, 'a{__proto__="p",constructor="c",toString=""}', 0)).toEqual([[[0, '1']]])
  expect(valuesOf(store, 'sum by (__proto__) (a)', 0)).toEqual([[[0, '1']]])
})

function valuesOf(store: SeriesStore, query: string, at: number): unknown {
  const answer = queryInstant(store, query, at)
  if (!answer.ok) throw new Error(answer.error)
  const list = answer.value.result as readonly { value?: unknown; values?: unknown }[]
  return list.map(({ value, values }) => values ?? [value])
}
