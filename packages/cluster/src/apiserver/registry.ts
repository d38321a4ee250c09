import { applyDefaults, decodeProblems, kindType, unknownFields } from '@serinus/kinds'
import {
  apiVersionOf,
  type DeleteOptions,
  keyOf,
  type ObjectMeta,
  type PatchKind,
  type UnknownObject,
} from '@serinus/kube'
import { admitBuiltIn, nameSuffix } from './admission.ts'
import type { Catalog } from './catalog.ts'
import { defaultDefinition, definitionStatus, validateDefinition } from './definitions.ts'
import type { FieldTree } from './field-tree.ts'
import type { AdmissionHook, UserInfo } from './hooks.ts'
import {
  applyConfiguration,
  carryManagedFields,
  recordUpdate,
  type Writer,
} from './managed-fields.ts'
import { applyJsonPatch, applyMergePatch } from './patches.ts'
import { readScale, scaledObject } from './scale.ts'
import { fromStored, type ServedResource, toStored } from './served.ts'
import {
  badRequest,
  conflict,
  forbidden,
  groupResourceName,
  invalid,
  invalidValue,
  methodNotAllowed,
  notFound,
  StatusError,
} from './status-error.ts'
import type { Store } from './store.ts'
import { strategicMerge } from './strategic-merge.ts'
import { validateBuiltIn, validateMetadata, validateMetadataUpdate } from './validation.ts'
import { at, isObject, type JsonObject, listAt, sameJson, textAt, withValue } from './values.ts'

/** Circumstances of one write. */
export interface WriteContext {
  readonly user: UserInfo
  readonly fieldManager: string
  readonly dryRun: boolean
  /** What becomes of unknown fields: refused, warned about, or dropped in silence. */
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore'
  readonly warn: (text: string) => void
  /** Mistakes of the body's text itself (duplicate keys), found while it was parsed. */
  readonly bodyProblems?: readonly string[]
}

export interface Target {
  readonly served: ServedResource
  readonly namespace: string
  readonly name: string
  /** `status`, `scale`, `finalize`, ...; empty for the object itself. */
  readonly subresource: string
}

export interface Deletion {
  /** What to answer: the object while it lives on or its kind returns it, else undefined. */
  readonly object: UnknownObject | undefined
  readonly uid: string
}

const definitions = { group: 'apiextensions.k8s.io', plural: 'customresourcedefinitions' }
const namespaces = { group: '', plural: 'namespaces' }
const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

/** Kinds whose spec changes count (`metadata.generation`). */
const generationKinds: ReadonlySet<string> = new Set([
  'pods',
  'replicationcontrollers',
  'deployments.apps',
  'replicasets.apps',
  'daemonsets.apps',
  'statefulsets.apps',
  'jobs.batch',
  'cronjobs.batch',
  'ingresses.networking.k8s.io',
  'ingressclasses.networking.k8s.io',
  'networkpolicies.networking.k8s.io',
  'poddisruptionbudgets.policy',
  'customresourcedefinitions.apiextensions.k8s.io',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
])

/** Kinds that must be replaced with a version (AllowUnconditionalUpdate is false). */
const conditionalUpdateKinds: ReadonlySet<string> = new Set([
  'leases.coordination.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io',
  'poddisruptionbudgets.policy',
  'csinodes.storage.k8s.io',
])

