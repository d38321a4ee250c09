import { kindType } from '@serinus/kinds'
import {
  apiVersionOf,
  type DeleteOptions,
  keyOf,
  type PatchKind,
  type UnknownObject,
} from '@serinus/kube'
import { admitBuiltIn, nameSuffix } from './admission.ts'
import type { Catalog } from './catalog.ts'
import { parseConfiguration } from './configuration.ts'
import { decodeObject, placedObject } from './decoding.ts'
import {
  definitionStatus,
  instancesOf,
  nameConflict,
  terminatingDefinition,
  validateDefinition,
} from './definitions.ts'
import {
  checkPreconditions,
  markedForDeletion,
  mayVanish,
  returnedWhenDeleted,
} from './deletion.ts'
import type { FieldTree } from './field-tree.ts'
import type { AdmissionHook } from './hooks.ts'
import {
  applyConfiguration,
  carryManagedFields,
  recordUpdate,
  type Writer,
} from './managed-fields.ts'
import {
  combined,
  hasStatusDoor,
  newborn,
  unchanged,
  withEntries,
  withGeneration,
  withoutStatus,
} from './next-object.ts'
import { applyJsonPatch, applyMergePatch } from './patches.ts'
import { readScale, scaledObject } from './scale.ts'
import { fromStored, type ServedResource } from './served.ts'
import {
  alreadyExists,
  badRequest,
  conflict,
  forbidden,
  groupResourceName,
  invalid,
  invalidValue,
  notFound,
  StatusError,
  unsupportedMediaType,
} from './status-error.ts'
import type { Store } from './store.ts'
import { strategicMerge } from './strategic-merge.ts'
import { renderTime } from './timestamps.ts'
import { validateBuiltIn, validateMetadata, validateMetadataUpdate } from './validation.ts'
import { at, isObject, type JsonObject, sameJson, textAt } from './values.ts'
import type { Target, WriteContext } from './write-context.ts'

export interface Deletion {
  /** What to answer: the object while it lives on or its kind returns it, else undefined. */
  readonly object: UnknownObject | undefined
  readonly uid: string
}

interface Patch {
  readonly kind: PatchKind
  readonly body: unknown
  /** Apply only. */
  readonly force?: boolean
}

const definitions = { group: 'apiextensions.k8s.io', plural: 'customresourcedefinitions' }
const namespaces = { group: '', plural: 'namespaces' }
const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

/** Kinds that must be replaced with a version (AllowUnconditionalUpdate is false). */
const conditionalUpdateKinds: ReadonlySet<string> = new Set([
  'leases.coordination.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io',
  'poddisruptionbudgets.policy',
  'csinodes.storage.k8s.io',
])

const statusOnly: FieldTree = { 'f:status': {} }
const allButStatus: FieldTree = { 'f:spec': {}, 'f:metadata': {}, 'f:data': {} }

/** The verbs that change objects, as kube-apiserver's generic registry performs them. */
export class Registry {
  readonly store: Store
  readonly catalog: Catalog
  readonly hooks = new Set<AdmissionHook>()

  constructor(store: Store, catalog: Catalog) {
    this.store = store
    this.catalog = catalog
  }

  /** The object in the version of the URL; 404 when there is none. */
  get(target: Omit<Target, 'subresource'>): UnknownObject {
    return fromStored(target.served, this.#stored(target))
  }

  #stored({ served, namespace, name }: Omit<Target, 'subresource'>): UnknownObject {
    const object = this.store.get(served.storage, namespace === '' ? name : `${namespace}/${name}`)
    if (!object) throw notFound(served.resource, name)
    return object
  }

