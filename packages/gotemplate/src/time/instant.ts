import { UTC, type Zone, zoneAt } from './zone.ts'

/** Go's time.Time: nanoseconds since 1970 and the zone it is shown in. */
export interface GoTime {
  readonly kind: 'time'
  readonly nanos: bigint
  readonly zone: Zone
}

/** Calendar and clock fields of a time in its zone. `month` 1–12, `weekday` 0 is Sunday. */
export interface Civil {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly nano: number
  readonly weekday: number
  readonly yearDay: number
  readonly offsetSeconds: number
  readonly abbreviation: string
}

const NANOS = 1_000_000_000n

export function timeOf(nanos: bigint, zone: Zone = UTC): GoTime {
  return { kind: 'time', nanos, zone }
}

/** The zero time.Time, what a failed parse leaves behind: January 1 of year 1. */
export const ZERO_TIME: GoTime = timeOf(-62_135_596_800n * NANOS)

export function unixSeconds(time: GoTime): bigint {
  return floorDivide(time.nanos, NANOS)
}

export function civilOf(time: GoTime): Civil {
  const seconds = unixSeconds(time)
  const { offsetSeconds, abbreviation } = zoneAt(time.zone, Number(seconds))
  const local = seconds + BigInt(offsetSeconds)
  const days = Number(floorDivide(local, 86_400n))
  const clock = Number(local - BigInt(days) * 86_400n)
  const { year, month, day } = dateOfDays(days)
  return {
    year,
    month,
    day,
    hour: Math.floor(clock / 3600),
    minute: Math.floor(clock / 60) % 60,
    second: clock % 60,
    nano: Number(time.nanos - seconds * NANOS),
    weekday: (((days + 4) % 7) + 7) % 7,
    yearDay: days - daysOfDate(year, 1, 1) + 1,
    offsetSeconds,
    abbreviation,
  }
}

/** Nanoseconds since 1970 of a date and clock in UTC; fields may overflow into the next, as in time.Date. */
export function nanosOf(fields: {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  nano: number
}): bigint {
  const months = fields.month - 1
  const year = fields.year + Math.floor(months / 12)
  const days = daysOfDate(year, months - Math.floor(months / 12) * 12 + 1, 1) + fields.day - 1
  const clock = fields.hour * 3600 + fields.minute * 60 + fields.second
  return (BigInt(days) * 86_400n + BigInt(clock)) * NANOS + BigInt(fields.nano)
}

/** The instant at which clocks in the zone show what `utcNanos` would be in UTC. */
export function inZone(utcNanos: bigint, zone: Zone): GoTime {
  const shown = Number(floorDivide(utcNanos, NANOS))
  const guess = shown - zoneAt(zone, shown).offsetSeconds
  const offset = zoneAt(zone, guess).offsetSeconds
  return timeOf(utcNanos - BigInt(offset) * NANOS, zone)
}

export function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b < 0n ? quotient - 1n : quotient
}

// Years are counted from March in eras of 400 years (146,097 days), so the leap day comes last.
function daysOfDate(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const leaps = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100)
  return era * 146_097 + yearOfEra * 365 + leaps + dayOfYear - 719_468
}

function dateOfDays(days: number): { year: number; month: number; day: number } {
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
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
  }
}
