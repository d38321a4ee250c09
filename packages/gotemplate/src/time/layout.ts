import { bytesOf } from '../go-string.ts'
import { civilOf, daysInMonth, type GoTime, inZone, nanosOf, timeOf } from './instant.ts'
import { UTC, type Zone, zoneAt } from './zone.ts'

/** Formats and parses times by Go's reference time, Mon Jan 2 15:04:05 MST 2006. */

export const RFC3339 = '2006-01-02T15:04:05Z07:00'

export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const

export const WEEKDAYS = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
] as const

const ELEMENT =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|2|(?<=_)2006|__2|_2(?!006)|3|4|5|PM|pm|-070000|-07:00:00|-0700|-07:00|-07|Z070000|Z07:00:00|Z0700|Z07:00|Z07|[.,]0+(?!\d)|[.,]9+(?!\d)/g

/** Literal text and the reference element that follows it; the last piece has no element. */
interface Piece {
  readonly literal: string
  readonly element: string
}

function pieces(layout: string): Piece[] {
  const found: Piece[] = []
  let from = 0
  for (const match of layout.matchAll(ELEMENT)) {
    found.push({ literal: layout.slice(from, match.index), element: match[0] })
    from = match.index + match[0].length
  }
  found.push({ literal: layout.slice(from), element: '' })
  return found
}

export function formatTime(time: GoTime, layout: string): string {
  const civil = civilOf(time)
  const two = (n: number) => String(n).padStart(2, '0')
  const hour12 = civil.hour % 12 === 0 ? 12 : civil.hour % 12
  const show = (element: string): string => {
    switch (element) {
      case '':
        return ''
      case 'January':
        return MONTHS[civil.month - 1] ?? ''
      case 'Jan':
        return (MONTHS[civil.month - 1] ?? '').slice(0, 3)
      case '1':
        return String(civil.month)
      case '01':
        return two(civil.month)
      case 'Monday':
        return WEEKDAYS[civil.weekday] ?? ''
      case 'Mon':
        return (WEEKDAYS[civil.weekday] ?? '').slice(0, 3)
      case '2':
        return String(civil.day)
      case '_2':
        return String(civil.day).padStart(2)
      case '02':
        return two(civil.day)
      case '002':
        return String(civil.yearDay).padStart(3, '0')
      case '__2':
        return String(civil.yearDay).padStart(3)
      case '15':
        return two(civil.hour)
      case '3':
        return String(hour12)
      case '03':
        return two(hour12)
      case '4':
        return String(civil.minute)
      case '04':
        return two(civil.minute)
      case '5':
        return String(civil.second)
      case '05':
        return two(civil.second)
      case '2006':
        return civil.year < 0
          ? `-${String(-civil.year).padStart(4, '0')}`
          : String(civil.year).padStart(4, '0')
      case '06':
        return two(((civil.year % 100) + 100) % 100)
      case 'PM':
        return civil.hour >= 12 ? 'PM' : 'AM'
      case 'pm':
        return civil.hour >= 12 ? 'pm' : 'am'
      case 'MST':
        return civil.abbreviation
    }
    if (element.startsWith('Z') && civil.offsetSeconds === 0) return 'Z'
    if (element.startsWith('Z') || element.startsWith('-')) {
      return offsetText(civil.offsetSeconds, element)
    }
    const digits = String(civil.nano)
      .padStart(9, '0')
      .slice(0, element.length - 1)
    if (element[1] === '0') return element[0] + digits.padEnd(element.length - 1, '0')
    const kept = digits.replace(/0+$/, '')
    return kept === '' ? '' : element[0] + kept
  }
  return pieces(layout)
    .map(({ literal, element }) => literal + show(element))
    .join('')
}

/** Go's Time.String, without the monotonic clock reading that Go adds to time.Now. */
export function timeText(time: GoTime): string {
  return formatTime(time, '2006-01-02 15:04:05.999999999 -0700 MST')
}

