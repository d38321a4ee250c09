import { createHash, createHmac } from 'node:crypto'
import type { ReceivedRequest } from './test-server.ts'

/** Keys that exist nowhere. */
export const testKeys = {
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
}

/**
 * What AWS would object to in the signature of a request; null: nothing. Computed as Amazon's documentation of Signature
 * Version 4 says, independently of the library that signs. The server must have kept `host` and
 * `content-length`.
 */
export function signatureProblem(
  request: ReceivedRequest,
  expected: {
    readonly service: string
    readonly region: string
    readonly accessKeyId: string
    readonly secret: string
  },
): string | null {
  const { headers, body, line } = request
  const parsed =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]*)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers['authorization'] ?? '',
    )
  if (!parsed) return `no signature in "${headers['authorization']}"`
  const [, accessKeyId, day = '', region = '', service = '', signedHeaders = '', signature] = parsed
  if (accessKeyId !== expected.accessKeyId) return `signed with ${accessKeyId}`
  if (region !== expected.region || service !== expected.service)
    return `signed for ${service} in ${region}`
  const at = headers['x-amz-date'] ?? ''
  if (!at.startsWith(day)) return `signed on ${day}, sent at ${at}`
  const names = signedHeaders.split(';')
  if (!names.includes('host')) return 'the host is not signed'
  const [method = '', target = ''] = line.split(' ')
  const [path = '', query = ''] = target.split('?')
  const canonical = [
    method,
    path.split('/').map(encode).join('/'),
    [...new URLSearchParams(query)]
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&'),
    ...names.map((name) => `${name}:${headers[name]?.trim()}`),
    '',
    signedHeaders,
    sha256(body),
  ].join('\n')
  const scope = `${day}/${region}/${service}/aws4_request`
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${expected.secret}`,
  )
  const right = hmac(key, ['AWS4-HMAC-SHA256', at, scope, sha256(canonical)].join('\n'))
  return right.toString('hex') === signature ? null : `signature of another request:\n${canonical}`
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
