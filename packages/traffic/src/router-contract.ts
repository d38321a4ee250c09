import type { KubeObject } from '@serinus/kube'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Router, RouterPlan } from './router.ts'
import type { KnownKind, RoutingObjects } from './routing-objects.ts'
import {
  allOf,
  applied,
  factsOf,
  mapObjects,
  routesOf,
  type Share,
  written,
} from './test-objects.ts'

/** What a router needs to be put through the suite. */
interface Candidate<Config> {
  readonly router: Router<Config>
  readonly config: Config
  /** Everything that the user brings, before the first pass; it routes `app-stable`. */
  readonly objects: RoutingObjects
  /** The object whose absence must be named, and the objects without it. */
  readonly missing: { readonly name: string; readonly objects: RoutingObjects }
}

/** The suite that every router must pass (spec traffic-routing 4). */
export function routerContract<Config>(candidate: Candidate<Config>): void {
  const { router, config } = candidate

  describe(`${router.type} keeps the contract of routers`, () => {
    test.each([
      { weight: 0, max: 100 },
      { weight: 20, max: 100 },
      { weight: 100, max: 100 },
      { weight: 0, max: 1000 },
      { weight: 20, max: 1000 },
      { weight: 1000, max: 1000 },
    ])('a weight of $weight of $max is read back after it was written', (share) => {
      const objects = applied(candidate.objects, planned(candidate, candidate.objects, share))
      expect(router.observe(config, factsOf(objects, { max: share.max }))).toMatchObject({
        type: router.type,
        weight: share.weight,
      })
    })

    test('unchanged input writes nothing and tells nothing, whatever the weights were before', () => {
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1 }), (weights) => {
          let objects = candidate.objects
          for (const weight of weights) {
            const share = { weight, max: 100 }
            objects = applied(objects, planned(candidate, objects, share))
            const again = planned(candidate, objects, share)
            const nothing = { ok: true, writes: [], transitions: [] }
            expect(again).toEqual(again.map(() => nothing))
            expect(again.length).toBeGreaterThan(0)
          }
        }),
        { numRuns: 30 },
      )
    })

    test('labels and annotations of others survive on every object that it writes', () => {
      const first = applied(candidate.objects, planned(candidate, candidate.objects, tenPercent))
      const touched = mapObjects(first, (object) => ({
        ...object,
        metadata: {
          ...object.metadata,
          labels: { ...object.metadata.labels, ...foreign },
          annotations: { ...object.metadata.annotations, ...foreign },
        },
      }))
      const share = { weight: 20, max: 100 }
      const plans = planned(candidate, touched, share)
      expect(plans.flatMap((plan) => (plan.ok ? plan.writes : [])).length).toBeGreaterThan(0)
      for (const object of allOf(applied(touched, plans))) {
        expect(object.metadata.labels).toMatchObject(foreign)
        expect(object.metadata.annotations).toMatchObject(foreign)
      }
    })

    test('a missing target is named and nothing is written for it', () => {
      const plans = planned(candidate, candidate.missing.objects, tenPercent)
      expect(plans.filter((plan) => !plan.ok)).toEqual([
        {
          ok: false,
          reason: 'TrafficRoutingError',
          detail: expect.stringContaining(candidate.missing.name),
        },
      ])
    })

    test('an event waits for the write that makes it true', () => {
      for (const plan of planned(candidate, candidate.objects, tenPercent)) {
        if (!plan.ok) throw new Error(plan.detail)
        const ids = plan.writes.map((write) => write.id)
        expect(ids.length).toBeGreaterThan(0)
        for (const { after } of plan.transitions) expect(ids).toContain(after)
      }
    })

    test('a list is replaced only in the version that was read', () => {
      const versioned = mapObjects(candidate.objects, (object) => ({
        ...object,
        metadata: { ...object.metadata, resourceVersion: '7' },
      }))
      for (const plan of planned(candidate, versioned, tenPercent)) {
        if (!plan.ok) throw new Error(plan.detail)
        for (const write of plan.writes) {
          if (write.kind !== 'patch' || !hasList(write.patch.body)) continue
          expect(write.patch.body).toMatchObject({ metadata: { resourceVersion: '7' } })
        }
      }
    })

    test('once the Rollout is gone, nothing leads to the canary any more', () => {
      const objects = applied(candidate.objects, planned(candidate, candidate.objects, tenPercent))
      const left = written(objects, router.release(config, factsOf(objects)))
      const { weight } = router.observe(config, factsOf(withoutOwned(left)))
      expect(weight).toBe(0)
    })

    test('objects that the spec asks for are not removed', () => {
      const objects = applied(candidate.objects, planned(candidate, candidate.objects, tenPercent))
      expect(router.removals(config, factsOf(objects))).toEqual([])
    })

    test('what it made leaves when its block leaves the spec, and nothing else does', () => {
      const objects = applied(candidate.objects, planned(candidate, candidate.objects, tenPercent))
      const left = written(objects, router.removals(null, factsOf(objects)))
      expect(namesOf(left)).toEqual(namesOf(candidate.objects))
    })
  })
}

const tenPercent: Share = { weight: 10, max: 100 }
const foreign = { 'example.com/owner': 'somebody else' }

function planned<Config>(
  { router, config }: Candidate<Config>,
  objects: RoutingObjects,
  share: Share,
): readonly RouterPlan[] {
  const before = structuredClone(objects)
  const plans = router.plan(config, factsOf(objects, { max: share.max }), routesOf(share))
  // Objects come from a cache that everybody shares.
  expect(objects).toEqual(before)
  return plans
}

function namesOf(objects: RoutingObjects): readonly string[] {
  return allOf(objects).map(
    ({ kind, metadata }) => `${kind}/${metadata.namespace}/${metadata.name}`,
  )
}

/** Objects that belong to the Rollout go with it. */
function withoutOwned(objects: RoutingObjects): RoutingObjects {
  return new Map(
    [...objects].map(([id, known]): readonly [string, KnownKind] => {
      if (known.state !== 'served') return [id, known]
      const isOwned = ({ metadata }: KubeObject) => metadata.ownerReferences?.length
      return [id, { ...known, objects: known.objects.filter((object) => !isOwned(object)) }]
    }),
  )
}

function hasList(value: unknown): boolean {
  if (Array.isArray(value)) return true
  return typeof value === 'object' && value !== null && Object.values(value).some(hasList)
}
