/** meta/v1 Time: whole seconds, as `2026-08-01T12:00:00Z`. */
export function renderTime(at: number): string {
  return Temporal.Instant.fromEpochMilliseconds(at).toString({ smallestUnit: 'second' })
}

/** meta/v1 MicroTime, as `2026-08-01T12:00:00.000000Z`. */
export function renderMicroTime(at: number): string {
  return Temporal.Instant.fromEpochMilliseconds(at).toString({ fractionalSecondDigits: 6 })
}
