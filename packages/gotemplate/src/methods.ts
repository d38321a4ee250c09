import { quote } from './go-string.ts'
import { stringerText } from './print-value.ts'
import { compareVersions, parseVersion, type Version, versionText } from './semver.ts'
import { durationOf, HOUR, MINUTE, roundDuration, SECOND } from './time/duration.ts'
import {
  civilOf,
  type GoTime,
  inZone,
  nanosOf,
  timeOf,
  unixSeconds,
  ZERO_TIME,
} from './time/instant.ts'
import { formatTime, timeText } from './time/layout.ts'
import { UTC } from './time/zone.ts'
import {
  type GoFunction,
  type GoInteger,
  goFunction,
  int64,
  isObject,
  type Value,
} from './value.ts'

/** The Go methods of times, durations, months, weekdays and versions; undefined when there is none. */
export function methodOf(receiver: Value, name: string): GoFunction | undefined {
  if (!isObject(receiver)) return undefined
  switch (receiver.kind) {
    case 'time':
      return timeMethod(receiver, name)
    case 'integer':
      return integerMethod(receiver, name)
    case 'version':
      return versionMethod(receiver, name)
    default:
      return undefined
  }
}

function timeMethod(time: GoTime, name: string): GoFunction | undefined {
  const civil = () => civilOf(time)
  const whole = (read: () => number) => goFunction([], () => BigInt(read()))
  const moved = (nanos: bigint) => timeOf(nanos, time.zone)
  switch (name) {
    case 'Year':
      return whole(() => civil().year)
    case 'Month':
      return goFunction([], () => named('time.Month', civil().month))
    case 'Day':
      return whole(() => civil().day)
    case 'YearDay':
      return whole(() => civil().yearDay)
    case 'Weekday':
      return goFunction([], () => named('time.Weekday', civil().weekday))
    case 'Hour':
      return whole(() => civil().hour)
    case 'Minute':
      return whole(() => civil().minute)
    case 'Second':
      return whole(() => civil().second)
    case 'Nanosecond':
      return whole(() => civil().nano)
    case 'Unix':
      return goFunction([], () => int64(unixSeconds(time)))
    case 'UnixMilli':
      return goFunction([], () => int64(floorDivide(time.nanos, 1_000_000n)))
    case 'UnixMicro':
      return goFunction([], () => int64(floorDivide(time.nanos, 1000n)))
    case 'UnixNano':
      return goFunction([], () => int64(time.nanos))
    case 'String':
      return goFunction([], () => timeText(time))
    case 'Format':
      return goFunction(['string'], ([layout]) => formatTime(time, layout))
    case 'UTC':
      return goFunction([], () => timeOf(time.nanos, UTC))
    case 'Local':
      return goFunction([], (_, run) => timeOf(time.nanos, run.localZone))
    case 'IsZero':
      return goFunction([], () => time.nanos === ZERO_TIME.nanos)
    case 'Add':
      return goFunction(['duration'], ([d]) => moved(time.nanos + d.value))
    case 'Sub':
      return goFunction(['time'], ([other]) => durationOf(clamp(time.nanos - other.nanos)))
    case 'AddDate':
      return goFunction(['int', 'int', 'int'], ([years, months, days]) => {
        const now = civil()
        const shown = nanosOf({
          ...now,
          year: now.year + Number(years),
          month: now.month + Number(months),
          day: now.day + Number(days),
        })
        return inZone(shown, time.zone)
      })
    case 'Truncate':
      return goFunction(['duration'], ([d]) => moved(time.nanos - sinceZero(time, d.value)))
    case 'Round':
      return goFunction(['duration'], ([d]) => {
        const over = sinceZero(time, d.value)
        return moved(over + over < d.value ? time.nanos - over : time.nanos - over + d.value)
      })
    case 'After':
      return goFunction(['time'], ([other]) => time.nanos > other.nanos)
    case 'Before':
      return goFunction(['time'], ([other]) => time.nanos < other.nanos)
    case 'Equal':
      return goFunction(['time'], ([other]) => time.nanos === other.nanos)
    case 'Compare':
      return goFunction(['time'], ([other]) => order(time.nanos, other.nanos))
    default:
      return undefined
  }
}

