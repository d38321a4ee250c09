import { percentOf } from '../int-or-string.ts'
import { invalid, type Problem } from '../problem.ts'

export function atLeast(
  least: number,
  value: number | undefined,
  path: string,
): readonly Problem[] {
  if (value === undefined || value >= least) return []
  return [invalid(path, value, `must be greater than or equal to ${least}`)]
}

export function between(
  range: { readonly least: number; readonly most: number },
  value: number | undefined,
  path: string,
): readonly Problem[] {
  const { least, most } = range
  if (value === undefined || (value >= least && value <= most)) return []
  return [invalid(path, value, `must be between ${least} and ${most}`)]
}

/** A count that is not negative, or a text that is a percentage. */
export function intOrPercentExtras(
  value: number | string | undefined,
  path: string,
): readonly Problem[] {
  if (value === undefined) return []
  const number = typeof value === 'number' ? value : percentOf(value)
  if (number === undefined) {
    return [invalid(path, value, 'must be a whole number or a percentage such as "25%"')]
  }
  return number < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : []
}
