/** How a quantity was written, and thus how it is printed again. */
export type QuantityFormat = 'decimalSI' | 'binarySI' | 'decimalExponent'

/** An exact amount: `nanos` billionths. Anything finer is rounded away from zero. */
export interface Quantity {
  readonly nanos: bigint
  readonly format: QuantityFormat
  /** The text a Kubernetes server stores for it. */
  readonly canonical: string
}

const decimalSuffixes: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
])
const binarySuffixes: readonly string[] = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const decimalSuffixOf: ReadonlyMap<number, string> = new Map(
  [...decimalSuffixes].map(([suffix, exponent]) => [exponent, suffix]),
)

/** Go's scanner takes every one of these parts as optional: `m` alone is zero. */
const parts = /^([+-]?)0*([0-9]*)(\.([0-9]*))?([eEinumkKMGTP]*[+-]?[0-9]*)$/
const nano = 1_000_000_000n
const nanosPerMilli = 1_000_000n
/** Amounts above 10^1000 serve nobody, and their bigints would only cost memory. */
const largestExponent = 1000
const largestBinary = (2n ** 63n - 1n) * nano

/**
 * Reads a Kubernetes quantity; undefined for text that a server refuses. Source: apimachinery
 * `pkg/api/resource`. Decimal exponents above 1000 are refused, which upstream does not.
 */
export function parseQuantity(text: string): Quantity | undefined {
  const match = text === '' ? null : parts.exec(text)
  if (!match) return undefined
  const sign = match[1] === '-' ? -1n : 1n
  const whole = match[2] || '0'
  const fraction = match[4] ?? ''
  const unit = unitOf(match[5] ?? '')
  if (!unit) return undefined

  const digits = whole + fraction
  const magnitude = roundedNanos(BigInt(digits), unit, fraction.length)
  if (magnitude === undefined) return undefined
  const nanos =
    sign * (unit.format === 'binarySI' && magnitude > largestBinary ? largestBinary : magnitude)
  const kept = keepsItsText({ whole, fraction, digits, unit })
  return { nanos, format: unit.format, canonical: kept ? text : canonicalText(nanos, unit.format) }
}

/** The text a server stores for a quantity (`1000m` becomes `1`); undefined for a bad one. */
export function canonicalQuantity(text: string): string | undefined {
  return parseQuantity(text)?.canonical
}

/** The amount as a float (`500m` is 0.5); undefined for text that is no quantity. */
export function quantityToNumber(text: string): number | undefined {
  const quantity = parseQuantity(text)
  if (!quantity) return undefined
  const { nanos } = quantity
  return nanos % nano === 0n ? Number(nanos / nano) : Number(nanos) / 1e9
}

/** The exact sum, written in the format of the first that is not zero. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  if (b.nanos === 0n) return a
  const format = a.nanos === 0n ? b.format : a.format
  const nanos = a.nanos + b.nanos
  return { nanos, format, canonical: canonicalText(nanos, format) }
}

/** Rounded away from zero to thousandths, as servers store resource lists. */
export function roundToMilli(quantity: Quantity): Quantity {
  const { nanos, format } = quantity
  const rest = nanos % nanosPerMilli
  if (rest === 0n) return quantity
  const rounded = nanos - rest + (nanos > 0n ? nanosPerMilli : -nanosPerMilli)
  return { nanos: rounded, format, canonical: canonicalText(rounded, format) }
}

/** Upstream's words for a text that is no quantity; undefined for a good one. */
export function quantityProblem(text: string): string | undefined {
  if (parseQuantity(text)) return undefined
  return text !== '' && parts.test(text)
    ? "unable to parse quantity's suffix"
    : "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
}

interface Unit {
  readonly format: QuantityFormat
  /** Power of ten, or of two for binarySI. */
  readonly exponent: number
}

function unitOf(suffix: string): Unit | undefined {
  const decimal = decimalSuffixes.get(suffix)
  if (decimal !== undefined) return { format: 'decimalSI', exponent: decimal }
  const binary = binarySuffixes.indexOf(suffix)
  if (binary > 0) return { format: 'binarySI', exponent: binary * 10 }
  if (!/^[eE][+-]?[0-9]+$/.test(suffix)) return undefined
  return { format: 'decimalExponent', exponent: Number(suffix.slice(1)) }
}

function roundedNanos(digits: bigint, unit: Unit, fractionDigits: number): bigint | undefined {
  if (digits === 0n) return 0n
  const binary = unit.format === 'binarySI'
  const scaled = binary ? digits << BigInt(unit.exponent) : digits
  const exponent = 9 - fractionDigits + (binary ? 0 : unit.exponent)
  if (exponent > largestExponent) return undefined
  if (exponent >= 0) return scaled * 10n ** BigInt(exponent)
  if (-exponent > largestExponent) return 1n
  const divisor = 10n ** BigInt(-exponent)
  return (scaled + divisor - 1n) / divisor
}

/**
 * Go keeps the text of an amount that looks canonical to its fast path, even where it is not
 * (`1.500`, `+5`), and the pod template hash sees that text.
 */
function keepsItsText(amount: {
  readonly whole: string
  readonly fraction: string
  readonly digits: string
  readonly unit: Unit
}): boolean {
  const { whole, fraction, digits, unit } = amount
  if (unit.format === 'binarySI') {
    const precision = 14 - whole.length - Math.trunc((unit.exponent * 3) / 10)
    return fraction === '' && precision >= 0 && (BigInt(digits) & 7n) !== 0n
  }
  const scale = unit.exponent - fraction.length
  const fast = digits.length <= 18 && scale >= -9
  return fast && scale % 3 === 0 && !digits.endsWith('000') && !digits.startsWith('0')
}

function canonicalText(nanos: bigint, format: QuantityFormat): string {
  if (nanos === 0n) return '0'
  const magnitude = nanos < 0n ? -nanos : nanos
  const sign = nanos < 0n ? '-' : ''
  // Below one Ki, or with a fraction, the binary form would have to round.
  const binary = format === 'binarySI' && magnitude >= 1024n * nano && magnitude % nano === 0n
  return sign + (binary ? binaryText(magnitude / nano) : decimalText(magnitude, format))
}

function binaryText(amount: bigint): string {
  let rest = amount
  let power = 0
  while (rest >= 1024n && rest % 1024n === 0n) {
    rest /= 1024n
    power++
  }
  return `${rest}${binarySuffixes[power] ?? ''}`
}

function decimalText(nanos: bigint, format: QuantityFormat): string {
  let rest = nanos
  let exponent = -9
  while (rest >= 10n && rest % 10n === 0n) {
    rest /= 10n
    exponent++
  }
  while (exponent % 3 !== 0) {
    rest *= 10n
    exponent--
  }
  if (format === 'decimalExponent') return exponent === 0 ? `${rest}` : `${rest}e${exponent}`
  // Above exa there is no suffix, and upstream prints the bare mantissa.
  return `${rest}${decimalSuffixOf.get(exponent) ?? ''}`
}