/** Kinds whose DELETE answers with the object (ReturnDeletedObject). */
const returnedWhenDeleted: ReadonlySet<string> = new Set([
  'pods',
  'services',
  'serviceaccounts',
  'persistentvolumeclaims',
  'persistentvolumes',
  'resourcequotas',
  'podtemplates',
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

  /** The stored object in the version of the URL; 404 when there is none. */
  get({ served, namespace, name }: Omit<Target, 'subresource'>): UnknownObject {
    return fromStored(served, this.#stored(served, namespace, name))
  }

  #stored(served: ServedResource, namespace: string, name: string): UnknownObject {
    const key = namespace === '' ? name : `${namespace}/${name}`
    const object = this.store.get(served.storage, key)
    if (!object) throw notFound(served.resource, name)
    return object
  }

  create(
    served: ServedResource,
    namespace: string,
    body: JsonObject,
    context: WriteContext,
  ): UnknownObject {
    const object = this.#placed(served, namespace, body)
    const generateName = object.metadata.generateName
    if (object.metadata.name || !generateName) return this.#createNamed(served, object, context)
    for (let attempt = 0; ; attempt++) {
      const name = `${generateName.slice(0, 58)}${nameSuffix(this.store)}`
      const named = { ...object, metadata: { ...object.metadata, name } }
      const key = keyOf(named)
      if (this.store.get(served.storage, key) && attempt < 7) continue
      return this.#createNamed(served, named, context)
    }
  }

  /** The object with kind, apiVersion and namespace of the URL, which the body must not contradict. */
  #placed(served: ServedResource, namespace: string, body: JsonObject): UnknownObject {
    checkKind(served, body)
    const metadata = (isObject(body['metadata']) ? body['metadata'] : {}) as unknown as ObjectMeta
    if (served.resource.namespaced) {
      if (metadata.namespace && metadata.namespace !== namespace) {
        throw badRequest(
          `the namespace of the provided object does not match the namespace sent on the request`,
        )
      }
    }
    const { namespace: _, ...rest } = metadata
    return {
      ...body,
      apiVersion: apiVersionOf(served.resource),
      kind: served.resource.kind,
      metadata: served.resource.namespaced ? { ...rest, namespace } : rest,
    } as UnknownObject
  }

  #createNamed(served: ServedResource, sent: UnknownObject, context: WriteContext): UnknownObject {
    const id = groupResourceName(served.storage)
    const decoded = this.#decode(served, withoutStatus(served, sent), context)
    this.#checkNamespace(served, decoded)
    const born: UnknownObject = {
      ...decoded,
      metadata: {
        ...withoutServerFields(decoded.metadata),
        uid: this.#uid(),
        creationTimestamp: this.#now(),
        ...(hasGeneration(served, id) && { generation: 1 }),
      } as ObjectMeta,
    }
    const admitted = this.#admit(served, born, undefined, context)
    this.#validate(served, admitted, undefined)
    const tracked = this.#track(served, undefined, admitted, context, '')
    if (context.dryRun) {
      if (this.store.get(served.storage, keyOf(tracked))) {
        this.store.create(served.storage, tracked)
      }
      return fromStored(served, tracked)
    }
    const stored = this.store.create(served.storage, tracked)
    if (id === 'customresourcedefinitions.apiextensions.k8s.io') return this.#establish(stored)
    return fromStored(served, stored)
  }

  update(target: Target, body: JsonObject, context: WriteContext): UnknownObject {
    const { served, namespace, name, subresource } = target
    if (subresource === 'scale') return this.#updateScale(target, body, context)
    const sent = this.#placed(served, namespace, body)
    if (sent.metadata.name && sent.metadata.name !== name) {
      throw badRequest(
        `the name of the object (${sent.metadata.name}) does not match the name on the URL (${name})`,
      )
    }
    const live = this.#stored(served, namespace, name)
    this.#checkVersion(served, live, sent)
    return this.#replace(target, live, sent, context)
  }

  #checkVersion(served: ServedResource, live: UnknownObject, sent: UnknownObject): void {
    const { name, resourceVersion, uid } = sent.metadata
    const kind = served.resource
    if (uid && uid !== live.metadata.uid) {
      throw conflict(
        kind,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`,
      )
    }
    if (resourceVersion && resourceVersion !== live.metadata.resourceVersion) {
      throw conflict(kind, live.metadata.name)
    }
    const conditional =
      served.custom || conditionalUpdateKinds.has(groupResourceName(served.storage))
    if (!resourceVersion && conditional) {
      throw invalid(kind, live.metadata.name, [
        invalidValue('metadata.resourceVersion', 0, 'must be specified for an update'),
      ])
    }
  }

  /** Replaces the part of `live` that the door may write by that of `sent`. */
  #replace(
    target: Target,
    live: UnknownObject,
    sent: UnknownObject,
    context: WriteContext,
  ): UnknownObject {
    const { served, subresource } = target
    const id = groupResourceName(served.storage)
    const before = fromStored(served, live)
    const next = this.#decode(served, combined(served, before, sent, subresource), context)
    const admitted = subresource === '' ? this.#admit(served, next, live, context) : next
    const counted = withGeneration(served, id, live, admitted)
    this.#validate(served, counted, live)
    const tracked = this.#track(served, live, counted, context, subresource)
    if (unchanged(live, tracked)) return before
    if (context.dryRun) return fromStored(served, tracked)
    return this.#write(served, live, tracked)
  }

  #write(served: ServedResource, live: UnknownObject, next: UnknownObject): UnknownObject {
    const id = groupResourceName(served.storage)
    if (mayVanish(id, next)) {
      const gone = this.store.delete(served.storage, keyOf(live), { lastState: next })
      this.#afterDelete(served, gone)
      return fromStored(served, gone)
    }
    const stored = this.store.update(served.storage, next)
    if (id === 'customresourcedefinitions.apiextensions.k8s.io') return this.#establish(stored)
    return fromStored(served, stored)
  }

  /** Patches an object; an apply of one that does not exist creates it. */
  patch(
    target: Target,
    patch: { readonly kind: PatchKind; readonly body: unknown; readonly force?: boolean },
    context: WriteContext,
  ): { readonly object: UnknownObject; readonly created: boolean } {
    const { served, namespace, name, subresource } = target
    const key = namespace === '' ? name : `${namespace}/${name}`
    const live = this.store.get(served.storage, key)
    if (patch.kind === 'apply') return this.#apply(target, live, patch, context)
    if (!live) throw notFound(served.resource, name)
    const before =
      subresource === 'scale'
        ? readScale(served, fromStored(served, live))
        : fromStored(served, live)
    const patched = this.#patched(served, before, patch, subresource)
    const version = at(patched, 'metadata', 'resourceVersion')
    if (version !== undefined && version !== live.metadata.resourceVersion) {
      throw conflict(served.resource, name)
    }
    if (at(patched, 'metadata', 'name') !== name) {
      throw badRequest(
        `the name of the object (${textAt(patched, 'metadata', 'name')}) does not match the name on the URL (${name})`,
      )
    }
    if (subresource === 'scale') {
      return { object: this.#updateScale(target, patched, context), created: false }
    }
    const placed = this.#placed(served, namespace, patched)
    return { object: this.#replace(target, live, placed, context), created: false }
  }

  #patched(
    served: ServedResource,
    before: JsonObject,
    patch: { readonly kind: PatchKind; readonly body: unknown },
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
        if (served.custom && subresource !== 'scale') throw unsupportedPatch(customPatchTypes)
        if (ref === undefined) throw unsupportedPatch(customPatchTypes)
        return strategicMerge(before, patch.body, ref)
      }
      case 'apply':
        throw new TypeError('apply is not a patch of the present object')
      default:
        throw new TypeError(`unknown patch ${patch.kind satisfies never}`)
    }
  }

  #apply(
    target: Target,
    live: UnknownObject | undefined,
    patch: { readonly body: unknown; readonly force?: boolean },
    context: WriteContext,
  ): { readonly object: UnknownObject; readonly created: boolean } {
    const { served, namespace, name, subresource } = target
    if (!isObject(patch.body)) throw badRequest('error decoding YAML: expected an object')
    const configuration = this.#configuration(target, patch.body, context)
    if (configuration.metadata.managedFields !== undefined) {
      throw badRequest('metadata.managedFields must be nil')
    }
    if (!live && subresource !== '') throw notFound(served.resource, name)
    if (live) {
      const uid = configuration.metadata.uid
      const version = configuration.metadata.resourceVersion
      if (
        (uid && uid !== live.metadata.uid) ||
        (version && version !== live.metadata.resourceVersion)
      ) {
        throw conflict(served.resource, name)
      }
    } else if (configuration.metadata.uid || configuration.metadata.resourceVersion) {
      throw conflict(served.resource, name, 'the object does not exist')
    }
    const before = live && fromStored(served, live)
    const merged = applyConfiguration(before, configuration, served.mergeSchema, {
      writer: this.#writer(served, context, subresource),
      force: patch.force === true,
      ignored: subresource === 'status' ? allButStatus : hasStatusDoor(served) ? statusOnly : {},
    })
    const entries = merged.metadata.managedFields
    const silent: WriteContext = { ...context, fieldValidation: 'Ignore' }
    if (!live) {
      const placed = this.#placed(served, namespace, merged as JsonObject)
      const created = this.#createApplied(served, placed, entries, silent)
      return { object: created, created: true }
    }
    const next = this.#decode(
      served,
      combined(served, fromStored(served, live), merged, subresource),
      silent,
    )
    const admitted = subresource === '' ? this.#admit(served, next, live, silent) : next
    const counted = withGeneration(served, groupResourceName(served.storage), live, admitted)
    this.#validate(served, counted, live)
    const tracked = withEntries(counted, entries)
    if (unchanged(live, tracked)) return { object: fromStored(served, live), created: false }
    const object = context.dryRun ? fromStored(served, tracked) : this.#write(served, live, tracked)
    return { object, created: false }
  }

  #createApplied(
    served: ServedResource,
    placed: UnknownObject,
    entries: ObjectMeta['managedFields'],
    context: WriteContext,
  ): UnknownObject {
    const id = groupResourceName(served.storage)
    const decoded = this.#decode(served, withoutStatus(served, placed), context)
    this.#checkNamespace(served, decoded)
    const born: UnknownObject = {
      ...decoded,
      metadata: {
        ...withoutServerFields(decoded.metadata),
        uid: this.#uid(),
        creationTimestamp: this.#now(),
        ...(hasGeneration(served, id) && { generation: 1 }),
      } as ObjectMeta,
    }
    const admitted = this.#admit(served, born, undefined, context)
    this.#validate(served, admitted, undefined)
    const tracked = withEntries(admitted, entries)
    if (context.dryRun) return fromStored(served, tracked)
    const stored = this.store.create(served.storage, tracked)
    if (id === 'customresourcedefinitions.apiextensions.k8s.io') return this.#establish(stored)
    return fromStored(served, stored)
  }

  /** An applied configuration, checked against its schema but without defaults: those nobody owns. */
  #configuration(target: Target, body: JsonObject, context: WriteContext): UnknownObject {
    const { served, namespace, name } = target
    const placed = this.#placed(served, namespace, body)
    if (placed.metadata.name && placed.metadata.name !== name) {
      throw badRequest(
        `the name of the object (${placed.metadata.name}) does not match the name on the URL (${name})`,
      )
    }
    const named = { ...placed, metadata: { ...placed.metadata, name } }
    const unknown: string[] = []
    if (served.custom) served.custom.prune(named, unknown)
    else {
      const ref = kindType(apiVersionOf(served.resource), served.resource.kind)
      if (ref) {
        const problem = decodeProblems(ref, named)[0]
        if (problem)
          throw badRequest(
            `failed to create typed patch object (${namespace === '' ? name : `${namespace}/${name}`}; ${apiVersionOf(served.resource)}, Kind=${served.resource.kind}): .${problem.path}: ${problem.detail}`,
          )
        unknown.push(...unknownFields(ref, named))
      }
    }
    if (unknown.length > 0 && !served.custom) {
      // The typed converter refuses what the schema does not know, whatever fieldValidation says.
      const identity = `${namespace === '' ? '' : `${namespace}/`}${name}; ${apiVersionOf(served.resource)}, Kind=${served.resource.kind}`
      const texts = unknown.map((path) => `.${path}: field not declared in schema`)
      const list = texts.length === 1 ? texts[0] : `errors:\n  ${texts.join('\n  ')}`
      throw new StatusError({
        code: 500,
        reason: '',
        message: `failed to create typed patch object (${identity}): ${list}`,
      })
    }
    this.#report(served, unknown, context)
    // Unknown fields are dropped, yet no default may come in: it would become owned.
    return unknown.length > 0 && served.custom ? served.custom.pruneOnly(named) : named
  }

  #updateScale(target: Target, body: JsonObject, context: WriteContext): UnknownObject {
    const { served, namespace, name } = target
    const live = this.#stored(served, namespace, name)
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
    const written = this.#replace({ ...target, subresource: 'scale' }, live, scaled, context)
    return readScale(served, written) as UnknownObject
  }

  /**
   * Deletes, or marks for deletion: finalizers hold an object, a pod has its grace period, a
   * namespace its contents. Asking again shortens a grace period.
   */
  delete(
    target: Omit<Target, 'subresource'>,
    options: DeleteOptions & { readonly dryRun?: boolean },
  ): Deletion {
    const { served, namespace, name } = target
    const live = this.#stored(served, namespace, name)
    checkPreconditions(served, live, options)
    const id = groupResourceName(served.storage)
    const uid = live.metadata.uid ?? ''
    const marked = this.#marked(id, live, options)
    if (options.dryRun)
      return { object: returnedWhenDeleted.has(id) ? fromStored(served, live) : undefined, uid }
    if (marked && !mayVanish(id, marked)) {
      const stored = unchanged(live, marked) ? live : this.store.update(served.storage, marked)
      if (id === 'customresourcedefinitions.apiextensions.k8s.io') this.#removeInstances(stored)
      return {
        object: fromStored(served, this.store.get(served.storage, keyOf(live)) ?? stored),
        uid,
      }
    }
    const gone = this.store.delete(served.storage, keyOf(live), marked ? { lastState: marked } : {})
    this.#afterDelete(served, gone)
    return { object: returnedWhenDeleted.has(id) ? fromStored(served, gone) : undefined, uid }
  }

  /** The object with the marks of its deletion; undefined when it may go at once. */
  #marked(id: string, live: UnknownObject, options: DeleteOptions): UnknownObject | undefined {
    const finalizers = finalizersFor(live, options)
    const graceSeconds = id === 'pods' ? podGraceSeconds(live, options) : 0
    const isNamespace = id === 'namespaces'
    const isDefinition = id === 'customresourcedefinitions.apiextensions.k8s.io'
    const heldByContents = isNamespace && listAt(live, 'spec', 'finalizers').length > 0
    const instances = isDefinition ? this.#instanceCount(live) : 0
    if (finalizers.length === 0 && graceSeconds === 0 && !heldByContents && instances === 0) {
      return undefined
    }
    const held =
      instances > 0 && !finalizers.includes(cleanupFinalizer)
        ? [...finalizers, cleanupFinalizer]
        : finalizers
    const already = live.metadata.deletionTimestamp
    const present = live.metadata.deletionGracePeriodSeconds
    const shorter = present === undefined || graceSeconds < present
    const { finalizers: _, ...metadata } = live.metadata
    const marked: UnknownObject = {
      ...live,
      metadata: {
        ...metadata,
        ...(held.length > 0 && { finalizers: held }),
        deletionTimestamp: already !== undefined && !shorter ? already : this.#now(graceSeconds),
        deletionGracePeriodSeconds:
          already !== undefined && !shorter ? (present ?? 0) : graceSeconds,
        ...(already === undefined &&
          metadata.generation !== undefined && { generation: metadata.generation + 1 }),
      },
    }
    if (isNamespace) return withValue(marked, ['status', 'phase'], 'Terminating')
    if (isDefinition) {
      const others = listAt(marked, 'status', 'conditions').filter(
        (condition) => at(condition, 'type') !== 'Terminating',
      )
      return withValue(
        marked,
        ['status', 'conditions'],
        [
          ...others,
          {
            type: 'Terminating',
            status: 'True',
            reason: 'InstanceDeletionInProgress',
            message: 'CustomResource deletion is in progress',
            lastTransitionTime: this.#now(),
          },
        ],
      )
    }
    return marked
  }

  #instanceCount(definition: UnknownObject): number {
    return this.store.count(instancesOf(definition))
  }

  #removeInstances(definition: UnknownObject): void {
    const served = this.catalog.all().find(({ storage, custom }) => {
      const instances = instancesOf(definition)
      return custom && storage.group === instances.group && storage.plural === instances.plural
    })
    if (!served) return
    for (const object of [...this.store.list(served.storage)]) {
      const { namespace = '', name } = object.metadata
      this.delete({ served, namespace, name }, { propagationPolicy: 'Background' })
    }
    this.#finishDefinition(definition.metadata.name)
  }

  /** A CRD that waits for its last instance goes when that one is gone. */
  #finishDefinition(name: string): void {
    const definition = this.store.get(definitions, name)
    if (!definition?.metadata.deletionTimestamp || this.#instanceCount(definition) > 0) return
    const finalizers = (definition.metadata.finalizers ?? []).filter(
      (finalizer) => finalizer !== cleanupFinalizer,
    )
    const served = this.catalog.find(definitions.group, 'v1', definitions.plural)
    if (!served) return
    const { finalizers: _, ...metadata } = definition.metadata
    this.#write(served, definition, {
      ...definition,
      metadata: finalizers.length > 0 ? { ...metadata, finalizers } : metadata,
    })
  }

  #afterDelete(served: ServedResource, gone: UnknownObject): void {
    if (groupResourceName(served.storage) === 'customresourcedefinitions.apiextensions.k8s.io') {
      this.catalog.remove(gone.metadata.name)
    } else if (served.custom) {
      this.#finishDefinition(`${served.resource.plural}.${served.resource.group}`)
    }
  }

  /** Accepts a CRD's names, serves its kinds and says so in its status. */
  #establish(definition: UnknownObject): UnknownObject {
    if (definition.metadata.deletionTimestamp !== undefined) return definition
    const status = definitionStatus(definition, {
      now: this.#now(),
      conflict: this.#nameConflict(definition),
    })
    if (at(status, 'acceptedNames', 'kind') !== '') this.catalog.define(definition)
    if (sameJson(definition['status'], status)) return definition
    return this.store.update(definitions, { ...definition, status })
  }

  #nameConflict(definition: UnknownObject): string | undefined {
    const group = textAt(definition, 'spec', 'group')
    const kind = textAt(definition, 'spec', 'names', 'kind')
    const plural = textAt(definition, 'spec', 'names', 'plural')
    const other = this.catalog
      .all()
      .find(
        ({ resource }) =>
          resource.group === group && resource.kind === kind && resource.plural !== plural,
      )
    return other && `"${kind}" is already in use`
  }

  #decode(served: ServedResource, object: UnknownObject, context: WriteContext): UnknownObject {
    const unknown: string[] = []
    if (served.custom) {
      const problem = decodeProblems('meta/v1.ObjectMeta', object.metadata)[0]
      if (problem) throw cannotHandle(served, problem.detail)
      const pruned = served.custom.prune(object, unknown)
      this.#report(served, unknown, context)
      return toStored(served, pruned)
    }
    const { kind } = served.resource
    const apiVersion = apiVersionOf(served.resource)
    const ref = kindType(apiVersion, kind)
    if (ref) {
      const problem = decodeProblems(ref, object)[0]
      if (problem) throw cannotHandle(served, problem.detail)
      if (context.fieldValidation !== 'Ignore') unknown.push(...unknownFields(ref, object))
      this.#report(served, unknown, context)
    }
    const given = kind === 'CustomResourceDefinition' ? defaultDefinition(object) : object
    const complete = applyDefaults(apiVersion, kind, given) as UnknownObject
    const stored = toStored(served, complete)
    if (stored === complete || served.conversion === undefined) return stored
    return applyDefaults(stored.apiVersion, stored.kind, stored) as UnknownObject
  }

  #report(served: ServedResource, unknown: readonly string[], context: WriteContext): void {
    if (context.fieldValidation === 'Ignore') return
    const problems = [
      ...(context.bodyProblems ?? []),
      ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
    ]
    if (problems.length === 0) return
    if (context.fieldValidation === 'Strict') {
      throw cannotHandle(served, `strict decoding error: ${problems.join(', ')}`)
    }
    for (const problem of problems) context.warn(problem)
  }

  #checkNamespace(served: ServedResource, object: UnknownObject): void {
    const namespace = object.metadata.namespace
    if (!served.resource.namespaced || namespace === undefined) return
    const found = this.store.get(namespaces, namespace)
    if (!found) throw notFound(namespaces, namespace)
    if (found.metadata.deletionTimestamp === undefined) return
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`
    const refusal = forbidden(served.resource, object.metadata.name, why)
    throw new StatusError({
      code: refusal.code,
      reason: refusal.reason,
      message: refusal.message,
      details: {
        ...refusal.details,
        causes: [
          {
            reason: 'NamespaceTerminating',
            message: `namespace ${namespace} is being terminated`,
            field: 'metadata.namespace',
          },
        ],
      },
    })
  }

  #admit(
    served: ServedResource,
    object: UnknownObject,
    old: UnknownObject | undefined,
    context: WriteContext,
  ): UnknownObject {
    const request = {
      operation: old ? ('UPDATE' as const) : ('CREATE' as const),
      resource: served.storage,
      old,
      user: context.user,
    }
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
      ...(object.kind === 'CustomResourceDefinition' ? validateDefinition(object) : []),
    ]
    if (errors.length > 0) throw invalid(served.resource, object.metadata.name ?? '', errors)
  }

  #track(
    served: ServedResource,
    live: UnknownObject | undefined,
    next: UnknownObject,
    context: WriteContext,
    subresource: string,
  ): UnknownObject {
    const carried = carryManagedFields(live, next)
    const before = live && fromStored(served, live)
    const after = fromStored(served, carried)
    const recorded = recordUpdate(
      before,
      after,
      served.mergeSchema,
      this.#writer(served, context, subresource),
    )
    return recorded === after ? carried : withEntries(carried, recorded.metadata.managedFields)
  }

  #writer(served: ServedResource, context: WriteContext, subresource: string): Writer {
    return {
      manager: context.fieldManager,
      apiVersion: apiVersionOf(served.resource),
      subresource,
      time: this.#now(),
    }
  }

  #now(plusSeconds = 0): string {
    return new Date(this.store.clock.now() + plusSeconds * 1000)
      .toISOString()
      .replace(/\.\d+Z$/, 'Z')
  }

  #uid(): string {
    const hex = this.store.random.hex(32)
    const variant = '89ab'[Number.parseInt(hex.slice(16, 17), 16) % 4]
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  }
}

const customPatchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/apply-patch+yaml',
]

export function unsupportedPatch(types: readonly string[]): StatusError {
  return new StatusError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: `the body of the request was in an unknown format - accepted media types include: ${types.join(', ')}`,
    details: {},
  })
}

function cannotHandle(served: ServedResource, why: string): StatusError {
  const { kind, version } = served.resource
  return badRequest(
    `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${why}`,
  )
}

function checkKind(served: ServedResource, body: JsonObject): void {
  const { kind, version } = served.resource
  const expected = apiVersionOf(served.resource)
  const sentVersion = body['apiVersion']
  const sentKind = body['kind']
  if (typeof sentVersion === 'string' && sentVersion !== '' && sentVersion !== expected) {
    throw badRequest(
      `the API version in the data (${sentVersion}) does not match the expected API version (${expected})`,
    )
  }
  if (typeof sentKind === 'string' && sentKind !== '' && sentKind !== kind) {
    throw badRequest(
      `${sentKind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: converting (${sentKind}) to (${kind}): unknown conversion`,
    )
  }
}

function withoutServerFields(metadata: ObjectMeta): Partial<ObjectMeta> {
  const {
    deletionTimestamp: _deleted,
    deletionGracePeriodSeconds: _grace,
    resourceVersion: _version,
    generation: _generation,
    ...rest
  } = metadata
  return rest
}

