import { createHash } from 'node:crypto'
import { bytesOf, stringOf } from '../go-string.ts'
import { type GoFunction, goFunction } from '../value.ts'

/** Encodings and checksums. Decoders return their error as text; upstream's rule. */
export const ENCODING_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  b64enc: goFunction(['string'], ([s]) => encodeBase64(bytesOf(s))),
  b64dec: goFunction(['string'], ([s]) => {
    const decoded = decodeBase64(s)
    return typeof decoded === 'string' ? decoded : stringOf(decoded)
  }),
  b32enc: goFunction(['string'], ([s]) => encodeBase32(bytesOf(s))),
  b32dec: goFunction(['string'], ([s]) => {
    const decoded = decodeBase32(s)
    return typeof decoded === 'string' ? decoded : stringOf(decoded)
  }),
  sha1sum: goFunction(['string'], ([s]) => createHash('sha1').update(bytesOf(s)).digest('hex')),
  sha256sum: goFunction(['string'], ([s]) => createHash('sha256').update(bytesOf(s)).digest('hex')),
  sha512sum: goFunction(['string'], ([s]) => createHash('sha512').update(bytesOf(s)).digest('hex')),
  adler32sum: goFunction(['string'], ([s]) => adler32(bytesOf(s)).toString()),
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

/** Strict as in Go: a string result is the error. */
export function decodeBase64(text: string): Uint8Array | string {
  const source = bytesOf(text)
  const illegal = (at: number) => `illegal base64 data at input byte ${at}`
  const isNewLine = (byte: number | undefined) => byte === 10 || byte === 13
  let digits = ''
  for (let at = 0; at < source.length; at++) {
    const byte = source[at] ?? 0
    if (isNewLine(byte)) continue
    const char = String.fromCharCode(byte)
    if (/[A-Za-z0-9+/]/.test(char)) {
      digits += char
      continue
    }
    const place = digits.length % 4
    if (char !== '=' || place < 2) return illegal(at)
    let after = at + 1
    if (place === 2) {
      while (isNewLine(source[after])) after++
      if (after >= source.length) return illegal(source.length)
      if (source[after] !== 61) return illegal(after - 1)
      after++
    }
    while (isNewLine(source[after])) after++
    return after < source.length ? illegal(after) : Buffer.from(digits, 'base64')
  }
  const missing = digits.length % 4
  return missing === 0 ? Buffer.from(digits, 'base64') : illegal(source.length - missing)
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function encodeBase32(bytes: Uint8Array): string {
  let bits = ''
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0')
  let text = ''
  for (let at = 0; at < bits.length; at += 5) {
    text += BASE32[Number.parseInt(bits.slice(at, at + 5).padEnd(5, '0'), 2)]
  }
  return text.padEnd(Math.ceil(text.length / 8) * 8, '=')
}

function decodeBase32(text: string): Uint8Array | string {
  const source = text.replace(/[\r\n]/g, '')
  const illegal = (at: number) => `illegal base32 data at input byte ${at}`
  let bits = ''
  let count = 0
  for (let at = 0; at < source.length; at++) {
    const char = source[at] ?? ''
    const value = BASE32.indexOf(char)
    if (value >= 0) {
      bits += value.toString(2).padStart(5, '0')
      count++
      continue
    }
    const place = count % 8
    if (char !== '=' || place < 2) return illegal(at)
    const padding = source.slice(at, at + 8 - place)
    if (padding.length < 8 - place) return illegal(source.length)
    const wrong = padding.search(/[^=]/)
    if (wrong >= 0) return illegal(at + wrong - 1)
    if (place === 3 || place === 6) return illegal(at)
    return bytesOfBits(bits)
  }
  return count % 8 === 0 ? bytesOfBits(bits) : illegal(source.length - (count % 8))
}

function bytesOfBits(bits: string): Uint8Array {
  const length = Math.floor(bits.length / 8)
  return Uint8Array.from({ length }, (_, i) => Number.parseInt(bits.slice(i * 8, i * 8 + 8), 2))
}

function adler32(bytes: Uint8Array): number {
  let a = 1
  let b = 0
  for (const byte of bytes) {
    a = (a + byte) % 65_521
    b = (b + a) % 65_521
  }
  return b * 65_536 + a
}
