import { FunctionFailure, type Run } from '../run.ts'
import {
  formatDuration,
  HOUR,
  MINUTE,
  parseDuration,
  roundDuration,
  SECOND,
} from '../time/duration.ts'
import { type GoTime, timeOf, unixSeconds, ZERO_TIME } from '../time/instant.ts'
import { formatTime, parseTime } from '../time/layout.ts'
import { loadZone, UTC, type Zone } from '../time/zone.ts'
import { type GoFunction, goFunction, isObject, type Value } from '../value.ts'

const dateInZone = goFunction(['string', 'any', 'string'], ([layout, date, zone], run) =>
  format(date, { layout, zone: zoneOf(zone, run) }, run),
)
const dateModify = goFunction(['string', 'time'], ([text, time]) => {
  const duration = parseDuration(text)
  return typeof duration === 'bigint' ? timeOf(time.nanos + duration, time.zone) : time
})
const mustDateModify = goFunction(['string', 'time'], ([text, time]) => {
  const duration = parseDuration(text)
  if (typeof duration !== 'bigint') throw new FunctionFailure(duration.problem)
  return timeOf(time.nanos + duration, time.zone)
})

export const DATE_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  now: goFunction([], (_, run) => timeOf(run.now(), run.localZone)),
  date: goFunction(['string', 'any'], ([layout, date], run) =>
    format(date, { layout, zone: run.localZone }, run),
  ),
  dateInZone,
  date_in_zone: dateInZone,
  htmlDate: goFunction(['any'], ([date], run) =>
    format(date, { layout: '2006-01-02', zone: run.localZone }, run),
  ),
  htmlDateInZone: goFunction(['any', 'string'], ([date, zone], run) =>
    format(date, { layout: '2006-01-02', zone: zoneOf(zone, run) }, run),
  ),
  dateModify,
  date_modify: dateModify,
  mustDateModify,
  must_date_modify: mustDateModify,
  ago: goFunction(['any'], ([date], run) =>
    formatDuration(roundDuration(run.now() - instantOf(date, run), SECOND)),
  ),
  duration: goFunction(['any'], ([seconds]) =>
    formatDuration(BigInt.asIntN(64, secondsOf(seconds) * SECOND)),
  ),
  durationRound: goFunction(['any'], ([duration], run) => largestUnit(nanosOf(duration, run))),
  toDate: goFunction(['string', 'string'], ([layout, text], run) => {
    const parsed = parseTime(layout, text, run.localZone)
    return parsed.ok ? parsed.time : ZERO_TIME
  }),
  mustToDate: goFunction(['string', 'string'], ([layout, text], run) => {
    const parsed = parseTime(layout, text, run.localZone)
    if (!parsed.ok) throw new FunctionFailure(parsed.problem)
    return parsed.time
  }),
  unixEpoch: goFunction(['time'], ([time]) => unixSeconds(time).toString()),
}

function zoneOf(name: string, run: Run): Zone {
  return name === 'Local' ? run.localZone : (loadZone(name) ?? UTC)
}

function format(date: Value, how: { layout: string; zone: Zone }, run: Run): string {
  return formatTime(timeOf(instantOf(date, run), how.zone), how.layout)
}

/** A time, or seconds since 1970 as an integer. Anything else silently means now; upstream's rule. */
function instantOf(date: Value, run: Run): bigint {
  if (typeof date === 'bigint') return date * SECOND
  if (isObject(date)) {
    if (date.kind === 'time') return date.nanos
    if (date.kind === 'integer' && (date.type === 'int64' || date.type === 'int32'))
      return date.value * SECOND
  }
  return run.now()
}

function secondsOf(value: Value): bigint {
  if (typeof value === 'string')
    return /^[+-]?\d+$/.test(value) ? BigInt(value.replace(/^\+/, '')) : 0n
  return isObject(value) && value.kind === 'integer' && value.type === 'int64' ? value.value : 0n
}

function nanosOf(value: Value, run: Run): bigint {
  if (typeof value === 'string') {
    const duration = parseDuration(value)
    return typeof duration === 'bigint' ? duration : 0n
  }
  if (!isObject(value)) return 0n
  if (value.kind === 'time') return run.now() - (value satisfies GoTime).nanos
  return value.kind === 'integer' && value.type === 'int64' ? value.value : 0n
}

const ROUND_UNITS: readonly (readonly [nanos: bigint, name: string])[] = [
  [HOUR * 24n * 365n, 'y'],
  [HOUR * 24n * 30n, 'mo'],
  [HOUR * 24n, 'd'],
  [HOUR, 'h'],
  [MINUTE, 'm'],
  [SECOND, 's'],
]

/** A unit counts only when there is more than one of it: exactly an hour is `60m`. */
function largestUnit(nanos: bigint): string {
  const size = nanos < 0n ? -nanos : nanos
  const unit = ROUND_UNITS.find(([length]) => size > length)
  return unit ? `${size / unit[0]}${unit[1]}` : '0s'
}
