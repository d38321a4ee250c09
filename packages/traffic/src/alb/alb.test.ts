import type { DesiredRoutes, Ingress, ManagedRoute } from '@serinus/engine'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RouterFacts } from '../router.ts'
import { routerContract } from '../router-contract.ts'
import type { RoutingObjects } from '../routing-objects.ts'
import {
  applied,
  factsOf,
  ingressesOf,
  mapObjects,
  routesOf,
  servedIngresses,
  written,
} from '../test-objects.ts'
import { alb } from './alb.ts'

type Config = Parameters<typeof alb.plan>[0]
type Paths = readonly { readonly path?: string; readonly pathType?: string }[]

const prefix = 'alb.ingress.kubernetes.io'
const rootAction = `${prefix}/actions.web-root`
const record = 'rollouts.argoproj.io/managed-alb-annotations'
const config: Config = { ingress: 'web', rootService: 'web-root', servicePort: 443 }

function path(service: string, { path = '/*', pathType = 'ImplementationSpecific' } = {}) {
  return {
    path,
    pathType,
    backend: { service: { name: service, port: { name: 'use-annotation' } } },
  }
}

function ingress(
  rules: readonly { readonly host?: string; readonly paths: Paths }[],
  {
    name = 'web',
    annotations = {},
  }: { readonly name?: string; readonly annotations?: object } = {},
): Ingress {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name,
      namespace: 'demo',
      annotations: { 'kubernetes.io/ingress.class': 'alb', ...annotations },
    },
    spec: { rules: rules.map(({ paths, ...rule }) => ({ ...rule, http: { paths } })) },
  }
}

const plain = ingress([{ paths: [path('web-root')] }])
const web = servedIngresses([plain])

interface Given {
  readonly config?: Partial<Config>
  readonly routes?: Partial<DesiredRoutes>
  readonly facts?: Partial<RouterFacts>
}

function facts(objects: RoutingObjects, given: Given = {}): RouterFacts {
  return factsOf(objects, { managedRoutes: ['hdr', 'h2', 'h1'], ...given.facts })
}

function plan(objects: RoutingObjects, weight: number, given: Given = {}) {
  const routes = routesOf({ weight, max: given.facts?.max ?? 100 }, given.routes)
  return alb.plan({ ...config, ...given.config }, facts(objects, given), routes)
}

const after = (objects: RoutingObjects, weight: number, given: Given = {}) =>
  applied(objects, plan(objects, weight, given))

const observed = (objects: RoutingObjects, given: Given = {}) =>
  alb.observe({ ...config, ...given.config }, facts(objects, given))

const annotationsOf = (objects: RoutingObjects, index = 0) =>
  ingressesOf(objects)[index]?.metadata.annotations ?? {}

const shares = (text = '{}') => {
  const { ForwardConfig } = JSON.parse(text) as {
    ForwardConfig?: { TargetGroups: { ServiceName: string; Weight: number }[] }
  }
  return ForwardConfig?.TargetGroups.map(({ ServiceName, Weight }) => [ServiceName, Weight])
}

const pathsOf = (objects: RoutingObjects, rule = 0) =>
  (ingressesOf(objects)[0]?.spec?.rules?.[rule]?.http?.paths ?? []).map((one) => [
    one.path,
    one.pathType,
    one.backend?.service?.name,
  ])

const failures = (plans: ReturnType<typeof plan>) =>
  plans.flatMap((one) => (one.ok ? [] : [one.detail]))
const messages = (plans: ReturnType<typeof plan>) =>
  plans.flatMap((one) => (one.ok ? one.transitions.map(({ message }) => message) : []))

const header = (name = 'hdr', ...match: readonly (readonly [string, string])[]): ManagedRoute => ({
  kind: 'header',
  name,
  match: (match.length > 0 ? match : [['X-Canary', 'true'] as const]).map(
    ([headerName, exact]) => ({ headerName, headerValue: { exact } }),
  ),
})
const withHeaders = (...managedRoutes: readonly ManagedRoute[]): Given => ({
  routes: { managedRoutes },
})

