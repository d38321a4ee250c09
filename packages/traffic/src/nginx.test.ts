import type { TrafficRouting } from '@serinus/api'
import type { DesiredRoutes, Ingress, Write } from '@serinus/engine'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nginx } from './nginx.ts'
import type { RouterFacts, RouterPlan } from './router.ts'
import { routerContract } from './router-contract.ts'
import { applied, factsOf, ingressesOf, routesOf, servedIngresses } from './test-objects.ts'

type Config = NonNullable<TrafficRouting['nginx']>
type Rules = NonNullable<NonNullable<Ingress['spec']>['rules']>
type Path = NonNullable<NonNullable<Rules[number]['http']>['paths']>[number]

const prefix = 'nginx.ingress.kubernetes.io'

function leadsTo(service: string, path = '/'): Path {
  return { path, pathType: 'Prefix', backend: { service: { name: service, port: { number: 80 } } } }
}

function ingress(name: string, facts: Partial<Ingress['metadata']> & { spec?: object } = {}) {
  const { spec, ...metadata } = facts
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'demo', ...metadata },
    spec: {
      ingressClassName: 'nginx',
      rules: [{ host: 'app.example.com', http: { paths: [leadsTo('app-stable')] } }],
      ...spec,
    },
  } as Ingress
}

routerContract({
  router: nginx,
  config: {
    stableIngress: 'web',
    additionalIngressAnnotations: { 'canary-by-header': 'X-Canary-User' },
  },
  objects: servedIngresses([ingress('web'), ingress('other')]),
  missing: { name: 'web', objects: servedIngresses([ingress('other')]) },
})

/** The second article: Rollout, Ingress and annotations as printed there. */
const article = {
  config: {
    stableIngress: 'my-app-ingress',
    annotationPrefix: prefix,
    additionalIngressAnnotations: {
      'canary-by-header': 'X-Canary-User',
      'canary-by-header-value': 'true',
    },
  },
  rollout: { namespace: 'default', name: 'my-app', uid: 'my-app-uid' },
  stable: {
    ...ingress('my-app-ingress', { namespace: 'default' }),
    spec: {
      ingressClassName: 'nginx',
      rules: [{ host: 'my-app.example.com', http: { paths: [leadsTo('my-app-stable')] } }],
    },
  } as Ingress,
}

function articleFacts(...canary: readonly Ingress[]): RouterFacts {
  return factsOf(servedIngresses([article.stable, ...canary]), { rollout: article.rollout })
}

function articleRoutes(weight: number): DesiredRoutes {
  return {
    ...routesOf({ weight, max: 100 }),
    rollout: article.rollout,
    stable: { service: 'my-app-stable', hash: 's1', available: true },
    canary: { service: 'my-app-canary', hash: 'c1', available: true },
  }
}

function onlyWrite(plans: readonly RouterPlan[]): Write {
  expect(plans.filter((plan) => !plan.ok)).toEqual([])
  const writes = plans.flatMap((plan) => (plan.ok ? plan.writes : []))
  expect(writes).toHaveLength(1)
  return writes[0] as Write
}

function articleCanary(weight: number): Ingress {
  const write = onlyWrite(nginx.plan(article.config, articleFacts(), articleRoutes(weight)))
  if (write.kind !== 'create') throw new Error(`expected a create, got ${write.kind}`)
  return write.object as Ingress
}

