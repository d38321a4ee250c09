import { arg, type Builtin, bySignature, type Context, typeText } from './builtin.ts'
import { formatValue, toJsonText } from './go-format.ts'
import { byteLength, fromBytes, toBytes } from './go-text.ts'
import { ANY, ANY_SLICE, BOOL, type GoType, INT, STRING, STRING_SLICE } from './go-type.ts'
import { assertedString, toInt } from './operators.ts'
import { parseJson } from './parse-json.ts'
import { itemsOf, NIL_SLICE, Panic, Slice, typeName, typeOf, type Value } from './value.ts'

/** Text, JSON and base64. Source: spec analysis-and-experiments 3.8. */
export const TEXT_BUILTINS: readonly (readonly [string, Builtin])[] = [
  ['string', texts([[ANY]], STRING, (args, { budget }) => formatValue(arg(args, 0), budget))],
  [
    'trim',
    texts([[STRING], [STRING, STRING]], STRING, (args) =>
      args.length === 1 ? trimSpace(text(args, 0)) : trimSet(text(args, 0), new Set(text(args, 1))),
    ),
  ],
  [
    'trimPrefix',
    texts([[STRING, STRING], [STRING]], STRING, (args) => {
      const prefix = args.length === 2 ? text(args, 1) : ' '
      const value = text(args, 0)
      return value.startsWith(prefix) ? value.slice(prefix.length) : value
    }),
  ],
  [
    'trimSuffix',
    texts([[STRING, STRING], [STRING]], STRING, (args) => {
      const suffix = args.length === 2 ? text(args, 1) : ' '
      const value = text(args, 0)
      return value.endsWith(suffix) ? value.slice(0, value.length - suffix.length) : value
    }),
  ],
  ['upper', texts([[STRING]], STRING, (args) => upperCase(text(args, 0)))],
  ['lower', texts([[STRING]], STRING, (args) => lowerCase(text(args, 0)))],
  [
    'split',
    texts(
      [
        [STRING, STRING],
        [STRING, STRING, INT],
      ],
      STRING_SLICE,
      (args) => pieces(args, false),
    ),
  ],
  [
    'splitAfter',
    texts(
      [
        [STRING, STRING],
        [STRING, STRING, INT],
      ],
      STRING_SLICE,
      (args) => pieces(args, true),
    ),
  ],
  [
    'replace',
    texts(
      [
        [STRING, STRING, STRING, INT],
        [STRING, STRING, STRING],
      ],
      STRING,
      replace,
    ),
  ],
  [
    'repeat',
    texts([[STRING, INT]], STRING, (args, { budget }) => {
      const value = text(args, 0)
      const count = toInt(arg(args, 1))
      if (count < 0n) {
        throw new Panic(`invalid argument for repeat (expected positive integer, got ${count})`)
      }
      if (count > 1_000_000n) throw new Panic('memory budget exceeded')
      budget.grow(byteLength(value) * Number(count))
      return value.repeat(Number(count))
    }),
  ],
  [
    'join',
    texts(
      [[STRING_SLICE, STRING], [ANY_SLICE, STRING], [ANY_SLICE], [STRING_SLICE]],
      STRING,
      (args, { budget }) => {
        const glue = args.length === 2 ? text(args, 1) : ''
        const array = arg(args, 0)
        if (!Array.isArray(array) && typeName(array) !== STRING_SLICE.name) {
          throw new Panic(`invalid argument for join (type ${typeText(typeOf(array))})`)
        }
        const parts = (itemsOf(array) ?? []).map(assertedString)
        budget.spendText(parts.reduce((sum, part) => sum + part.length + glue.length, 0))
        return parts.join(glue)
      },
    ),
  ],
  [
    'indexOf',
    texts([[STRING, STRING]], INT, (args) =>
      byteIndex(text(args, 0), text(args, 0).indexOf(text(args, 1))),
    ),
  ],
  [
    'lastIndexOf',
    texts([[STRING, STRING]], INT, (args) =>
      byteIndex(text(args, 0), text(args, 0).lastIndexOf(text(args, 1))),
    ),
  ],
  ['hasPrefix', texts([[STRING, STRING]], BOOL, (args) => text(args, 0).startsWith(text(args, 1)))],
  ['hasSuffix', texts([[STRING, STRING]], BOOL, (args) => text(args, 0).endsWith(text(args, 1)))],
  ['toJSON', texts([[ANY]], STRING, (args, { budget }) => toJsonText(arg(args, 0), budget))],
  ['fromJSON', texts([[STRING]], ANY, (args) => parseJson(text(args, 0)))],
  [
    'toBase64',
    texts([[STRING]], STRING, (args) => {
      const bytes = toBytes(text(args, 0))
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
    }),
  ],
  ['fromBase64', texts([[STRING]], STRING, (args) => fromBase64(text(args, 0)))],
]

/** A builtin whose forms differ in their parameters; what it reads counts as work. */
function texts(
  forms: readonly (readonly GoType[])[],
  result: GoType,
  run: Builtin['run'],
): Builtin {
  return bySignature(
    forms.map((params) => ({ params, result })),
    (args, context: Context) => {
      for (const value of args)
        if (typeof value === 'string') context.budget.spendText(value.length)
      return run(args, context)
    },
  )
}

