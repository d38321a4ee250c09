import { unquoteRune } from './go-string.ts'

/** What a number or character literal can be used as; see NumberNode. */
export type Literal =
  | {
      readonly ok: true
      readonly int: bigint | undefined
      readonly float: number | undefined
      readonly ideal: 'int' | 'float' | 'overflow'
    }
  | { readonly ok: false; readonly problem: string }

const MAX_INT64 = 2n ** 63n - 1n
const MIN_INT64 = -(2n ** 63n)
const MAX_UINT64 = 2n ** 64n - 1n

export function parseCharacterLiteral(source: string): Literal {
  const piece = unquoteRune(source.slice(1), "'")
  if (piece === undefined) return { ok: false, problem: 'invalid syntax' }
  if (piece.rest !== "'") {
    return { ok: false, problem: `malformed character constant: ${source}` }
  }
  return { ok: true, int: BigInt(piece.code), float: piece.code, ideal: 'int' }
}

export function parseNumberLiteral(source: string): Literal {
  if (source.endsWith('i')) {
    return { ok: false, problem: `complex numbers are not supported: ${JSON.stringify(source)}` }
  }
  const whole = parseGoInteger(source)
  if (whole !== undefined && whole >= MIN_INT64 && whole <= MAX_UINT64) {
    const int = whole <= MAX_INT64 ? whole : undefined
    return { ok: true, int, float: Number(whole), ideal: int === undefined ? 'overflow' : 'int' }
  }
  const float = parseGoFloat(source)
  if (float === undefined) {
    return { ok: false, problem: `illegal number syntax: ${JSON.stringify(source)}` }
  }
  if (!/[.eEpP]/.test(source)) {
    return { ok: false, problem: `integer overflow: ${JSON.stringify(source)}` }
  }
  const int = Number.isSafeInteger(float) ? BigInt(float) : undefined
  return { ok: true, int, float, ideal: 'float' }
}

/** strconv.ParseInt(text, 0, …) without its range check: base prefixes, `_` between digits. */
export function parseGoInteger(text: string): bigint | undefined {
  const match = /^([+-]?)(0[xX]|0[oO]|0[bB]|0)?(_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)?$/.exec(text)
  if (!match) return undefined
  const [, sign = '', prefix = '', body = ''] = match
  const digits = body.replaceAll('_', '')
  if (digits === '') return prefix === '0' ? 0n : undefined
  if (prefix === '' && body.startsWith('_')) return undefined
  const base = /x/i.test(prefix) ? 'x' : /b/i.test(prefix) ? 'b' : prefix === '' ? '' : 'o'
  const allowed =
    base === 'x' ? /^[0-9a-f]+$/i : base === 'b' ? /^[01]+$/ : base === 'o' ? /^[0-7]+$/ : /^\d+$/
  if (!allowed.test(digits)) return undefined
  const size = BigInt(base === '' ? digits : `0${base}${digits}`)
  return sign === '-' ? -size : size
}

/** strconv.ParseFloat; undefined for malformed text, infinite for what is out of range. */
export function parseGoFloat(text: string): number | undefined {
  if (/^[+-]?(inf|infinity)$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  if (/^nan$/i.test(text)) return Number.NaN
  const hex = /^([+-]?)0[xX]([0-9a-fA-F_]*)(?:\.([0-9a-fA-F_]*))?[pP]([+-]?\d+)$/.exec(text)
  if (hex) {
    const [, sign = '', whole = '', fraction = '', power = '0'] = hex
    const digits = (whole + fraction).replaceAll('_', '')
    if (digits === '') return undefined
    const size =
      Number(BigInt(`0x${digits}`)) * 2 ** (Number(power) - 4 * fraction.replaceAll('_', '').length)
    return sign === '-' ? -size : size
  }
  const plain = text.replace(/(?<=\d)_(?=\d)/g, '')
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(plain)) return undefined
  return Number(plain)
}