test("the second article's canary Ingress is created byte for byte, with its header annotations [traffic-routing 24]", () => {
  const made = articleCanary(10)
  const { [`rollouts.argoproj.io/injected-annotations`]: bookkeeping, ...annotations } =
    made.metadata.annotations ?? {}
  const sorted = Object.fromEntries(Object.entries(annotations).sort())
  expect(
    JSON.stringify({ ...made, metadata: { ...made.metadata, annotations: sorted } }, null, 1),
  ).toBe(
    JSON.stringify(
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'Ingress',
        metadata: {
          name: 'my-app-my-app-ingress-canary',
          namespace: 'default',
          annotations: {
            'nginx.ingress.kubernetes.io/canary': 'true',
            'nginx.ingress.kubernetes.io/canary-by-header': 'X-Canary-User',
            'nginx.ingress.kubernetes.io/canary-by-header-value': 'true',
            'nginx.ingress.kubernetes.io/canary-weight': '10',
          },
          ownerReferences: [
            {
              apiVersion: 'argoproj.io/v1alpha1',
              kind: 'Rollout',
              name: 'my-app',
              uid: 'my-app-uid',
              controller: true,
              blockOwnerDeletion: true,
            },
          ],
        },
        spec: {
          ingressClassName: 'nginx',
          rules: [
            {
              host: 'my-app.example.com',
              http: {
                paths: [
                  {
                    path: '/',
                    pathType: 'Prefix',
                    backend: { service: { name: 'my-app-canary', port: { number: 80 } } },
                  },
                ],
              },
            },
          ],
        },
      },
      null,
      1,
    ),
  )
  expect(bookkeeping).toBe(`${prefix}/canary-by-header,${prefix}/canary-by-header-value`)
})

test('creating and changing the canary Ingress is told in the words of upstream', () => {
  const canary = articleCanary(10)
  const created = nginx.plan(article.config, articleFacts(), articleRoutes(10))
  const patched = nginx.plan(article.config, articleFacts(canary), articleRoutes(20))
  const told = [...created, ...patched].flatMap((plan) => (plan.ok ? plan.transitions : []))
  expect(told.map(({ type, reason, message }) => [type, reason, message])).toEqual([
    [
      'Normal',
      'CreatingCanaryIngress',
      'Creating canary ingress `my-app-my-app-ingress-canary` with weight `10`',
    ],
    [
      'Normal',
      'PatchingCanaryIngress',
      "Updating Ingress `my-app-my-app-ingress-canary` to desiredWeight '20'",
    ],
  ])
})

test.each([
  [10, 20, '{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/canary-weight":"20"}}}'],
  [10, 50, '{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/canary-weight":"50"}}}'],
])('from %d to %d only the weight is patched [traffic-routing 25]', (from, to, body) => {
  const facts = articleFacts(articleCanary(from))
  const write = onlyWrite(nginx.plan(article.config, facts, articleRoutes(to)))
  expect(write).toMatchObject({
    kind: 'patch',
    key: { namespace: 'default', name: 'my-app-my-app-ingress-canary' },
    patch: { kind: 'merge' },
  })
  expect(JSON.stringify(write.kind === 'patch' && write.patch.body)).toBe(body)
})

interface Given {
  readonly config?: Partial<Config>
  readonly stable?: readonly Ingress[]
  readonly weight?: number
  readonly max?: number
}

function world(given: Given) {
  const config: Config = { stableIngress: 'web', ...given.config }
  const ingresses = given.stable ?? [ingress('web')]
  const share = { weight: given.weight ?? 20, max: given.max ?? 100 }
  const plans = nginx.plan(
    config,
    factsOf(servedIngresses(ingresses), { max: share.max }),
    routesOf(share),
  )
  const after = ingressesOf(applied(servedIngresses(ingresses), plans))
  const canary = after.find((one) => one.metadata.name === 'app-web-canary')
  return { plans, after, canary, annotations: canary?.metadata.annotations ?? {} }
}

test('class annotation and TLS of the stable Ingress appear on the canary Ingress [traffic-routing 26]', () => {
  const tls = [{ hosts: ['a.example.com'], secretName: 'a-tls' }]
  const stable = ingress('web', {
    annotations: { 'kubernetes.io/ingress.class': 'nginx', 'example.com/note': 'not copied' },
    spec: { ingressClassName: undefined, tls },
  })
  const { canary } = world({ stable: [stable] })
  expect(canary?.metadata.annotations).toEqual({
    'kubernetes.io/ingress.class': 'nginx',
    [`${prefix}/canary`]: 'true',
    [`${prefix}/canary-weight`]: '20',
  })
  expect(canary?.spec).toMatchObject({ tls })
  expect(canary?.spec).not.toHaveProperty('ingressClassName')
})