function integerMethod(integer: GoInteger, name: string): GoFunction | undefined {
  const text = stringerText(integer)
  if (text === undefined) return undefined
  if (name === 'String') return goFunction([], () => text)
  if (integer.type !== 'time.Duration') return undefined
  const nanos = integer.value
  switch (name) {
    case 'Hours':
      return goFunction([], () => Number(nanos) / Number(HOUR))
    case 'Minutes':
      return goFunction([], () => Number(nanos) / Number(MINUTE))
    case 'Seconds':
      return goFunction([], () => Number(nanos) / Number(SECOND))
    case 'Milliseconds':
      return goFunction([], () => int64(nanos / 1_000_000n))
    case 'Microseconds':
      return goFunction([], () => int64(nanos / 1000n))
    case 'Nanoseconds':
      return goFunction([], () => int64(nanos))
    case 'Abs':
      return goFunction([], () => durationOf(nanos < 0n ? -nanos : nanos))
    case 'Round':
      return goFunction(['duration'], ([unit]) => durationOf(roundDuration(nanos, unit.value)))
    case 'Truncate':
      return goFunction(['duration'], ([unit]) =>
        durationOf(unit.value <= 0n ? nanos : nanos - (nanos % unit.value)),
      )
    default:
      return undefined
  }
}

function versionMethod(version: Version, name: string): GoFunction | undefined {
  const uint = (value: bigint): GoInteger => ({ kind: 'integer', type: 'uint64', value })
  const compared = (holds: (order: number) => boolean) =>
    goFunction(['version'], ([other]) => holds(compareVersions(version, other)))
  switch (name) {
    case 'Major':
      return goFunction([], () => uint(version.major))
    case 'Minor':
      return goFunction([], () => uint(version.minor))
    case 'Patch':
      return goFunction([], () => uint(version.patch))
    case 'Prerelease':
      return goFunction([], () => version.prerelease)
    case 'Metadata':
      return goFunction([], () => version.metadata)
    case 'Original':
      return goFunction([], () => version.original)
    case 'String':
      return goFunction([], () => versionText(version))
    case 'Compare':
      return goFunction(['version'], ([other]) => BigInt(compareVersions(version, other)))
    case 'Equal':
      return compared((o) => o === 0)
    case 'LessThan':
      return compared((o) => o < 0)
    case 'GreaterThan':
      return compared((o) => o > 0)
    case 'LessThanEqual':
      return compared((o) => o <= 0)
    case 'GreaterThanEqual':
      return compared((o) => o >= 0)
    case 'IncMajor':
      return goFunction([], () => raised(version, [version.major + 1n, 0n, 0n]))
    case 'IncMinor':
      return goFunction([], () => raised(version, [version.major, version.minor + 1n, 0n]))
    case 'IncPatch': {
      // The patch of a pre-release is its release.
      const patch = version.prerelease === '' ? version.patch + 1n : version.patch
      return goFunction([], () => raised(version, [version.major, version.minor, patch]))
    }
    default:
      return undefined
  }
}

function raised(version: Version, numbers: readonly [bigint, bigint, bigint]): Version {
  const text = `${version.original.startsWith('v') ? 'v' : ''}${numbers.join('.')}`
  const parsed = parseVersion(text)
  if (!parsed.ok) throw new TypeError(`${quote(text)} is no version`)
  return parsed.version
}

function named(type: 'time.Month' | 'time.Weekday', value: number): GoInteger {
  return { kind: 'integer', type, value: BigInt(value) }
}

function order(a: bigint, b: bigint): bigint {
  return a === b ? 0n : a < b ? -1n : 1n
}

/** Go rounds times counted from its zero time, not from 1970. */
function sinceZero(time: GoTime, unit: bigint): bigint {
  return unit <= 0n ? 0n : (time.nanos - ZERO_TIME.nanos) % unit
}

/** A difference that does not fit becomes the longest duration. */
function clamp(nanos: bigint): bigint {
  const most = 2n ** 63n - 1n
  return nanos > most ? most : nanos < -most - 1n ? -most - 1n : nanos
}

function floorDivide(a: bigint, b: bigint): bigint {
  return a % b < 0n ? a / b - 1n : a / b
}