describe('with a root Service', () => {
  routerContract({
    router: alb,
    config,
    objects: web,
    missing: { name: 'web', objects: servedIngresses([]) },
  })
})

describe('without a root Service', () => {
  const objects = servedIngresses([ingress([{ paths: [path('app-stable')] }])])
  const { rootService: _, ...rootless } = config
  routerContract({
    router: alb,
    config: rootless,
    objects,
    missing: { name: 'service `app-stable`', objects: web },
  })
})

describe('several Ingresses', () => {
  const { ingress: _, ...rest } = config
  const other = ingress([{ paths: [path('web-root')] }], { name: 'b' })
  routerContract({
    router: alb,
    config: { ...rest, ingresses: ['web', 'b'] },
    objects: servedIngresses([plain, other]),
    missing: { name: '"b" not found', objects: web },
  })
})

test('weight 20 is written as Argo Rollouts writes it, with the key in the record [traffic-routing 37]', () => {
  const plans = plan(web, 20, {
    facts: { services: { stable: 'web-stable', canary: 'web-canary' } },
    routes: {
      stable: { service: 'web-stable', hash: 's1', available: true },
      canary: { service: 'web-canary', hash: 'c1', available: true },
    },
  })
  expect(plans).toMatchObject([
    {
      writes: [
        {
          kind: 'patch',
          patch: {
            body: {
              metadata: {
                annotations: {
                  [rootAction]:
                    '{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"web-canary","ServicePort":"443","Weight":20},{"ServiceName":"web-stable","ServicePort":"443","Weight":80}]}}',
                  [record]: `{"app":["${rootAction}"]}`,
                },
              },
            },
          },
        },
      ],
      transitions: [
        {
          type: 'Normal',
          reason: 'PatchingALBIngress',
          message: "Updating Ingress `web` to desiredWeight '20'",
        },
      ],
    },
  ])
  expect(annotationsOf(applied(web, plans))['kubernetes.io/ingress.class']).toBe('alb')
})

test('a weight of 0 is written out [traffic-routing 38]', () => {
  expect(annotationsOf(after(web, 0))[rootAction]).toContain(
    '{"ServiceName":"app-canary","ServicePort":"443","Weight":0}',
  )
})

test('stickiness stands at the end, and is refused beyond a week [traffic-routing 39]', () => {
  const sticky = (durationSeconds: number, enabled = true) => ({
    config: { stickinessConfig: { enabled, durationSeconds } },
  })
  const action = annotationsOf(after(web, 20, sticky(3600)))[rootAction]
  expect(
    action?.endsWith('"TargetGroupStickinessConfig":{"Enabled":true,"DurationSeconds":3600}}}'),
  ).toBe(true)
  expect(annotationsOf(after(web, 20, sticky(0, false)))[rootAction]).not.toContain('Stickiness')
  const detail =
    "TargetGroupStickinessConfig's duration must be between 1 and 604800 seconds (7 days)!"
  for (const seconds of [0, 604_801]) {
    expect(failures(plan(web, 20, sticky(seconds)))).toEqual([detail])
    expect(alb.check?.({ ...config, ...sticky(seconds).config }, facts(web))).toEqual([
      {
        path: 'spec.strategy.canary.trafficRouting.alb.stickinessConfig.durationSeconds',
        kind: 'Invalid value',
        value: seconds,
        detail,
      },
    ])
  }
  for (const seconds of [1, 604_800]) {
    expect(failures(plan(web, 20, sticky(seconds)))).toEqual([])
    expect(alb.check?.({ ...config, ...sticky(seconds).config }, facts(web))).toEqual([])
  }
})

