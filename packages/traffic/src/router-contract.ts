import type { DesiredRoutes, Write } from '@serinus/engine'
import type { KubeObject, UnknownObject } from '@serinus/kube'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Router, RouterFacts, RouterPlan, RoutingObjects } from './router.ts'

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
      expect(router.observe(config, factsOf(objects, share.max))).toMatchObject({
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
      expect(plans).toEqual([
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
        expect(plan.transitions.map((transition) => transition.after)).toEqual(ids)
      }
    })

    test('objects that the spec asks for are not removed', () => {
      const objects = applied(candidate.objects, planned(candidate, candidate.objects, tenPercent))
      expect(router.removals(config, factsOf(objects, 100))).toEqual([])
    })

    test('what it made leaves when its block leaves the spec, and nothing else does', () => {
      const objects = applied(candidate.objects, planned(candidate, candidate.objects, tenPercent))
      const left = written(objects, router.removals(null, factsOf(objects, 100)))
      expect(left).toEqual(candidate.objects)
    })
  })
}

interface Share {
  readonly weight: number
  readonly max: number
}

const tenPercent: Share = { weight: 10, max: 100 }
const foreign = { 'example.com/owner': 'somebody else' }

/** The Rollout of the suite. */
const rollout = { namespace: 'demo', name: 'app', uid: 'app-uid' }

export function factsOf(objects: RoutingObjects, max: number): RouterFacts {
  return { rollout, max, objects }
}

export function routesOf({ weight, max }: Share): DesiredRoutes {
  return {
    rollout,
    weight,
    max,
    stable: { service: 'app-stable', hash: 's1' },
    canary: { service: 'app-canary', hash: 'c1' },
    additional: [],
    removeManagedRoutes: false,
    managedRoutes: [],
  }
}

function planned<Config>(
  { router, config }: Candidate<Config>,
  objects: RoutingObjects,
  share: Share,
): readonly RouterPlan[] {
  const before = structuredClone(objects)
  const plans = router.plan(config, factsOf(objects, share.max), routesOf(share))
  // Objects come from a cache that everybody shares.
  expect(objects).toEqual(before)
  return plans
}

/** The objects after all that is planned was written, as an API server would have them. */
export function applied(objects: RoutingObjects, plans: readonly RouterPlan[]): RoutingObjects {
  return written(
    objects,
    plans.flatMap((plan) => (plan.ok ? plan.writes : [])),
  )
}

function written(objects: RoutingObjects, writes: readonly Write[]): RoutingObjects {
  const lists: Record<string, readonly UnknownObject[]> = structuredClone(
    objects as unknown as Record<string, readonly UnknownObject[]>,
  )
  for (const write of writes) {
    const list = lists[write.resource.plural]
    if (!list) throw new Error(`${write.id} is of a kind that no router reads`)
    const name = write.kind === 'create' ? write.object.metadata.name : write.key.name
    const at = list.findIndex((object) => object.metadata.name === name)
    if (write.kind === 'create') {
      expect(at, `${write.id} exists already`).toBe(-1)
      lists[write.resource.plural] = [...list, structuredClone(write.object) as UnknownObject]
      continue
    }
    const target = list[at]
    if (!target) throw new Error(`${write.id} is not there`)
    if (write.kind === 'evict') throw new Error(`${write.id} is no business of a router`)
    lists[write.resource.plural] =
      write.kind === 'delete' ? list.toSpliced(at, 1) : list.with(at, patched(target, write))
  }
  return lists as unknown as RoutingObjects
}

function patched(target: UnknownObject, write: Write & { kind: 'patch' }): UnknownObject {
  expect(write.patch.kind).toBe('merge')
  return merged(target, write.patch.body) as UnknownObject
}

/** RFC 7386, section 2. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const isFields = typeof target === 'object' && target !== null && !Array.isArray(target)
  const fields: Record<string, unknown> = isFields ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete fields[name]
    else fields[name] = merged(fields[name], value)
  }
  return fields
}

function mapObjects(
  objects: RoutingObjects,
  change: <T extends KubeObject>(object: T) => T,
): RoutingObjects {
  return { ingresses: objects.ingresses.map((object) => change(object)) }
}

function allOf(objects: RoutingObjects): readonly KubeObject[] {
  return [...objects.ingresses]
}