  create(
    served: ServedResource,
    namespace: string,
    body: JsonObject,
    context: WriteContext,
  ): UnknownObject {
    const object = this.#named(served, placedObject(served, namespace, body))
    return this.#insert(served, object, {
      context,
      track: (admitted) => this.#track(served, undefined, admitted, { context, subresource: '' }),
    })
  }

  /** Finishes a `generateName`; a name that is taken is drawn again, seven times. */
  #named(served: ServedResource, object: UnknownObject): UnknownObject {
    const { name, generateName } = object.metadata
    if (name || !generateName) return object
    for (let attempt = 0; ; attempt++) {
      const drawn = `${generateName.slice(0, 58)}${nameSuffix(this.store)}`
      const named = { ...object, metadata: { ...object.metadata, name: drawn } }
      if (attempt >= 7 || !this.store.get(served.storage, keyOf(named))) return named
    }
  }

  #insert(
    served: ServedResource,
    sent: UnknownObject,
    options: {
      readonly context: WriteContext
      readonly track: (admitted: UnknownObject) => UnknownObject
    },
  ): UnknownObject {
    const { context, track } = options
    const decoded = decodeObject(served, withoutStatus(served, sent), { context })
    this.#checkNamespace(served, decoded)
    const birth = { uid: this.#uid(), creationTimestamp: this.#timestamp(0) }
    const admitted = this.#admit(served, newborn(served, decoded, birth), undefined, context)
    this.#validate(served, admitted, undefined)
    for (const warning of warningsOnCreate(admitted)) context.warn(warning)
    const tracked = track(admitted)
    if (context.dryRun) {
      const taken = this.store.get(served.storage, keyOf(tracked))
      if (taken) throw alreadyExists(served.resource, tracked.metadata.name)
      return fromStored(served, tracked)
    }
    return this.#shown(served, this.store.create(served.storage, tracked))
  }

  update(target: Target, body: JsonObject, context: WriteContext): UnknownObject {
    const { served, namespace, name, subresource } = target
    if (subresource === 'scale') return this.#updateScale(target, body, context)
    const sent = placedObject(served, namespace, body)
    if (sent.metadata.name && sent.metadata.name !== name) {
      throw badRequest(
        `the name of the object (${sent.metadata.name}) does not match the name on the URL (${name})`,
      )
    }
    const live = this.#stored(target)
    checkVersion(served, live, sent)
    return this.#replace(target, live, sent, context)
  }

  /** Replaces the part of `live` that the door may write by that of `sent`. */
  #replace(
    target: Target,
    live: UnknownObject,
    sent: UnknownObject,
    context: WriteContext,
  ): UnknownObject {
    const { served, subresource } = target
    const next = this.#next(target, live, sent, context)
    const tracked = this.#track(served, live, next, { context, subresource })
    return this.#write(served, live, tracked, context)
  }

  /** The stored form of the next object, admitted and valid; who owns its fields is not yet said. */
  #next(
    target: Target,
    live: UnknownObject,
    sent: UnknownObject,
    context: WriteContext,
  ): UnknownObject {
    const { served, subresource } = target
    const before = fromStored(served, live)
    const whole = combined(served, before, sent, subresource)
    const decoded = decodeObject(served, whole, { live: before, context })
    const admitted = subresource === '' ? this.#admit(served, decoded, live, context) : decoded
    const counted = withGeneration(served, live, admitted)
    this.#validate(served, counted, live)
    return counted
  }

  #write(
    served: ServedResource,
    live: UnknownObject,
    next: UnknownObject,
    context: Pick<WriteContext, 'dryRun'>,
  ): UnknownObject {
    if (unchanged(live, next)) return fromStored(served, live)
    if (context.dryRun) return fromStored(served, next)
    if (mayVanish(groupResourceName(served.storage), next)) return this.#remove(served, live, next)
    return this.#shown(served, this.store.update(served.storage, next))
  }

  #remove(
    served: ServedResource,
    live: UnknownObject,
    lastState: UnknownObject = live,
  ): UnknownObject {
    const gone = this.store.delete(served.storage, keyOf(live), { lastState })
    if (isDefinition(served)) this.catalog.remove(gone.metadata.name)
    else if (served.custom) {
      this.#finishDefinition(`${served.resource.plural}.${served.resource.group}`)
    }
    return fromStored(served, gone)
  }

  /** What was stored, in the version of the URL; a CRD takes effect here. */
  #shown(served: ServedResource, stored: UnknownObject): UnknownObject {
    return fromStored(served, isDefinition(served) ? this.#establish(stored) : stored)
  }

  /** Patches an object; an apply of one that does not exist creates it. */
  patch(
    target: Target,
    patch: Patch,
    context: WriteContext,
  ): { readonly object: UnknownObject; readonly created: boolean } {
    const { served, namespace, name, subresource } = target
    if (patch.kind === 'apply') return this.#apply(target, patch, context)
    const live = this.#stored(target)
    const shown = fromStored(served, live)
    const before = subresource === 'scale' ? readScale(served, shown) : shown
    const patched = patchedObject(served, before, patch, subresource)
    const version = at(patched, 'metadata', 'resourceVersion')
    if (version !== undefined && version !== live.metadata.resourceVersion) {
      throw conflict(served.resource, name)
    }
    if (at(patched, 'metadata', 'name') !== name) {
      throw badRequest(
        `the name of the object (${textAt(patched, 'metadata', 'name')}) does not match the name on the URL (${name})`,
      )
    }
    const object =
      subresource === 'scale'
        ? this.#updateScale(target, patched, context)
        : this.#replace(target, live, placedObject(served, namespace, patched), context)
    return { object, created: false }
  }

  #apply(
    target: Target,
    patch: Patch,
    context: WriteContext,
  ): { readonly object: UnknownObject; readonly created: boolean } {
    const { served, namespace, name, subresource } = target
    const key = namespace === '' ? name : `${namespace}/${name}`
    const live = this.store.get(served.storage, key)
    const configuration = parseConfiguration(target, patch.body, context)
    if (!live && subresource !== '') throw notFound(served.resource, name)
    checkApplied(served, live, configuration)
    const merged = applyConfiguration(
      live && fromStored(served, live),
      configuration,
      served.mergeSchema,
      {
        writer: this.#writer(served, context, subresource),
        force: patch.force === true,
        ignored: subresource === 'status' ? allButStatus : hasStatusDoor(served) ? statusOnly : {},
      },
    )
    const { managedFields } = merged.metadata
    const track = (object: UnknownObject) => withEntries(object, managedFields)
    // Unknown fields were reported already, of the configuration alone.
    const silent: WriteContext = { ...context, fieldValidation: 'Ignore' }
    if (!live) {
      const placed = placedObject(served, namespace, merged as JsonObject)
      return { object: this.#insert(served, placed, { context: silent, track }), created: true }
    }
    const next = track(this.#next(target, live, merged, silent))
    return { object: this.#write(served, live, next, context), created: false }
  }

  #updateScale(target: Target, body: JsonObject, context: WriteContext): UnknownObject {
    const { served, name } = target
    const live = this.#stored(target)
    const version = at(body, 'metadata', 'resourceVersion')
    if (version !== undefined && version !== '' && version !== live.metadata.resourceVersion) {
      throw conflict(served.resource, name)
    }
    const replicas = at(body, 'spec', 'replicas') ?? 0
    if (typeof replicas !== 'number' || replicas < 0) {
      throw invalid({ group: 'autoscaling', kind: 'Scale' }, name, [
        invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0'),
      ])
    }
    const scaled = scaledObject(served, fromStored(served, live), replicas)
    return readScale(served, this.#replace(target, live, scaled, context)) as UnknownObject
  }

  /** Deletes an object, or marks it while something holds it. */
  delete(
    target: Omit<Target, 'subresource'>,
    options: DeleteOptions & { readonly dryRun?: boolean },
  ): Deletion {
    const { served } = target
    const live = this.#stored(target)
    const id = groupResourceName(served.storage)
    const uid = live.metadata.uid ?? ''
    checkPreconditions(served.resource, live, options)
    if (options.dryRun) {
      const object = returnedWhenDeleted.has(id) ? fromStored(served, live) : undefined
      return { object, uid }
    }
    const hasInstances = isDefinition(served) && this.store.count(instancesOf(live)) > 0
    const marked = markedForDeletion(id, live, {
      wish: options,
      holding: hasInstances ? [cleanupFinalizer] : [],
      timestamp: (plusSeconds) => this.#timestamp(plusSeconds),
    })
    if (!marked || mayVanish(id, marked)) {
      const gone = this.#remove(served, live, marked)
      return { object: returnedWhenDeleted.has(id) ? gone : undefined, uid }
    }
    if (hasInstances) return { object: this.#removeInstances(live, marked), uid }
    if (unchanged(live, marked)) return { object: fromStored(served, live), uid }
    return { object: fromStored(served, this.store.update(served.storage, marked)), uid }
  }

  /** A CRD takes its objects with it, and goes once the last one is gone. */
  #removeInstances(live: UnknownObject, marked: UnknownObject): UnknownObject {
    const { name } = live.metadata
    const stored = this.store.update(definitions, terminatingDefinition(marked, this.#timestamp(0)))
    const instances = instancesOf(live)
    const served = this.catalog
      .all()
      .find(({ custom, storage }) => custom && sameJson(storage, instances))
    for (const { metadata } of served ? [...this.store.list(instances)] : []) {
      if (!served) break
      const target = { served, namespace: metadata.namespace ?? '', name: metadata.name }
      this.delete(target, { propagationPolicy: 'Background' })
    }
    return this.store.get(definitions, name) ?? stored
  }

  #finishDefinition(name: string): void {
    const definition = this.store.get(definitions, name)
    const served = this.catalog.find(definitions.group, 'v1', definitions.plural)
    if (!served || definition?.metadata.deletionTimestamp === undefined) return
    if (this.store.count(instancesOf(definition)) > 0) return
    const { finalizers = [], ...metadata } = definition.metadata
    const left = finalizers.filter((finalizer) => finalizer !== cleanupFinalizer)
    const released = {
      ...definition,
      metadata: left.length > 0 ? { ...metadata, finalizers: left } : metadata,
    }
    this.#write(served, definition, released, { dryRun: false })
  }

  /** Accepts a CRD's names, serves its kinds and says so in its status. */
  #establish(definition: UnknownObject): UnknownObject {
    if (definition.metadata.deletionTimestamp !== undefined) return definition
    const conflicting = nameConflict(definition, this.catalog.all())
    const status = definitionStatus(definition, { now: this.#timestamp(0), conflict: conflicting })
    if (conflicting === undefined) this.catalog.define(definition)
    if (sameJson(definition['status'], status)) return definition
    return this.store.update(definitions, { ...definition, status })
  }

  #checkNamespace(served: ServedResource, object: UnknownObject): void {
    const { name, namespace } = object.metadata
    if (!served.resource.namespaced || namespace === undefined) return
    const found = this.store.get(namespaces, namespace)
    if (!found) throw notFound(namespaces, namespace)
    if (found.metadata.deletionTimestamp === undefined) return
    throw namespaceTerminating(
      forbidden(
        served.resource,
        name,
        `unable to create new content in namespace ${namespace} because it is being terminated`,
      ),
      namespace,
    )
  }

  #admit(
    served: ServedResource,
    object: UnknownObject,
    old: UnknownObject | undefined,
    { user }: WriteContext,
  ): UnknownObject {
    const operation = old ? ('UPDATE' as const) : ('CREATE' as const)
    const request = { operation, resource: served.storage, old, user }
    let admitted = served.custom ? object : admitBuiltIn(this.store, { ...request, object })
    for (const hook of this.hooks) admitted = hook({ ...request, object: admitted })
    return admitted
  }

  #validate(served: ServedResource, object: UnknownObject, old: UnknownObject | undefined): void {
    const id = groupResourceName(served.storage)
    const errors = [
      ...validateMetadata(id, object, served.custom !== undefined),
      ...(old ? validateMetadataUpdate(object, old) : []),
      ...(served.custom ? served.custom.validate(object, old) : validateBuiltIn(id, object, old)),
      ...(isDefinition(served) ? validateDefinition(object) : []),
    ]
    if (errors.length > 0) throw invalid(served.resource, object.metadata.name ?? '', errors)
  }

  /** Notes in managedFields what this writer changed. */
  #track(
    served: ServedResource,
    live: UnknownObject | undefined,
    next: UnknownObject,
    by: { readonly context: WriteContext; readonly subresource: string },
  ): UnknownObject {
    const carried = carryManagedFields(live, next)
    const after = fromStored(served, carried)
    const writer = this.#writer(served, by.context, by.subresource)
    const recorded = recordUpdate(
      live && fromStored(served, live),
      after,
      served.mergeSchema,
      writer,
    )
    return recorded === after ? carried : withEntries(carried, recorded.metadata.managedFields)
  }

  #writer(served: ServedResource, context: WriteContext, subresource: string): Writer {
    const apiVersion = apiVersionOf(served.resource)
    return { manager: context.fieldManager, apiVersion, subresource, time: this.#timestamp(0) }
  }

  #timestamp(plusSeconds: number): string {
    return renderTime(this.store.clock.now() + plusSeconds * 1000)
  }

  #uid(): string {
    const hex = this.store.random.hex(32)
    const variant = '89ab'[Number.parseInt(hex.slice(16, 17), 16) % 4]
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
  }
}

