import { FunctionFailure, type Run } from '../run.ts'
import { type GoFunction, goFunction } from '../value.ts'
import { encodeBase64 } from './encoding.ts'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const DIGITS = '0123456789'
const ASCII = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('')

export const RANDOM_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  randAlphaNum: goFunction(['int'], ([count], run) => text(count, LETTERS + DIGITS, run)),
  randAlpha: goFunction(['int'], ([count], run) => text(count, LETTERS, run)),
  randNumeric: goFunction(['int'], ([count], run) => text(count, DIGITS, run)),
  randAscii: goFunction(['int'], ([count], run) => text(count, ASCII, run)),
  randBytes: goFunction(['int'], ([count], run) => {
    if (count < 0n) throw new FunctionFailure('runtime error: makeslice: len out of range')
    return encodeBase64(randomBytes(Number(count), run))
  }),
  randInt: goFunction(['int', 'int'], ([min, max], run) => {
    if (max <= min) throw new FunctionFailure('invalid argument to Intn')
    return min + BigInt(Math.floor(run.random() * Number(max - min)))
  }),
  uuidv4: goFunction([], (_, run) => {
    const bytes = randomBytes(16, run)
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
    const hex = Buffer.from(bytes).toString('hex')
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }),
}

export function randomBytes(count: number, run: Run): Uint8Array {
  run.spend(count)
  return Uint8Array.from({ length: count }, () => Math.floor(run.random() * 256))
}

function text(count: bigint, alphabet: string, run: Run): string {
  if (count <= 0n) return ''
  run.spend(Number(count))
  return Array.from(
    { length: Number(count) },
    () => alphabet[Math.floor(run.random() * alphabet.length)],
  ).join('')
}
