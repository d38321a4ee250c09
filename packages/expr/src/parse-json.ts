import { fromJson, Panic, type Value } from './value.ts'

/** Go's `json.Unmarshal` into any value; throws `Panic` with Go's message. Numbers become float64. */
export function parseJson(text: string): Value {
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch {
    throw new Panic(new JsonScanner(text).mistake())
  }
  const overflow = findOverflow(text, data)
  if (overflow !== null) {
    throw new Panic(`json: cannot unmarshal number ${overflow} into Go value of type float64`)
  }
  return fromJson(data)
}

/** JavaScript reads 1e999 as infinity, Go refuses it. */
function findOverflow(text: string, data: unknown): string | null {
  if (!hasInfinity(data)) return null
  const withoutStrings = text.replace(/"(?:[^"\\]|\\.)*"/g, '""')
  for (const [number] of withoutStrings.matchAll(/-?[0-9][0-9.eE+-]*/g)) {
    if (!Number.isFinite(Number(number))) return number
  }
  return null
}

function hasInfinity(data: unknown): boolean {
  if (typeof data === 'number') return !Number.isFinite(data)
  return typeof data === 'object' && data !== null && Object.values(data).some(hasInfinity)
}

type State = 'value' | 'valueOrEnd' | 'keyOrEnd' | 'key' | 'colon' | 'commaOrEnd' | 'done'

/** Finds the words for a mistake that JavaScript's parser has seen already. */
class JsonScanner {
  readonly #chars: readonly string[]
  #at = 0

  constructor(text: string) {
    this.#chars = Array.from(text)
  }

  mistake(): string {
    const stack: ('object' | 'array')[] = []
    let state: State = 'value'
    const closed = (): State => (stack.length === 0 ? 'done' : 'commaOrEnd')
    for (;;) {
      while (/^[ \t\r\n]$/.test(this.#chars[this.#at] ?? '')) this.#at++
      const char = this.#chars[this.#at]
      if (char === undefined) return END
      const inObject = stack.at(-1) === 'object'
      if (state === 'done') return this.#invalid('after top-level value')
      if (state === 'colon') {
        if (char !== ':') return this.#invalid('after object key')
        state = 'value'
        this.#at++
      } else if (state === 'commaOrEnd') {
        if (char === ',') state = inObject ? 'key' : 'value'
        else if (char === (inObject ? '}' : ']')) {
          stack.pop()
          state = closed()
        } else
          return this.#invalid(inObject ? 'after object key:value pair' : 'after array element')
        this.#at++
      } else if (state === 'key' || state === 'keyOrEnd') {
        if (char === '}' && state === 'keyOrEnd') {
          this.#at++
          stack.pop()
          state = closed()
        } else if (char === '"') {
          const found = this.#string()
          if (found !== null) return found
          state = 'colon'
        } else return this.#invalid('looking for beginning of object key string')
      } else if (char === ']' && state === 'valueOrEnd') {
        this.#at++
        stack.pop()
        state = closed()
      } else if (char === '{') {
        this.#at++
        stack.push('object')
        state = 'keyOrEnd'
      } else if (char === '[') {
        this.#at++
        stack.push('array')
        state = 'valueOrEnd'
      } else {
        const found = this.#scalar(char)
        if (found !== null) return found
        state = closed()
      }
    }
  }

  #scalar(char: string): string | null {
    if (char === '"') return this.#string()
    for (const word of ['true', 'false', 'null']) {
      if (word[0] === char) return this.#word(word)
    }
    if (char === '-' || /^[0-9]$/.test(char)) return this.#number()
    return this.#invalid('looking for beginning of value')
  }

  #word(word: string): string | null {
    for (const [i, expected] of Array.from(word).entries()) {
      if (this.#chars[this.#at] !== expected)
        return this.#invalid(`in literal ${word} (expecting '${expected}')`)
      this.#at++
      if (i === word.length - 1) return null
    }
    return null
  }

  #number(): string | null {
    const digit = (): boolean => /^[0-9]$/.test(this.#chars[this.#at] ?? '')
    const digits = (context: string): string | null => {
      if (!digit()) return this.#invalid(context)
      while (digit()) this.#at++
      return null
    }
    if (this.#chars[this.#at] === '-') this.#at++
    if (this.#chars[this.#at] === '0') this.#at++
    else {
      const found = digits('in numeric literal')
      if (found !== null) return found
    }
    if (this.#chars[this.#at] === '.') {
      this.#at++
      const found = digits('after decimal point in numeric literal')
      if (found !== null) return found
    }
    if (/^[eE]$/.test(this.#chars[this.#at] ?? '')) {
      this.#at++
      if (/^[+-]$/.test(this.#chars[this.#at] ?? '')) this.#at++
      return digits('in exponent of numeric literal')
    }
    return null
  }

  #string(): string | null {
    this.#at++
    for (;;) {
      const char = this.#chars[this.#at]
      if (char === undefined) return END
      if (char < ' ') return this.#invalid('in string literal')
      this.#at++
      if (char === '"') return null
      if (char !== '\\') continue
      const escaped = this.#chars[this.#at] ?? ' '
      if (!'bfnrtu\\/"'.includes(escaped)) return this.#invalid('in string escape code')
      this.#at++
      if (escaped !== 'u') continue
      for (let i = 0; i < 4; i++) {
        if (!/^[0-9a-fA-F]$/.test(this.#chars[this.#at] ?? ''))
          return this.#invalid('in \\u hexadecimal character escape')
        this.#at++
      }
    }
  }

  #invalid(context: string): string {
    // At the end of the text Go's scanner goes on with a blank.
    const char = this.#chars[this.#at] ?? ' '
    // Go quotes the first byte of the character as a rune.
    const [byte = 0] = new TextEncoder().encode(char)
    return `invalid character ${runeText(byte)} ${context}`
  }
}

const END = 'unexpected end of JSON input'

function runeText(byte: number): string {
  if (byte === 0x27) return `'\\''`
  if (byte === 0x22) return `'"'`
  if (byte === 0x5c) return `'\\\\'`
  const named: Readonly<Record<number, string>> = {
    7: 'a',
    8: 'b',
    9: 't',
    10: 'n',
    11: 'v',
    12: 'f',
    13: 'r',
  }
  const name = named[byte]
  if (name !== undefined) return `'\\${name}'`
  if (byte < 0x20 || byte === 0x7f) return `'\\x${byte.toString(16).padStart(2, '0')}'`
  if (byte > 0x7f && byte <= 0xa0) return `'\\u00${byte.toString(16)}'`
  return `'${String.fromCharCode(byte)}'`
}