test.each([['canary-by-cookie'], ['custom.io/canary-by-cookie']])(
  'the key %s gets the prefix exactly once [traffic-routing 27]',
  (key) => {
    const { annotations } = world({
      config: { annotationPrefix: 'custom.io', additionalIngressAnnotations: { [key]: 'beta' } },
    })
    expect(annotations).toEqual({
      'custom.io/canary': 'true',
      'custom.io/canary-by-cookie': 'beta',
      'custom.io/canary-weight': '20',
      'rollouts.argoproj.io/injected-annotations': 'custom.io/canary-by-cookie',
    })
  },
)

test('canaryIngressAnnotations win over additional ones, the computed weight wins over both [traffic-routing 28]', () => {
  const { annotations } = world({
    config: {
      additionalIngressAnnotations: { 'limit-rps': '1', 'canary-weight': '77' },
      canaryIngressAnnotations: {
        [`${prefix}/limit-rps`]: '2',
        [`${prefix}/canary-weight`]: '88',
        [`${prefix}/canary`]: 'false',
      },
    },
  })
  expect(annotations).toMatchObject({
    [`${prefix}/limit-rps`]: '2',
    [`${prefix}/canary-weight`]: '20',
    [`${prefix}/canary`]: 'true',
  })
})

test('an annotation that somebody else put on the canary Ingress survives a new weight [traffic-routing 29]', () => {
  const { after, canary } = world({ weight: 10 })
  if (!canary) throw new Error('no canary Ingress')
  const touched = {
    ...canary,
    metadata: {
      ...canary.metadata,
      labels: { team: 'blue' },
      annotations: { ...canary.metadata.annotations, 'field.cattle.io/publicEndpoints': '[]' },
    },
  }
  const stable = after.filter((one) => one !== canary)
  const later = world({ stable: [...stable, touched], weight: 50 })
  expect(later.annotations).toMatchObject({
    'field.cattle.io/publicEndpoints': '[]',
    [`${prefix}/canary-weight`]: '50',
  })
  expect(later.canary?.metadata.labels).toEqual({ team: 'blue' })
})

test.each([
  ['another Rollout', [{ kind: 'Rollout', uid: 'other-uid', controller: true }]],
  ['nobody', []],
  ['this Rollout, but not as controller', [{ kind: 'Rollout', uid: 'my-app-uid' }]],
])(
  'a canary Ingress owned by %s is refused and left alone [traffic-routing 30]',
  (_, references) => {
    const present = articleCanary(10)
    const ownerReferences = references.map((reference) => ({
      apiVersion: 'argoproj.io/v1alpha1',
      name: 'owner',
      ...reference,
    }))
    const foreign = { ...present, metadata: { ...present.metadata, ownerReferences } }
    expect(nginx.plan(article.config, articleFacts(foreign), articleRoutes(20))).toEqual([
      {
        ok: false,
        reason: 'TrafficRoutingError',
        detail: 'canary ingress `my-app-my-app-ingress-canary` controlled by different object',
      },
    ])
  },
)

test('all stableIngresses carry equal weights [traffic-routing 31]', () => {
  const { after } = world({
    config: { stableIngress: '', stableIngresses: ['a', 'b'] },
    stable: [ingress('a'), ingress('b')],
    weight: 40,
  })
  const weightOf = (name: string) =>
    after.find((one) => one.metadata.name === name)?.metadata.annotations?.[
      `${prefix}/canary-weight`
    ]
  expect([weightOf('app-a-canary'), weightOf('app-b-canary')]).toEqual(['40', '40'])
})

