import { formatFloat } from './float.ts'
import {
  bytesOf,
  canBackquote,
  compareStrings,
  isPrintable,
  quote,
  runeCount,
  stringOf,
} from './go-string.ts'
import type { Run } from './run.ts'
import { versionText } from './semver.ts'
import { formatDuration } from './time/duration.ts'
import { MONTHS, timeText, WEEKDAYS } from './time/layout.ts'
import {
  bytesIn,
  type GoInteger,
  type GoList,
  type GoMap,
  isObject,
  type JsonNumber,
  typeName,
  type Value,
  wholeOf,
} from './value.ts'

/** How one value is printed; `goSyntax` is `%#v`, `fieldNames` `%+v`. */
export interface Printer {
  readonly run: Run
  readonly flags: {
    readonly minus: boolean
    readonly plus: boolean
    readonly sharp: boolean
    readonly space: boolean
    readonly zero: boolean
  }
  readonly width: number | undefined
  readonly precision: number | undefined
  readonly goSyntax: boolean
  readonly fieldNames: boolean
}

export function printValue(value: Value, verb: string, printer: Printer): string {
  if (value === undefined || value === null) {
    return verb === 'v' || verb === 'T' ? pad('<nil>', printer) : `%!${verb}(<nil>)`
  }
  if (verb === 'T') return printString(typeName(value), 's', printer)
  // fmt names this type []byte when it is the argument itself.
  const text = printKnown(value, verb, printer)
  return printer.goSyntax && bytesIn(value) ? text.replace('[]uint8', '[]byte') : text
}

function printKnown(
  value: Exclude<Value, undefined | null>,
  verb: string,
  printer: Printer,
): string {
  printer.run.spend(1)
  switch (typeof value) {
    case 'boolean':
      return verb === 't' || verb === 'v'
        ? pad(String(value), printer)
        : badVerb(value, verb, printer)
    case 'string':
      return printString(value, verb, printer)
    case 'bigint':
      return printInteger(value, value, verb, printer)
    case 'number':
      return printFloat(value, value, verb, printer)
  }
  switch (value.kind) {
    case 'json-number':
      return printJsonNumber(value, verb, printer)
    case 'integer':
      return printTypedInteger(value, verb, printer)
    case 'list':
      return printList(value, verb, printer)
    case 'map':
      return printMap(value, verb, printer)
    case 'time':
      return printStringer(value, timeText(value), verb, printer)
    case 'version':
      return printStringer(value, versionText(value), verb, printer)
    case 'func':
      // Go prints the address of the code, which nobody can want.
      return verb === 'v' ? pad('0x0', printer) : badVerb(value, verb, printer)
  }
}

function badVerb(value: Value, verb: string, printer: Printer): string {
  const plain: Printer = {
    ...printer,
    goSyntax: false,
    fieldNames: false,
  }
  return `%!${verb}(${typeName(value)}=${printValue(value, 'v', plain)})`
}

function printStringer(value: Value, text: string, verb: string, printer: Printer): string {
  return 'vsxXq'.includes(verb)
    ? printString(text, verb, { ...printer, goSyntax: false })
    : badVerb(value, verb, printer)
}

function printJsonNumber(value: JsonNumber, verb: string, printer: Printer): string {
  const whole = printer.run.mode === 'default' ? wholeOf(value) : undefined
  if (whole !== undefined && (verb === 'v' || verb === 'd') && !Object.is(value.value, -0)) {
    return printInteger(whole, value, 'd', printer)
  }
  return printFloat(value.value, value, verb, printer)
}

function printTypedInteger(integer: GoInteger, verb: string, printer: Printer): string {
  const text = stringerText(integer)
  if (text !== undefined && 'vsxXq'.includes(verb) && !printer.goSyntax) {
    return printString(text, verb, printer)
  }
  return printInteger(integer.value, integer, verb, printer)
}

