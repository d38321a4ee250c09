import { toBytes } from './go-text.ts'
import { Panic, Time, UTC, Zone } from './value.ts'

/** The calendar side of a time: the day and the clock in its zone. */
interface Civil {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly nanosecond: number
  /** 0 is Sunday. */
  readonly weekday: number
  /** 1 is January 1st. */
  readonly yearDay: number
  readonly offsetSeconds: number
  readonly zoneName: string
}

const SECOND = 1_000_000_000n
const DAY_SECONDS = 86_400

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
]
export const WEEKDAYS = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
]

export const RFC3339 = '2006-01-02T15:04:05Z07:00'

/** The layouts that Go names, by that name. */
export const LAYOUTS = {
  ANSIC: 'Mon Jan _2 15:04:05 2006',
  UnixDate: 'Mon Jan _2 15:04:05 MST 2006',
  RubyDate: 'Mon Jan 02 15:04:05 -0700 2006',
  RFC822: '02 Jan 06 15:04 MST',
  RFC822Z: '02 Jan 06 15:04 -0700',
  RFC850: 'Monday, 02-Jan-06 15:04:05 MST',
  RFC1123: 'Mon, 02 Jan 2006 15:04:05 MST',
  RFC1123Z: 'Mon, 02 Jan 2006 15:04:05 -0700',
  RFC3339,
  RFC3339Nano: '2006-01-02T15:04:05.999999999Z07:00',
  Kitchen: '3:04PM',
  Stamp: 'Jan _2 15:04:05',
  StampMilli: 'Jan _2 15:04:05.000',
  StampMicro: 'Jan _2 15:04:05.000000',
  StampNano: 'Jan _2 15:04:05.000000000',
}

export function civil(time: Time): Civil {
  const offsetSeconds = offsetAt(time.zone, time.unixNanos)
  const local = time.unixNanos + BigInt(offsetSeconds) * SECOND
  const nanosecond = Number(floorMod(local, SECOND))
  const seconds = floorDiv(local, SECOND)
  const clock = Number(floorMod(seconds, BigInt(DAY_SECONDS)))
  const days = Number(floorDiv(seconds, BigInt(DAY_SECONDS)))
  const { year, month, day } = dateOf(days)
  return {
    year,
    month,
    day,
    hour: Math.floor(clock / 3600),
    minute: Math.floor(clock / 60) % 60,
    second: clock % 60,
    nanosecond,
    weekday: (((days + 4) % 7) + 7) % 7,
    yearDay: days - daysOf(year, 1, 1) + 1,
    offsetSeconds,
    zoneName: zoneNameAt(time.zone, time.unixNanos, offsetSeconds),
  }
}

/** Go's `time.Date`: fields out of their range carry over. */
export function timeOf(
  fields: {
    year: number
    month: number
    day: number
    hour: number
    minute: number
    second: number
    nanosecond: number
  },
  zone: Zone,
): Time {
  const carried = fields.year + Math.floor((fields.month - 1) / 12)
  const month = ((((fields.month - 1) % 12) + 12) % 12) + 1
  const days = BigInt(daysOf(carried, month, 1) + fields.day - 1)
  const seconds =
    days * BigInt(DAY_SECONDS) + BigInt(fields.hour * 3600 + fields.minute * 60 + fields.second)
  const local = seconds * SECOND + BigInt(fields.nanosecond)
  const first = offsetAt(zone, local)
  const guess = local - BigInt(first) * SECOND
  const offset = first === 0 ? 0 : offsetAt(zone, guess)
  return new Time(local - BigInt(offset) * SECOND, zone)
}

/** Go's `time.LoadLocation`, from the zones this Node.js knows. */
export function loadZone(name: string): Zone {
  if (name === '' || name === 'UTC') return UTC
  // The process is a server: its local zone is nothing a condition may depend on.
  if (name === 'Local') return new Zone('Local', 0)
  if (name.includes('..') || name.startsWith('/') || name.startsWith('\\')) {
    throw new Panic('time: invalid location name')
  }
  // JavaScript would take an offset for a zone.
  if (!/^[A-Za-z]/.test(name)) throw new Panic(`unknown time zone ${name}`)
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name })
  } catch {
    throw new Panic(`unknown time zone ${name}`)
  }
  return new Zone(name, null)
}