test('of several stableIngresses one that is missing does not keep the others on their old weight', () => {
  const { plans, after } = world({
    config: { stableIngress: '', stableIngresses: ['gone', 'web'] },
    weight: 40,
  })
  expect(plans[0]).toEqual({
    ok: false,
    reason: 'TrafficRoutingError',
    detail:
      'error retrieving stableIngress `gone` from cache: ingress.networking.k8s.io "gone" not found',
  })
  const canary = after.find((one) => one.metadata.name === 'app-web-canary')
  expect(canary?.metadata.annotations).toMatchObject({ [`${prefix}/canary-weight`]: '40' })
})

test('a name that grows too long is cut to 253 characters and still ends in -canary [traffic-routing 32]', () => {
  const long = 'w'.repeat(299 - 'app'.length)
  const { after } = world({ config: { stableIngress: long }, stable: [ingress(long)] })
  const made = after.find((one) => one.metadata.name !== long)?.metadata.name ?? ''
  expect(made).toHaveLength(253)
  expect(made).toMatch(/^app-w+-canary$/)
})

test('a stable Ingress without a path to the stable Service is refused by name', () => {
  const rules = [{ host: 'app.example.com', http: { paths: [leadsTo('another')] } }]
  const { plans } = world({ stable: [ingress('web', { spec: { rules } })] })
  expect(plans).toEqual([
    {
      ok: false,
      reason: 'TrafficRoutingError',
      detail: 'ingress `web` has no rules using service app-stable backend',
    },
  ])
})

test('only paths to the stable Service get a canary [traffic-routing 34]', () => {
  const rules = [
    { host: 'a', http: { paths: [leadsTo('app-stable'), leadsTo('api', '/api')] } },
    { host: 'b', http: { paths: [leadsTo('api')] } },
  ]
  const { canary } = world({ stable: [ingress('web', { spec: { rules } })] })
  expect(canary?.spec?.rules).toEqual([{ host: 'a', http: { paths: [leadsTo('app-canary')] } }])
})

test('resource backends and rules without http are passed over', () => {
  const bucket = { resource: { apiGroup: 'k8s.example.com', kind: 'Bucket', name: 'assets' } }
  const rules = [
    { host: 'a' },
    { host: 'b', http: {} },
    { host: 'c', http: { paths: [{ path: '/a', pathType: 'Prefix', backend: bucket }] } },
    { host: 'd', http: { paths: [{ path: '/b', pathType: 'Exact' }, leadsTo('app-stable')] } },
  ]
  const { canary } = world({ stable: [ingress('web', { spec: { rules } })] })
  expect(canary?.spec?.rules).toEqual([{ host: 'd', http: { paths: [leadsTo('app-canary')] } }])
})

test('named ports and further fields of a backend go to the canary as they are', () => {
  const path = {
    path: '/x',
    pathType: 'ImplementationSpecific',
    backend: { service: { name: 'app-stable', port: { name: 'http' } } },
  }
  const { canary } = world({
    stable: [ingress('web', { spec: { rules: [{ http: { paths: [path] } }] } })],
  })
  expect(canary?.spec?.rules).toEqual([
    {
      http: {
        paths: [{ ...path, backend: { service: { name: 'app-canary', port: { name: 'http' } } } }],
      },
    },
  ])
})

test('an annotation taken out of the spec leaves the canary Ingress on the next pass [traffic-routing 35]', () => {
  const additionalIngressAnnotations = {
    'canary-by-header': 'X-Canary-User',
    'canary-by-header-value': 'true',
  }
  const before = world({ config: { additionalIngressAnnotations } })
  const after = world({
    config: { additionalIngressAnnotations: { 'canary-by-header': 'X-Canary-User' } },
    stable: before.after,
  })
  expect(onlyWrite(after.plans)).toMatchObject({
    patch: {
      body: {
        metadata: {
          annotations: {
            [`${prefix}/canary-by-header-value`]: null,
            'rollouts.argoproj.io/injected-annotations': `${prefix}/canary-by-header`,
          },
        },
      },
    },
  })
  const none = world({ stable: after.after })
  expect(none.annotations).toEqual({
    [`${prefix}/canary`]: 'true',
    [`${prefix}/canary-weight`]: '20',
  })
})

