import { expect, test } from 'vitest'
import { nginxRoutes } from './nginx-plane.ts'
import type { Ingress } from './objects.ts'
import { type Asked, type Route, routeFor } from './route.ts'
import { canaryIngress, ingress } from './test-world.ts'

const asked = (facts: Partial<Asked> = {}): Asked => ({
  host: 'my-app.example.com',
  path: '/',
  method: 'GET',
  headers: new Headers(),
  ...facts,
})

/** Weights by Service, of the rule that takes requests with these headers. */
function weights(route: Route | undefined, headers: Readonly<Record<string, string>> = {}) {
  const facts = asked({ headers: new Headers(headers) })
  const rule = route?.rules.find(({ fits }) => fits(facts))
  return Object.fromEntries((rule?.backends ?? []).map(({ service, weight }) => [service, weight]))
}

function withCanary(keys: Readonly<Record<string, string>>): Route | undefined {
  return nginxRoutes([ingress('web', 'my-app-stable'), canaryIngress(keys)])[0]
}

function decision(keys: Readonly<Record<string, string>>, headers: Record<string, string>) {
  const share = weights(withCanary({ 'canary-weight': '20', ...keys }), headers)['my-app-canary']
  if (share === undefined || share === 0) return 'stable'
  return share === 1 ? 'canary' : 'weight'
}

test.each<[Record<string, string>, number]>([
  [{ 'canary-weight': '20' }, 0.2],
  [{ 'canary-weight': '15', 'canary-weight-total': '1000' }, 0.015],
  // ingress-nginx takes a total for one only above 100.
  [{ 'canary-weight': '5', 'canary-weight-total': '10' }, 0.05],
  [{ 'canary-weight': '150' }, 1],
  [{ 'canary-weight': '-3' }, 0],
  [{ 'canary-weight': 'half' }, 0],
  [{}, 0],
])('the annotations %o send a share of %f to the canary', (keys, share) => {
  const shares = weights(withCanary(keys))
  expect(shares['my-app-canary']).toBeCloseTo(share, 10)
  expect(shares['my-app-stable']).toBeCloseTo(1 - share, 10)
})

const byHeader = { 'canary-by-header': 'X-Canary' }
const byValue = { ...byHeader, 'canary-by-header-value': 'yes' }
const byPattern = { ...byHeader, 'canary-by-header-pattern': '^(yes|true)$' }
const byCookie = { 'canary-by-cookie': 'beta' }

test.each<[string, Record<string, string>, Record<string, string>, string]>([
  ['a header of always', byHeader, { 'x-canary': 'always' }, 'canary'],
  ['a header of never', byHeader, { 'x-canary': 'never' }, 'stable'],
  ['a header of something else', byHeader, { 'x-canary': 'yes' }, 'weight'],
  ['no header', byHeader, {}, 'weight'],
  ['the header value asked for', byValue, { 'x-canary': 'yes' }, 'canary'],
  ['another header value', byValue, { 'x-canary': 'no' }, 'weight'],
  ['always where a value is asked for', byValue, { 'x-canary': 'always' }, 'weight'],
  ['a header that fits the pattern', byPattern, { 'x-canary': 'true' }, 'canary'],
  ['a header that does not fit the pattern', byPattern, { 'x-canary': 'truer' }, 'weight'],
  ['value before pattern', { ...byPattern, ...byValue }, { 'x-canary': 'true' }, 'weight'],
  [
    'a pattern that cannot be read',
    { ...byHeader, 'canary-by-header-pattern': '(' },
    { 'x-canary': '(' },
    'weight',
  ],
  ['a cookie of always', byCookie, { cookie: 'a=b; beta=always' }, 'canary'],
  ['a cookie of never', byCookie, { cookie: 'beta=never; a=b' }, 'stable'],
  ['a cookie of something else', byCookie, { cookie: 'beta=1' }, 'weight'],
  ['a cookie whose name only ends alike', byCookie, { cookie: 'alphabeta=always' }, 'weight'],
  [
    'a cookie name with signs of its own',
    { 'canary-by-cookie': 'a.b' },
    { cookie: 'axb=always' },
    'weight',
  ],
  [
    'the header before the cookie',
    { ...byHeader, ...byCookie },
    { 'x-canary': 'never', cookie: 'beta=always' },
    'stable',
  ],
  [
    'the cookie where the header says nothing',
    { ...byValue, ...byCookie },
    { 'x-canary': 'no', cookie: 'beta=always' },
    'canary',
  ],
])('%s decides as in ingress-nginx', (_, keys, headers, expected) => {
  expect(decision(keys, headers)).toBe(expected)
})

