import { formatInt } from './go-format.ts'
import { civil, formatTime, timeOf, timeText } from './go-time.ts'
import {
  BOOL,
  DURATION,
  FLOAT64,
  type GoType,
  INT,
  INT64,
  LOCATION,
  MONTH,
  type Signature,
  STRING,
  TIME,
  WEEKDAY,
} from './go-type.ts'
import { duration, Int, Time, UTC, type Value, wrapInt, Zone } from './value.ts'

/** A method of a Go value that conditions may call. */
interface Method {
  readonly signature: Signature
  readonly call: (self: Value, args: readonly Value[]) => Value
}

const NANOS = 1_000_000_000n
/** 0001-01-01T00:00:00Z, Go's zero time. */
const ZERO_TIME = -62_135_596_800n * NANOS

/** The methods of a type by name. Source: spec analysis-and-experiments 3.7 and Go's package time. */
export function methodsOf(type: GoType): ReadonlyMap<string, Method> | undefined {
  return METHODS.get(type.name)
}

function onTime(result: GoType, call: (time: Time) => Value): Method {
  return { signature: { params: [], result }, call: (self) => call(self as Time) }
}

function onDuration(result: GoType, call: (nanos: bigint) => Value): Method {
  return { signature: { params: [], result }, call: (self) => call((self as Int).value) }
}

/** Arguments were checked against the parameters, so the casts of this file cannot be wrong. */
function withTime(result: GoType, call: (time: Time, other: Time) => Value): Method {
  return {
    signature: { params: [TIME], result },
    call: (self, [other]) => call(self as Time, other as Time),
  }
}

function nanosOf(value: Value | undefined): bigint {
  return (value as Int).value
}

function clampedDifference(later: Time, earlier: Time): bigint {
  const difference = later.unixNanos - earlier.unixNanos
  const limit = 2n ** 63n
  return difference >= limit ? limit - 1n : difference < -limit ? -limit : difference
}

/** Rounds toward zero to a multiple of a positive unit. */
function truncated(value: bigint, unit: bigint): bigint {
  return unit <= 0n ? value : value - (value % unit)
}

/** Rounds to a multiple of a positive unit, halves away from zero. */
function rounded(value: bigint, unit: bigint): bigint {
  if (unit <= 0n) return value
  const size = value < 0n ? -value : value
  const result = ((size + unit / 2n + (unit % 2n)) / unit) * unit
  return value < 0n ? -result : result
}

/** Go rounds times as durations since the zero time. */
function sinceZero(change: (value: bigint, unit: bigint) => bigint): Method {
  return {
    signature: { params: [DURATION], result: TIME },
    call: (self, [unit]) => {
      const time = self as Time
      return new Time(change(time.unixNanos - ZERO_TIME, nanosOf(unit)) + ZERO_TIME, time.zone)
    },
  }
}

function roundingDuration(change: (value: bigint, unit: bigint) => bigint): Method {
  return {
    signature: { params: [DURATION], result: DURATION },
    call: (self, [unit]) => duration(change(nanosOf(self), nanosOf(unit))),
  }
}

const NAMED_NUMBER = new Map<string, Method>([
  ['String', { signature: { params: [], result: STRING }, call: (self) => formatInt(self as Int) }],
])

