import { isIP } from 'node:net'
import { Environment } from '@marcbachmann/cel-js'
import { parseQuantity } from '@serinus/kinds'
import { goRegExp } from './custom-validation.ts'

/** Values of Kubernetes' CEL libraries that plain CEL does not have. */
class CelUrl {
  readonly url: URL
  /** A request path alone, `/a?b`, is a URL to Go. */
  readonly relative: boolean
  constructor(url: URL, relative: boolean) {
    this.url = url
    this.relative = relative
  }
}
class CelIp {
  readonly address: string
  readonly family: 4 | 6
  constructor(address: string, family: 4 | 6) {
    this.address = address
    this.family = family
  }
}
class CelCidr {
  readonly network: bigint
  readonly bits: number
  readonly address: CelIp
  constructor(address: CelIp, bits: number) {
    this.address = address
    this.bits = bits
    this.network = maskedBits(address, bits)
  }
}
class CelQuantity {
  readonly nanos: bigint
  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

/** CEL as kube-apiserver offers it to CRDs (apiserver: pkg/cel/library); `self` and `oldSelf` are dynamic. */
export function kubernetesCel(): Environment {
  const env = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
  })
  env.registerVariable('self', 'dyn').registerVariable('oldSelf', 'dyn')
  registerStrings(env)
  registerLists(env)
  registerUrls(env)
  registerAddresses(env)
  registerQuantities(env)
  return env
}

function registerStrings(env: Environment): void {
  env.registerFunction('string.charAt(int): string', (text: string, index: bigint) => {
    if (index < 0n || index > BigInt(text.length)) throw new Error(`index out of range: ${index}`)
    return [...text][Number(index)] ?? ''
  })
  env.registerFunction(
    'string.replace(string, string): string',
    (text: string, from: string, to: string) => text.replaceAll(from, to),
  )
  env.registerFunction(
    'string.replace(string, string, int): string',
    (text: string, from: string, to: string, limit: bigint) => {
      let left = limit < 0n ? Number.POSITIVE_INFINITY : Number(limit)
      return text.replaceAll(from, (found) => (left-- > 0 ? to : found))
    },
  )
  env.registerFunction(
    'string.find(string): string',
    (text: string, pattern: string) => goRegExp(pattern).exec(text)?.[0] ?? '',
  )
  env.registerFunction('string.findAll(string): list<string>', (text: string, pattern: string) =>
    findAll(text, pattern),
  )
  env.registerFunction(
    'string.findAll(string, int): list<string>',
    (text: string, pattern: string, limit: bigint) =>
      limit < 0n ? findAll(text, pattern) : findAll(text, pattern).slice(0, Number(limit)),
  )
  env.registerFunction('string.reverse(): string', (text: string) => [...text].reverse().join(''))
  env.registerFunction(
    'string.format(list): string',
    (text: string, values: readonly unknown[]) => {
      let index = 0
      return text.replace(/%(\.\d+)?([sdfxobe%])/g, (_, _precision, verb) => {
        if (verb === '%') return '%'
        return String(values[index++])
      })
    },
  )
}

function findAll(text: string, pattern: string): string[] {
  const { source, flags } = goRegExp(pattern)
  return text.match(new RegExp(source, `${flags}g`)) ?? []
}

function registerLists(env: Environment): void {
  env.registerFunction('list.isSorted(): bool', (list: readonly never[]) =>
    list.every((item, index) => index === 0 || !(item < (list[index - 1] as never))),
  )
  env.registerFunction('list.sum(): dyn', (list: readonly (bigint | number)[]) => {
    const first = list[0]
    if (first === undefined) return 0n
    return typeof first === 'bigint'
      ? list.reduce((sum: bigint, item) => sum + BigInt(item), 0n)
      : list.reduce((sum: number, item) => sum + Number(item), 0)
  })
  env.registerFunction('list.min(): dyn', (list: readonly never[]) =>
    extreme(list, (a, b) => a < b),
  )
  env.registerFunction('list.max(): dyn', (list: readonly never[]) =>
    extreme(list, (a, b) => a > b),
  )
  env.registerFunction('list.indexOf(dyn): int', (list: readonly unknown[], item: unknown) =>
    BigInt(list.indexOf(item)),
  )
  env.registerFunction('list.lastIndexOf(dyn): int', (list: readonly unknown[], item: unknown) =>
    BigInt(list.lastIndexOf(item)),
  )
}

function extreme<T>(list: readonly T[], better: (a: T, b: T) => boolean): T {
  const [first, ...rest] = list
  if (first === undefined) throw new Error('list is empty')
  return rest.reduce((best, item) => (better(item, best) ? item : best), first)
}

function registerUrls(env: Environment): void {
  env.registerType('kubernetes.URL', CelUrl)
  env.registerFunction('isURL(string): bool', (text: string) => parseUrl(text) !== undefined)
  env.registerFunction('url(string): kubernetes.URL', (text: string) => {
    const url = parseUrl(text)
    if (!url) throw new Error(`URL parse error during conversion from string: ${text}`)
    return url
  })
  const part = (name: string, read: (url: URL) => string) => {
    env.registerFunction(`kubernetes.URL.${name}(): string`, (value: CelUrl) => read(value.url))
  }
  env.registerFunction('kubernetes.URL.getScheme(): string', ({ url, relative }: CelUrl) =>
    relative ? '' : url.protocol.slice(0, -1),
  )
  env.registerFunction('kubernetes.URL.getHost(): string', ({ url, relative }: CelUrl) =>
    relative ? '' : url.host,
  )
  env.registerFunction('kubernetes.URL.getHostname(): string', ({ url, relative }: CelUrl) =>
    relative ? '' : url.hostname.replace(/^\[|\]$/g, ''),
  )
  part('getPort', (url) => url.port)
  part('getEscapedPath', (url) => url.pathname)
}

