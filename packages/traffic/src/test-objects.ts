import type { DesiredRoutes, Ingress, Write } from '@serinus/engine'
import { type KubeObject, resources, type UnknownObject } from '@serinus/kube'
import { expect } from 'vitest'
import type { RouterFacts, RouterPlan } from './router.ts'
import {
  type KnownKind,
  kindId,
  objectsOf,
  type RoutedKind,
  type RoutingObjects,
} from './routing-objects.ts'

/** Kinds that a cluster serves, each in the first of its versions, with these objects. */
export function served(
  ...lists: readonly (readonly [RoutedKind, readonly KubeObject[]])[]
): RoutingObjects {
  return new Map(
    lists.map(([kind, objects]): readonly [string, KnownKind] => {
      const [version = 'v1'] = kind.versions
      const resource = { ...kind, version, namespaced: true }
      return [kindId(kind), { state: 'served', resource, objects }]
    }),
  )
}

const ingressKind: RoutedKind = { ...resources.ingresses, versions: ['v1'] }

export function servedIngresses(ingresses: readonly Ingress[]): RoutingObjects {
  return served([ingressKind, ingresses])
}

export function ingressesOf(objects: RoutingObjects): readonly Ingress[] {
  return objectsOf<Ingress>(objects, ingressKind)
}

/** The Rollout of the tests. */
const rollout = { namespace: 'demo', name: 'app', uid: 'app-uid' }

export function factsOf(objects: RoutingObjects, facts: Partial<RouterFacts> = {}): RouterFacts {
  return {
    rollout,
    max: 100,
    services: { stable: 'app-stable', canary: 'app-canary' },
    managedRoutes: [],
    headerMatch: 'or',
    ...facts,
    objects,
  }
}

export interface Share {
  readonly weight: number
  readonly max: number
}

export function routesOf(
  { weight, max }: Share,
  routes: Partial<DesiredRoutes> = {},
): DesiredRoutes {
  return {
    rollout,
    weight,
    max,
    stable: { service: 'app-stable', hash: 's1', available: true },
    canary: { service: 'app-canary', hash: 'c1', available: true },
    additional: [],
    removeManagedRoutes: false,
    managedRoutes: [],
    ...routes,
  }
}

/** The objects after all that is planned was written, as an API server would have them. */
export function applied(objects: RoutingObjects, plans: readonly RouterPlan[]): RoutingObjects {
  return written(
    objects,
    plans.flatMap((plan) => (plan.ok ? plan.writes : [])),
  )
}

export function written(objects: RoutingObjects, writes: readonly Write[]): RoutingObjects {
  const after = new Map(structuredClone([...objects]))
  for (const write of writes) {
    const id = kindId(write.resource)
    const known = after.get(id)
    if (known?.state !== 'served') throw new Error(`${write.id} is of a kind that is not served`)
    expect(write.resource.version).toBe(known.resource.version)
    const { name, namespace } = write.kind === 'create' ? write.object.metadata : write.key
    const at = known.objects.findIndex(
      ({ metadata }) => metadata.name === name && metadata.namespace === namespace,
    )
    after.set(id, { ...known, objects: changed(known.objects, at, write) })
  }
  return after
}

function changed(objects: readonly KubeObject[], at: number, write: Write): readonly KubeObject[] {
  if (write.kind === 'create') {
    expect(at, `${write.id} exists already`).toBe(-1)
    return [...objects, structuredClone(write.object) as UnknownObject]
  }
  const target = objects[at]
  if (!target) throw new Error(`${write.id} is not there`)
  if (write.kind === 'evict') throw new Error(`${write.id} is no business of a router`)
  if (write.kind === 'delete') return objects.toSpliced(at, 1)
  expect(write.patch.kind).toBe('merge')
  return objects.with(at, merged(target, write.patch.body) as UnknownObject)
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

export function mapObjects(
  objects: RoutingObjects,
  change: (object: KubeObject) => KubeObject,
): RoutingObjects {
  return new Map(
    [...objects].map(([id, known]) => [
      id,
      known.state === 'served' ? { ...known, objects: known.objects.map(change) } : known,
    ]),
  )
}

export function allOf(objects: RoutingObjects): readonly KubeObject[] {
  return [...objects.values()].flatMap((known) => (known.state === 'served' ? known.objects : []))
}