test('the canary of a path is the one of its own namespace, host and path', () => {
  const canary = canaryIngress({ 'canary-weight': '20' })
  const elsewhere = {
    ...canary,
    metadata: { ...canary.metadata, namespace: 'other' },
  }
  expect(weights(nginxRoutes([ingress('web', 'my-app-stable'), elsewhere])[0])).toEqual({
    'my-app-stable': 1,
  })
  const backends = nginxRoutes([ingress('web', 'my-app-stable'), canary])[0]?.rules.at(-1)?.backends
  expect(backends).toMatchObject([
    { service: 'my-app-canary', upstream: 'default-my-app-canary-80' },
    { service: 'my-app-stable', upstream: '' },
  ])
})

test('a canary Ingress alone serves nothing', () => {
  expect(nginxRoutes([canaryIngress({ 'canary-weight': '100' })])).toEqual([])
})

function serviceOf(web: Ingress, facts: Partial<Asked>): string | undefined {
  return routeFor(nginxRoutes([web]), asked(facts))?.rules[0]?.backends[0]?.service
}

function routed(rules: readonly (readonly [host: string, path: string, type: string])[]) {
  const made = rules.map(([host, path, pathType]) => ({
    ...(host && { host }),
    http: {
      paths: [{ path, pathType, backend: { service: { name: `${host} ${path} ${pathType}` } } }],
    },
  }))
  const web: Ingress = { ...ingress('web', 'x'), spec: { rules: made } }
  return (host: string, path: string) => serviceOf(web, { host, path })
}

test.each([
  ['/foo', 'Prefix', '/foo', true],
  ['/foo', 'Prefix', '/foo/', true],
  ['/foo', 'Prefix', '/foo/bar', true],
  ['/foo', 'Prefix', '/foobar', false],
  ['/foo/', 'Prefix', '/foo', true],
  ['/foo/', 'Prefix', '/foo/bar', true],
  ['/', 'Prefix', '/anything', true],
  ['/foo', 'Exact', '/foo', true],
  ['/foo', 'Exact', '/foo/', false],
  ['/foo', 'ImplementationSpecific', '/foobar', true],
  ['/foo', 'ImplementationSpecific', '/fo', false],
])('path %s of type %s for a request to %s: %s', (path, type, asked, fits) => {
  expect(routed([['a.example.com', path, type]])('a.example.com', asked) !== undefined).toBe(fits)
})

test('the longest path wins, an exact one before it, and a host before a wildcard before none', () => {
  const service = routed([
    ['', '/', 'Prefix'],
    ['*.example.com', '/', 'Prefix'],
    ['a.example.com', '/', 'Prefix'],
    ['a.example.com', '/api', 'Prefix'],
    ['a.example.com', '/api', 'Exact'],
  ])
  expect(service('a.example.com', '/x')).toBe('a.example.com / Prefix')
  expect(service('A.example.com', '/api/x')).toBe('a.example.com /api Prefix')
  expect(service('a.example.com', '/api')).toBe('a.example.com /api Exact')
  expect(service('b.example.com', '/api')).toBe('*.example.com / Prefix')
  expect(service('b.c.example.com', '/')).toBe(' / Prefix')
})

test('a host with routes of its own does not fall back to those of any host', () => {
  const service = routed([
    ['', '/', 'Prefix'],
    ['a.example.com', '/api', 'Prefix'],
  ])
  expect(service('a.example.com', '/other')).toBeUndefined()
})

test('the default backend answers hosts that no rule names', () => {
  const web: Ingress = {
    ...ingress('web', 'my-app-stable'),
    spec: {
      ...ingress('web', 'my-app-stable').spec,
      defaultBackend: { service: { name: 'rest' } },
    },
  }
  const service = (host: string) => serviceOf(web, { host })
  expect(service('unknown.example.com')).toBe('rest')
  expect(service('my-app.example.com')).toBe('my-app-stable')
})

test('backends that are no Service and rules without http are passed over', () => {
  const web: Ingress = {
    ...ingress('web', 'x'),
    spec: { rules: [{ host: 'a' }, { host: 'b', http: { paths: [{ path: '/' }] } }] },
  }
  expect(nginxRoutes([web])).toEqual([])
})