/** The String method of Go's integer types that have one. */
export function stringerText(integer: GoInteger): string | undefined {
  switch (integer.type) {
    case 'time.Duration':
      return formatDuration(integer.value)
    case 'time.Month':
      return MONTHS[Number(integer.value) - 1] ?? `%!Month(${integer.value})`
    case 'time.Weekday':
      return WEEKDAYS[Number(integer.value)] ?? `%!Weekday(${integer.value})`
    default:
      return undefined
  }
}

function printString(text: string, verb: string, printer: Printer): string {
  const { precision, flags } = printer
  const cut = () => (precision === undefined ? text : [...text].slice(0, precision).join(''))
  switch (verb) {
    case 'v':
    case 's':
      return verb === 'v' && printer.goSyntax ? pad(quote(cut()), printer) : pad(cut(), printer)
    case 'x':
    case 'X':
      return printHex(bytesOf(text), verb, printer)
    case 'q': {
      const kept = cut()
      if (flags.sharp && canBackquote(kept)) {
        return pad(`\`${kept}\``, printer)
      }
      return pad(quote(kept, { ascii: flags.plus }), printer)
    }
    default:
      return badVerb(text, verb, printer)
  }
}

function printHex(bytes: Uint8Array, verb: string, printer: Printer): string {
  const { flags, precision } = printer
  const prefix = flags.sharp ? `0${verb}` : ''
  const digits = [...bytes.subarray(0, precision ?? bytes.length)].map((byte) => {
    const hex = byte.toString(16).padStart(2, '0')
    return verb === 'X' ? hex.toUpperCase() : hex
  })
  if (digits.length === 0) return pad('', printer)
  const text = flags.space
    ? digits.map((digit) => prefix + digit).join(' ')
    : prefix + digits.join('')
  return pad(text, printer)
}

const BASES: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, O: 8, x: 16, X: 16 }

function printInteger(number: bigint, value: Value, verb: string, printer: Printer): string {
  const base = BASES[verb]
  if (base !== undefined)
    return printDigits(number, { base, verb, unsigned: isUnsigned(value) }, printer)
  const rune = number >= 0n && number <= 0x10ffffn ? Number(number) : 0xfffd
  const character = rune >= 0xd800 && rune <= 0xdfff ? '\ufffd' : String.fromCodePoint(rune)
  switch (verb) {
    case 'c':
      return pad(character, printer)
    case 'q':
      return pad(quote(character, { ascii: printer.flags.plus, mark: "'" }), printer)
    case 'U': {
      const digits = Math.max(4, printer.precision ?? 4)
      const hex = BigInt.asUintN(64, number).toString(16).toUpperCase().padStart(digits, '0')
      const shown =
        printer.flags.sharp && number >= 0n && isPrintable(character) ? ` '${character}'` : ''
      return pad(`U+${hex}${shown}`, spacePadded(printer))
    }
    default:
      return badVerb(value, verb, printer)
  }
}

function isUnsigned(value: Value): boolean {
  return isObject(value) && value.kind === 'integer' && value.type.startsWith('uint')
}

function printDigits(
  number: bigint,
  how: { base: number; verb: string; unsigned: boolean },
  printer: Printer,
): string {
  const { flags, precision, width } = printer
  const negative = number < 0n
  const size = negative ? -number : number
  if (precision === 0 && number === 0n) return ' '.repeat(width ?? 0)
  const goHex = printer.goSyntax && how.unsigned
  const base = goHex ? 16 : how.base
  let digits = size.toString(base)
  if (how.verb === 'X') digits = digits.toUpperCase()
  const signed = negative || flags.plus || flags.space
  const zeros =
    precision ?? (flags.zero && !flags.minus && width !== undefined ? width - (signed ? 1 : 0) : 0)
  digits = digits.padStart(zeros, '0')
  if (flags.sharp || goHex) {
    if (base === 2) digits = `0b${digits}`
    else if (base === 8 && !digits.startsWith('0')) digits = `0${digits}`
    else if (base === 16) digits = `0${how.verb === 'X' ? 'X' : 'x'}${digits}`
  }
  if (how.verb === 'O') digits = `0o${digits}`
  const sign = negative ? '-' : flags.plus ? '+' : flags.space ? ' ' : ''
  return pad(sign + digits, spacePadded(printer))
}