test('a header route has an action, its conditions and the first path of each rule [traffic-routing 40]', () => {
  const two = servedIngresses([
    ingress([
      { host: 'a', paths: [path('web-root')] },
      { host: 'b', paths: [path('web-root')] },
    ]),
  ])
  const asked = withHeaders(header('hdr', ['X-Canary', 'true'], ['x-canary', 'yes']))
  const routed = after(two, 0, asked)
  const annotations = annotationsOf(routed)
  expect(annotations[`${prefix}/actions.hdr`]).toBe(
    '{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"app-canary","ServicePort":"443","Weight":100}]}}',
  )
  expect(annotations[`${prefix}/conditions.hdr`]).toBe(
    '[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"X-Canary","values":["true","yes"]}}]',
  )
  expect(annotations[record]).toBe(
    `{"app":["${rootAction}","${prefix}/actions.hdr","${prefix}/conditions.hdr"]}`,
  )
  for (const rule of [0, 1]) {
    expect(ingressesOf(routed)[0]?.spec?.rules?.[rule]?.http?.paths).toEqual([
      path('hdr'),
      path('web-root'),
    ])
  }
  expect(observed(two).managedRoutes).toEqual({ header: [], mirror: null })
  expect(observed(routed).managedRoutes).toEqual({ header: ['hdr'], mirror: null })
  expect(plan(routed, 0, asked)).toEqual([{ ok: true, writes: [], transitions: [] }])
})

test('header routes stand in the order of managedRoutes before the paths of the user [traffic-routing 41]', () => {
  const routed = after(after(web, 0, withHeaders(header('h1'))), 0, {
    routes: { managedRoutes: [header('h2'), header('h1')] },
  })
  expect(pathsOf(routed).map(([, , service]) => service)).toEqual(['h2', 'h1', 'web-root'])
})

test('a header route stands before the weighted paths alone, so that no other host or path is caught', () => {
  const mixed = servedIngresses([
    ingress([
      {
        host: 'a',
        paths: [
          path('api', { path: '/api', pathType: 'Prefix' }),
          path('web-root', { path: '/shop', pathType: 'Prefix' }),
          path('web-root', { path: '/', pathType: 'Prefix' }),
        ],
      },
      { host: 'b', paths: [path('other')] },
    ]),
  ])
  const routed = after(mixed, 20, withHeaders(header()))
  expect(pathsOf(routed, 0)).toEqual([
    ['/api', 'Prefix', 'api'],
    ['/shop', 'Prefix', 'hdr'],
    ['/shop', 'Prefix', 'web-root'],
    ['/', 'Prefix', 'hdr'],
    ['/', 'Prefix', 'web-root'],
  ])
  expect(pathsOf(routed, 1)).toEqual([['/*', 'ImplementationSpecific', 'other']])
})

test('of several headers one is enough, unless the Rollout says that all must match', () => {
  const asked = withHeaders(header('hdr', ['A', '1'], ['B', '2']))
  const conditions = (objects: RoutingObjects) =>
    Object.entries(annotationsOf(objects))
      .filter(([key]) => key.includes('/conditions.'))
      .map(([key, value]) => [key.replace(`${prefix}/conditions.`, ''), JSON.parse(value)])
  const one = (httpHeaderName: string, value: string) => ({
    field: 'http-header',
    httpHeaderConfig: { httpHeaderName, values: [value] },
  })
  const or = after(web, 0, asked)
  expect(conditions(or)).toEqual([
    ['hdr', [one('A', '1')]],
    ['hdr-1', [one('B', '2')]],
  ])
  expect(pathsOf(or).map(([, , service]) => service)).toEqual(['hdr', 'hdr-1', 'web-root'])
  const and = after(or, 0, { ...asked, facts: { headerMatch: 'and' } })
  expect(conditions(and)).toEqual([['hdr', [one('A', '1'), one('B', '2')]]])
  expect(pathsOf(and).map(([, , service]) => service)).toEqual(['hdr', 'web-root'])
  const taken = after(web, 0, { ...asked, facts: { managedRoutes: ['hdr', 'hdr-1'] } })
  expect(conditions(taken).map(([name]) => name)).toEqual(['hdr', 'hdr-1x'])
})

test('conditions of the weighted paths hold for a header route, too', () => {
  const office = '{"field":"source-ip","sourceIpConfig":{"values":["10.0.0.0/8"]}}'
  const guarded = servedIngresses([
    ingress([{ paths: [path('web-root')] }], {
      annotations: { [`${prefix}/conditions.web-root`]: `[${office}]` },
    }),
  ])
  const routed = after(guarded, 0, withHeaders(header()))
  expect(annotationsOf(routed)[`${prefix}/conditions.hdr`]).toBe(
    `[${office},{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"X-Canary","values":["true"]}}]`,
  )
  const done = after(routed, 0)
  expect(annotationsOf(done)[`${prefix}/conditions.web-root`]).toBe(`[${office}]`)
})