function parseUrl(text: string): CelUrl | undefined {
  const relative = text.startsWith('/')
  if (!relative && !/^[a-z][a-z0-9+.-]*:/i.test(text)) return undefined
  try {
    return new CelUrl(new URL(text, relative ? 'http://relative.invalid' : undefined), relative)
  } catch {
    return undefined
  }
}

function registerAddresses(env: Environment): void {
  env.registerType('net.IP', CelIp).registerType('net.CIDR', CelCidr)
  env.registerFunction('isIP(string): bool', (text: string) => isIP(text) !== 0)
  env.registerFunction('isCIDR(string): bool', (text: string) => parseCidr(text) !== undefined)
  env.registerFunction('ip(string): net.IP', (text: string) => {
    const address = parseIp(text)
    if (!address)
      throw new Error(
        `IP Address ${JSON.stringify(text)} parse error during conversion from string`,
      )
    return address
  })
  env.registerFunction('cidr(string): net.CIDR', (text: string) => {
    const cidr = parseCidr(text)
    if (!cidr) throw new Error(`network address parse error during conversion from string: ${text}`)
    return cidr
  })
  env.registerFunction('net.IP.family(): int', (ip: CelIp) => BigInt(ip.family))
  env.registerFunction('net.CIDR.prefixLength(): int', (cidr: CelCidr) => BigInt(cidr.bits))
  env.registerFunction('net.CIDR.ip(): net.IP', (cidr: CelCidr) => cidr.address)
  env.registerFunction('net.CIDR.containsIP(string): bool', (cidr: CelCidr, text: string) => {
    const address = parseIp(text)
    return (
      address?.family === cidr.address.family && maskedBits(address, cidr.bits) === cidr.network
    )
  })
}

function parseIp(text: string): CelIp | undefined {
  const family = isIP(text)
  return family === 4 || family === 6 ? new CelIp(text, family) : undefined
}

function parseCidr(text: string): CelCidr | undefined {
  const [address = '', bits = ''] = text.split('/')
  const ip = parseIp(address)
  if (!ip || !/^\d+$/.test(bits)) return undefined
  return Number(bits) <= (ip.family === 4 ? 32 : 128) ? new CelCidr(ip, Number(bits)) : undefined
}

function maskedBits(ip: CelIp, bits: number): bigint {
  const size = ip.family === 4 ? 32 : 128
  const value = ip.family === 4 ? v4Bits(ip.address) : v6Bits(ip.address)
  return value >> BigInt(size - bits)
}

function v4Bits(address: string): bigint {
  return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
}

function v6Bits(address: string): bigint {
  const [head = '', tail] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const zeros = Array.from(
    { length: tail === undefined ? 0 : 8 - left.length - right.length },
    () => '0',
  )
  return [...left, ...zeros, ...right].reduce((sum, part) => sum * 65536n + BigInt(`0x${part}`), 0n)
}

function registerQuantities(env: Environment): void {
  env.registerType('kubernetes.Quantity', CelQuantity)
  env.registerFunction(
    'isQuantity(string): bool',
    (text: string) => parseQuantity(text) !== undefined,
  )
  env.registerFunction('quantity(string): kubernetes.Quantity', (text: string) => {
    const quantity = parseQuantity(text)
    if (!quantity) throw new Error(`quantity parse error: ${text}`)
    return new CelQuantity(quantity.nanos)
  })
  const compare = (name: string, holds: (a: bigint, b: bigint) => boolean) => {
    env.registerFunction(
      `kubernetes.Quantity.${name}(kubernetes.Quantity): bool`,
      (a: CelQuantity, b: CelQuantity) => holds(a.nanos, b.nanos),
    )
  }
  compare('isGreaterThan', (a, b) => a > b)
  compare('isLessThan', (a, b) => a < b)
  env.registerFunction(
    'kubernetes.Quantity.compareTo(kubernetes.Quantity): int',
    (a: CelQuantity, b: CelQuantity) => (a.nanos < b.nanos ? -1n : a.nanos > b.nanos ? 1n : 0n),
  )
}

/**
 * Writes `has(self[0].path)` as `(self[0].?path.hasValue())`, which means the same: the parser
 * takes plain field paths in `has()` only, the Gateway API's rules look into list items.
 */
export function withIndexedHas(rule: string): string {
  let result = ''
  let position = 0
  const start = /\bhas\(/g
  for (let found = start.exec(rule); found; found = start.exec(rule)) {
    const open = found.index + found[0].length
    const close = closingParenthesis(rule, open)
    const argument = rule.slice(open, close)
    const dot = argument.lastIndexOf('.')
    if (close < 0 || dot < 0 || !argument.includes('[')) continue
    const optional = `(${argument.slice(0, dot)}.?${argument.slice(dot + 1).trim()}.hasValue())`
    result += rule.slice(position, found.index) + optional
    position = close + 1
    start.lastIndex = position
  }
  return result + rule.slice(position)
}

function closingParenthesis(text: string, from: number): number {
  let depth = 1
  for (let index = from; index < text.length; index++) {
    if (text[index] === '(') depth++
    else if (text[index] === ')' && --depth === 0) return index
  }
  return -1
}