function offsetText(offsetSeconds: number, element: string): string {
  const size = Math.abs(offsetSeconds)
  const colon = element.includes(':') ? ':' : ''
  const parts = [Math.floor(size / 3600)]
  const digits = element.replace(/[^0-9]/g, '').length
  if (digits >= 4) parts.push(Math.floor(size / 60) % 60)
  if (digits >= 6) parts.push(size % 60)
  const text = parts.map((part) => String(part).padStart(2, '0')).join(colon)
  return `${offsetSeconds < 0 ? '-' : '+'}${text}`
}

export type ParsedTime =
  | { readonly ok: true; readonly time: GoTime }
  | { readonly ok: false; readonly problem: string }

/** Go's time.ParseInLocation. */
export function parseTime(layout: string, text: string, local: Zone): ParsedTime {
  const fields: Fields = {
    year: 0,
    month: 0,
    day: 0,
    yearDay: 0,
    hour: 0,
    minute: 0,
    second: 0,
    nano: 0,
    afternoon: undefined,
    zone: undefined,
  }
  const failed = (element: string, rest: string, extra?: string): ParsedTime => ({
    ok: false,
    problem:
      extra === undefined
        ? `parsing time ${quoted(text)} as ${quoted(layout)}: cannot parse ${quoted(rest)} as ${quoted(element)}`
        : `parsing time ${quoted(text)}${extra}`,
  })
  let rest = text
  const all = pieces(layout)
  for (const [index, { literal, element }] of all.entries()) {
    const after = skipLiteral(rest, literal)
    if (!after.ok) return failed(literal, after.rest)
    rest = after.rest
    if (element === '') break
    const outcome = readElement(element, rest, fields)
    if (outcome === undefined) return failed(element, rest)
    if (outcome.range !== undefined) return failed(element, rest, `: ${outcome.range} out of range`)
    rest = rest.slice(outcome.length)
    // Go accepts a fraction after the seconds even where the layout has none.
    const next = all[index + 1]
    const nextIsFraction = next?.literal === '' && /^[.,][09]/.test(next.element)
    const fraction =
      /^(?:05|5)$/.test(element) && !nextIsFraction ? /^[.,]\d+/.exec(rest)?.[0] : undefined
    if (fraction !== undefined) {
      fields.nano = Number(fraction.slice(1, 10).padEnd(9, '0'))
      rest = rest.slice(fraction.length)
    }
  }
  if (rest !== '') return failed('', rest, `: extra text: ${quoted(rest)}`)
  return finish(fields, local, (range) => failed('', '', `: ${range} out of range`))
}

interface Fields {
  year: number
  month: number
  day: number
  yearDay: number
  hour: number
  minute: number
  second: number
  nano: number
  afternoon: boolean | undefined
  zone: ReadZone | undefined
}

type ReadZone =
  | { readonly kind: 'utc' }
  | { readonly kind: 'offset'; readonly seconds: number }
  | { readonly kind: 'name'; readonly name: string }

interface Skipped {
  readonly ok: boolean
  readonly rest: string
}

/** A space in the layout stands for any number of spaces in the text. `rest` is what was not read. */
function skipLiteral(text: string, literal: string): Skipped {
  let rest = text
  for (let at = 0; at < literal.length; at++) {
    if (literal[at] === ' ') {
      if (rest !== '' && rest[0] !== ' ') return { ok: false, rest }
      while (literal[at + 1] === ' ') at++
      rest = rest.replace(/^ +/, '')
    } else if (rest[0] === literal[at]) rest = rest.slice(1)
    else return { ok: false, rest }
  }
  return { ok: true, rest }
}

/** The time package quotes by itself: bytes beyond printable ASCII become `\\xNN`. */
function quoted(text: string): string {
  const shown = Array.from(bytesOf(text), (byte) => {
    const char = String.fromCharCode(byte)
    if (char === '"' || char === '\\') return `\\${char}`
    return byte < 0x20 || byte >= 0x80 ? `\\x${byte.toString(16).padStart(2, '0')}` : char
  })
  return `"${shown.join('')}"`
}

