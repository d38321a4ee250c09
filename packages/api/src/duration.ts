const nanosecondsPer: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}
const longest = 2n ** 63n
const piece = /^(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/

/**
 * Milliseconds of a duration in Go's grammar (`1h30m`, `.5s`, `-2m`, `0`); undefined for anything
 * else, such as `5`, `1d`, `10 m` or a span of more than 292 years. Source: spec api 8.1.
 */
export function parseDuration(text: string): number | undefined {
  const nanoseconds = parseNanoseconds(text)
  return nanoseconds === undefined ? undefined : Number(nanoseconds) / 1e6
}

/** What Go's time.ParseDuration says of a text that `parseDuration` refuses. */
export function durationProblem(text: string): string {
  const quoted = JSON.stringify(text)
  let rest = text.replace(/^[+-]/, '')
  if (rest === '') return `time: invalid duration ${quoted}`
  while (rest !== '') {
    const number = /^(?:\d+\.?\d*|\.\d+)/.exec(rest)
    if (!number) return `time: invalid duration ${quoted}`
    rest = rest.slice(number[0].length)
    const unit = /^[^.\d]+/.exec(rest)
    if (!unit) return `time: missing unit in duration ${quoted}`
    if (!Object.hasOwn(nanosecondsPer, unit[0])) {
      return `time: unknown unit ${JSON.stringify(unit[0])} in duration ${quoted}`
    }
    rest = rest.slice(unit[0].length)
  }
  return `time: invalid duration ${quoted}`
}

function parseNanoseconds(text: string): bigint | undefined {
  const negative = text.startsWith('-')
  let rest = negative || text.startsWith('+') ? text.slice(1) : text
  if (rest === '0') return 0n
  if (rest === '') return undefined
  let sum = 0n
  while (rest !== '') {
    const found = piece.exec(rest)
    const [all, whole = '', fraction = '', unit = ''] = found ?? []
    const scale = nanosecondsPer[unit]
    if (all === undefined || scale === undefined || (whole === '' && fraction === '')) {
      return undefined
    }
    sum += BigInt(whole || '0') * scale
    // Go cuts the fraction off below one nanosecond.
    if (fraction !== '') sum += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length)
    if (sum > longest) return undefined
    rest = rest.slice(all.length)
  }
  if (sum === longest && !negative) return undefined
  return negative ? -sum : sum
}

/** How long a pause step waits. */
export type PauseDuration =
  /** Until somebody promotes. */
  | { readonly kind: 'indefinite' }
  /** `normalizedFrom` is the text as written, when a trailing `.` or `,` had to be dropped. */
  | { readonly kind: 'seconds'; readonly seconds: number; readonly normalizedFrom?: string }
  /** Not a duration, or one below 0. */
  | { readonly kind: 'invalid'; readonly text: string }

/**
 * Reads `pause.duration`: whole seconds as number or text, else a duration, cut to seconds (spec api
 * 8.1). One trailing `.` or `,` is forgiven (spec api 15.2 B1).
 */
export function parsePauseDuration(duration: number | string | undefined | null): PauseDuration {
  if (duration === undefined || duration === null) return { kind: 'indefinite' }
  const seconds = secondsOf(duration)
  if (seconds !== undefined) {
    return seconds < 0 ? { kind: 'invalid', text: String(duration) } : { kind: 'seconds', seconds }
  }
  const text = String(duration)
  if (/[^.,][.,]$/.test(text)) {
    const mended = secondsOf(text.slice(0, -1))
    if (mended !== undefined && mended >= 0) {
      return { kind: 'seconds', seconds: mended, normalizedFrom: text }
    }
  }
  return { kind: 'invalid', text }
}

function secondsOf(duration: number | string): number | undefined {
  if (typeof duration === 'number') return Number.isInteger(duration) ? duration : undefined
  if (/^[+-]?\d+$/.test(duration)) {
    const seconds = Number(duration)
    if (Math.abs(seconds) < 2 ** 31 || seconds === -(2 ** 31)) return seconds
  }
  const nanoseconds = parseNanoseconds(duration)
  if (nanoseconds === undefined) return undefined
  const seconds = Number(nanoseconds / 1_000_000_000n)
  // Upstream keeps seconds in 32 bits; a pause of 68 years and more is a slip of the pen.
  return seconds < 2 ** 31 ? seconds : undefined
}

/** Go's Duration.String of milliseconds: `1h30m0s`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(durationMs: number): string {
  const nanoseconds = BigInt(Math.round(durationMs * 1e6))
  if (nanoseconds === 0n) return '0s'
  const sign = nanoseconds < 0n ? '-' : ''
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds
  if (size < 1_000_000_000n) {
    const unit = size < 1_000n ? 'ns' : size < 1_000_000n ? 'µs' : 'ms'
    return `${sign}${decimal(size, nanosecondsPer[unit] ?? 1n)}${unit}`
  }
  const minutes = size / 60_000_000_000n
  const seconds = `${decimal(size % 60_000_000_000n, 1_000_000_000n)}s`
  if (minutes === 0n) return `${sign}${seconds}`
  if (minutes < 60n) return `${sign}${minutes}m${seconds}`
  return `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`
}

function decimal(value: bigint, unit: bigint): string {
  const digits = String(unit).length - 1
  const fraction = String(value % unit)
    .padStart(digits, '0')
    .replace(/0+$/, '')
  return fraction === '' || digits === 0 ? String(value / unit) : `${value / unit}.${fraction}`
}
