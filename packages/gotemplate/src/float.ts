/** How Go writes floats: strconv.FormatFloat for e, E, f, g, G, x, X and b. */

/**
 * A float as Go's strconv.FormatFloat writes it: `formatFloat(0.125, 'f', 2)` is `0.12`. `precision` -1 asks for the fewest
 * digits that read back as the same number.
 */
export function formatFloat(value: number, verb: string, precision: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const size = Math.abs(value)
  switch (verb) {
    case 'e':
    case 'E':
      return (
        sign +
        cased(exponential(decimalOf(size, precision < 0 ? -1 : precision + 1), precision), verb)
      )
    case 'f':
      return sign + fixed(size, precision)
    case 'g':
    case 'G':
      return sign + cased(general(size, precision), verb)
    case 'x':
    case 'X':
      return sign + cased(hexadecimal(size, precision), verb)
    default:
      return sign + binary(size)
  }
}

/** Digits d1 d2 d3… and the place of the point: 0.d1d2d3… × 10^point. */
interface Decimal {
  readonly digits: string
  readonly point: number
}

function cased(text: string, verb: string): string {
  return verb >= 'a' ? text : text.toUpperCase()
}

/** `count` significant digits, -1 for the shortest that round-trip. */
function decimalOf(size: number, count: number): Decimal {
  if (size === 0) return { digits: '', point: 0 }
  if (count < 0) return shortest(size)
  return roundDecimal(exact(size), count)
}

function shortest(size: number): Decimal {
  const [mantissa = '', exponent = '0'] = size.toExponential().split('e')
  return { digits: mantissa.replace('.', ''), point: Number(exponent) + 1 }
}

// Every float is a finite decimal: m × 2^-k = m × 5^k / 10^k. Number.prototype.toFixed is not usable,
// it rounds exact ties up where Go rounds them to even.
function exact(size: number): Decimal {
  const { mantissa, exponent } = parts(size)
  if (exponent >= 0) {
    const digits = (mantissa << BigInt(exponent)).toString()
    return { digits, point: digits.length }
  }
  const digits = (mantissa * 5n ** BigInt(-exponent)).toString()
  return { digits, point: digits.length + exponent }
}

function parts(size: number): { mantissa: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, size)
  const bits = view.getBigUint64(0)
  const biased = Number((bits >> 52n) & 0x7ffn)
  const fraction = bits & 0xfffffffffffffn
  if (biased === 0) return { mantissa: fraction, exponent: -1074 }
  return { mantissa: fraction | (1n << 52n), exponent: biased - 1075 }
}

function roundDecimal(decimal: Decimal, count: number): Decimal {
  if (count >= decimal.digits.length) return decimal
  if (count < 0) return { digits: '', point: decimal.point }
  const kept = decimal.digits.slice(0, count)
  const rest = decimal.digits.slice(count)
  const half = rest[0] === '5' && /^50*$/.test(rest)
  const up = half ? Number(kept.at(-1) ?? '0') % 2 === 1 : (rest[0] ?? '0') >= '5'
  if (!up) return { digits: kept, point: decimal.point }
  const raised = (BigInt(kept === '' ? '0' : kept) + 1n).toString()
  if (raised.length > kept.length) return { digits: raised, point: decimal.point + 1 }
  return { digits: raised.padStart(count, '0'), point: decimal.point }
}

function exponential(decimal: Decimal, precision: number): string {
  const first = decimal.digits[0] ?? '0'
  const fraction =
    precision < 0
      ? decimal.digits.slice(1)
      : decimal.digits.slice(1, precision + 1).padEnd(precision, '0')
  const exponent = decimal.digits === '' ? 0 : decimal.point - 1
  const size = Math.abs(exponent).toString().padStart(2, '0')
  return `${first}${fraction === '' ? '' : `.${fraction}`}e${exponent < 0 ? '-' : '+'}${size}`
}

function fixed(size: number, precision: number): string {
  if (size === 0) return precision > 0 ? `0.${'0'.repeat(precision)}` : '0'
  if (precision < 0) return positional(shortest(size))
  const decimal = exact(size)
  const rounded = roundDecimal(decimal, decimal.point + precision)
  // Rounding may have left no digit at all: 0.001 with two places is 0.00.
  const [whole = '0', fraction = ''] = positional(
    rounded.digits === '' ? { digits: '', point: 0 } : rounded,
  ).split('.')
  return precision === 0 ? whole : `${whole}.${fraction.slice(0, precision).padEnd(precision, '0')}`
}

// Exponent form below 1e-4 and from 10^precision on; the shortest digits count as precision 6, so 1e+06
// is where a JavaScript number would still print 1000000.
function general(size: number, precision: number): string {
  if (size === 0) return '0'
  const wanted = precision === 0 ? 1 : precision
  const decimal = decimalOf(size, wanted)
  const { point } = decimal
  const digits = decimal.digits.replace(/0+$/, '')
  const isWhole = digits.length >= point
  const threshold = wanted < 0 ? 6 : wanted > digits.length && isWhole ? digits.length : wanted
  if (point - 1 < -4 || point - 1 >= threshold) return exponential({ digits, point }, -1)
  return positional({ digits, point })
}

function positional({ digits, point }: Decimal): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0'
  const fraction = '0'.repeat(Math.max(-point, 0)) + digits.slice(Math.max(point, 0))
  return fraction === '' ? whole : `${whole}.${fraction}`
}

function hexadecimal(size: number, precision: number): string {
  if (size === 0) return `0x0${precision > 0 ? `.${'0'.repeat(precision)}` : ''}p+00`
  let { mantissa, exponent } = parts(size)
  while (mantissa < 1n << 52n) {
    mantissa <<= 1n
    exponent--
  }
  exponent += 52
  if (precision >= 0 && precision < 13) {
    const drop = BigInt(4 * (13 - precision))
    const rest = mantissa & ((1n << drop) - 1n)
    const half = 1n << (drop - 1n)
    mantissa >>= drop
    if (rest > half || (rest === half && (mantissa & 1n) === 1n)) mantissa++
    mantissa <<= drop
    if (mantissa >= 1n << 53n) {
      mantissa >>= 1n
      exponent++
    }
  }
  const hex = (mantissa & ((1n << 52n) - 1n)).toString(16).padStart(13, '0')
  const fraction =
    precision < 0 ? hex.replace(/0+$/, '') : hex.slice(0, precision).padEnd(precision, '0')
  const power = Math.abs(exponent).toString().padStart(2, '0')
  return `0x1${fraction === '' ? '' : `.${fraction}`}p${exponent < 0 ? '-' : '+'}${power}`
}

function binary(size: number): string {
  const { mantissa, exponent } = parts(size)
  return `${mantissa}p${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`
}
