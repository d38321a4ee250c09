import { floats } from '@serinus/expr'
import { listAt, objectAt, parseJsonBody } from './answer.ts'
import type { DatadogApi, DatadogResult } from './datadog-v1.ts'
import { formatFloat, goJson } from './verdict.ts'

/** Groups that the metadata names; of more than this many the lowest and the highest. */
const mostGroups = 100

/** `POST /api/v2/query/scalar`: one number, or one for each group (spec metric-providers 4.4). */
export const datadogV2: DatadogApi = {
  request(config, { from, to }) {
    const { query, queries, formula, aggregator } = config
    const asked = Object.entries(query ? { query } : (queries ?? {})).map(([name, text]) => ({
      aggregator: aggregator || 'last',
      data_source: 'metrics',
      name,
      query: text,
    }))
    const attributes = {
      from: from * 1000,
      to: to * 1000,
      queries: asked,
      formulas: formula ? [{ formula }] : [],
    }
    return {
      method: 'POST',
      path: '/api/v2/query/scalar',
      body: JSON.stringify({ data: { attributes, type: 'scalar_request' } }),
    }
  },
  read(reply) {
    const answer = objectAt(parseJsonBody(reply, 'Could not parse JSON body'), 'the body')
    const data = objectAt(answer['data'] ?? {}, 'data')
    const problems = [answer['errors'], data['errors']].flatMap(textsOf)
    if (problems.length > 0)
      throw new Error(`There were errors in your query: ${problems.join(', ')}`)
    const { columns = [] } = objectAt(data['attributes'] ?? {}, 'data.attributes')
    return resultOf(listAt(columns ?? [], 'columns').map((column) => objectAt(column, 'a column')))
  },
}

type Column = Readonly<Record<string, unknown>>

function resultOf(columns: readonly Column[]): DatadogResult {
  const groups = columns.filter(({ type }) => type === 'group')
  const column = columns.find(({ type }) => type === 'number' || !type)
  const rows = column ? listAt(column['values'] ?? [], 'values') : []
  const numbers = rows.flatMap((raw, index) => {
    const value = numberIn(raw, column)
    if (value === null) return []
    return [{ value, name: groups.length > 0 ? labelOf(groups, index) : '' }]
  })
  const values = numbers.map(({ value }) => value)
  const [first] = values
  if (first === undefined) return { result: null, value: '[]', note: 'the answer holds no number' }
  if (groups.length === 0) return { result: first, value: formatFloat(first) }
  return {
    result: floats(values),
    value: `[${values.map(formatFloat).join(',')}]`,
    metadata: groupsOf(numbers),
  }
}

function numberIn(raw: unknown, column: Column | undefined): number | null {
  if (raw === null || typeof raw === 'number') return raw
  throw new Error(
    `could not parse numeric value ${JSON.stringify(JSON.stringify(raw))} in column ${JSON.stringify(column?.['name'] ?? '')}: it is a ${Array.isArray(raw) ? 'list' : typeof raw}`,
  )
}

function labelOf(groups: readonly Column[], index: number): string {
  const tags = groups.map(({ values }) => (Array.isArray(values) ? values[index] : undefined))
  const isTag = (tag: unknown) => Array.isArray(tag) && tag.length > 0 && tag.every((text) => text)
  if (!tags.every(isTag)) throw new Error(`could not parse group label at index ${index}`)
  return tags.flat().join(',')
}

interface Group {
  readonly name: string
  readonly value: number
}

function groupsOf(groups: readonly Group[]): Readonly<Record<string, string>> {
  if (groups.length <= mostGroups) return { groups: goJson(groups) }
  const sorted = groups.toSorted((a, b) => a.value - b.value)
  const named = [...sorted.slice(0, mostGroups / 2), ...sorted.slice(-mostGroups / 2)]
  return { groups: goJson(named), groups_truncated: 'true' }
}

/** Datadog documents a text at the top; other answers of its carry a list of texts. */
function textsOf(errors: unknown): readonly string[] {
  if (Array.isArray(errors)) return errors.flatMap(textsOf)
  if (errors === undefined || errors === null || errors === '') return []
  return [typeof errors === 'string' ? errors : JSON.stringify(errors)]
}
