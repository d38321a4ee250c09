/** Default of maxSurge and maxUnavailable: text, hence a percentage. */
export const defaultPercentage = '25'

/** How many pods may exist beyond, and be missing from, the wanted number. */
export interface Fenceposts {
  readonly surge: number
  readonly unavailable: number
}

/**
 * Pods for `maxSurge` (rounded up) and `maxUnavailable` (rounded down); both 0 makes unavailable 1.
 * Absent means 25%. A number is a count, any text a percentage (`"3"` is 3%); text that is no number
 * makes both 0, as upstream does (spec api 8.2). 10 replicas at 25% each: surge 3, unavailable 2.
 */
export function resolveFenceposts(options: {
  readonly maxSurge: number | string | undefined
  readonly maxUnavailable: number | string | undefined
  readonly replicas: number
}): Fenceposts {
  const { replicas } = options
  const surge = podsOf(options.maxSurge ?? defaultPercentage, replicas, Math.ceil)
  const unavailable = podsOf(options.maxUnavailable ?? defaultPercentage, replicas, Math.floor)
  if (surge === undefined || unavailable === undefined) return { surge: 0, unavailable: 0 }
  if (surge === 0 && unavailable === 0) return { surge, unavailable: Math.min(1, replicas) }
  return { surge, unavailable: Math.min(unavailable, replicas) }
}

/**
 * Pods that may be missing at once in a restart: `maxUnavailable`, rounded down, at most `replicas`.
 */
export function resolveUnavailable(
  maxUnavailable: number | string | undefined,
  replicas: number,
): number {
  return resolveFenceposts({ maxSurge: 0, maxUnavailable, replicas }).unavailable
}

/** The number in a percentage, with or without `%`; undefined for other text. `"25%"` is 25. */
export function percentOf(text: string): number | undefined {
  const digits = text.endsWith('%') ? text.slice(0, -1) : text
  return /^[+-]?\d+$/.test(digits) ? Number(digits) : undefined
}

/**
 * A count or limit of a metric. Text is read as a whole number; text that is none counts as 0
 * (spec api 4.1). Undefined stays undefined.
 */
export function intOrStringCount(value: number | string): number
export function intOrStringCount(value: number | string | undefined): number | undefined
export function intOrStringCount(value: number | string | undefined): number | undefined {
  if (value === undefined || typeof value === 'number') return value
  return isWholeNumber(value) ? Number(value) : 0
}

/** Whether a count or limit of a metric is one: `10%` is none. */
export function isWholeNumber(value: number | string): boolean {
  return typeof value === 'number' || /^[+-]?\d+$/.test(value)
}

function podsOf(
  value: number | string,
  replicas: number,
  round: (value: number) => number,
): number | undefined {
  if (typeof value === 'number') return value
  const percent = percentOf(value)
  return percent === undefined ? undefined : round((percent * replicas) / 100)
}
