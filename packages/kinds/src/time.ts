/** Go's RFC 3339 parser, which wants the offset and takes neither a space nor a bare date. */
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)$/
const sixDecimals = /T\d\d:\d\d:\d\d[.,]\d{6}(Z|[+-])/
const secondsUtc = /^\d{4}-(0[1-9]|1[0-2])-([01]\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/

/** A meta/v1.Time as it is stored: UTC, whole seconds. Undefined for none, zero or a bad one. */
export function timeText(value: unknown): string | undefined {
  if (typeof value === 'string' && secondsUtc.test(value) && value !== zeroTime) return value
  const printed = parseTime(value)?.toString({ smallestUnit: 'second', roundingMode: 'floor' })
  return printed === zeroTime ? undefined : printed
}

/** A meta/v1.MicroTime as it is stored: UTC with six decimals, which it must be given with. */
export function microTimeText(value: unknown): string | undefined {
  if (typeof value !== 'string' || !sixDecimals.test(value)) return undefined
  const printed = parseTime(value)?.toString({ smallestUnit: 'microsecond' })
  return printed === '0001-01-01T00:00:00.000000Z' ? undefined : printed
}

/** Undefined for anything but a text that Go's RFC 3339 parser takes. */
function parseTime(value: unknown): Temporal.Instant | undefined {
  if (typeof value !== 'string' || !rfc3339.test(value)) return undefined
  try {
    return Temporal.Instant.from(value.replace(',', '.').replace(/(\.\d{9})\d+/, '$1'))
  } catch {
    return undefined // a day or an hour that no calendar has
  }
}

/** What Go says about a text that is no meta/v1.Time; undefined for a good one. */
export function timeProblem(text: string): string | undefined {
  return parseTime(text) ? undefined : layoutProblem(text, '2006-01-02T15:04:05Z07:00')
}

/** What Go says about a text that is no meta/v1.MicroTime; undefined for a good one. */
export function microTimeProblem(text: string): string | undefined {
  if (sixDecimals.test(text) && parseTime(text)) return undefined
  return layoutProblem(text, '2006-01-02T15:04:05.000000Z07:00')
}

/** Go walks its layout piece by piece and quotes the rest at the first piece that does not fit. */
function layoutProblem(text: string, layout: string): string {
  const pieces = layout.match(/2006|Z07:00|\.000000|\d\d|\D/g) ?? []
  let rest = text
  for (const piece of pieces) {
    const taken = pieceOf(piece).exec(rest)
    if (!taken) {
      return `parsing time ${quoted(text)} as ${quoted(layout)}: cannot parse ${quoted(rest)} as ${quoted(piece)}`
    }
    rest = rest.slice(taken[0].length)
    if (piece === '05' && !layout.includes('.')) rest = rest.replace(/^[.,]\d+/, '')
  }
  if (rest !== '') return `parsing time ${quoted(text)}: extra text: ${quoted(rest)}`
  const month = Number(text.slice(5, 7))
  const hour = Number(text.slice(11, 13))
  const part =
    month < 1 || month > 12
      ? 'month'
      : hour > 23
        ? 'hour'
        : Number(text.slice(14, 16)) > 59
          ? 'minute'
          : Number(text.slice(17, 19)) > 59
            ? 'second'
            : 'day'
  return `parsing time ${quoted(text)}: ${part} out of range`
}

function pieceOf(piece: string): RegExp {
  if (piece === '2006') return /^\d{4}/
  if (piece === 'Z07:00') return /^(Z|[+-]\d\d:\d\d)/
  if (piece === '.000000') return /^[.,]\d{6}/
  return /\d/.test(piece) ? /^\d\d/ : new RegExp(`^${piece}`)
}

function quoted(text: string): string {
  return JSON.stringify(text)
}

/** Go's zero time, which its encoder takes for no time at all. */
const zeroTime = '0001-01-01T00:00:00Z'