function text(args: readonly Value[], index: number): string {
  return assertedString(arg(args, index))
}

function trimSpace(value: string): string {
  return trimWhere(value, (char) => /^\p{White_Space}$/u.test(char))
}

function trimSet(value: string, set: ReadonlySet<string>): string {
  return trimWhere(value, (char) => set.has(char))
}

/** Not by a regular expression: a run of blanks inside would make it take quadratic time. */
function trimWhere(value: string, isCut: (char: string) => boolean): string {
  const chars = Array.from(value)
  let start = 0
  let end = chars.length
  while (start < end && isCut(chars[start] ?? '')) start++
  while (end > start && isCut(chars[end - 1] ?? '')) end--
  return chars.slice(start, end).join('')
}

/** Go maps character by character, so `ß` stays and no letter depends on its neighbours. */
export function upperCase(value: string): string {
  return Array.from(value, (char) => single(char, char.toUpperCase())).join('')
}

export function lowerCase(value: string): string {
  return Array.from(value, (char) => (char === 'İ' ? 'i' : single(char, char.toLowerCase()))).join(
    '',
  )
}

function single(char: string, changed: string): string {
  const code = changed.codePointAt(0)
  return code !== undefined && String.fromCodePoint(code) === changed ? changed : char
}

/** Go's `SplitN` and `SplitAfterN`. */
function pieces(args: readonly Value[], keepSeparator: boolean): Value {
  const value = text(args, 0)
  const separator = text(args, 1)
  const limit = args.length === 3 ? toInt(arg(args, 2)) : -1n
  if (limit === 0n) return new Slice(STRING_SLICE, NIL_SLICE)
  const parts = separator === '' ? Array.from(value) : value.split(separator)
  const count = limit < 0n || limit > BigInt(parts.length) ? parts.length : Number(limit)
  const kept = parts.slice(0, count)
  if (count < parts.length) kept[count - 1] = parts.slice(count - 1).join(separator)
  if (keepSeparator) {
    for (let i = 0; i < kept.length - 1; i++) kept[i] += separator
  }
  return new Slice(STRING_SLICE, kept)
}

/** Go's `strings.Replace`; an empty text to replace stands before every character and at the end. */
function replace(args: readonly Value[], { budget }: Context): Value {
  const value = text(args, 0)
  const old = text(args, 1)
  const replacement = text(args, 2)
  const limit = args.length === 4 ? toInt(arg(args, 3)) : -1n
  if (old === replacement || limit === 0n) return value
  const parts = old === '' ? ['', ...Array.from(value), ''] : value.split(old)
  // With an empty text the places are between the parts too, but none is after the last empty part.
  const places = parts.length - 1
  const count = limit < 0n || limit > BigInt(places) ? places : Number(limit)
  budget.spendText(value.length + count * replacement.length)
  return (
    parts.slice(0, count + 1).join(replacement) +
    parts
      .slice(count + 1)
      .map((part) => old + part)
      .join('')
  )
}

export function replaceAll(value: string, old: string, replacement: string): string {
  if (old === '') return ['', ...Array.from(value), ''].join(replacement)
  return value.replaceAll(old, () => replacement)
}

function byteIndex(value: string, index: number): bigint {
  return index < 0 ? -1n : BigInt(byteLength(value.slice(0, index)))
}

/** Standard alphabet with padding; Go skips line ends and names the byte where it stopped. */
function fromBase64(encoded: string): string {
  const corrupt = (at: number): Panic => new Panic(`illegal base64 data at input byte ${at}`)
  const bytes = toBytes(encoded)
  const out: number[] = []
  let buffer = 0
  let filled = 0
  let at = 0
  const skipLineEnds = (): void => {
    while (bytes[at] === 0x0a || bytes[at] === 0x0d) at++
  }
  for (;;) {
    skipLineEnds()
    const byte = bytes[at]
    if (byte === undefined) {
      if (filled > 0) throw corrupt(at - filled)
      return fromBytes(Uint8Array.from(out))
    }
    const digit = BASE64.indexOf(String.fromCharCode(byte))
    if (digit >= 0) {
      at++
      buffer = buffer * 64 + digit
      filled++
      if (filled === 4) {
        out.push((buffer >> 16) & 255, (buffer >> 8) & 255, buffer & 255)
        buffer = 0
        filled = 0
      }
      continue
    }
    if (byte !== 0x3d || filled < 2) throw corrupt(at)
    at++
    if (filled === 2) {
      skipLineEnds()
      if (at >= bytes.length) throw corrupt(bytes.length)
      if (bytes[at] !== 0x3d) throw corrupt(at - 1)
      at++
      out.push((buffer >> 4) & 255)
    } else out.push((buffer >> 10) & 255, (buffer >> 2) & 255)
    skipLineEnds()
    if (at < bytes.length) throw corrupt(at)
    return fromBytes(Uint8Array.from(out))
  }
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
