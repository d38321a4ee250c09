// Numbers as Go prints them; clients compare these texts.

/** A sample value in an API answer: decimal, with an exponent below 1e-6 and from 1e21 on (Prometheus `jsonutil.MarshalFloat`). */
export function formatValue(value: number): string {
  return special(value) ?? withTwoDigitExponent(String(value))
}

/** Go's `FormatFloat(x, 'f', -1)`: never an exponent. `count_values` makes labels of it. */
export function formatPlain(value: number): string {
  const fixed = special(value)
  if (fixed !== undefined) return fixed
  const text = String(value)
  const parts = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text)
  if (parts === null) return text
  const [, sign, head, tail = '', exponent] = parts
  const digits = `${head}${tail}`
  const point = 1 + Number(exponent)
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`
  return `${sign}${digits.padEnd(point, '0')}`
}

/** Go's `%g` and `%v`: shortest digits, an exponent below 1e-4 and from 1e6 on (1000000 prints as 1e+06). */
export function formatShortest(value: number): string {
  const fixed = special(value)
  if (fixed !== undefined) return fixed
  return asGeneral(value.toExponential(), 6)
}

/** Go's `%.2g`. */
export function formatTwoDigits(value: number): string {
  return special(value) ?? asGeneral(value.toExponential(1), 2)
}

/** 1.0e+1 → 10 or 1e+01, depending on where the exponent form begins. */
function asGeneral(exponential: string, exponentFrom: number): string {
  const [mantissa = '', exponentText] = exponential.split('e')
  const exponent = Number(exponentText)
  const short = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa
  if (exponent < -4 || exponent >= exponentFrom)
    return withTwoDigitExponent(`${short}e${exponent < 0 ? '' : '+'}${exponent}`)
  return formatPlain(Number(exponential))
}

function special(value: number): string | undefined {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return Object.is(value, -0) ? '-0' : undefined
}

function withTwoDigitExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2')
}

/** Go's `ParseFloat` as far as label values need it; undefined when it is not a number. */
export function parseFloatText(text: string): number | undefined {
  const infinity = /^([+-]?)inf(inity)?$/i.exec(text)
  if (infinity !== null)
    return infinity[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  if (/^nan$/i.test(text)) return Number.NaN
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined
}