function offsetAt(zone: Zone, unixNanos: bigint): number {
  if (zone.offsetSeconds !== null) return zone.offsetSeconds
  const text = zonePart(zone, unixNanos, 'longOffset', 'en-US')
  const [, sign, hours, minutes, seconds] = /GMT([+-])(\d+):(\d+)(?::(\d+))?/.exec(text) ?? []
  const total = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)
  return sign === '-' ? -total : total
}

/** No locale abbreviates all zones; these together cover the common ones. */
const ABBREVIATING_LOCALES = ['en-US', 'en-GB', 'en-AU', 'en-IN', 'en-NZ', 'en-ZA']

function zoneNameAt(zone: Zone, unixNanos: bigint, offsetSeconds: number): string {
  if (zone.offsetSeconds !== null) return zone.name
  for (const locale of ABBREVIATING_LOCALES) {
    const text = zonePart(zone, unixNanos, 'short', locale)
    if (/^[A-Z]+$/.test(text)) return text
  }
  return abbreviatedOffset(offsetSeconds)
}

function zonePart(
  zone: Zone,
  unixNanos: bigint,
  style: 'longOffset' | 'short',
  locale: string,
): string {
  const format = new Intl.DateTimeFormat(locale, { timeZone: zone.name, timeZoneName: style })
  const ms = Math.max(-8.64e15, Math.min(8.64e15, Number(unixNanos / 1_000_000n)))
  return format.formatToParts(ms).find((part) => part.type === 'timeZoneName')?.value ?? ''
}

/** Days since 1970-01-01 of a date of the proleptic Gregorian calendar. */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

function dateOf(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const index = Math.floor((5 * dayOfYear + 2) / 153)
  const month = index < 10 ? index + 3 : index - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return { year, month, day: dayOfYear - Math.floor((153 * index + 2) / 5) + 1 }
}

function floorDiv(a: bigint, b: bigint): bigint {
  return (a - floorMod(a, b)) / b
}

function floorMod(a: bigint, b: bigint): bigint {
  return ((a % b) + b) % b
}

/** Go's `Time.String`. */
export function timeText(time: Time): string {
  return formatTime(time, '2006-01-02 15:04:05.999999999 -0700 MST')
}

/**
 * One element of a layout. Go recognises them by their text alone, the longest first where one begins
 * another; `Jan` and `Mon` only where no lower-case letter follows.
 */
const ELEMENTS: readonly string[] = [
  'January',
  'Jan',
  'Monday',
  'Mon',
  'MST',
  '2006',
  '01',
  '02',
  '03',
  '04',
  '05',
  '06',
  '002',
  '1',
  '2',
  '3',
  '4',
  '5',
  '15',
  '_2006',
  '__2',
  '_2',
  'PM',
  'pm',
  'Z070000',
  'Z07:00:00',
  'Z0700',
  'Z07:00',
  'Z07',
  '-070000',
  '-07:00:00',
  '-0700',
  '-07:00',
  '-07',
].sort((a, b) => b.length - a.length)

interface Piece {
  /** Literal text before the element. */
  readonly prefix: string
  /** The element; empty for the end of the layout. */
  readonly element: string
}

function piecesOf(layout: string): Piece[] {
  const pieces: Piece[] = []
  let prefix = ''
  let at = 0
  while (at < layout.length) {
    const element = elementAt(layout, at)
    if (element === null) {
      prefix += layout[at]
      at++
    } else if (element === '_2006') {
      // Go reads a blank-padded year as the literal underscore and the year.
      pieces.push({ prefix: `${prefix}_`, element: '2006' })
      prefix = ''
      at += 5
    } else {
      pieces.push({ prefix, element })
      prefix = ''
      at += element.length
    }
  }
  pieces.push({ prefix, element: '' })
  return pieces
}

function elementAt(layout: string, at: number): string | null {
  const fraction = /^[.,](0+|9+)(?![0-9])/.exec(layout.slice(at, at + 12))
  if (fraction !== null) return fraction[0]
  const found = ELEMENTS.find((element) => layout.startsWith(element, at))
  if (found === undefined) return null
  if ((found === 'Jan' || found === 'Mon') && /^[a-z]/.test(layout.slice(at + 3))) return null
  return found
}

