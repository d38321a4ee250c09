import { createCipheriv, createDecipheriv } from 'node:crypto'
import { bytesOf, stringOf } from '../go-string.ts'
import { FunctionFailure, type Run } from '../run.ts'
import { type GoFunction, goFunction, variadicFunction } from '../value.ts'
import { bcrypt } from './bcrypt.ts'
import { decodeBase64, encodeBase64 } from './encoding.ts'
import { randomBytes } from './random.ts'

const BCRYPT_COST = 10
/** One hash takes about as long as half of a default budget. */
const BCRYPT_STEPS = 500_000

export const CRYPTO_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  bcrypt: goFunction(['string'], ([password], run) => hash(password, run)),
  htpasswd: goFunction(['string', 'string'], ([user, password], run) =>
    user.includes(':') ? `invalid username: ${user}` : `${user}:${hash(password, run)}`,
  ),
  encryptAES: goFunction(['string', 'string'], ([password, text], run) => {
    if (text === '') return ''
    const iv = randomBytes(16, run)
    const cipher = createCipheriv('aes-256-cbc', keyOf(password), iv)
    return encodeBase64(Buffer.concat([iv, cipher.update(bytesOf(text)), cipher.final()]))
  }),
  decryptAES: goFunction(['string', 'string'], ([password, text]) => {
    if (text === '') return ''
    const sealed = decodeBase64(text)
    if (typeof sealed === 'string') throw new FunctionFailure(sealed)
    if (sealed.length < 16) {
      throw new FunctionFailure(
        `runtime error: slice bounds out of range [:16] with capacity ${sealed.length}`,
      )
    }
    if (sealed.length % 16 !== 0) throw new FunctionFailure('crypto/cipher: input not full blocks')
    return decrypt(password, sealed)
  }),
}

/**
 * Keys, certificates and look-ups, which no message needs (spec notifications 6.7). The names are known, so that they
 * fail one rendering and not a whole configuration; a caller can offer them through the `functions` option.
 */
export const LEFT_OUT_FUNCTIONS: Readonly<Record<string, GoFunction>> = Object.fromEntries(
  [
    'genPrivateKey',
    'derivePassword',
    'buildCustomCert',
    'genCA',
    'genCAWithKey',
    'genSelfSignedCert',
    'genSelfSignedCertWithKey',
    'genSignedCert',
    'genSignedCertWithKey',
    'getHostByName',
  ].map((name) => [
    name,
    variadicFunction([], 'any', () => {
      throw new FunctionFailure(`${name} is not offered in notification templates`)
    }),
  ]),
)

function hash(password: string, run: Run): string {
  const bytes = bytesOf(password)
  if (bytes.length > 72) {
    return 'failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes'
  }
  run.spend(BCRYPT_STEPS)
  return bcrypt(bytes, randomBytes(16, run), BCRYPT_COST)
}

/** Upstream cuts or zero-fills the password to the key; it derives nothing. */
function keyOf(password: string): Uint8Array {
  const key = new Uint8Array(32)
  key.set(bytesOf(password).subarray(0, 32))
  return key
}

function decrypt(password: string, sealed: Uint8Array): string {
  const decipher = createDecipheriv('aes-256-cbc', keyOf(password), sealed.subarray(0, 16))
  decipher.setAutoPadding(false)
  const plain = Buffer.concat([decipher.update(sealed.subarray(16)), decipher.final()])
  const padding = plain.at(-1)
  if (padding === undefined) throw new FunctionFailure('runtime error: index out of range [-1]')
  if (padding > plain.length) {
    throw new FunctionFailure(
      `runtime error: slice bounds out of range [:${plain.length - padding}]`,
    )
  }
  return stringOf(plain.subarray(0, plain.length - padding))
}
