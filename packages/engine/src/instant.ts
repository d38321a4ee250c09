/** RFC 3339 with whole seconds in UTC, as Kubernetes stores times: `2026-08-17T10:00:00Z`. */
export function formatInstant(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`
}

/** Epoch milliseconds of a stored time; null when absent or unreadable. */
export function parseInstant(text: string | undefined | null): number | null {
  if (!text) return null
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : at
}