interface Read {
  readonly length: number
  readonly range?: string
}

function readElement(element: string, text: string, fields: Fields): Read | undefined {
  const number = (
    pattern: RegExp,
    set: (n: number) => void,
    range?: [string, number, number],
  ): Read | undefined => {
    const digits = pattern.exec(text)?.[0]
    if (digits === undefined) return undefined
    const value = Number(digits.trim())
    set(value)
    if (range && (value < range[1] || value > range[2])) return { length: 0, range: range[0] }
    return { length: digits.length }
  }
  const name = (
    names: readonly string[],
    short: boolean,
    set: (index: number) => void,
  ): Read | undefined => {
    const index = names.findIndex((candidate) => {
      const wanted = short ? candidate.slice(0, 3) : candidate
      return text.slice(0, wanted.length).toLowerCase() === wanted.toLowerCase()
    })
    if (index < 0) return undefined
    set(index)
    return { length: short ? 3 : (names[index] ?? '').length }
  }
  switch (element) {
    case '2006':
      return number(/^\d{4}/, (n) => {
        fields.year = n
      })
    case '06':
      return number(/^\d{2}/, (n) => {
        fields.year = n >= 69 ? n + 1900 : n + 2000
      })
    case 'January':
      return name(MONTHS, false, (i) => {
        fields.month = i + 1
      })
    case 'Jan':
      return name(MONTHS, true, (i) => {
        fields.month = i + 1
      })
    case '1':
      return number(
        /^\d{1,2}/,
        (n) => {
          fields.month = n
        },
        ['month', 1, 12],
      )
    case '01':
      return number(
        /^\d{2}/,
        (n) => {
          fields.month = n
        },
        ['month', 1, 12],
      )
    case 'Monday':
      return name(WEEKDAYS, false, () => {})
    case 'Mon':
      return name(WEEKDAYS, true, () => {})
    case '2':
      return number(/^\d{1,2}/, (n) => {
        fields.day = n
      })
    case '_2':
      return number(/^ ?\d{1,2}/, (n) => {
        fields.day = n
      })
    case '02':
      return number(/^\d{2}/, (n) => {
        fields.day = n
      })
    case '002':
      return number(/^\d{3}/, (n) => {
        fields.yearDay = n
      })
    case '__2':
      return number(/^(?: {2}\d| \d{2}|\d{3})/, (n) => {
        fields.yearDay = n
      })
    case '15':
      return number(
        /^\d{1,2}/,
        (n) => {
          fields.hour = n
        },
        ['hour', 0, 23],
      )
    case '3':
      return number(
        /^\d{1,2}/,
        (n) => {
          fields.hour = n
        },
        ['hour', 0, 12],
      )
    case '03':
      return number(
        /^\d{2}/,
        (n) => {
          fields.hour = n
        },
        ['hour', 0, 12],
      )
    case '4':
      return number(
        /^\d{1,2}/,
        (n) => {
          fields.minute = n
        },
        ['minute', 0, 59],
      )
    case '04':
      return number(
        /^\d{2}/,
        (n) => {
          fields.minute = n
        },
        ['minute', 0, 59],
      )
    case '5':
      return number(
        /^\d{1,2}/,
        (n) => {
          fields.second = n
        },
        ['second', 0, 59],
      )
    case '05':
      return number(
        /^\d{2}/,
        (n) => {
          fields.second = n
        },
        ['second', 0, 59],
      )
    case 'PM':
    case 'pm': {
      const mark = text.slice(0, 2)
      if (mark !== (element === 'PM' ? 'PM' : 'pm') && mark !== (element === 'PM' ? 'AM' : 'am'))
        return undefined
      fields.afternoon = mark.toUpperCase() === 'PM'
      return { length: 2 }
    }
    case 'MST': {
      const zone = /^(?:UTC|GMT[+-]\d{1,2}|ChST|MeST|WITA|[A-Z]{3,4}T?|[+-]\d{2})/.exec(text)?.[0]
      if (zone === undefined) return undefined
      fields.zone = zone === 'UTC' ? { kind: 'utc' } : { kind: 'name', name: zone }
      return { length: zone.length }
    }
  }
  if (/^[.,]/.test(element)) return readFraction(element, text, fields)
  return readOffset(element, text, fields)
}

