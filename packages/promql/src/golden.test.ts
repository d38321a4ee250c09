import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { EXAMPLE_AT, EXAMPLE_START, exampleStore } from './example-data.ts'
import { promqlHandler } from './http.ts'

// Answers of a real Prometheus (Debian's 2.42) over the example data, recorded through its HTTP API. Left out are
// the questions where Prometheus 3 answers differently: `holt_winters` (renamed), the name of `atan2` results,
// `5m` as a number, and error texts that changed with duration expressions.
interface Recorded {
  readonly kind: 'query' | 'query_range'
  readonly query: string
  readonly status: number
  readonly error?: string
  readonly errorType?: string
  readonly data?: Data
}
type Point = readonly [number, string]
interface Data {
  readonly resultType: string
  readonly result: unknown
}

const recorded = JSON.parse(
  readFileSync(new URL('../fixtures/prometheus-answers.json', import.meta.url), 'utf8'),
) as Recorded[]
const handler = promqlHandler(exampleStore(), { now: () => EXAMPLE_AT })

async function ask({ kind, query }: Recorded): Promise<{ status: number; body: Recorded }> {
  const time =
    kind === 'query'
      ? `time=${EXAMPLE_AT / 1000}`
      : `start=${EXAMPLE_START / 1000 + 300}&end=${EXAMPLE_AT / 1000}&step=300`
  const response = await handler(
    new Request(`http://prometheus:9090/api/v1/${kind}?${time}&query=${encodeURIComponent(query)}`),
  )
  return { status: response.status, body: (await response.json()) as Recorded }
}

/** Series by their labels, since neither side promises an order; a scalar is one series without labels. */
function seriesOf({ resultType, result }: Data): Map<string, readonly Point[]> {
  if (resultType === 'scalar' || resultType === 'string') return new Map([['', [result as Point]]])
  const list = result as { metric: Record<string, string>; value?: Point; values?: Point[] }[]
  return new Map(
    list.map(({ metric, value, values }) => [
      JSON.stringify(Object.entries(metric).sort()),
      values ?? [value as Point],
    ]),
  )
}

/** Equal texts, or numbers that differ by the last digits: Prometheus 3 sums with compensation, 2.42 mostly not. */
function sameValue(ours: string, theirs: string): boolean {
  if (ours === theirs) return true
  const [a, b] = [Number(ours), Number(theirs)]
  return Math.abs(a - b) <= 1e-12 * Math.max(Math.abs(a), Math.abs(b))
}

const answers = recorded.filter((entry) => entry.data !== undefined)
const refusals = recorded.filter((entry) => entry.data === undefined)

test.each(answers)('$kind $query is answered as Prometheus answers it', async (entry) => {
  const { status, body } = await ask(entry)
  expect({ status, error: body.error }).toEqual({ status: 200, error: undefined })
  const [ours, theirs] = [seriesOf(body.data as Data), seriesOf(entry.data as Data)]
  expect(body.data?.resultType).toBe(entry.data?.resultType)
  expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort())
  for (const [labels, points] of theirs) {
    const own = ours.get(labels) ?? []
    expect(own.map(([seconds]) => seconds)).toEqual(points.map(([seconds]) => seconds))
    points.forEach(([, value], index) => {
      const text = own[index]?.[1] as string
      expect(sameValue(text, value) ? value : text, labels).toBe(value)
    })
  }
})

test.each(refusals)('$kind $query is refused in the words of Prometheus', async (entry) => {
  const { status, body } = await ask(entry)
  expect({ status, errorType: body.errorType, error: body.error }).toEqual({
    status: entry.status,
    errorType: entry.errorType,
    error: entry.error,
  })
})

test('the record covers hundreds of answers and refusals', () => {
  expect(answers.length).toBeGreaterThan(250)
  expect(refusals.length).toBeGreaterThan(100)
})