/** Go's `Time.Format`. */
export function formatTime(time: Time, layout: string): string {
  const at = civil(time)
  let out = ''
  for (const { prefix, element } of piecesOf(layout)) {
    out += prefix + formatElement(element, at)
  }
  return out
}

function formatElement(element: string, at: Civil): string {
  const hour12 = at.hour % 12 === 0 ? 12 : at.hour % 12
  switch (element) {
    case '':
      return ''
    case '2006':
      return at.year < 0 ? `-${pad(-at.year, 4)}` : pad(at.year, 4)
    case '06':
      return pad(((at.year % 100) + 100) % 100, 2)
    case '01':
      return pad(at.month, 2)
    case '1':
      return String(at.month)
    case 'Jan':
      return (MONTHS[at.month - 1] ?? '').slice(0, 3)
    case 'January':
      return MONTHS[at.month - 1] ?? ''
    case '02':
      return pad(at.day, 2)
    case '2':
      return String(at.day)
    case '_2':
      return String(at.day).padStart(2, ' ')
    case '__2':
      return String(at.yearDay).padStart(3, ' ')
    case '002':
      return pad(at.yearDay, 3)
    case 'Mon':
      return (WEEKDAYS[at.weekday] ?? '').slice(0, 3)
    case 'Monday':
      return WEEKDAYS[at.weekday] ?? ''
    case '15':
      return pad(at.hour, 2)
    case '03':
      return pad(hour12, 2)
    case '3':
      return String(hour12)
    case '04':
      return pad(at.minute, 2)
    case '4':
      return String(at.minute)
    case '05':
      return pad(at.second, 2)
    case '5':
      return String(at.second)
    case 'PM':
      return at.hour >= 12 ? 'PM' : 'AM'
    case 'pm':
      return at.hour >= 12 ? 'pm' : 'am'
    case 'MST':
      return at.zoneName === '' ? formatOffset('-0700', at.offsetSeconds) : at.zoneName
    default:
      return element.startsWith('Z') || element.startsWith('-')
        ? formatOffset(element, at.offsetSeconds)
        : formatFraction(element, at.nanosecond)
  }
}

function formatOffset(element: string, offsetSeconds: number): string {
  if (element.startsWith('Z') && offsetSeconds === 0) return 'Z'
  const size = Math.abs(offsetSeconds)
  const separator = element.includes(':') ? ':' : ''
  const parts = [pad(Math.floor(size / 3600), 2)]
  if (element.length > 3) parts.push(pad(Math.floor(size / 60) % 60, 2))
  if (element.replaceAll(':', '').length > 5) parts.push(pad(size % 60, 2))
  return (offsetSeconds < 0 ? '-' : '+') + parts.join(separator)
}

/** How the time zone database abbreviates zones that have no name: `+03`, `+0530`. */
function abbreviatedOffset(offsetSeconds: number): string {
  const text = formatOffset('-0700', offsetSeconds)
  return text.endsWith('00') ? text.slice(0, 3) : text
}

function formatFraction(element: string, nanosecond: number): string {
  const digits = pad(nanosecond, 9)
    .slice(0, Math.min(9, element.length - 1))
    .padEnd(element.length - 1, '0')
  if (element[1] === '0') return (element[0] ?? '') + digits
  const trimmed = digits.replace(/0+$/, '')
  return trimmed === '' ? '' : (element[0] ?? '') + trimmed
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0')
}

