import { BlockList, isIP } from 'node:net'

/** Which proxy a request takes; null: none. */
export type ProxyFor = (url: URL) => string | null

/**
 * The proxy of each address as Go's client finds it in HTTP_PROXY, HTTPS_PROXY and NO_PROXY (lower case too): NO_PROXY names
 * hosts with what is below them (`example.com`), only what is below (`.example.com`), addresses, networks (`10.0.0.0/8`), each
 * with a port if it likes, or `*`. This machine itself is never asked through a proxy.
 */
export function proxyFor(env: Readonly<Record<string, string | undefined>>): ProxyFor {
  const of = (name: string) => env[name] || env[name.toLowerCase()] || ''
  const proxies: Readonly<Record<string, string>> = {
    'http:': withScheme(of('HTTP_PROXY')),
    'https:': withScheme(of('HTTPS_PROXY')),
  }
  const exceptions = of('NO_PROXY').split(',').map(parseException)
  return (url) => {
    const proxy = proxies[url.protocol]
    if (!proxy) return null
    const host = url.hostname
      .toLowerCase()
      .replace(/^\[|\]$/g, '')
      .replace(/\.$/, '')
    const port = url.port || (url.protocol === 'https:' ? '443' : '80')
    if (isThisMachine(host) || exceptions.some((holds) => holds(host, port))) return null
    return proxy
  }
}

function withScheme(proxy: string): string {
  return proxy === '' || /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

type Exception = (host: string, port: string) => boolean

function parseException(text: string): Exception {
  const entry = text.trim().toLowerCase()
  if (entry === '') return () => false
  if (entry === '*') return () => true
  const network = /^(.+)\/(\d+)$/.exec(entry)
  if (network) return inNetwork(network[1] ?? '', Number(network[2]))
  const [, bracketed, plain = '', port] =
    /^(?:\[(.+)\]|([^:]*|.*:.*:.*?))(?::(\d+))?$/.exec(entry) ?? []
  const name = bracketed ?? plain
  const samePort = (asked: string) => port === undefined || port === asked
  if (isIP(name)) return (host, asked) => host === name && samePort(asked)
  const suffix = name.replace(/^\*/, '')
  if (suffix.startsWith('.')) return (host, asked) => host.endsWith(suffix) && samePort(asked)
  return (host, asked) => (host === suffix || host.endsWith(`.${suffix}`)) && samePort(asked)
}

function inNetwork(address: string, bits: number): Exception {
  const family = isIP(address)
  if (family === 0 || bits > (family === 4 ? 32 : 128)) return () => false
  const network = new BlockList()
  network.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6')
  return (host) => isIP(host) === family && network.check(host, family === 4 ? 'ipv4' : 'ipv6')
}
