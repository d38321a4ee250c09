import { toText, toTexts } from '../cast.ts'
import { show } from '../format.ts'
import { byteLength, bytesOf, compareStrings, quote, stringOf } from '../go-string.ts'
import { FunctionFailure, type Run, spendText } from '../run.ts'
import {
  isLower,
  isSpaceRune,
  isUpper,
  lowerRune,
  mapRunes,
  trimRunes,
  trimSpace,
  upperRune,
} from '../rune-case.ts'
import {
  type GoFunction,
  GoMap,
  goFunction,
  isList,
  stringList,
  type Value,
  variadicFunction,
} from '../value.ts'
import { joinWords, pascalCase } from './word-case.ts'

const trimAll = goFunction(['string', 'string'], ([cut, s]) =>
  trimRunes(s, (rune) => cut.includes(rune)),
)

export const STRING_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  hello: goFunction([], () => 'Hello!'),
  trim: goFunction(['string'], ([s]) => trimSpace(s)),
  trimAll,
  trimall: trimAll,
  trimSuffix: goFunction(['string', 'string'], ([cut, s]) =>
    cut !== '' && s.endsWith(cut) ? s.slice(0, -cut.length) : s,
  ),
  trimPrefix: goFunction(['string', 'string'], ([cut, s]) =>
    s.startsWith(cut) ? s.slice(cut.length) : s,
  ),
  upper: goFunction(['string'], ([s]) => mapRunes(s, upperRune)),
  lower: goFunction(['string'], ([s]) => mapRunes(s, lowerRune)),
  title: goFunction(['string'], ([s]) => titleCase(s)),
  untitle: goFunction(['string'], ([s]) => untitle(s)),
  swapcase: goFunction(['string'], ([s]) => swapCase(s)),
  repeat: goFunction(['int', 'string'], ([count, s], run) => {
    if (count < 0n) throw new FunctionFailure('strings: negative Repeat count')
    spendText(run, Number(count) * s.length)
    return s.repeat(Number(count))
  }),
  substr: goFunction(['int', 'int', 'string'], ([from, to, s]) =>
    onBytes(s, (b) => substring(b, Number(from), Number(to))),
  ),
  trunc: goFunction(['int', 'string'], ([count, s]) =>
    onBytes(s, (b) => truncate(b, Number(count))),
  ),
  abbrev: goFunction(['int', 'string'], ([width, s]) =>
    onBytes(s, (b) => (width < 4n ? b : abbreviate(b, 0, Number(width)))),
  ),
  abbrevboth: goFunction(['int', 'int', 'string'], ([left, right, s]) =>
    onBytes(s, (b) =>
      right < 4n || (left > 0n && right < 7n) ? b : abbreviate(b, Number(left), Number(right)),
    ),
  ),
  nospace: goFunction(['string'], ([s]) => mapRunes(s, (rune) => (isSpaceRune(rune) ? '' : rune))),
  initials: goFunction(['string'], ([s]) => initials(s)),
  wrap: goFunction(['int', 'string'], ([width, s], run) =>
    onBytes(s, (b) => wrap(b, { width: Number(width), newLine: '\n', breakWords: false }, run)),
  ),
  wrapWith: goFunction(['int', 'string', 'string'], ([width, newLine, s], run) =>
    onBytes(s, (b) =>
      wrap(
        b,
        {
          width: Number(width),
          newLine: newLine === '' ? '\n' : byteString(newLine),
          breakWords: true,
        },
        run,
      ),
    ),
  ),
  contains: goFunction(['string', 'string'], ([part, s]) => s.includes(part)),
  hasPrefix: goFunction(['string', 'string'], ([prefix, s]) => s.startsWith(prefix)),
  hasSuffix: goFunction(['string', 'string'], ([suffix, s]) => s.endsWith(suffix)),
  quote: variadicFunction([], 'any', (_, values, run) =>
    present(values)
      .map((value) => quote(toText(value, run)))
      .join(' '),
  ),
  squote: variadicFunction([], 'any', (_, values, run) =>
    present(values)
      .map((value) => `'${show(value, run)}'`)
      .join(' '),
  ),
  cat: variadicFunction([], 'any', (_, values, run) =>
    present(values)
      .map((value) => show(value, run))
      .join(' '),
  ),
  indent: goFunction(['int', 'string'], ([spaces, s], run) => indent(s, spaces, run)),
  nindent: goFunction(['int', 'string'], ([spaces, s], run) => `\n${indent(s, spaces, run)}`),
  replace: goFunction(['string', 'string', 'string'], ([old, replacement, s], run) =>
    replace(s, { old, replacement }, run),
  ),
  plural: goFunction(['string', 'string', 'int'], ([one, many, count]) =>
    count === 1n ? one : many,
  ),
  snakecase: goFunction(['string'], ([s]) => joinWords(s, '_')),
  kebabcase: goFunction(['string'], ([s]) => joinWords(s, '-')),
  camelcase: goFunction(['string'], ([s]) => pascalCase(s)),
  shuffle: goFunction(['string'], ([s], run) => shuffle(s, run)),
  toString: goFunction(['any'], ([value], run) => toText(value, run)),
  join: goFunction(['string', 'any'], ([separator, value], run) => {
    const texts = toTexts(value, run)
    spendText(run, separator.length * texts.length)
    return texts.join(separator)
  }),
  split: goFunction(['string', 'string'], ([separator, s], run) =>
    numbered(splitText(s, separator, -1, run)),
  ),
  splitn: goFunction(['string', 'int', 'string'], ([separator, limit, s], run) =>
    numbered(splitText(s, separator, Number(limit), run)),
  ),
  splitList: goFunction(['string', 'string'], ([separator, s], run) =>
    stringList(splitText(s, separator, -1, run)),
  ),
  sortAlpha: goFunction(['any'], ([value], run) => {
    if (!isList(value)) return stringList([toText(value, run)])
    const texts = toTexts(value, run)
    run.spend(texts.length * Math.ceil(Math.log2(texts.length + 1)))
    return stringList(texts.sort(compareStrings))
  }),
  toStrings: goFunction(['any'], ([value], run) => stringList(toTexts(value, run))),
}