/** Go's `time.ParseInLocation`; throws `Panic` with Go's message. */
export function parseTime(layout: string, text: string, zone: Zone): Time {
  const fail = (rest: string, element: string): Panic =>
    new Panic(
      `parsing time ${quote(text)} as ${quote(layout)}: cannot parse ${quote(rest)} as ${quote(element)}`,
    )
  const outOfRange = (what: string): Panic =>
    new Panic(`parsing time ${quote(text)}: ${what} out of range`)

  const found = {
    year: 0,
    month: -1,
    day: -1,
    yearDay: -1,
    hour: 0,
    minute: 0,
    second: 0,
    nanosecond: 0,
  }
  let afternoon: boolean | null = null
  let offset: number | null = null
  let abbreviation: string | null = null
  let rest = text
  const pieces = piecesOf(layout)
  for (const [i, { prefix, element }] of pieces.entries()) {
    const skipped = skipPrefix(rest, prefix)
    if (skipped === null) throw fail(rest, prefix)
    rest = skipped
    if (element === '') {
      if (rest !== '') throw new Panic(`parsing time ${quote(text)}: extra text: ${quote(rest)}`)
      break
    }
    const hold = rest
    const take = (pattern: RegExp): string => {
      const match = pattern.exec(rest)
      if (match === null) throw fail(hold, element)
      rest = rest.slice(match[0].length)
      return match[0]
    }
    switch (element) {
      case '2006':
        found.year = Number(take(/^[0-9]{4}/))
        break
      case '06': {
        const year = Number(take(/^[0-9]{2}/))
        found.year = year >= 69 ? 1900 + year : 2000 + year
        break
      }
      case '01':
        found.month = Number(take(/^[0-9]{2}/))
        if (found.month < 1 || found.month > 12) throw outOfRange('month')
        break
      case '1':
        found.month = Number(take(/^[0-9]{1,2}/))
        if (found.month < 1 || found.month > 12) throw outOfRange('month')
        break
      case 'Jan':
      case 'January':
        found.month =
          1 + nameIndex(MONTHS, element === 'Jan', take(namePattern(MONTHS, element === 'Jan')))
        break
      case 'Mon':
      case 'Monday':
        take(namePattern(WEEKDAYS, element === 'Mon'))
        break
      case '02':
        found.day = Number(take(/^[0-9]{2}/))
        break
      case '2':
        found.day = Number(take(/^[0-9]{1,2}/))
        break
      case '_2':
        found.day = Number(take(/^ ?[0-9]{1,2}/))
        break
      case '002':
        found.yearDay = Number(take(/^[0-9]{3}/))
        break
      case '__2':
        found.yearDay = Number(take(/^ {0,2}[0-9]{1,3}/))
        break
      case '15':
        found.hour = Number(take(/^[0-9]{1,2}/))
        if (found.hour > 23) throw outOfRange('hour')
        break
      case '03':
      case '3':
        found.hour = Number(take(element === '03' ? /^[0-9]{2}/ : /^[0-9]{1,2}/))
        if (found.hour > 12) throw outOfRange('hour')
        break
      case '04':
      case '4':
        found.minute = Number(take(element === '04' ? /^[0-9]{2}/ : /^[0-9]{1,2}/))
        if (found.minute > 59) throw outOfRange('minute')
        break
      case '05':
      case '5': {
        found.second = Number(take(element === '05' ? /^[0-9]{2}/ : /^[0-9]{1,2}/))
        if (found.second > 59) throw outOfRange('second')
        // A fraction may follow the seconds even where the layout names none.
        const next = pieces[i + 1]
        const named = next !== undefined && next.prefix === '' && /^[.,]/.test(next.element)
        const fraction = named ? null : /^[.,][0-9]+/.exec(rest)
        if (fraction !== null) {
          found.nanosecond = nanosecondsOf(fraction[0])
          rest = rest.slice(fraction[0].length)
        }
        break
      }
      case 'PM':
      case 'pm':
        afternoon = take(element === 'PM' ? /^[AP]M/ : /^[ap]m/).toUpperCase() === 'PM'
        break
      case 'MST':
        if (rest.startsWith('UTC')) {
          rest = rest.slice(3)
          offset = 0
          abbreviation = 'UTC'
        } else {
          const length = abbreviationLength(rest)
          if (length === 0) throw fail(hold, element)
          abbreviation = rest.slice(0, length)
          rest = rest.slice(length)
        }
        break
      default:
        if (element.startsWith('Z') && rest.startsWith('Z')) {
          rest = rest.slice(1)
          offset = 0
          abbreviation = 'UTC'
        } else if (element.startsWith('Z') || element.startsWith('-')) {
          offset = offsetOf(take(offsetPattern(element)))
          if (offset === null) throw outOfRange('time zone offset hour')
        } else if (element[1] === '0') {
          found.nanosecond = nanosecondsOf(take(new RegExp(`^[.,][0-9]{${element.length - 1}}`)))
        } else {
          const fraction = /^[.,][0-9]{1,9}/.exec(rest)
          if (fraction !== null) {
            found.nanosecond = nanosecondsOf(fraction[0])
            rest = rest.slice(fraction[0].length)
          }
        }
    }
  }
  if (afternoon === true && found.hour < 12) found.hour += 12
  else if (afternoon === false && found.hour === 12) found.hour = 0

  let { year, month, day } = found
  if (found.yearDay >= 0) {
    if (found.yearDay < 1 || found.yearDay > (isLeap(year) ? 366 : 365))
      throw outOfRange('day-of-year')
    const date = dateOf(daysOf(year, 1, 1) + found.yearDay - 1)
    if (month >= 0 && month !== date.month)
      throw new Panic(`parsing time ${quote(text)}: day-of-year does not match month`)
    if (day >= 0 && day !== date.day)
      throw new Panic(`parsing time ${quote(text)}: day-of-year does not match day`)
    month = date.month
    day = date.day
  } else {
    if (month < 0) month = 1
    if (day < 0) day = 1
  }
  if (day < 1 || day > daysIn(year, month)) throw outOfRange('day')
  const fields = { ...found, year, month, day }

  if (offset !== null) {
    const zoneFound =
      offset === 0 && abbreviation === 'UTC' ? UTC : new Zone(abbreviation ?? '', offset)
    const time = timeOf(fields, zoneFound)
    // An offset that the given zone has at that instant is that zone.
    return zoneFound !== UTC && offsetAt(zone, time.unixNanos) === offset
      ? new Time(time.unixNanos, zone)
      : time
  }
  if (abbreviation !== null) {
    const local = timeOf(fields, zone)
    if (civil(local).zoneName === abbreviation) return local
    const hours = /^GMT([+-][0-9]+)$/.exec(abbreviation)?.[1]
    return timeOf(fields, new Zone(abbreviation, Number(hours ?? 0) * 3600))
  }
  return timeOf(fields, zone)
}

