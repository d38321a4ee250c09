import { isSpaceRune, isUpper, lowerRune, upperRune } from '../rune-case.ts'

/** `snakecase`, `kebabcase` and `camelcase` as the xstrings library splits words. */

const PUNCTUATION = /^\p{P}$/u
const NUMBER = /^\p{N}$/u

type WordKind = 'number' | 'upper' | 'alphabet' | 'connector' | 'punctuation' | 'other' | 'none'

interface Word {
  readonly kind: WordKind
  readonly runes: readonly string[]
}

/** `RolloutAborted` → `rollout_aborted`, `HTTP2xx` → `http_2xx`, `Bld4Floor` → `bld4_floor`. */
export function joinWords(text: string, connector: '_' | '-'): string {
  const words = splitWords(text)
  let result = ''
  let at = 0
  const next = (): Word => words[at++] ?? { kind: 'none', runes: [] }
  const isLast = () => at >= words.length
  const write = (word: Word) => {
    result += lowered(word, connector)
  }
  const opensWord = ({ kind }: Word) =>
    kind !== 'none' && kind !== 'punctuation' && kind !== 'connector'

  let word = next()
  while (!isLast()) {
    const previous = word
    if (previous.kind !== 'connector') write(previous)
    word = next()
    switch (previous.kind) {
      case 'connector':
        write(previous)
        break
      case 'punctuation':
        break
      case 'number':
        // Letters and digits behind a number belong to it: 2m3s.
        while (word.kind === 'alphabet' || word.kind === 'number') {
          write(word)
          word = next()
        }
        if (opensWord(word)) result += connector
        break
      default: {
        if (word.kind !== 'number') {
          if (opensWord(word)) result += connector
          break
        }
        if (isLast()) break
        const number = word
        word = next()
        if (word.kind !== 'alphabet') {
          // A number between words belongs to the one before: Bld4.
          write(number)
          if (opensWord(word)) result += connector
          break
        }
        result += connector
        write(number)
        while (word.kind === 'alphabet' || word.kind === 'number') {
          write(word)
          word = next()
        }
        if (opensWord(word)) result += connector
      }
    }
  }
  return result + lowered(word, connector)
}

/** `canary_step_done` → `CanaryStepDone`; leading and repeated connectors stay. */
export function pascalCase(text: string): string {
  const runes = [...text]
  const lead = runes.findIndex((rune) => !isConnector(rune))
  if (lead < 0) return text
  let result = runes.slice(0, lead).join('')
  let current = runes[lead] ?? ''
  let firstIsUpper = isUpper(current)
  current = upperRune(current)
  for (const rune of runes.slice(lead + 1)) {
    const previous = current
    current = rune
    if (isConnector(previous)) {
      if (isConnector(current)) {
        result += previous
        continue
      }
      firstIsUpper = isUpper(current)
      current = upperRune(current)
      continue
    }
    if (firstIsUpper && isUpper(current)) current = lowerRune(current)
    else firstIsUpper = false
    result += previous
  }
  return result + current
}

function lowered({ kind, runes }: Word, connector: string): string {
  if (kind !== 'upper' && kind !== 'connector') return runes.join('')
  return runes.map((rune) => (isConnector(rune) ? connector : lowerRune(rune))).join('')
}

function splitWords(text: string): Word[] {
  const runes = [...text]
  const words: Word[] = []
  for (let at = 0; at < runes.length; ) {
    const kind = kindOf(runes[at] ?? '')
    const end = wordEnd(runes, at, kind)
    words.push({ kind, runes: runes.slice(at, end) })
    at = end
  }
  return words
}

function wordEnd(runes: readonly string[], start: number, kind: WordKind): number {
  const run = (from: number, belongs: (rune: string) => boolean): number => {
    let at = from
    while (at < runes.length && belongs(runes[at] ?? '')) at++
    return at
  }
  const isSmall = (rune: string) => kindOf(rune) === 'alphabet'
  if (kind !== 'upper') return run(start + 1, (rune) => kindOf(rune) === kind)
  const second = runes[start + 1]
  if (second === undefined || !isUpper(second)) return run(start + 1, isSmall)
  const end = run(start + 1, isUpper)
  // HTTPStatus is HTTP and Status.
  return end < runes.length && isSmall(runes[end] ?? '') ? end - 1 : end
}

function kindOf(rune: string): WordKind {
  if (isConnector(rune)) return 'connector'
  if (PUNCTUATION.test(rune)) return 'punctuation'
  if (isUpper(rune)) return 'upper'
  if (isAlphabet(rune)) return 'alphabet'
  return NUMBER.test(rune) ? 'number' : 'other'
}

function isConnector(rune: string): boolean {
  return rune === '-' || rune === '_' || isSpaceRune(rune)
}

function isAlphabet(rune: string): boolean {
  return /^\p{L}$/u.test(rune) && !/^\p{Script=Han}$/u.test(rune)
}