function hasStatusDoor(served: ServedResource): boolean {
  return served.subresources.some(({ name }) => name === 'status')
}

/** A new object has no status yet, where status has a door of its own. Nodes register with theirs. */
function withoutStatus(served: ServedResource, object: UnknownObject): UnknownObject {
  if (!hasStatusDoor(served) || served.resource.kind === 'Node' || !('status' in object))
    return object
  const { status: _, ...rest } = object
  return rest as UnknownObject
}

/** The next object: what the door may write from `sent`, everything else from `live`. */
function combined(
  served: ServedResource,
  live: UnknownObject,
  sent: UnknownObject,
  subresource: string,
): UnknownObject {
  const metadata = keptMetadata(live.metadata, sent.metadata)
  switch (subresource) {
    case '':
      if (hasStatusDoor(served)) {
        const { status: _, ...rest } = sent
        return {
          ...rest,
          metadata,
          ...('status' in live && { status: live['status'] }),
        } as UnknownObject
      }
      return { ...sent, metadata }
    case 'status': {
      const free = served.resource.kind === 'Node' || served.resource.kind === 'Pod'
      return {
        ...live,
        metadata: free ? metadata : { ...live.metadata, ...managedFieldsOf(sent.metadata) },
        status: sent['status'],
      }
    }
    case 'scale':
    case 'finalize':
      return {
        ...live,
        metadata: { ...live.metadata, ...managedFieldsOf(sent.metadata) },
        spec: sent['spec'],
      }
    default:
      if (served.resource.kind === 'Pod') return { ...live, spec: sent['spec'] }
      throw methodNotAllowed()
  }
}