test('maxTrafficWeight 1000 and setWeight 15 are written as weight and total [traffic-routing 10]', () => {
  const { annotations } = world({ weight: 15, max: 1000 })
  expect(annotations).toEqual({
    [`${prefix}/canary`]: 'true',
    [`${prefix}/canary-weight`]: '15',
    [`${prefix}/canary-weight-total`]: '1000',
  })
})

test('a total from before is taken away with maxTrafficWeight, since it would change what the weight means', () => {
  const before = world({ weight: 150, max: 1000 })
  const facts = factsOf(servedIngresses(before.after))
  expect(nginx.observe({ stableIngress: 'web' }, facts).weight).toBe(15)
  const { annotations } = world({ stable: before.after, weight: 20, max: 100 })
  expect(annotations).toEqual({ [`${prefix}/canary`]: 'true', [`${prefix}/canary-weight`]: '20' })
})

test('labels of the stable Ingress are copied at creation, except those that tools recognize their own by', () => {
  const labels = {
    app: 'web',
    'app.kubernetes.io/name': 'web',
    'app.kubernetes.io/instance': 'web-prod',
    'app.kubernetes.io/managed-by': 'Helm',
    'helm.sh/chart': 'web-1.0.0',
    'argocd.argoproj.io/instance': 'web',
    'kustomize.toolkit.fluxcd.io/name': 'apps',
  }
  const { canary, after } = world({ stable: [ingress('web', { labels })] })
  expect(canary?.metadata.labels).toEqual({ app: 'web', 'app.kubernetes.io/name': 'web' })
  const bare = after.map((one) => ({ ...one, metadata: { ...one.metadata, labels: {} } }))
  expect(world({ stable: bare }).plans).toEqual([{ ok: true, writes: [], transitions: [] }])
})

test('hosts and paths follow when the stable Ingress changes under way', () => {
  const { after } = world({})
  const rules = [{ host: 'new.example.com', http: { paths: [leadsTo('app-stable', '/v2')] } }]
  const moved = after.map((one) =>
    one.metadata.name === 'web' ? ingress('web', { spec: { rules } }) : one,
  )
  const write = onlyWrite(world({ stable: moved }).plans)
  expect(write).toMatchObject({
    patch: {
      body: {
        spec: {
          rules: [{ host: 'new.example.com', http: { paths: [leadsTo('app-canary', '/v2')] } }],
        },
      },
    },
  })
})

test.each<[string, Readonly<Record<string, string>>, number | null]>([
  ['no canary annotation', {}, 0],
  ['the canary switched off', { canary: 'false', 'canary-weight': '50' }, 0],
  ['a weight', { canary: 'true', 'canary-weight': '50' }, 50],
  [
    'a weight of another total',
    { canary: 'true', 'canary-weight': '5', 'canary-weight-total': '10' },
    50,
  ],
  ['no weight', { canary: 'true' }, null],
  ['a weight that is no number', { canary: 'true', 'canary-weight': 'half' }, null],
])('a canary Ingress with %s is read for what it asks', (_, annotations, weight) => {
  const canary = ingress('app-web-canary', {
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([key, value]) => [`${prefix}/${key}`, value]),
    ),
  })
  const facts = factsOf(servedIngresses([ingress('web'), canary]))
  expect(nginx.observe({ stableIngress: 'web' }, facts).weight).toBe(weight)
})

test('canary Ingresses that disagree have no weight in common', () => {
  const config = { stableIngresses: ['a', 'b'] }
  const both = world({
    config: { ...config, stableIngress: '' },
    stable: [ingress('a'), ingress('b')],
  })
  expect(nginx.observe(config, factsOf(servedIngresses(both.after))).weight).toBe(20)
  const torn = both.after.filter((one) => one.metadata.name !== 'app-b-canary')
  expect(nginx.observe(config, factsOf(servedIngresses(torn))).weight).toBeNull()
})

