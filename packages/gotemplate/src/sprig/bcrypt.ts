/**
 * bcrypt ($2a$), which node:crypto does not offer. Blowfish starts from the digits of pi; they are computed here
 * once per hash instead of being listed.
 */

const ROUNDS = 16
const P_WORDS = ROUNDS + 2
const S_WORDS = 4 * 256

/** `salt` is 16 bytes, `cost` the binary logarithm of the rounds; passwords over 72 bytes are refused by the caller. */
export function bcrypt(password: Uint8Array, salt: Uint8Array, cost: number): string {
  const key = Uint8Array.from([...password, 0])
  const state = piState()
  expandKey(state, key, salt)
  for (let i = 0; i < 2 ** cost; i++) {
    expandKey(state, key, NO_SALT)
    expandKey(state, salt, NO_SALT)
  }
  const block = new Uint32Array(6)
  const text = new TextEncoder().encode('OrpheanBeholderScryDoubt')
  const view = new DataView(text.buffer)
  for (let i = 0; i < 6; i++) block[i] = view.getUint32(i * 4)
  for (let half = 0; half < 6; half += 2) {
    for (let i = 0; i < 64; i++) encipher(state, block, half)
  }
  for (let i = 0; i < 6; i++) view.setUint32(i * 4, block[i] ?? 0)
  const rounds = String(cost).padStart(2, '0')
  return `$2a$${rounds}$${encode(salt)}${encode(text.subarray(0, 23))}`
}

interface State {
  readonly p: Uint32Array
  readonly s: Uint32Array
}

const NO_SALT = new Uint8Array(4)

function expandKey(state: State, key: Uint8Array, salt: Uint8Array): void {
  const { p, s } = state
  let at = 0
  for (let i = 0; i < P_WORDS; i++) {
    let word = 0
    for (let k = 0; k < 4; k++, at = (at + 1) % key.length) word = (word << 8) | (key[at] ?? 0)
    p[i] = (p[i] ?? 0) ^ word
  }
  const saltView = new DataView(salt.buffer, salt.byteOffset, salt.byteLength)
  const block = new Uint32Array(2)
  let saltAt = 0
  const fill = (target: Uint32Array) => {
    for (let i = 0; i < target.length; i += 2) {
      for (let half = 0; half < 2; half++) {
        block[half] = (block[half] ?? 0) ^ saltView.getUint32(saltAt)
        saltAt = (saltAt + 4) % salt.length
      }
      encipher(state, block, 0)
      target[i] = block[0] ?? 0
      target[i + 1] = block[1] ?? 0
    }
  }
  fill(p)
  fill(s)
}

function encipher({ p, s }: State, block: Uint32Array, at: number): void {
  let left = (block[at] as number) ^ (p[0] as number)
  let right = block[at + 1] as number
  for (let i = 1; i <= ROUNDS; i += 2) {
    right ^= feistel(s, left) ^ (p[i] as number)
    left ^= feistel(s, right) ^ (p[i + 1] as number)
  }
  block[at] = right ^ (p[ROUNDS + 1] as number)
  block[at + 1] = left
}

function feistel(s: Uint32Array, word: number): number {
  const sum = ((s[word >>> 24] as number) + (s[256 + ((word >>> 16) & 255)] as number)) | 0
  return ((sum ^ (s[512 + ((word >>> 8) & 255)] as number)) + (s[768 + (word & 255)] as number)) | 0
}

/** The fraction of pi in binary, by Machin: pi = 16 atan(1/5) - 4 atan(1/239). */
function piState(): State {
  const bits = BigInt((P_WORDS + S_WORDS) * 32)
  const guard = 64n
  const one = 1n << (bits + guard)
  const arctangent = (divisor: bigint): bigint => {
    let term = one / divisor
    let sum = term
    for (let n = 3n, sign = -1n; term !== 0n; n += 2n, sign = -sign) {
      term /= divisor * divisor
      sum += (sign * term) / n
    }
    return sum
  }
  const fraction = ((16n * arctangent(5n) - 4n * arctangent(239n)) >> guard) & ((1n << bits) - 1n)
  const hex = fraction.toString(16).padStart((P_WORDS + S_WORDS) * 8, '0')
  const words = Uint32Array.from({ length: P_WORDS + S_WORDS }, (_, i) =>
    Number.parseInt(hex.slice(i * 8, i * 8 + 8), 16),
  )
  return { p: words.slice(0, P_WORDS), s: words.slice(P_WORDS) }
}

const ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

function encode(bytes: Uint8Array): string {
  const standard = Buffer.from(bytes).toString('base64').replace(/=+$/, '')
  return Array.from(standard, (char) => ALPHABET[STANDARD.indexOf(char)]).join('')
}