/** Runs a rule that counts bytes over a string of which every character is one byte. */
function onBytes(text: string, rule: (bytes: string) => string): string {
  const bytes = byteString(text)
  const result = rule(bytes)
  return bytes === text ? result : stringOf(Uint8Array.from(result, (char) => char.charCodeAt(0)))
}

function byteString(text: string): string {
  return byteLength(text) === text.length
    ? text
    : Array.from(bytesOf(text), (b) => String.fromCharCode(b)).join('')
}

function present(values: readonly Value[]): Value[] {
  return values.filter((value) => value !== undefined && value !== null)
}

function titleCase(text: string): string {
  let afterSeparator = true
  return mapRunes(text, (rune) => {
    const shown = afterSeparator ? upperRune(rune) : rune
    const code = rune.codePointAt(0) ?? 0
    afterSeparator = code < 128 ? !/[A-Za-z0-9_]/.test(rune) : isSpaceRune(rune)
    return shown
  })
}

function untitle(text: string): string {
  let atStart = true
  return mapRunes(text, (rune) => {
    if (isSpaceRune(rune)) {
      atStart = true
      return rune
    }
    const shown = atStart ? lowerRune(rune) : rune
    atStart = false
    return shown
  })
}

/** A small letter at the start of a word becomes a capital as well; that is upstream's rule. */
function swapCase(text: string): string {
  let afterSpace = true
  return mapRunes(text, (rune) => {
    if (isUpper(rune) || isLower(rune)) {
      afterSpace = false
      return isUpper(rune) ? lowerRune(rune) : upperRune(rune)
    }
    afterSpace = afterSpace && isSpaceRune(rune)
    return rune
  })
}

