/** Go's RFC 3339 parser, which wants the offset and takes neither a space nor a bare date. */
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)$/
const secondsUtc = /^\d{4}-(0[1-9]|1[0-2])-([01]\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/

/** A meta/v1.Time as it is stored: UTC, whole seconds. Undefined for none, zero or a bad one. */
export function timeText(value: unknown): string | undefined {
  if (typeof value === 'string' && secondsUtc.test(value) && value !== zeroTime) return value
  const printed = parseTime(value)?.toString({ smallestUnit: 'second', roundingMode: 'floor' })
  return printed === zeroTime ? undefined : printed
}

/** A meta/v1.MicroTime as it is stored: UTC with six decimals. */
export function microTimeText(value: unknown): string | undefined {
  return parseTime(value)?.toString({ smallestUnit: 'microsecond', roundingMode: 'floor' })
}

/** Undefined for anything but a text that Go's RFC 3339 parser takes. */
export function parseTime(value: unknown): Temporal.Instant | undefined {
  if (typeof value !== 'string' || !rfc3339.test(value)) return undefined
  try {
    return Temporal.Instant.from(value.replace(',', '.').replace(/(\.\d{9})\d+/, '$1'))
  } catch {
    return undefined // a day or an hour that no calendar has
  }
}

/** Go's zero time, which its encoder takes for no time at all. */
const zeroTime = '0001-01-01T00:00:00Z'