/** Blanks of a layout match any run of blanks. */
function skipPrefix(text: string, prefix: string): string | null {
  let rest = text
  let at = 0
  while (at < prefix.length) {
    if (prefix[at] === ' ') {
      if (rest.length > 0 && rest[0] !== ' ') return null
      while (prefix[at] === ' ') at++
      rest = rest.replace(/^ +/, '')
    } else {
      if (rest.length === 0 || rest[0] !== prefix[at]) return null
      rest = rest.slice(1)
      at++
    }
  }
  return rest
}

/** How much of a text is a zone's abbreviation as Go guesses it; 0 if it begins with none. */
function abbreviationLength(text: string): number {
  if (text.length < 3) return 0
  if (/^(ChST|MeST)/.test(text)) return 4
  if (text.startsWith('GMT')) return 3 + signedHours(text.slice(3))
  if (/^[+-]/.test(text)) return signedHours(text)
  const upper = /^[A-Z]{0,6}/.exec(text)?.[0] ?? ''
  if (upper.length === 5) return upper.endsWith('T') ? 5 : 0
  if (upper.length === 4) return upper.endsWith('T') || upper === 'WITA' ? 4 : 0
  return upper.length === 3 ? 3 : 0
}

/** Length of a signed number of hours below 24; 0 for anything else. */
function signedHours(text: string): number {
  const match = /^[+-]([0-9]+)/.exec(text)
  return match === null || Number(match[1]) > 23 ? 0 : match[0].length
}

function namePattern(names: readonly string[], short: boolean): RegExp {
  return new RegExp(`^(${names.map((name) => (short ? name.slice(0, 3) : name)).join('|')})`, 'i')
}

function nameIndex(names: readonly string[], short: boolean, text: string): number {
  return names.findIndex(
    (name) => (short ? name.slice(0, 3) : name).toLowerCase() === text.toLowerCase(),
  )
}