function managedFieldsOf(metadata: ObjectMeta): Partial<ObjectMeta> {
  return metadata.managedFields === undefined ? {} : { managedFields: metadata.managedFields }
}

function keptMetadata(live: ObjectMeta, sent: ObjectMeta): ObjectMeta {
  const { deletionTimestamp: _d, deletionGracePeriodSeconds: _g, generation: _n, ...free } = sent
  return {
    ...free,
    name: live.name,
    ...(live.namespace !== undefined && { namespace: live.namespace }),
    ...(live.uid !== undefined && { uid: live.uid }),
    ...(live.creationTimestamp !== undefined && { creationTimestamp: live.creationTimestamp }),
    ...(live.generateName !== undefined && { generateName: live.generateName }),
    ...(live.resourceVersion !== undefined && { resourceVersion: live.resourceVersion }),
    ...(live.generation !== undefined && { generation: live.generation }),
    ...(live.deletionTimestamp !== undefined && { deletionTimestamp: live.deletionTimestamp }),
    ...(live.deletionGracePeriodSeconds !== undefined && {
      deletionGracePeriodSeconds: live.deletionGracePeriodSeconds,
    }),
  }
}

function hasGeneration(served: ServedResource, id: string): boolean {
  return served.custom !== undefined || generationKinds.has(id)
}

