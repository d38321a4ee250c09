import { byteLength, bytesOf, hasControlCharacter, quote, stringOf } from '../go-string.ts'
import { FunctionFailure } from '../run.ts'
import { type GoFunction, GoMap, goFunction, kindName } from '../value.ts'

/** Go's net/url, as far as `urlParse` and `urlJoin` show it. */
export const URL_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  urlParse: goFunction(['string'], ([text]) => {
    const url = parseUrl(text)
    return new GoMap(
      new Map([
        ['scheme', url.scheme],
        ['host', url.host],
        ['hostname', hostname(url.host)],
        ['path', url.path],
        ['query', url.query],
        ['opaque', url.opaque],
        ['fragment', url.fragment],
        ['userinfo', url.userinfo ?? ''],
      ]),
    )
  }),
  urlJoin: goFunction(['map'], ([parts]) => {
    const userinfo = textOf(parts, 'userinfo')
    return urlText({
      scheme: textOf(parts, 'scheme'),
      host: textOf(parts, 'host'),
      path: textOf(parts, 'path'),
      query: textOf(parts, 'query'),
      opaque: textOf(parts, 'opaque'),
      fragment: textOf(parts, 'fragment'),
      userinfo: userinfo === '' ? undefined : userinfoText(userinfo),
    })
  }),
}

interface Url {
  readonly scheme: string
  readonly host: string
  readonly path: string
  readonly query: string
  readonly opaque: string
  readonly fragment: string
  readonly userinfo: string | undefined
}

function parseUrl(text: string): Url {
  const fail = (problem: string): never => {
    throw new FunctionFailure(`unable to parse url: parse ${quote(text)}: ${problem}`)
  }
  const hash = text.indexOf('#')
  const fragment =
    hash < 0 ? '' : (percentDecode(text.slice(hash + 1)) ?? fail(badEscape(text.slice(hash + 1))))
  const noFragment = hash < 0 ? text : text.slice(0, hash)
  if (hasControlCharacter(noFragment)) fail('net/url: invalid control character in URL')
  if (noFragment.startsWith(':')) fail('missing protocol scheme')
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(noFragment)?.[1] ?? ''
  const noScheme = scheme === '' ? noFragment : noFragment.slice(scheme.length + 1)
  const mark = noScheme.indexOf('?')
  const query = mark < 0 ? '' : noScheme.slice(mark + 1)
  const rest = mark < 0 ? noScheme : noScheme.slice(0, mark)
  const shared = { scheme: scheme.toLowerCase(), query, fragment }
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { ...shared, host: '', path: '', opaque: rest, userinfo: undefined }
    if ((rest.split('/')[0] ?? '').includes(':'))
      fail('first path segment in URL cannot contain colon')
  }
  const hasAuthority = rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'))
  const slash = hasAuthority ? rest.indexOf('/', 2) : 0
  const authority = hasAuthority ? rest.slice(2, slash < 0 ? undefined : slash) : ''
  const rawPath = hasAuthority ? (slash < 0 ? '' : rest.slice(slash)) : rest
  const at = authority.lastIndexOf('@')
  const rawHost = authority.slice(at + 1)
  if (/[ "<>\\^`{|}]/.test(rawHost)) {
    const bad = /[ "<>\\^`{|}]/.exec(rawHost)?.[0] ?? ''
    fail(`invalid character ${quote(bad)} in host name`)
  }
  const port = /:[^:\]]*$/.exec(rawHost)?.[0] ?? ''
  if (!/^(?::\d*)?$/.test(port)) fail(`invalid port ${quote(port)} after host`)
  const host = percentDecode(rawHost) ?? fail(badEscape(rawHost))
  const rawUser = authority.slice(0, Math.max(at, 0))
  if (at >= 0 && !/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(rawUser)) {
    fail('net/url: invalid userinfo')
  }
  const userinfo = at < 0 ? undefined : userinfoText(rawUser)
  const path = percentDecode(rawPath) ?? fail(badEscape(rawPath))
  return { ...shared, host, path, opaque: '', userinfo }
}

function userinfoText(raw: string): string {
  return raw
    .split(/:(.*)/s)
    .slice(0, raw.includes(':') ? 2 : 1)
    .map((part) => percentEncode(percentDecode(part) ?? part, /[A-Za-z0-9\-_.~$&+,;=]/))
    .join(':')
}

function urlText(url: Url): string {
  let text = url.scheme === '' ? '' : `${url.scheme}:`
  if (url.opaque !== '') text += url.opaque
  else {
    if (url.scheme !== '' || url.host !== '' || url.userinfo !== undefined) {
      if (url.host !== '' || url.path !== '' || url.userinfo !== undefined) text += '//'
      if (url.userinfo !== undefined) text += `${url.userinfo}@`
      text += percentEncode(url.host, /[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"]/)
    }
    const path = percentEncode(url.path, /[A-Za-z0-9\-_.~$&+,/:;=@!'()*]/)
    if (path !== '' && !path.startsWith('/') && url.host !== '') text += '/'
    if (text === '' && (path.split('/')[0] ?? '').includes(':')) text += './'
    text += path
  }
  if (url.query !== '') text += `?${url.query}`
  if (url.fragment !== '')
    text += `#${percentEncode(url.fragment, /[A-Za-z0-9\-_.~$&+,/:;=?@!()*']/)}`
  return text
}

function hostname(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host)?.[1]
  return bracketed ?? host.replace(/:\d*$/, '')
}

function textOf(parts: GoMap, key: string): string {
  if (!parts.entries.has(key)) return ''
  const value = parts.entries.get(key)
  if (value === null || value === undefined) {
    throw new FunctionFailure('runtime error: invalid memory address or nil pointer dereference')
  }
  if (typeof value !== 'string') {
    throw new FunctionFailure(
      `unable to parse ${key} key, must be of type string, but ${kindName(value)} found`,
    )
  }
  return value
}

/** undefined: a `%` without two hexadecimal digits behind it. */
function percentDecode(text: string): string | undefined {
  if (!text.includes('%')) return text
  if (/%(?![0-9a-fA-F]{2})/.test(text)) return undefined
  const bytes = bytesOf(text)
  const plain: number[] = []
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0
    if (byte === 0x25) {
      plain.push(Number.parseInt(String.fromCharCode(bytes[i + 1] ?? 0, bytes[i + 2] ?? 0), 16))
      i += 2
    } else plain.push(byte)
  }
  return stringOf(Uint8Array.from(plain))
}

function badEscape(text: string): string {
  const bad = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(text)?.[0] ?? '%'
  return `invalid URL escape ${quote(bad)}`
}

/** Go's url.QueryEscape. */
export function queryEscape(text: string): string {
  return percentEncode(text, /[A-Za-z0-9\-_.~ ]/).replaceAll(' ', '+')
}

function percentEncode(text: string, allowed: RegExp): string {
  if (byteLength(text) === text.length) {
    return Array.from(text, (char) =>
      allowed.test(char) ? char : percent(char.charCodeAt(0)),
    ).join('')
  }
  return Array.from(bytesOf(text), (byte) => {
    const char = String.fromCharCode(byte)
    return byte < 128 && allowed.test(char) ? char : percent(byte)
  }).join('')
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}