const FLOAT_PRECISION: Readonly<Record<string, number>> = {
  v: -1,
  g: -1,
  G: -1,
  b: -1,
  x: -1,
  X: -1,
  e: 6,
  E: 6,
  f: 6,
  F: 6,
}

function printFloat(number: number, value: Value, verb: string, printer: Printer): string {
  const standard = FLOAT_PRECISION[verb]
  if (standard === undefined) return badVerb(value, verb, printer)
  const { flags, width } = printer
  const precision = printer.precision ?? standard
  const format = verb === 'v' ? 'g' : verb === 'F' ? 'f' : verb
  const text = formatFloat(number, format, precision)
  const signed = /^[+-]/.test(text)
  const sign = signed ? text.slice(0, 1) : '+'
  const size = signed ? text.slice(1) : text
  const shownSign = sign === '-' ? '-' : flags.plus ? '+' : flags.space ? ' ' : ''
  if (!Number.isFinite(number)) {
    const plusInfinity = number === Infinity && shownSign === '' ? '+' : shownSign
    return pad(plusInfinity + size, spacePadded(printer))
  }
  const body = flags.sharp && verb !== 'b' ? withPoint(size, verb, precision) : size
  if (shownSign !== '' && flags.zero && !flags.minus && width !== undefined) {
    return shownSign + body.padStart(width - 1, '0')
  }
  return pad(shownSign + body, printer)
}

/** The `#` flag keeps the decimal point and, for %g, the trailing zeros. */
function withPoint(size: string, verb: string, precision: number): string {
  // The digits of a hexadecimal float can be e themselves.
  const [mantissa = '', tail = ''] = size.split(/x/i.test(verb) ? /(?=p)/i : /(?=[ep])/i)
  const pointed = mantissa.includes('.') ? mantissa : `${mantissa}.`
  if (!'vgGx'.includes(verb)) return pointed + tail
  const wanted = precision < 0 ? 6 : precision
  const significant = pointed.replace('.', '').replace(/^0+(?=.)/, '').length
  return pointed + '0'.repeat(Math.max(0, wanted - significant)) + tail
}

function printList(values: GoList, verb: string, printer: Printer): string {
  const bytes = 'sqxX'.includes(verb) ? bytesIn(values) : undefined
  if (bytes) {
    return verb === 'x' || verb === 'X'
      ? printHex(bytes, verb, printer)
      : printString(stringOf(bytes), verb, printer)
  }
  const items = values.items.map((item) => printElement(item, verb, printer))
  if (!printer.goSyntax) return `[${items.join(' ')}]`
  return values.isNil ? `${values.type}(nil)` : `${values.type}{${items.join(', ')}}`
}

function printMap(map: GoMap, verb: string, printer: Printer): string {
  const entries = sortedEntries(map).map(
    ([key, value]) => `${printElement(key, verb, printer)}:${printElement(value, verb, printer)}`,
  )
  if (!printer.goSyntax) return `map[${entries.join(' ')}]`
  return map.isNil ? `${map.type}(nil)` : `${map.type}{${entries.join(', ')}}`
}

function printElement(value: Value, verb: string, printer: Printer): string {
  if (value !== undefined && value !== null) return printKnown(value, verb, printer)
  return printer.goSyntax ? 'interface {}(nil)' : '<nil>'
}

export function sortedEntries(map: GoMap): [string, Value][] {
  return [...map.entries].sort(([a], [b]) => compareStrings(a, b))
}

function spacePadded(printer: Printer): Printer {
  return { ...printer, flags: { ...printer.flags, zero: false } }
}

/** Zeros pad on the left only, and Go pads strings with them too. */
function pad(text: string, printer: Printer): string {
  const { width, flags } = printer
  const missing = (width ?? 0) - runeCount(text)
  if (missing <= 0) return text
  if (flags.minus) return text + ' '.repeat(missing)
  return (flags.zero ? '0' : ' ').repeat(missing) + text
}