test('a header route leaves without a trace, and the Event says so', () => {
  const routed = after(web, 20, withHeaders(header('hdr', ['A', '1'], ['B', '2'])))
  const plans = plan(routed, 20)
  expect(messages(plans)).toEqual(['Updating Ingress `web` removing managed routes'])
  expect(applied(routed, plans)).toEqual(after(web, 20))
  expect(messages(plan(routed, 0))).toEqual(["Updating Ingress `web` to desiredWeight '0'"])
})

test.each([
  [
    'only an Exact path',
    ingress([{ paths: [path('web-root', { path: '/login', pathType: 'Exact' })] }]),
    'takes an Exact path only once: give path `/login` to service `web-root` the pathType ImplementationSpecific',
  ],
  [
    'only the default backend',
    {
      ...ingress([]),
      spec: { defaultBackend: path('web-root').backend },
    },
    'no rule has a path to service `web-root` that they could stand before',
  ],
  [
    'an action of that name by somebody else',
    ingress([{ paths: [path('web-root')] }], { annotations: { [`${prefix}/actions.hdr`]: '{}' } }),
    `annotation ${prefix}/actions.hdr of ingress \`web\` is not of this Rollout`,
  ],
  [
    'a header route of that name by another Rollout',
    ingress([{ paths: [path('web-root')] }], {
      annotations: { [record]: `{"other":["${prefix}/actions.hdr"]}` },
    }),
    `annotation ${prefix}/actions.hdr of ingress \`web\` is not of this Rollout`,
  ],
])(
  'an Ingress with %s refuses a header route, and gets its weight all the same',
  (_, object, detail) => {
    const objects = servedIngresses([object])
    const plans = plan(objects, 20, withHeaders(header()))
    expect(failures(plans)).toEqual([expect.stringContaining(detail)])
    const changed = applied(objects, plans)
    expect(observed(changed)).toMatchObject({ weight: 20, managedRoutes: { header: [] } })
    expect(ingressesOf(changed)[0]?.spec).toEqual(object.spec)
  },
)

test('roles that have swapped swap the two sides', () => {
  const [ping, pong] = ['ping', 'pong'].map((service) => ({ service, hash: '', available: true }))
  if (!ping || !pong) throw new Error('two sides')
  const pingIsStable: Given = {
    facts: { services: { stable: 'ping', canary: 'pong' } },
    routes: { stable: ping, canary: pong },
  }
  const pongIsStable: Given = {
    facts: { services: { stable: 'pong', canary: 'ping' } },
    routes: { stable: pong, canary: ping },
  }
  const thirty = after(web, 30, pingIsStable)
  expect(shares(annotationsOf(thirty)[rootAction])).toEqual([
    ['pong', 30],
    ['ping', 70],
  ])
  const full = after(thirty, 100, pingIsStable)
  expect(observed(full, pingIsStable).weight).toBe(100)
  // The promotion: nothing was written yet, and nothing moves.
  expect(observed(full, pongIsStable).weight).toBe(0)
  expect(shares(annotationsOf(after(full, 0, pongIsStable))[rootAction])).toEqual([
    ['ping', 0],
    ['pong', 100],
  ])
})

test('an Ingress that has its weight already keeps none of the others from getting it [traffic-routing 44]', () => {
  const two = servedIngresses([plain, ingress([{ paths: [path('web-root')] }], { name: 'b' })])
  const { ingress: _, ...rest } = config
  const both = { ...rest, ingresses: ['web', 'b'] }
  const first = after(two, 20)
  expect(alb.observe(both, facts(first)).weight).toBeNull()
  const plans = alb.plan(both, facts(first), routesOf({ weight: 20, max: 100 }))
  expect(plans.map((one) => (one.ok ? one.writes.map(({ id }) => id) : []))).toEqual([
    [],
    ['ingresses/b'],
  ])
  expect(alb.observe(both, facts(applied(first, plans))).weight).toBe(20)
})

