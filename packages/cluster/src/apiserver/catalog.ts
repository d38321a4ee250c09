import type { UnknownObject } from '@serinus/kube'
import { compareVersions, customResources, type DefinitionSpec } from './custom-kind.ts'
import { builtInResources, type ServedResource } from './served.ts'

/** A group with its versions, the preferred one first. */
export interface ServedGroup {
  readonly group: string
  readonly versions: readonly string[]
}

/** Order of the built-in groups in discovery (kube-aggregator's priorities). */
const builtInOrder = [
  '',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'apps',
]

/** Every kind the server answers: the built-in ones and those of established CRDs. */
export class Catalog {
  readonly #builtIn = builtInResources()
  readonly #custom = new Map<string, readonly ServedResource[]>()
  readonly #byPath = new Map<string, ServedResource>()
  readonly #byKind = new Map<string, ServedResource>()
  #revision = 0

  constructor() {
    this.#index()
  }

  /** Grows whenever the set of kinds changes. */
  get revision(): number {
    return this.#revision
  }

  find(group: string, version: string, plural: string): ServedResource | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`)
  }

  ofKind(apiVersion: string, kind: string): ServedResource | undefined {
    return this.#byKind.get(`${apiVersion} ${kind}`)
  }

  /** Everything, in the order of discovery. */
  all(): readonly ServedResource[] {
    return [...this.#builtIn, ...[...this.#custom.values()].flat()]
  }

  /** Kinds in one version each: what a namespace or a garbage collector must look through. */
  stored(): readonly ServedResource[] {
    const seen = new Set<string>()
    return this.all().filter((served) => {
      if (!served.verbs.includes('list')) return false
      const id = `${served.storage.group}/${served.storage.plural}`
      if (seen.has(id)) return false
      seen.add(id)
      return true
    })
  }

  resourcesOf(group: string, version: string): readonly ServedResource[] {
    return this.all().filter(
      ({ resource }) => resource.group === group && resource.version === version,
    )
  }

  groups(): readonly ServedGroup[] {
    const versions = new Map<string, Set<string>>()
    for (const group of builtInOrder) versions.set(group, new Set())
    const custom = [...this.#custom.values()].flat().map(({ resource }) => resource.group)
    for (const group of [...new Set(custom)].sort()) {
      if (!versions.has(group)) versions.set(group, new Set())
    }
    for (const { resource } of this.all()) versions.get(resource.group)?.add(resource.version)
    return [...versions].map(([group, names]) => ({
      group,
      versions: [...names].sort(compareVersions),
    }))
  }

  /** Serves the kinds of a CRD from now on, in place of what it said before. */
  define(definition: UnknownObject): void {
    this.#custom.set(
      definition.metadata.name,
      customResources(definition['spec'] as DefinitionSpec),
    )
    this.#index()
  }

  remove(name: string): void {
    this.#custom.delete(name)
    this.#index()
  }

  #index(): void {
    this.#revision++
    this.#byPath.clear()
    this.#byKind.clear()
    for (const served of this.all()) {
      const { group, version, plural, kind } = served.resource
      this.#byPath.set(`${group}/${version}/${plural}`, served)
      this.#byKind.set(`${group === '' ? version : `${group}/${version}`} ${kind}`, served)
    }
  }
}