const anyName = fc.constantFrom('app-stable', 'app-canary', 'api', 'web')
const anyPath = fc.record({
  path: fc.constantFrom('/', '/api', '/a/b'),
  pathType: fc.constantFrom('Prefix', 'Exact', 'ImplementationSpecific'),
  backend: fc.oneof(
    fc.record({ service: fc.record({ name: anyName, port: fc.constant({ number: 80 }) }) }),
    fc.record({ resource: fc.record({ kind: fc.constant('Bucket'), name: anyName }) }),
  ),
})
const anyRule = fc.record(
  {
    host: fc.constantFrom('a.example.com', 'b.example.com'),
    http: fc.record({ paths: fc.array(anyPath, { maxLength: 4 }) }),
  },
  { requiredKeys: [] },
)
const anyText = fc.dictionary(
  fc.constantFrom('canary-by-header', 'limit-rps', 'canary-weight', 'example.com/x', 'canary'),
  fc.constantFrom('1', 'true', 'x'),
)
const anyStable = fc
  .record({
    annotations: fc.dictionary(fc.constantFrom('kubernetes.io/ingress.class', 'note'), fc.string()),
    labels: anyText,
    rules: fc.array(anyRule, { maxLength: 4 }),
    tls: fc.constantFrom(undefined, [{ hosts: ['a.example.com'] }]),
  })
  .map(({ annotations, labels, rules, tls }) =>
    ingress('web', { annotations, labels, spec: { rules, ...(tls && { tls }) } }),
  )
const anyConfig = fc.record({
  annotationPrefix: fc.constantFrom('', prefix, 'custom.io'),
  additionalIngressAnnotations: anyText,
  canaryIngressAnnotations: anyText,
})
const anyShare = fc.record({
  weight: fc.integer({ min: 0, max: 100 }),
  max: fc.constantFrom(100, 1000),
})

test('whatever the stable Ingress and the settings were and become, one pass settles and the next writes nothing', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(anyStable, anyConfig, anyShare), { minLength: 1, maxLength: 4 }),
      (passes) => {
        let canaries: readonly Ingress[] = []
        for (const [stable, config, { weight, max }] of passes) {
          const given = { config, weight, max }
          const { after, plans } = world({ ...given, stable: [stable, ...canaries] })
          if (plans.every((plan) => plan.ok)) {
            expect(world({ ...given, stable: after }).plans).toEqual([
              { ok: true, writes: [], transitions: [] },
            ])
            const seen = nginx.observe(
              { stableIngress: 'web', ...config },
              factsOf(servedIngresses(after), { max }),
            )
            expect(seen.weight).toBe(weight)
          }
          expect(after[0]).toEqual(stable)
          canaries = after.slice(1)
        }
      },
    ),
    { numRuns: 200 },
  )
})

test('no write is ever addressed to a stable Ingress', () => {
  fc.assert(
    fc.property(anyStable, anyConfig, anyShare, (stable, config, { weight, max }) => {
      const first = world({ config, weight, max, stable: [stable] })
      const second = world({ config, weight: max - weight, max, stable: first.after })
      for (const plan of [...first.plans, ...second.plans]) {
        const targets = (plan.ok ? plan.writes : []).map((write) =>
          write.kind === 'create' ? write.object.metadata.name : write.key.name,
        )
        expect(targets.filter((name) => name !== 'app-web-canary')).toEqual([])
      }
    }),
    { numRuns: 200 },
  )
})

test('the canary Ingress of a list entry that left is deleted, that of another Rollout is not', () => {
  const config = { stableIngress: '', stableIngresses: ['web', 'old'] }
  const { after } = world({ config, stable: [ingress('web'), ingress('old')] })
  const theirs = ingress('other-old-canary', { annotations: { [`${prefix}/canary`]: 'true' } })
  const facts = factsOf(servedIngresses([...after, theirs]))
  expect(nginx.removals({ stableIngress: 'web' }, facts)).toMatchObject([
    { kind: 'delete', key: { namespace: 'demo', name: 'app-old-canary' } },
  ])
})
