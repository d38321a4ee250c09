import { FunctionFailure } from './run.ts'

/** Exact decimal arithmetic of sprig's `addf`, `mulf`, `divf`: 1.1 + 2.2 is 3.3. */
export interface Decimal {
  /** The value is `digits` × 10^-`scale`. */
  readonly digits: bigint
  readonly scale: number
}

export function decimalOf(float: number): Decimal {
  if (!Number.isFinite(float)) {
    const name = Number.isNaN(float) ? 'NaN' : float > 0 ? '+Inf' : '-Inf'
    throw new FunctionFailure(`Cannot create a Decimal from ${name}`)
  }
  const [mantissa = '0', exponent = '0'] = float.toExponential().split('e')
  const [whole = '0', fraction = ''] = mantissa.split('.')
  return { digits: BigInt(whole + fraction), scale: fraction.length - Number(exponent) }
}

export function floatOfDecimal({ digits, scale }: Decimal): number {
  return Number(`${digits}e${-scale}`)
}

export function add(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale)
  return { digits: scaled(a, scale) + scaled(b, scale), scale }
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  return add(a, { digits: -b.digits, scale: b.scale })
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return { digits: a.digits * b.digits, scale: a.scale + b.scale }
}

/** Rounded to 16 places, half away from zero. */
export function divide(a: Decimal, b: Decimal): Decimal {
  if (b.digits === 0n) throw new FunctionFailure('decimal division by 0')
  const shift = 16 + b.scale - a.scale
  const numerator = shift >= 0 ? a.digits * 10n ** BigInt(shift) : a.digits
  const denominator = shift >= 0 ? b.digits : b.digits * 10n ** BigInt(-shift)
  const quotient = numerator / denominator
  const rest = numerator % denominator
  if (magnitude(rest) * 2n < magnitude(denominator)) return { digits: quotient, scale: 16 }
  const away = numerator < 0n === denominator < 0n ? 1n : -1n
  return { digits: quotient + away, scale: 16 }
}

function scaled({ digits, scale }: Decimal, wanted: number): bigint {
  return digits * 10n ** BigInt(wanted - scale)
}

function magnitude(n: bigint): bigint {
  return n < 0n ? -n : n
}
