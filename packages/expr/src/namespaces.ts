import { lowerCase, replaceAll, upperCase } from './builtins-text.ts'
import { timeFromMs } from './builtins-time.ts'
import { LAYOUTS, MONTHS, parseTime, RFC3339, WEEKDAYS } from './go-time.ts'
import { MONTH, STRING, TIME, WEEKDAY } from './go-type.ts'
import { duration, Func, Int, UTC, type Value } from './value.ts'

const MILLISECOND = 1_000_000n

/**
 * `time` for trigger conditions: `Now()`, `Parse(rfc3339)` (a run error for bad text), and as Argo CD has
 * them the units (`Second`, `Minute`, `Hour` ...), months, weekdays and layouts. `now` gives epoch
 * milliseconds. Source: spec notifications 4.2.
 */
export function timeNamespace(now: () => number): Value {
  return {
    ...LAYOUTS,
    ...Object.fromEntries(MONTHS.map((name, i) => [name, new Int(MONTH, BigInt(i + 1))])),
    ...Object.fromEntries(WEEKDAYS.map((name, i) => [name, new Int(WEEKDAY, BigInt(i))])),
    Nanosecond: duration(1n),
    Microsecond: duration(1000n),
    Millisecond: duration(MILLISECOND),
    Second: duration(1000n * MILLISECOND),
    Minute: duration(60_000n * MILLISECOND),
    Hour: duration(3_600_000n * MILLISECOND),
    Now: new Func({ params: [], result: TIME }, () => timeFromMs(now())),
    Parse: new Func({ params: [STRING], result: TIME }, ([text]) =>
      parseTime(RFC3339, text as string, UTC),
    ),
  }
}

/** `strings` for trigger conditions: `ReplaceAll`, `ToUpper`, `ToLower`. Source: spec notifications 4.2. */
export const stringsNamespace: Value = {
  ReplaceAll: new Func(
    { params: [STRING, STRING, STRING], result: STRING },
    ([text, old, replacement]) => replaceAll(text as string, old as string, replacement as string),
  ),
  ToUpper: new Func({ params: [STRING], result: STRING }, ([text]) => upperCase(text as string)),
  ToLower: new Func({ params: [STRING], result: STRING }, ([text]) => lowerCase(text as string)),
}