function readFraction(element: string, text: string, fields: Fields): Read | undefined {
  const digits = /^[.,]\d+/.exec(text)?.[0]
  if (element[1] === '9') {
    if (digits === undefined) return { length: 0 }
    fields.nano = Number(digits.slice(1, 10).padEnd(9, '0'))
    return { length: digits.length }
  }
  if (digits === undefined || digits.length < element.length) return undefined
  fields.nano = Number(digits.slice(1, element.length).slice(0, 9).padEnd(9, '0'))
  return { length: element.length }
}

function readOffset(element: string, text: string, fields: Fields): Read | undefined {
  if (element.startsWith('Z') && text.startsWith('Z')) {
    fields.zone = { kind: 'utc' }
    return { length: 1 }
  }
  const pattern = element.slice(1).replace(/\d\d/g, '(\\d\\d)')
  const match = new RegExp(`^([+-])${pattern}`).exec(text)
  if (!match) return undefined
  const [all, sign, hours = '0', minutes = '0', seconds = '0'] = match
  if (Number(hours) > 24 || Number(minutes) > 60 || Number(seconds) > 60) {
    return { length: 0, range: 'time zone offset' }
  }
  const size = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  fields.zone = { kind: 'offset', seconds: sign === '-' ? -size : size }
  return { length: all.length }
}

function finish(
  fields: Fields,
  local: Zone,
  outOfRange: (range: string) => ParsedTime,
): ParsedTime {
  let { hour, month, day } = fields
  if (fields.afternoon === true && hour < 12) hour += 12
  else if (fields.afternoon === false && hour === 12) hour = 0
  if (fields.yearDay > 0) {
    const leap = daysInMonth(fields.year, 2) === 29
    if (fields.yearDay > (leap ? 366 : 365)) return outOfRange('day-of-year')
    month = 1
    day = fields.yearDay
  } else {
    if (month === 0) month = 1
    if (day === 0) day = 1
    if (day > daysInMonth(fields.year, month)) return outOfRange('day')
  }
  const { year, minute, second, nano } = fields
  const shown = nanosOf({ year, month, day, hour, minute, second, nano })
  return { ok: true, time: placed(shown, fields.zone, local) }
}

/** An offset that the local zone has at that time means the local zone, as in Go. */
function placed(shown: bigint, zone: ReadZone | undefined, local: Zone): GoTime {
  if (zone === undefined) return inZone(shown, local)
  if (zone.kind === 'utc') return timeOf(shown, UTC)
  if (zone.kind === 'offset') {
    const nanos = shown - BigInt(zone.seconds) * 1_000_000_000n
    const here = zoneAt(local, Number(nanos / 1_000_000_000n))
    if (here.offsetSeconds === zone.seconds) return timeOf(nanos, local)
    return timeOf(nanos, { kind: 'fixed', offsetSeconds: zone.seconds, name: '' })
  }
  const candidate = inZone(shown, local)
  if (civilOf(candidate).abbreviation === zone.name) return candidate
  const hours = /^GMT([+-]\d+)$/.exec(zone.name)?.[1]
  const offsetSeconds = hours === undefined ? 0 : Number(hours) * 3600
  const nanos = shown - BigInt(offsetSeconds) * 1_000_000_000n
  return timeOf(nanos, { kind: 'fixed', offsetSeconds, name: zone.name })
}