const METHODS = new Map<string, ReadonlyMap<string, Method>>([
  [
    TIME.name,
    new Map<string, Method>([
      ['Year', onTime(INT, (time) => BigInt(civil(time).year))],
      ['Month', onTime(MONTH, (time) => new Int(MONTH, BigInt(civil(time).month)))],
      ['Day', onTime(INT, (time) => BigInt(civil(time).day))],
      ['Hour', onTime(INT, (time) => BigInt(civil(time).hour))],
      ['Minute', onTime(INT, (time) => BigInt(civil(time).minute))],
      ['Second', onTime(INT, (time) => BigInt(civil(time).second))],
      ['Nanosecond', onTime(INT, (time) => BigInt(civil(time).nanosecond))],
      ['Weekday', onTime(WEEKDAY, (time) => new Int(WEEKDAY, BigInt(civil(time).weekday)))],
      ['YearDay', onTime(INT, (time) => BigInt(civil(time).yearDay))],
      ['Unix', onTime(INT64, (time) => new Int(INT64, floorTo(time.unixNanos, NANOS)))],
      ['UnixMilli', onTime(INT64, (time) => new Int(INT64, floorTo(time.unixNanos, 1_000_000n)))],
      ['UnixMicro', onTime(INT64, (time) => new Int(INT64, floorTo(time.unixNanos, 1000n)))],
      ['UnixNano', onTime(INT64, (time) => new Int(INT64, time.unixNanos))],
      ['UTC', onTime(TIME, (time) => new Time(time.unixNanos, UTC))],
      ['Local', onTime(TIME, (time) => new Time(time.unixNanos, new Zone('UTC', 0)))],
      ['Location', onTime(LOCATION, (time) => time.zone)],
      ['IsZero', onTime(BOOL, (time) => time.unixNanos === ZERO_TIME)],
      ['String', onTime(STRING, timeText)],
      ['Before', withTime(BOOL, (time, other) => time.unixNanos < other.unixNanos)],
      ['After', withTime(BOOL, (time, other) => time.unixNanos > other.unixNanos)],
      ['Equal', withTime(BOOL, (time, other) => time.unixNanos === other.unixNanos)],
      [
        'Compare',
        withTime(INT, (time, other) =>
          time.unixNanos < other.unixNanos ? -1n : time.unixNanos > other.unixNanos ? 1n : 0n,
        ),
      ],
      ['Sub', withTime(DURATION, (time, other) => duration(clampedDifference(time, other)))],
      ['Truncate', sinceZero(truncated)],
      ['Round', sinceZero(rounded)],
      [
        'Add',
        {
          signature: { params: [DURATION], result: TIME },
          call: (self, [by]) => addNanos(self as Time, nanosOf(by)),
        },
      ],
      [
        'AddDate',
        {
          signature: { params: [INT, INT, INT], result: TIME },
          call: (self, [years, months, days]) => {
            const time = self as Time
            const at = civil(time)
            return timeOf(
              {
                ...at,
                year: at.year + Number(years),
                month: at.month + Number(months),
                day: at.day + Number(days),
              },
              time.zone,
            )
          },
        },
      ],
      [
        'In',
        {
          signature: { params: [LOCATION], result: TIME },
          call: (self, [zone]) => new Time((self as Time).unixNanos, zone as Zone),
        },
      ],
      [
        'Format',
        {
          signature: { params: [STRING], result: STRING },
          call: (self, [layout]) => formatTime(self as Time, layout as string),
        },
      ],
    ]),
  ],
  [
    DURATION.name,
    new Map<string, Method>([
      ['Hours', onDuration(FLOAT64, (nanos) => inUnits(nanos, 3600n * NANOS))],
      ['Minutes', onDuration(FLOAT64, (nanos) => inUnits(nanos, 60n * NANOS))],
      ['Seconds', onDuration(FLOAT64, (nanos) => inUnits(nanos, NANOS))],
      ['Milliseconds', onDuration(INT64, (nanos) => new Int(INT64, nanos / 1_000_000n))],
      ['Microseconds', onDuration(INT64, (nanos) => new Int(INT64, nanos / 1000n))],
      ['Nanoseconds', onDuration(INT64, (nanos) => new Int(INT64, nanos))],
      ['Abs', onDuration(DURATION, (nanos) => duration(nanos < 0n ? -nanos : nanos))],
      ['Truncate', roundingDuration(truncated)],
      ['Round', roundingDuration(rounded)],
      ...NAMED_NUMBER,
    ]),
  ],
  [MONTH.name, NAMED_NUMBER],
  [WEEKDAY.name, NAMED_NUMBER],
  [
    LOCATION.name,
    new Map<string, Method>([
      [
        'String',
        { signature: { params: [], result: STRING }, call: (self) => (self as Zone).name },
      ],
    ]),
  ],
])

/** Time plus nanoseconds, within the years that a calendar is computed for. */
export function addNanos(time: Time, nanos: bigint): Time {
  return new Time(time.unixNanos + wrapInt(nanos), time.zone)
}

/** Go adds whole units and the fraction apart, to keep precision. */
function inUnits(nanos: bigint, unit: bigint): number {
  return Number(nanos / unit) + Number(nanos % unit) / Number(unit)
}

function floorTo(value: bigint, unit: bigint): bigint {
  return (value - (((value % unit) + unit) % unit)) / unit
}
