/**
 * A number that may stand as text, since arguments can only be filled into text, and as a percentage: `1%` is 0.01.
 * Undefined for what is no finite number.
 */
export function parseNumber(value: number | string): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  const [, digits, percent] =
    /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(%?)\s*$/.exec(value) ?? []
  if (digits === undefined) return undefined
  // A smaller exponent, since a division by 100 would leave an error in the last digit.
  if (!percent) return Number(digits)
  return /e/i.test(digits) ? Number(digits) / 100 : Number(`${digits}e-2`)
}
