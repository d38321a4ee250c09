import { floats } from '@serinus/expr'
import { formatFloat } from '@serinus/gotemplate'
import { askVendor, listAt, objectAt, parseJsonBody, readAnswer, sourceOf } from './answer.ts'
import { excerptOf, formEncode, type Reply } from './http.ts'
import type { Provider } from './provider.ts'
import { tlsMaterial } from './tls.ts'
import { nothingMeasured, verdictOn } from './verdict.ts'

/** Graphite's render API: the points of the first target (spec metric-providers 9). */
export const graphite: Provider = {
  type: 'Graphite',
  deadlineMs: () => 10_000,
  async run(input) {
    const { address = '', query = '', authentication } = input.metric.provider.graphite ?? {}
    const url = urlOf(address, query)
    const tls = await tlsMaterial(
      input,
      'provider.graphite.authentication.tls',
      authentication?.tls,
    )
    const reply = await askVendor(input, 'Graphite', {
      url: url.href,
      method: 'GET',
      clientTimeout: true,
      tls,
    })
    const from = { provider: 'Graphite', url: url.href }
    const points = readAnswer(from, () => {
      const targets = targetsIn(reply)
      if (targets.length === 0 && !url.searchParams.has('target'))
        throw new Error('no values found: the query has no target=…')
      return pointsOf(targets)
    })
    if (!points) return nothingMeasured(input.metric, `no values found (${sourceOf(from)})`)
    const { numbers, note } = points
    const now = () => input.clock.now()
    const whyEmpty = `${sourceOf(from)}: no point has a value`
    return {
      kind: 'done',
      value: `[${numbers.map((number) => formatFloat(number, 'f', 6)).join(',')}]`,
      ...(note ? { message: note } : {}),
      ...verdictOn(input.metric, floats(numbers), { now, whyEmpty }),
    }
  },
}

/** The query is a piece of a query string, written over several lines. */
function urlOf(address: string, query: string): URL {
  const url = URL.parse(address)
  if (!url?.host || !/^https?:$/.test(url.protocol)) {
    const hint = address ? '; it looks like http://graphite:8080' : ''
    throw new Error(`Graphite address ${address} is not a valid URL${hint}`)
  }
  url.pathname = `${url.pathname}/render`.replace(/\/{2,}/g, '/')
  const fields = [...new URLSearchParams(withoutBlanks(query))].filter(([key]) => key !== 'format')
  url.search = [...fields, ['format', 'json'] as const]
    .toSorted(([a], [b]) => (a === b ? 0 : a < b ? -1 : 1))
    .map(([key, value]) => formEncode({ [key]: value }))
    .join('&')
  return url
}

/** Blanks inside quotes belong to a name or a pattern; upstream takes them away too. */
function withoutBlanks(query: string): string {
  return query.replace(/("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\s+/g, (_, quoted) => quoted ?? '')
}

interface Target {
  readonly name: unknown
  readonly points: readonly unknown[]
}

function targetsIn(reply: Reply): readonly Target[] {
  if (reply.status >= 400) {
    const { status, statusText, text } = reply
    throw new Error(`error response: ${excerptOf(text) || `${status} ${statusText}`}`)
  }
  const answer = listAt(parseJsonBody(reply, 'Could not parse JSON body'), 'the body')
  return answer.map((one) => {
    const { target, datapoints } = objectAt(one, 'a target')
    return { name: target, points: datapoints == null ? [] : listAt(datapoints, 'datapoints') }
  })
}

/** Null: there is none. */
function pointsOf(
  targets: readonly Target[],
): { readonly numbers: readonly number[]; readonly note?: string } | null {
  const [first] = targets
  if (!first?.points.length) return null
  const numbers = first.points.map(numberOf).filter((number) => number !== null)
  if (targets.length === 1) return { numbers }
  return { numbers, note: `only the first of ${targets.length} targets is judged: ${first.name}` }
}

function numberOf(point: unknown): number | null {
  const [value] = Array.isArray(point) && point.length === 2 ? point : []
  if (value === null || typeof value === 'number') return value
  const number = typeof value === 'string' ? parseFloat64(value) : undefined
  if (number !== undefined) return number
  throw new Error(`error unmarshaling data point: ${JSON.stringify(point)}`)
}

function parseFloat64(text: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text))
    return Number.isFinite(Number(text)) ? Number(text) : undefined
  if (/^nan$/i.test(text)) return Number.NaN
  const infinite = /^([+-]?)inf(?:inity)?$/i.exec(text)
  if (!infinite) return undefined
  return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}
