/** A share as people read it, at most two digits and never rounded up: 0.0999 is `9.9`. */
export function percent(share: number): string {
  const value = share * 100
  if (value <= 0) return '0'
  const step = 10 ** (Math.floor(Math.log10(value)) - 1)
  return String(Number((Math.floor(value / step + 1e-9) * step).toPrecision(3)))
}
