import { byteLength } from './go-string.ts'
import { type Printer, printValue } from './print-value.ts'
import { type Run, spendText } from './run.ts'
import { integerOf, isObject, typeName, type Value, wholeOf } from './value.ts'

/** Go's fmt.Sprint, Sprintln and Sprintf for our values. Mistakes become text, as in Go. */

export function sprint(values: readonly Value[], run: Run): string {
  let text = ''
  let previousIsString = false
  for (const [index, value] of values.entries()) {
    const isString = typeof value === 'string'
    if (index > 0 && !isString && !previousIsString) text += ' '
    text += show(value, run)
    previousIsString = isString
  }
  return text
}

export function sprintln(values: readonly Value[], run: Run): string {
  return `${values.map((value) => show(value, run)).join(' ')}\n`
}

/** `%v` of one value. */
export function show(value: Value, run: Run): string {
  if (typeof value === 'string') return value
  return printValue(value, 'v', plainPrinter(run))
}

/** Parts of one `%…` directive. */
interface Directive {
  flags: { minus: boolean; plus: boolean; sharp: boolean; space: boolean; zero: boolean }
  width: number | undefined
  precision: number | undefined
}

function plainPrinter(run: Run): Printer {
  return {
    run,
    flags: { minus: false, plus: false, sharp: false, space: false, zero: false },
    width: undefined,
    precision: undefined,
    goSyntax: false,
    fieldNames: false,
  }
}

/** Go refuses greater widths and precisions. */
const MAX_NUMBER = 1_000_000

export function sprintf(format: string, values: readonly Value[], run: Run): string {
  let text = ''
  let next = 0
  let reordered = false
  let at = 0

  while (at < format.length) {
    const percent = format.indexOf('%', at)
    if (percent < 0) break
    text += format.slice(at, percent)
    at = percent + 1
    const directive: Directive = {
      flags: { minus: false, plus: false, sharp: false, space: false, zero: false },
      width: undefined,
      precision: undefined,
    }
    at = readFlags(format, at, directive)
    let goodIndex = true
    let afterIndex = false

    const readIndex = () => {
      afterIndex = false
      if (format[at] !== '[') return
      reordered = true
      const match = /^\[(\d+)\]/.exec(format.slice(at, at + 12))
      const number = match ? Number(match[1]) : 0
      if (match && number >= 1 && number <= values.length) {
        next = number - 1
        afterIndex = true
        at += match[0].length
        return
      }
      goodIndex = false
      const close = format.indexOf(']', at)
      at = close < 0 ? at + 1 : close + 1
    }

    readIndex()
    if (format[at] === '*') {
      at++
      const width = starValue(values[next], run)
      next = Math.min(next + 1, values.length)
      if (width === undefined) text += '%!(BADWIDTH)'
      else if (width < 0) {
        directive.width = -width
        directive.flags.minus = true
        directive.flags.zero = false
      } else directive.width = width
      afterIndex = false
    } else {
      const digits = /^\d+/.exec(format.slice(at, at + 8))?.[0]
      if (digits !== undefined) {
        at += digits.length
        if (Number(digits) <= MAX_NUMBER) directive.width = Number(digits)
        if (afterIndex) goodIndex = false
      }
    }
    if (format[at] === '.' && at + 1 < format.length) {
      at++
      if (afterIndex) goodIndex = false
      readIndex()
      if (format[at] === '*') {
        at++
        const precision = starValue(values[next], run)
        next = Math.min(next + 1, values.length)
        if (precision === undefined || precision < 0) text += '%!(BADPREC)'
        else directive.precision = precision
        afterIndex = false
      } else {
        const digits = /^\d+/.exec(format.slice(at, at + 8))?.[0]
        directive.precision =
          digits === undefined || Number(digits) > MAX_NUMBER ? 0 : Number(digits)
        at += digits?.length ?? 0
      }
    }
    if (!afterIndex) readIndex()
    const verb = at < format.length ? String.fromCodePoint(format.codePointAt(at) ?? 0) : ''
    if (verb === '') {
      text += '%!(NOVERB)'
      break
    }
    at += verb.length
    if (verb === '%') text += '%'
    else if (!goodIndex) text += `%!${verb}(BADINDEX)`
    else if (next >= values.length) text += `%!${verb}(MISSING)`
    else {
      spendText(run, 16 + (directive.width ?? 0) + (directive.precision ?? 0))
      text += printArgument(values[next], verb, directive, run)
      next++
    }
  }
  text += format.slice(at)
  if (!reordered && next < values.length) {
    const extra = values
      .slice(next)
      .map((value) => (isNil(value) ? '<nil>' : `${typeName(value)}=${show(value, run)}`))
    text += `%!(EXTRA ${extra.join(', ')})`
  }
  spendText(run, byteLength(text))
  return text
}

function readFlags(format: string, start: number, directive: Directive): number {
  let at = start
  for (; at < format.length; at++) {
    switch (format[at]) {
      case '#':
        directive.flags.sharp = true
        break
      case '0':
        directive.flags.zero = true
        break
      case '+':
        directive.flags.plus = true
        break
      case '-':
        directive.flags.minus = true
        break
      case ' ':
        directive.flags.space = true
        break
      default:
        return at
    }
  }
  return at
}

function printArgument(value: Value, verb: string, directive: Directive, run: Run): string {
  const { sharp, plus } = directive.flags
  const printer: Printer = { ...directive, run, goSyntax: false, fieldNames: false }
  if (verb !== 'v' && verb !== 'w') return printValue(value, verb, printer)
  return printValue(value, verb, {
    ...printer,
    flags: { ...directive.flags, sharp: false, plus: false },
    goSyntax: sharp,
    fieldNames: plus,
  })
}

/** The argument of a `*`; undefined when it is no usable integer. */
function starValue(value: Value, run: Run): number | undefined {
  const whole =
    run.mode === 'default' && isObject(value) && value.kind === 'json-number'
      ? wholeOf(value)
      : integerOf(value)
  if (whole === undefined) return undefined
  const number = Number(whole)
  return Math.abs(number) <= MAX_NUMBER ? number : undefined
}

function isNil(value: Value): boolean {
  return value === undefined || value === null
}