const ingressClassKey = 'kubernetes.io/ingress.class'

/** What the server says of an object that it takes all the same. */
function warningsOnCreate(object: UnknownObject): readonly string[] {
  if (object.kind !== 'Ingress' || object.apiVersion !== 'networking.k8s.io/v1') return []
  const isOld = object.metadata.annotations?.[ingressClassKey] !== undefined
  return isOld && at(object, 'spec', 'ingressClassName') === undefined
    ? [`annotation "${ingressClassKey}" is deprecated, please use 'spec.ingressClassName' instead`]
    : []
}

function isDefinition(served: ServedResource): boolean {
  return served.resource.kind === 'CustomResourceDefinition' && served.custom === undefined
}

function checkVersion(served: ServedResource, live: UnknownObject, sent: UnknownObject): void {
  const { resourceVersion, uid } = sent.metadata
  const { name } = live.metadata
  if (uid && uid !== live.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`
    throw conflict(served.resource, name, why)
  }
  if (resourceVersion && resourceVersion !== live.metadata.resourceVersion) {
    throw conflict(served.resource, name)
  }
  const conditional = served.custom || conditionalUpdateKinds.has(groupResourceName(served.storage))
  if (!resourceVersion && conditional) {
    // The real server names the resource here where it means the kind.
    const { group, plural } = served.resource
    throw invalid({ group, kind: plural }, name, [
      invalidValue('metadata.resourceVersion', 0, 'must be specified for an update'),
    ])
  }
}

/** An apply may name the object it means; then it must be that one. */
function checkApplied(
  served: ServedResource,
  live: UnknownObject | undefined,
  configuration: UnknownObject,
): void {
  const { name, uid, resourceVersion } = configuration.metadata
  if (uid && uid !== live?.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live?.metadata.uid ?? ''}`
    throw conflict(served.resource, name, why)
  }
  if (resourceVersion && resourceVersion !== live?.metadata.resourceVersion) {
    throw conflict(served.resource, name)
  }
}

const customPatchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/apply-patch+yaml',
]

function patchedObject(
  served: ServedResource,
  before: JsonObject,
  patch: Patch,
  subresource: string,
): JsonObject {
  switch (patch.kind) {
    case 'json':
      return applyJsonPatch(before, patch.body)
    case 'merge':
      if (!isObject(patch.body)) throw badRequest('error decoding patch: expected an object')
      return applyMergePatch(before, patch.body) as JsonObject
    case 'strategic': {
      if (!isObject(patch.body)) throw badRequest('error decoding patch: expected an object')
      const ref =
        subresource === 'scale'
          ? 'autoscaling/v1.Scale'
          : kindType(apiVersionOf(served.resource), served.resource.kind)
      if (ref === undefined) throw unsupportedMediaType(customPatchTypes)
      return strategicMerge(before, patch.body, ref)
    }
    case 'apply':
      throw new TypeError('an apply is no patch of the present object')
    default:
      throw new TypeError(`unknown patch: ${patch.kind satisfies never}`)
  }
}

function namespaceTerminating(refusal: StatusError, namespace: string): StatusError {
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  }
  const { code, reason, message, details } = refusal
  return new StatusError({ code, reason, message, details: { ...details, causes: [cause] } })
}