test('experiments stand between the canary and stable, which gets the rest', () => {
  const additional = [
    { service: 'exp-a', hash: 'e1', weight: 5 },
    { service: 'exp-b', hash: 'e2', weight: 5 },
  ]
  const shared = after(web, 10, { routes: { additional } })
  expect(shares(annotationsOf(shared)[rootAction])).toEqual([
    ['app-canary', 10],
    ['exp-a', 5],
    ['exp-b', 5],
    ['app-stable', 80],
  ])
  expect(observed(shared).weight).toBe(10)
})

test('weights on another scale stay within the 999 that ALB takes, or are refused', () => {
  const on = (max: number): Given => ({ facts: { max } })
  expect(shares(annotationsOf(after(web, 0, on(1000)))[rootAction])).toEqual([
    ['app-canary', 0],
    ['app-stable', 1],
  ])
  expect(shares(annotationsOf(after(web, 15, on(1000)))[rootAction])?.[0]).toEqual([
    'app-canary',
    15,
  ])
  expect(failures(plan(web, 1, on(5000)))).toEqual([
    'weight 1 of maxTrafficWeight 5000 cannot be given to ALB, which takes weights up to 999: take a smaller maxTrafficWeight',
  ])
})

test('a backend that no annotation reaches is told instead of being believed', () => {
  const numbered = { service: { name: 'web-root', port: { number: 80 } } }
  const objects = servedIngresses([
    ingress([{ paths: [{ ...path(''), backend: numbered } as never] }]),
  ])
  expect(failures(plan(objects, 20))).toEqual([
    'ingress `web` has no effect on service `web-root`: its backend needs port name use-annotation',
  ])
  const none = servedIngresses([ingress([{ paths: [path('other')] }])])
  expect(failures(plan(none, 20))).toEqual([
    'ingress does not have service `web-root` in rules: ingress `web`',
  ])
})

test('a record that nobody can read is told and left alone', () => {
  for (const text of ['oops', '[]', '{"app":"x"}']) {
    const objects = mapObjects(web, (object) => ({
      ...object,
      metadata: { ...object.metadata, annotations: { [record]: text } },
    }))
    expect(failures(plan(objects, 20))).toEqual([
      `annotation ${record} of ingress \`web\` is no JSON of Rollouts and their annotations: remove it`,
    ])
    expect(alb.release(config, facts(objects))).toEqual([])
  }
})

test('an action that is spoilt says no weight and is written anew', () => {
  for (const text of ['oops', '{}', '{"ForwardConfig":{"TargetGroups":[null]}}']) {
    const objects = mapObjects(web, (object) => ({
      ...object,
      metadata: { ...object.metadata, annotations: { [rootAction]: text } },
    }))
    expect(observed(objects).weight).toBeNull()
    expect(shares(annotationsOf(after(objects, 20))[rootAction])).toEqual([
      ['app-canary', 20],
      ['app-stable', 80],
    ])
  }
})

test('another prefix is another key, and the earlier one follows until all is with stable', () => {
  const own: Given = { config: { annotationPrefix: 'custom.io' } }
  const before = after(web, 20)
  const moved = annotationsOf(after(before, 30, own))
  expect(shares(moved['custom.io/actions.web-root'])?.[0]).toEqual(['app-canary', 30])
  expect(moved[rootAction]).toBe(moved['custom.io/actions.web-root'])
  const rest = annotationsOf(after(after(before, 30, own), 0, own))
  expect(shares(rest[rootAction])).toEqual([['app-stable', 100]])
  expect(rest[record]).toBe('{"app":["custom.io/actions.web-root"]}')
})

test('two Rollouts share an Ingress and its record', () => {
  const shared = servedIngresses([ingress([{ paths: [path('web-root'), path('api-root')] }])])
  const other = { ...config, rootService: 'api-root' }
  const api: Partial<RouterFacts> = {
    rollout: { namespace: 'demo', name: 'api', uid: 'api-uid' },
    services: { stable: 'api-stable', canary: 'api-canary' },
  }
  const both = after(after(shared, 20), 50, { config: other, facts: api })
  expect(annotationsOf(both)[record]).toBe(
    `{"api":["${prefix}/actions.api-root"],"app":["${rootAction}"]}`,
  )
  const left = written(both, alb.release(config, facts(both)))
  expect(annotationsOf(left)[record]).toBe(`{"api":["${prefix}/actions.api-root"]}`)
  expect(annotationsOf(left)[`${prefix}/actions.api-root`]).toBe(
    annotationsOf(both)[`${prefix}/actions.api-root`],
  )
})

