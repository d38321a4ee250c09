/**
 * A weight as the whole percent that some data planes count in; null: it is none, such as 15 of 1000.
 * `percentOf({ weight: 20, max: 1000 })` is 2.
 */
export function percentOf(share: { readonly weight: number; readonly max: number }): number | null {
  const percent = (share.weight * 100) / share.max
  return Number.isInteger(percent) ? percent : null
}
