const UNITS_MS: Readonly<Record<string, number>> = {
  y: 365 * 24 * 3_600_000,
  w: 7 * 24 * 3_600_000,
  d: 24 * 3_600_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
}
const SHAPE = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/

/** A PromQL duration (`1h30m`, units in falling order, each once) in milliseconds, or undefined. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0
  const parts = text === '' ? null : SHAPE.exec(text)
  if (parts === null) return undefined
  return Object.values(UNITS_MS).reduce((sum, unit, i) => sum + unit * Number(parts[i + 1] ?? 0), 0)
}