function substring(bytes: string, from: number, to: number): string {
  if (from < 0) {
    checkBounds({ from: 0, to, length: bytes.length })
    return bytes.slice(0, to)
  }
  const end = to < 0 || to > bytes.length ? bytes.length : to
  checkBounds({ from, to: end, length: bytes.length })
  return bytes.slice(from, end)
}

function checkBounds({ from, to, length }: { from: number; to: number; length: number }): void {
  const outside = 'runtime error: slice bounds out of range'
  if (to < 0) throw new FunctionFailure(`${outside} [:${to}]`)
  if (to > length) throw new FunctionFailure(`${outside} [:${to}] with length ${length}`)
  if (from > to) throw new FunctionFailure(`${outside} [${from}:${to}]`)
}

function truncate(bytes: string, count: number): string {
  if (count < 0) return bytes.length + count > 0 ? bytes.slice(count) : bytes
  return bytes.slice(0, count)
}

function abbreviate(bytes: string, left: number, width: number): string {
  if (bytes.length <= width) return bytes
  const kept = width - 3
  const offset = Math.min(Math.min(left, bytes.length), Math.max(bytes.length - kept, 0))
  if (offset <= 4) return `${bytes.slice(0, kept)}...`
  if (width < 7) return ''
  if (offset + kept < bytes.length) return `...${abbreviate(bytes.slice(offset), 0, kept)}`
  return `...${bytes.slice(bytes.length - kept)}`
}

function initials(text: string): string {
  let afterSpace = true
  return mapRunes(text, (rune) => {
    const shown = afterSpace && !isSpaceRune(rune) ? rune : ''
    afterSpace = isSpaceRune(rune)
    return shown
  })
}

function wrap(
  text: string,
  options: { width: number; newLine: string; breakWords: boolean },
  run: Run,
): string {
  const width = Math.max(1, options.width)
  let result = ''
  let offset = 0
  const breakAt = (end: number, next: number) => {
    spendText(run, options.newLine.length)
    result += text.slice(offset, end) + options.newLine
    offset = next
  }
  while (text.length - offset > width) {
    if (text[offset] === ' ') {
      offset++
      continue
    }
    const space = text.lastIndexOf(' ', offset + width)
    if (space >= offset) breakAt(space, space + 1)
    else if (options.breakWords) breakAt(offset + width, offset + width)
    else {
      const later = text.indexOf(' ', offset + width)
      if (later < 0) break
      breakAt(later, later + 1)
    }
  }
  return result + text.slice(offset)
}

function indent(text: string, spaces: bigint, run: Run): string {
  if (spaces < 0n) throw new FunctionFailure('strings: negative Repeat count')
  const lines = text.split('\n')
  spendText(run, Number(spaces) * lines.length)
  const pad = ' '.repeat(Number(spaces))
  return lines.map((line) => pad + line).join('\n')
}

function replace(
  text: string,
  { old, replacement }: { old: string; replacement: string },
  run: Run,
): string {
  const parts = old === '' ? ['', ...text, ''] : text.split(old)
  spendText(run, parts.length * replacement.length)
  return parts.join(replacement)
}

function splitText(text: string, separator: string, limit: number, run: Run): string[] {
  if (limit === 0) return []
  const parts = separator === '' ? [...text] : text.split(separator)
  run.spend(parts.length)
  if (limit < 0 || parts.length <= limit) return parts
  return [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)]
}

function numbered(parts: readonly string[]): GoMap {
  return new GoMap(new Map(parts.map((part, i) => [`_${i}`, part])), { type: 'map[string]string' })
}

function shuffle(text: string, run: Run): string {
  const runes = [...text]
  for (let i = runes.length - 1; i > 0; i--) {
    const j = Math.floor(run.random() * (i + 1))
    const rune = runes[i] ?? ''
    runes[i] = runes[j] ?? ''
    runes[j] = rune
  }
  return runes.join('')
}