function offsetPattern(element: string): RegExp {
  const separator = element.includes(':') ? ':' : ''
  const count = Math.floor(element.replaceAll(':', '').slice(1).length / 2)
  return new RegExp(`^[+-][0-9]{2}${`${separator}[0-9]{2}`.repeat(count - 1)}`)
}

/** Seconds east of UTC, or `null` where hours, minutes or seconds are out of range. */
function offsetOf(text: string): number | null {
  const digits = text.slice(1).replaceAll(':', '')
  const [hours, minutes, seconds] = [0, 2, 4].map((at) => Number(digits.slice(at, at + 2) || 0))
  if ((hours ?? 0) > 24 || (minutes ?? 0) > 60 || (seconds ?? 0) > 60) return null
  const total = (hours ?? 0) * 3600 + (minutes ?? 0) * 60 + (seconds ?? 0)
  return text.startsWith('-') ? -total : total
}

function nanosecondsOf(fraction: string): number {
  return Number(fraction.slice(1, 10).padEnd(9, '0'))
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

function daysIn(year: number, month: number): number {
  return daysOf(year + (month === 12 ? 1 : 0), (month % 12) + 1, 1) - daysOf(year, month, 1)
}

/** Go's package time quotes text its own way: every byte outside of ASCII is escaped. */
function quote(text: string): string {
  const bytes = Array.from(toBytes(text), (byte) => {
    if (byte >= 0x80 || byte < 0x20) return `\\x${byte.toString(16).padStart(2, '0')}`
    return byte === 0x22 || byte === 0x5c
      ? `\\${String.fromCharCode(byte)}`
      : String.fromCharCode(byte)
  })
  return `"${bytes.join('')}"`
}

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n, // U+00B5
  μs: 1000n, // U+03BC
  ms: 1_000_000n,
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
}

/** Go's `time.ParseDuration`, in nanoseconds; throws `Panic` with Go's message. */
export function parseDuration(text: string): bigint {
  const invalid = (): Panic => new Panic(`time: invalid duration ${quote(text)}`)
  const [, sign, body = ''] = /^([+-]?)([\s\S]*)$/.exec(text) ?? []
  if (body === '0') return 0n
  if (body === '') throw invalid()
  let total = 0n
  let rest = body
  while (rest !== '') {
    const [number = '', whole = '', , fraction = ''] = /^([0-9]*)(\.([0-9]*))?/.exec(rest) ?? []
    if (whole === '' && fraction === '') throw invalid()
    rest = rest.slice(number.length)
    const unit = /^[^.0-9]*/.exec(rest)?.[0] ?? ''
    if (unit === '') throw new Panic(`time: missing unit in duration ${quote(text)}`)
    rest = rest.slice(unit.length)
    const size = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined
    if (size === undefined)
      throw new Panic(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`)
    total += BigInt(whole === '' ? 0 : whole) * size
    const digits = fraction.slice(0, 18)
    if (digits !== '') total += (BigInt(digits) * size) / 10n ** BigInt(digits.length)
    if (total > 2n ** 63n) throw invalid()
  }
  if (sign === '-') return -total
  if (total > 2n ** 63n - 1n) throw invalid()
  return total
}

/** Go's `Duration.String`: `1h30m0s`, `1.5s`, `200ms`. */
export function durationText(nanos: bigint): string {
  if (nanos === 0n) return '0s'
  const sign = nanos < 0n ? '-' : ''
  const size = nanos < 0n ? -nanos : nanos
  if (size < SECOND) {
    if (size < 1000n) return `${sign}${size}ns`
    if (size < 1_000_000n) return `${sign}${withFraction(size, 3)}µs`
    return `${sign}${withFraction(size, 6)}ms`
  }
  const seconds = withFraction(size % (60n * SECOND), 9)
  const minutes = size / (60n * SECOND)
  if (minutes === 0n) return `${sign}${seconds}s`
  const hours = minutes / 60n
  return `${sign}${hours === 0n ? '' : `${hours}h`}${minutes % 60n}m${seconds}s`
}

function withFraction(value: bigint, digits: number): string {
  const unit = 10n ** BigInt(digits)
  const fraction = String(value % unit)
    .padStart(digits, '0')
    .replace(/0+$/, '')
  return `${value / unit}${fraction === '' ? '' : `.${fraction}`}`
}
