/** Go maps case rune by rune: `ß` stays `ß`, where JavaScript would make `SS` of it. */

const SPACE = /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/
const UPPER = /^\p{Lu}$/u
const LOWER = /^\p{Ll}$/u

export function upperRune(rune: string): string {
  const upper = rune.toUpperCase()
  return [...upper].length === 1 ? upper : rune
}

export function lowerRune(rune: string): string {
  // Only U+0130 has a longer small form, i with a dot above; Go drops the dot.
  return [...rune.toLowerCase()][0] ?? rune
}

export function isUpper(rune: string): boolean {
  return UPPER.test(rune)
}

export function isLower(rune: string): boolean {
  return LOWER.test(rune)
}

/** unicode.IsSpace; JavaScript's trim also takes U+FEFF away, and not U+0085. */
export function isSpaceRune(rune: string): boolean {
  return SPACE.test(rune)
}

export function mapRunes(text: string, map: (rune: string) => string): string {
  return Array.from(text, map).join('')
}

export function trimSpace(text: string): string {
  return trimRunes(text, isSpaceRune)
}

export function trimRunes(text: string, drop: (rune: string) => boolean): string {
  const runes = [...text]
  let from = 0
  let to = runes.length
  while (from < to && drop(runes[from] ?? '')) from++
  while (to > from && drop(runes[to - 1] ?? '')) to--
  return runes.slice(from, to).join('')
}