describe('what is left', () => {
  const sticky = { config: { stickinessConfig: { enabled: true, durationSeconds: 60 } } }
  const routed = after(web, 20, { ...sticky, ...withHeaders(header()) })
  const single =
    '{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"app-stable","ServicePort":"443","Weight":100}],"TargetGroupStickinessConfig":{"Enabled":true,"DurationSeconds":60}}}'
  const expectFree = (objects: RoutingObjects) => {
    expect(annotationsOf(objects)).toEqual({
      'kubernetes.io/ingress.class': 'alb',
      [rootAction]: single,
    })
    expect(ingressesOf(objects)[0]?.spec).toEqual(plain.spec)
  }

  test('of a deleted Rollout is one target group of stable, without routes and record', () => {
    const free = written(routed, alb.release(config, facts(routed)))
    expectFree(free)
    expect(alb.release(config, facts(free))).toEqual([])
  })

  test('of a block that left the spec is the same, even where nobody names Services or ports any more', () => {
    expectFree(written(routed, alb.removals(null, facts(routed))))
    const nobody = facts(routed, { facts: { services: { stable: '', canary: '' } } })
    expectFree(written(routed, alb.removals(null, nobody)))
  })

  test('of an Ingress that left the list is the same, while those in the list stay', () => {
    const { ingress: _, ...rest } = config
    expect(alb.removals(config, facts(routed))).toEqual([])
    expectFree(written(routed, alb.removals({ ...rest, ingresses: ['b'] }, facts(routed))))
  })
})

test('whatever steps come, shares add up, parts of others survive, and the end leaves the Ingress as it was', () => {
  const others = {
    ...ingress(
      [
        { host: 'a', paths: [path('api', { path: '/api' }), path('web-root')] },
        { paths: [path('other')] },
      ],
      { annotations: { [`${prefix}/scheme`]: 'internal', [record]: '{"z":["k"]}', k: 'v' } },
    ),
  }
  const start = servedIngresses([others])
  const pass = fc.record({
    weight: fc.integer({ min: 0, max: 100 }),
    names: fc.subarray(['hdr', 'h2', 'h1']),
    headers: fc.uniqueArray(fc.constantFrom('A', 'B', 'C'), { minLength: 1 }),
    headerMatch: fc.constantFrom('or' as const, 'and' as const),
  })
  fc.assert(
    fc.property(fc.array(pass, { minLength: 1, maxLength: 5 }), (passes) => {
      let objects = start
      for (const { weight, names, headers, headerMatch } of passes) {
        const given: Given = {
          ...withHeaders(
            ...names.map((name) => header(name, ...headers.map((one) => [one, 'x'] as const))),
          ),
          facts: { headerMatch },
        }
        objects = after(objects, weight, given)
        expect(plan(objects, weight, given)).toEqual([{ ok: true, writes: [], transitions: [] }])
        const sum = shares(annotationsOf(objects)[rootAction])?.reduce(
          (all, [, one]) => all + Number(one),
          0,
        )
        expect(sum).toBe(100)
        expect(observed(objects, given).managedRoutes.header).toEqual(names)
        expect(annotationsOf(objects)).toMatchObject({ k: 'v', [`${prefix}/scheme`]: 'internal' })
        expect(pathsOf(objects, 1)).toEqual([['/*', 'ImplementationSpecific', 'other']])
      }
      const [free] = ingressesOf(written(objects, alb.release(config, facts(objects))))
      expect(free?.spec).toEqual(others.spec)
      expect(free?.metadata.annotations).toEqual({
        ...others.metadata.annotations,
        [rootAction]: expect.stringContaining('"app-stable"'),
      })
    }),
    { numRuns: 40 },
  )
})