/** Counts changes of what the author wants: the spec; of custom kinds all but metadata and status. */
function withGeneration(
  served: ServedResource,
  id: string,
  live: UnknownObject,
  next: UnknownObject,
): UnknownObject {
  if (!hasGeneration(served, id)) return next
  const changed = served.custom
    ? !sameJson(wantedPart(served, live), wantedPart(served, next))
    : !sameJson(live['spec'], next['spec']) ||
      !sameJson(live['webhooks'], next['webhooks']) ||
      (id === 'deployments.apps' &&
        !sameJson(live.metadata.annotations ?? {}, next.metadata.annotations ?? {}))
  if (!changed) return next
  const generation = (live.metadata.generation ?? 0) + 1
  return { ...next, metadata: { ...next.metadata, generation } }
}

function wantedPart(served: ServedResource, object: UnknownObject): JsonObject {
  const { metadata: _, apiVersion: __, status, ...rest } = object
  return hasStatusDoor(served) ? rest : { ...rest, status }
}

/** A write that changes nothing but times of managedFields is none. */
function unchanged(live: UnknownObject, next: UnknownObject): boolean {
  return sameJson(comparable(live), comparable(next))
}

function comparable(object: UnknownObject): JsonObject {
  const { resourceVersion: _, managedFields, ...metadata } = object.metadata
  const entries = (managedFields ?? []).map((entry) =>
    isObject(entry) ? { ...entry, time: undefined } : entry,
  )
  return { ...object, metadata: { ...metadata, managedFields: entries } }
}

