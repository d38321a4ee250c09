import { arg, type Builtin, bySignature, byValidation, wrongCount } from './builtin.ts'
import { LAYOUTS, loadZone, parseDuration, parseTime } from './go-time.ts'
import { DURATION, LOCATION, STRING, TIME } from './go-type.ts'
import { assertedString } from './operators.ts'
import { duration, Panic, Time, UTC, type Value, Zone } from './value.ts'

/** Times, durations and zones. Source: spec analysis-and-experiments 3.8. */
export const TIME_BUILTINS: readonly (readonly [string, Builtin])[] = [
  [
    'now',
    byValidation(
      (args) =>
        args.length === 0 || (args.length === 1 && args[0]?.name === LOCATION.name)
          ? TIME
          : wrongCount('0', args.length),
      (args, { now }) => {
        if (now === undefined) throw new Panic('now() is not available here: no clock was given')
        const [zone] = args
        return timeFromMs(now(), zone instanceof Zone ? zone : UTC)
      },
    ),
  ],
  [
    'duration',
    bySignature([{ params: [STRING], result: DURATION }], (args) =>
      duration(parseDuration(assertedString(arg(args, 0)))),
    ),
  ],
  [
    'timezone',
    bySignature([{ params: [STRING], result: LOCATION }], (args) =>
      loadZone(assertedString(arg(args, 0))),
    ),
  ],
  [
    'date',
    byValidation((args) => {
      if (args.length < 1) return wrongCount('at least 1', args.length)
      const count = args[0]?.name === LOCATION.name ? args.length - 1 : args.length
      return count > 3 ? wrongCount('at most 3', count) : TIME
    }, date),
  ],
]

/** The layouts that `date` tries, in this order. */
const TRIED = [
  '2006-01-02',
  '15:04:05',
  '2006-01-02 15:04:05',
  LAYOUTS.RFC3339,
  LAYOUTS.RFC822,
  LAYOUTS.RFC850,
  LAYOUTS.RFC1123,
]

function date(args: readonly Value[]): Value {
  const [first] = args
  const given = first instanceof Zone ? first : null
  const rest = given === null ? args : args.slice(1)
  const text = assertedString(arg(rest, 0))
  if (rest.length >= 2) {
    const layout = assertedString(arg(rest, 1))
    const zone = rest.length === 3 ? loadZone(assertedString(arg(rest, 2))) : (given ?? UTC)
    return parseTime(layout, text, zone)
  }
  for (const layout of TRIED) {
    try {
      return parseTime(layout, text, given ?? UTC)
    } catch (error) {
      if (!(error instanceof Panic)) throw error
    }
  }
  throw new Panic(`invalid date ${text}`)
}

/** An instant from a clock that counts milliseconds. */
export function timeFromMs(epochMs: number, zone: Zone = UTC): Time {
  return new Time(BigInt(Math.trunc(epochMs)) * 1_000_000n, zone)
}
