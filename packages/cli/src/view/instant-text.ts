/** RFC 3339 in UTC with whole seconds, as Kubernetes writes instants. @param at epoch milliseconds */
export function secondsText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`
}