function withEntries(object: UnknownObject, entries: ObjectMeta['managedFields']): UnknownObject {
  const { managedFields: _, ...metadata } = object.metadata
  return {
    ...object,
    metadata: entries && entries.length > 0 ? { ...metadata, managedFields: entries } : metadata,
  }
}

/** True when nothing holds an object that is being deleted any more. */
function mayVanish(id: string, object: UnknownObject): boolean {
  const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = object.metadata
  if (deletionTimestamp === undefined) return false
  if ((finalizers?.length ?? 0) > 0 || (deletionGracePeriodSeconds ?? 0) > 0) return false
  return id !== 'namespaces' || listAt(object, 'spec', 'finalizers').length === 0
}

function finalizersFor(live: UnknownObject, options: DeleteOptions): readonly string[] {
  const finalizers = live.metadata.finalizers ?? []
  const others = finalizers.filter((name) => name !== 'orphan' && name !== 'foregroundDeletion')
  switch (options.propagationPolicy) {
    case 'Orphan':
      return [...others, 'orphan']
    case 'Foreground':
      return [...others, 'foregroundDeletion']
    case 'Background':
      return others
    default:
      return finalizers
  }
}

/** Pods that never started or have ended need no time to end. */
function podGraceSeconds(pod: UnknownObject, options: DeleteOptions): number {
  const asked = options.gracePeriodSeconds
  if (asked === 0) return 0
  const phase = textAt(pod, 'status', 'phase')
  if (textAt(pod, 'spec', 'nodeName') === '' || phase === 'Succeeded' || phase === 'Failed')
    return 0
  const own = at(pod, 'spec', 'terminationGracePeriodSeconds')
  const seconds = asked ?? (typeof own === 'number' ? own : 30)
  return seconds < 0 ? 1 : seconds
}

function checkPreconditions(
  served: ServedResource,
  live: UnknownObject,
  options: DeleteOptions,
): void {
  const { uid, resourceVersion } = options.preconditions ?? {}
  const { name } = live.metadata
  if (uid !== undefined && uid !== live.metadata.uid) {
    throw conflict(
      served.resource,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`,
    )
  }
  if (resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion) {
    throw conflict(
      served.resource,
      name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${live.metadata.resourceVersion}`,
    )
  }
}

function instancesOf(definition: UnknownObject): { group: string; plural: string } {
  return {
    group: textAt(definition, 'spec', 'group'),
    plural: textAt(definition, 'spec', 'names', 'plural'),
  }
}
