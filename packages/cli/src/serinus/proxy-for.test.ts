import { expect, test } from 'vitest'
import { proxyFor } from './proxy-for.ts'

const proxies = { HTTP_PROXY: 'http://proxy:3128', HTTPS_PROXY: 'secure:3129' }

test.each([
  ['http://example.com/', 'http://proxy:3128'],
  ['https://example.com/', 'http://secure:3129'],
  ['http://localhost:9090/', null],
  ['http://127.0.0.1:9090/', null],
  ['http://[::1]:9090/', null],
  ['ftp://example.com/', null],
])('%s is asked through %s', (url, proxy) => {
  expect(proxyFor(proxies)(new URL(url))).toBe(proxy)
})

test('lower-case names count where the others are not set; no names, no proxy', () => {
  const url = new URL('http://example.com/')
  expect(proxyFor({ http_proxy: 'http://low:1' })(url)).toBe('http://low:1')
  expect(proxyFor({ ...proxies, http_proxy: 'http://low:1' })(url)).toBe('http://proxy:3128')
  expect(proxyFor({ HTTPS_PROXY: 'http://secure:3129' })(url)).toBeNull()
})

test.each<[noProxy: string, direct: string[], proxied: string[]]>([
  ['*', ['http://a/', 'http://10.1.2.3/'], []],
  ['example.com', ['http://example.com/', 'http://a.example.com/'], ['http://notexample.com/']],
  ['.example.com', ['http://a.example.com/'], ['http://example.com/']],
  ['*.example.com', ['http://a.example.com/'], ['http://example.com/']],
  [
    ' .svc , .cluster.local',
    ['http://p.monitoring.svc:9090/', 'http://x.cluster.local/'],
    ['http://svc/'],
  ],
  ['Example.com:8080', ['http://example.COM:8080/'], ['http://example.com/']],
  ['example.com:80', ['http://example.com/'], ['http://example.com:8080/']],
  [
    '10.0.0.0/8,fd00::/8',
    ['http://10.1.2.3/', 'http://[fd00::7]:9090/'],
    ['http://11.1.2.3/', 'http://[fe00::7]/'],
  ],
  ['10.1.2.3', ['http://10.1.2.3:9090/'], ['http://10.1.2.4/']],
  ['10.1.2.3:9090', ['http://10.1.2.3:9090/'], ['http://10.1.2.3/']],
  ['[fd00::7]:9090', ['http://[fd00::7]:9090/'], ['http://[fd00::7]/']],
  ['fd00::7', ['http://[fd00::7]/'], ['http://[fd00::8]/']],
  ['10.0.0.0/99,,x/8', [], ['http://10.1.2.3/']],
])('NO_PROXY=%s excepts %j but not %j', (noProxy, direct, proxied) => {
  const proxy = proxyFor({ ...proxies, NO_PROXY: noProxy })
  expect(direct.filter((url) => proxy(new URL(url)) !== null)).toEqual([])
  expect(proxied.filter((url) => proxy(new URL(url)) === null)).toEqual([])
})
