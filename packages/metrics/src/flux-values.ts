import { parseDuration } from '@serinus/api'
import { duration, int64, Time, uint64, type Value } from '@serinus/expr'

/** One table of an answer while it is read. */
interface Table {
  readonly annotations: Readonly<Record<string, readonly string[]>>
  readonly header: readonly string[] | null
}

const fresh: Table = { annotations: {}, header: null }

/**
 * The `_value` of every row of every table of an annotated CSV, in order; null in tables without that column
 * (spec metric-providers 7). A table that tells of an error throws it, wherever it stands: upstream judges what came before.
 *
 * @param records lines of the CSV; a line without text ends a table
 */
export function fluxValues(records: readonly (readonly string[])[]): Value[] {
  const values: Value[] = []
  let table = fresh
  for (const [index, record] of records.entries()) {
    const [first = ''] = record
    if (record.length <= 1 && first === '') {
      table = fresh
    } else if (first.startsWith('#')) {
      // Annotations begin a table, also where no empty line ended the one before.
      const { annotations } = table.header ? fresh : table
      table = { annotations: { ...annotations, [first]: record }, header: null }
    } else if (!table.header) {
      table = { ...table, header: record }
    } else {
      values.push(cellOf(table, table.header, { record, line: index + 1 }))
    }
  }
  return values
}

function cellOf(
  { annotations }: Table,
  header: readonly string[],
  { record, line }: { readonly record: readonly string[]; readonly line: number },
): Value {
  const errorColumn = header.indexOf('error')
  if (errorColumn === 0 || errorColumn === 1) {
    const [message = '', reference = ''] = [
      record[errorColumn],
      record[header.indexOf('reference')],
    ]
    throw new Error(reference === '' ? message : `${message} (reference ${reference})`)
  }
  if (record.length !== header.length) {
    throw new Error(
      `row ${line} of the answer has ${record.length} columns instead of ${header.length}`,
    )
  }
  const column = header.indexOf('_value')
  if (column < 0) return null
  const text = record[column] || annotations['#default']?.[column] || ''
  if (text === '') return null
  return typed(text, annotations['#datatype']?.[column] ?? 'string')
}

function typed(text: string, datatype: string): Value {
  switch (datatype) {
    case 'double':
      return floatOf(text)
    case 'long':
      return int64(integerOf(text, datatype))
    case 'unsignedLong':
      return uint64(integerOf(text, datatype))
    case 'boolean':
      return text.toLowerCase() !== 'false'
    case 'duration':
      return durationOf(text)
    case 'base64Binary':
      return new Uint8Array(Buffer.from(text, 'base64'))
  }
  if (datatype.startsWith('dateTime:')) return timeOf(text)
  if (datatype === 'string') return text
  throw new Error(`_value is of type ${datatype}, which conditions do not know`)
}

function floatOf(text: string): number {
  const infinite = /^([+-]?)Inf$/i.exec(text)
  if (infinite) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  const number = Number(text)
  if (!Number.isFinite(number) && text !== 'NaN') throw new Error(`_value "${text}" is no double`)
  return number
}

function integerOf(text: string, datatype: string): bigint {
  if (!/^[+-]?\d+$/.test(text)) throw new Error(`_value "${text}" is no ${datatype}`)
  return BigInt(text)
}

function durationOf(text: string): Value {
  const ms = parseDuration(text)
  if (ms === undefined) throw new Error(`_value "${text}" is no duration`)
  return duration(BigInt(Math.round(ms * 1e6)))
}

/** To the nanosecond, which no Date holds. */
function timeOf(text: string): Value {
  const parts = /^(.+?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/i.exec(text)
  const ms = Date.parse(`${parts?.[1]}${parts?.[3]}`)
  if (!parts || Number.isNaN(ms)) throw new Error(`_value "${text}" is no dateTime`)
  return new Time(BigInt(ms) * 1_000_000n + BigInt((parts[2] ?? '').padEnd(9, '0')))
}
