import { apiVersionOf, type DeleteOptions, type PatchKind, type UnknownObject } from '@serinus/kube'
import { answer, answerError, successStatus } from './answers.ts'
import { issuer } from './authentication.ts'
import { type Body, type Negotiated, negotiate } from './content.ts'
import type { Gatekeeper, Peer } from './gatekeeper.ts'
import { answerGeneralPath, type GeneralParts } from './general-paths.ts'
import type { HandledSubresource, SubresourceHandler, UserInfo } from './hooks.ts'
import { parseResourcePath, type ResourcePath } from './http-path.ts'
import type { Journal } from './journal.ts'
import type { Lists } from './lists.ts'
import { bindPod, evictPod } from './pod-doors.ts'
import type { Registry } from './registry.ts'
import {
  deleteOptions,
  integer,
  isDryRun,
  isTrue,
  managerOf,
  objectBody,
  readBody,
} from './request-options.ts'
import { isReview, review } from './reviews.ts'
import { readScale } from './scale.ts'
import type { ServedResource } from './served.ts'
import {
  badRequest,
  invalid,
  methodNotAllowed,
  noSuchPath,
  required,
  StatusError,
  unknownPath,
  unsupportedMediaType,
} from './status-error.ts'
import { metadataOf, tableOf } from './tables.ts'
import { renderTime } from './timestamps.ts'
import { at, isObject, type JsonObject, listAt } from './values.ts'
import { type EventBytes, watchStream } from './watch-stream.ts'
import type { Target, WriteContext } from './write-context.ts'

export interface HttpParts extends GeneralParts {
  readonly registry: Registry
  readonly lists: Lists
  readonly gatekeeper: Gatekeeper
  readonly journal: Journal | undefined
  readonly handlers: ReadonlyMap<HandledSubresource, SubresourceHandler>
  readonly bytes: EventBytes
  /** Aborts when the server ends; open watches end with it. */
  readonly signal: AbortSignal
}

/** An authorized request for a resource. */
export interface ResourceRequest {
  readonly path: ResourcePath
  readonly served: ServedResource
  readonly verb: string
  readonly user: UserInfo
}

interface Exchange extends ResourceRequest {
  readonly request: Request
  readonly query: URLSearchParams
  readonly negotiated: Negotiated
  readonly warnings: string[]
}

/** The HTTP API: everything between a Request and a Response. */
export class HttpApi {
  readonly #parts: HttpParts

  constructor(parts: HttpParts) {
    this.#parts = parts
  }

  async handle(request: Request, peer: Peer): Promise<Response> {
    const warnings: string[] = []
    try {
      return await this.#dispatch(request, peer, warnings)
    } catch (error) {
      return answerError(error, warnings)
    }
  }

  /** Authenticates, authorizes and finds the kind of a resource request; throws what to answer. */
  resourceRequest(request: Request, peer: Peer): ResourceRequest {
    const url = new URL(request.url)
    const path = parseResourcePath(url.pathname)
    const user = this.#parts.gatekeeper.userOf(request, peer)
    if (!path) throw unknownPath()
    return this.#resourceRequest(request, { url, path, user })
  }

  async #dispatch(request: Request, peer: Peer, warnings: string[]): Promise<Response> {
    const url = new URL(request.url)
    const user = this.#parts.gatekeeper.userOf(request, peer)
    const path = parseResourcePath(url.pathname)
    if (!path) {
      const verb = request.method.toLowerCase()
      this.#parts.gatekeeper.authorize(user, { kind: 'path', verb, path: url.pathname })
      return answerGeneralPath(request, url, this.#parts)
    }
    const found = this.#resourceRequest(request, { url, path, user })
    if (found.served.custom?.deprecation) warnings.push(found.served.custom.deprecation)
    const negotiated = negotiate(request, url.searchParams)
    return this.#resource({ ...found, request, query: url.searchParams, negotiated, warnings })
  }

  #resourceRequest(
    request: Request,
    facts: { readonly url: URL; readonly path: ResourcePath; readonly user: UserInfo },
  ): ResourceRequest {
    const { url, path, user } = facts
    const served = this.#parts.catalog.find(path.group, path.version, path.plural)
    const verb = verbOf(request, path, url.searchParams)
    const isNamespace = path.plural === 'namespaces' && path.group === ''
    this.#parts.gatekeeper.authorize(user, {
      kind: 'resource',
      verb,
      group: path.group,
      resource: path.subresource === '' ? path.plural : `${path.plural}/${path.subresource}`,
      namespace: isNamespace ? path.name : path.namespace,
      name: path.name || nameSelected(url.searchParams),
    })
    if (!served) throw this.#knows(path.group) ? noSuchPath() : unknownPath()
    const { namespaced } = served.resource
    if (!namespaced && path.namespace !== '') throw noSuchPath()
    if (namespaced && path.namespace === '' && path.name !== '') throw noSuchPath()
    return { path, served, verb, user }
  }

  #knows(group: string): boolean {
    return this.#parts.catalog.groups().some((one) => one.group === group)
  }

  async #resource(exchange: Exchange): Promise<Response> {
    const { path, served, verb } = exchange
    if (path.subresource !== '') return this.#subresource(exchange)
    if (!served.verbs.includes(verb) && !(verb === 'deletecollection' && served.custom)) {
      throw methodNotAllowed()
    }
    switch (verb) {
      case 'get':
        return this.#object(exchange, this.#parts.registry.get(targetOf(exchange)))
      case 'list':
        return this.#list(exchange)
      case 'watch':
        return this.#watch(exchange)
      case 'create':
        return this.#create(exchange)
      case 'update':
        return this.#update(exchange)
      case 'patch':
        return this.#patch(exchange)
      case 'delete':
        return this.#delete(exchange)
      case 'deletecollection':
        return this.#deleteCollection(exchange)
      default:
        throw methodNotAllowed()
    }
  }

  #object(exchange: Exchange, object: object, status = 200): Promise<Response> {
    const { request, negotiated, served, warnings } = exchange
    const { form } = negotiated
    const options = { status, warnings }
    if (form.kind === 'table') {
      const table = tableOf(served, [object as UnknownObject], {
        now: this.#parts.registry.store.clock.now(),
        includeObject: form.includeObject,
        withColumns: true,
        listMetadata: { resourceVersion: (object as UnknownObject).metadata?.resourceVersion },
      })
      return answer(request, negotiated, table, options)
    }
    const shown = form.kind === 'metadata' ? metadataOf(object as UnknownObject) : object
    return answer(request, negotiated, shown, options)
  }

  #list(exchange: Exchange): Promise<Response> {
    const { request, negotiated, served, query, path, warnings } = exchange
    const limit = query.get('limit')
    const listed = this.#parts.lists.list(served, {
      namespace: path.namespace,
      labelSelector: query.get('labelSelector') ?? undefined,
      fieldSelector: query.get('fieldSelector') ?? undefined,
      limit: limit === null ? undefined : integer(limit, 'limit'),
      continueToken: query.get('continue') ?? undefined,
      resourceVersion: query.get('resourceVersion') ?? undefined,
      resourceVersionMatch: query.get('resourceVersionMatch') ?? undefined,
    })
    const metadata = {
      resourceVersion: listed.resourceVersion,
      ...(listed.continueToken && { continue: listed.continueToken }),
      ...(listed.remaining !== undefined && { remainingItemCount: listed.remaining }),
    }
    const { form } = negotiated
    switch (form.kind) {
      case 'table': {
        const table = tableOf(served, listed.items, {
          now: this.#parts.registry.store.clock.now(),
          includeObject: form.includeObject,
          withColumns: true,
          listMetadata: metadata,
        })
        return answer(request, negotiated, table, { warnings })
      }
      case 'metadata':
        return answer(
          request,
          negotiated,
          {
            kind: 'PartialObjectMetadataList',
            apiVersion: 'meta.k8s.io/v1',
            metadata,
            items: listed.items.map(metadataOf),
          },
          { warnings },
        )
      case 'object':
        return answer(request, negotiated, listOf(served, metadata, listed.items), { warnings })
      default:
        throw new TypeError(`unknown form: ${JSON.stringify(form satisfies never)}`)
    }
  }

  #watch(exchange: Exchange): Response {
    const { query, path, served, negotiated, warnings } = exchange
    const { store } = this.#parts.registry
    const timeout = query.get('timeoutSeconds')
    const initial = query.get('sendInitialEvents')
    const nameSelector = path.name === '' ? undefined : `metadata.name=${path.name}`
    const stream = watchStream({
      store,
      clock: store.clock,
      random: store.random,
      bytes: this.#parts.bytes,
      served,
      query: {
        namespace: path.namespace,
        labelSelector: query.get('labelSelector') ?? undefined,
        fieldSelector: query.get('fieldSelector') ?? nameSelector,
        resourceVersion: query.get('resourceVersion') ?? undefined,
        resourceVersionMatch: query.get('resourceVersionMatch') ?? undefined,
        sendInitialEvents: initial === null ? undefined : initial === 'true' || initial === '1',
        allowBookmarks: isTrue(query.get('allowWatchBookmarks')),
      },
      form: negotiated.form,
      timeoutSeconds: timeout === null ? undefined : integer(timeout, 'timeoutSeconds'),
      signal: this.#parts.signal,
    })
    const headers = new Headers({
      'content-type': 'application/json',
      'cache-control': 'no-cache, private',
    })
    for (const warning of warnings) headers.append('warning', `299 - ${JSON.stringify(warning)}`)
    return new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>, { headers })
  }

  async #create(exchange: Exchange): Promise<Response> {
    const { served, path } = exchange
    if (path.name !== '') throw methodNotAllowed()
    const body = await readBody(exchange.request)
    const object = objectBody(body)
    if (isReview(served)) {
      const { authenticator, authorizer } = this.#parts.gatekeeper
      const answered = review(served, object, {
        user: exchange.user,
        namespace: path.namespace,
        authenticator,
        authorizer,
      })
      return this.#object(exchange, answered, 201)
    }
    if (served.resource.kind === 'Binding') {
      const pods = this.#parts.catalog.find('', 'v1', 'pods')
      if (!pods) throw noSuchPath()
      const name = String(at(object, 'metadata', 'name') ?? '')
      bindPod(
        this.#parts.registry,
        { served: pods, namespace: path.namespace, name },
        object,
        this.#context(exchange, body),
      )
      return this.#written(exchange, successStatus({}), 201)
    }
    const namespace = served.resource.namespaced ? path.namespace : ''
    if (served.resource.namespaced && namespace === '') throw methodNotAllowed()
    const created = this.#parts.registry.create(
      served,
      namespace,
      object,
      this.#context(exchange, body),
    )
    return this.#written(exchange, created, 201)
  }

  async #update(exchange: Exchange): Promise<Response> {
    const body = await readBody(exchange.request)
    const object = objectBody(body)
    const written = this.#parts.registry.update(
      targetOf(exchange),
      object,
      this.#context(exchange, body),
    )
    return this.#written(exchange, written)
  }

  async #patch(exchange: Exchange): Promise<Response> {
    const { request, query, served } = exchange
    const contentType = (request.headers.get('content-type') ?? '').split(';')[0]?.trim() ?? ''
    const kind = patchKinds[contentType]
    if (!kind || (kind === 'strategic' && served.custom && exchange.path.subresource !== 'scale')) {
      const types = Object.keys(patchKinds).filter(
        (type) => !served.custom || !type.includes('strategic'),
      )
      throw unsupportedMediaType(types)
    }
    if (kind === 'apply' && !query.get('fieldManager')) {
      throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [
        required('fieldManager', 'is required for apply patch'),
      ])
    }
    const body = await readBody(request)
    const { object, created } = this.#parts.registry.patch(
      targetOf(exchange),
      { kind, body: body.value, force: isTrue(query.get('force')) },
      this.#context(exchange, body),
    )
    return this.#written(exchange, object, created ? 201 : 200)
  }

  async #delete(exchange: Exchange): Promise<Response> {
    const options = await deleteOptions(exchange.request, exchange.query)
    const { served, path } = exchange
    const { object, uid } = this.#parts.registry.delete(targetOf(exchange), options)
    const details = {
      name: path.name,
      ...(served.resource.group !== '' && { group: served.resource.group }),
      kind: served.resource.plural,
      uid,
    }
    return this.#written(exchange, object ?? successStatus(details))
  }

  async #deleteCollection(exchange: Exchange): Promise<Response> {
    const { served, query, path, request, negotiated } = exchange
    const options = await deleteOptions(exchange.request, exchange.query)
    const listed = this.#parts.lists.list(served, {
      namespace: path.namespace,
      labelSelector: query.get('labelSelector') ?? undefined,
      fieldSelector: query.get('fieldSelector') ?? undefined,
    })
    for (const { metadata } of listed.items) {
      const target = { served, namespace: metadata.namespace ?? '', name: metadata.name }
      try {
        this.#parts.registry.delete(target, options)
      } catch (error) {
        // Another one took it away between our list and now: that is what was asked for.
        if (!(error instanceof StatusError) || error.code !== 404) throw error
      }
    }
    await this.#parts.journal?.durable()
    return answer(
      request,
      negotiated,
      listOf(served, { resourceVersion: listed.resourceVersion }, listed.items),
    )
  }

  /** Answers a write once it is durable. */
  async #written(exchange: Exchange, object: object, status = 200): Promise<Response> {
    await this.#parts.journal?.durable()
    if (!isKind(object, 'Status')) return this.#object(exchange, object, status)
    return answer(exchange.request, exchange.negotiated, object, {
      status,
      warnings: exchange.warnings,
    })
  }

  #context(exchange: Exchange, body: Body): WriteContext {
    const { query, user, warnings, request } = exchange
    const validation = query.get('fieldValidation')
    if (validation !== null && validation !== '' && !fieldValidations.has(validation)) {
      throw invalid({ group: 'meta.k8s.io', kind: 'CreateOptions' }, '', [
        {
          reason: 'FieldValueNotSupported',
          field: 'fieldValidation',
          body: `Unsupported value: ${JSON.stringify(validation)}: supported values: "Ignore", "Strict", "Warn"`,
        },
      ])
    }
    return {
      user,
      fieldManager: query.get('fieldManager') || managerOf(request),
      dryRun: isDryRun(query.getAll('dryRun')),
      fieldValidation: validation === 'Strict' || validation === 'Ignore' ? validation : 'Warn',
      warn: (text) => warnings.push(text),
      bodyProblems: body.problems,
    }
  }

  async #subresource(exchange: Exchange): Promise<Response> {
    const { path, served, verb, request } = exchange
    const subresource = served.subresources.find(({ name }) => name === path.subresource)
    if (!subresource) throw noSuchPath()
    const id = `${served.resource.plural}/${path.subresource}`
    const handler = this.#parts.handlers.get(id as HandledSubresource)
    if (handler) return this.#handled(exchange, handler)
    switch (id) {
      case 'pods/eviction': {
        if (verb !== 'create') throw methodNotAllowed()
        const body = await readBody(request)
        const object = objectBody(body)
        const context = this.#context(exchange, body)
        const given = isObject(object['deleteOptions']) ? object['deleteOptions'] : {}
        const dryRun = context.dryRun || isDryRun(listAt(given, 'dryRun') as readonly string[])
        evictPod(
          this.#parts.registry,
          this.#parts.catalog,
          targetOf(exchange),
          { ...(given as DeleteOptions), dryRun },
          context,
        )
        return this.#written(exchange, successStatus({}), 201)
      }
      case 'pods/binding': {
        if (verb !== 'create') throw methodNotAllowed()
        const body = await readBody(request)
        bindPod(
          this.#parts.registry,
          targetOf(exchange),
          objectBody(body),
          this.#context(exchange, body),
        )
        return this.#written(exchange, successStatus({}), 201)
      }
      case 'serviceaccounts/token': {
        if (verb !== 'create') throw methodNotAllowed()
        return this.#token(exchange, objectBody(await readBody(request)))
      }
      case 'pods/exec':
      case 'pods/attach':
        this.#parts.registry.get(targetOf(exchange))
        throw badRequest(
          `${path.subresource} is not available: the pods of the embedded cluster are simulated and run no processes`,
        )
      case 'pods/log':
      case 'pods/proxy':
      case 'pods/portforward':
      case 'services/proxy':
      case 'nodes/proxy':
        this.#parts.registry.get(targetOf(exchange))
        throw badRequest(`${id} is not available: nothing runs the pods of this cluster`)
      default:
    }
    if (!subresource.verbs.includes(verb)) throw methodNotAllowed()
    if (verb === 'update') return this.#update(exchange)
    if (verb === 'patch') return this.#patch(exchange)
    const object = this.#parts.registry.get(targetOf(exchange))
    return this.#object(exchange, path.subresource === 'scale' ? readScale(served, object) : object)
  }

  #handled(exchange: Exchange, handler: SubresourceHandler): Promise<Response> {
    const { path, served, request, query, user } = exchange
    const proxied = path.subresource === 'proxy' ? splitProxyName(path.name) : undefined
    const name = proxied?.name ?? path.name
    const object = this.#parts.registry.get({ served, namespace: path.namespace, name })
    return handler({
      request,
      namespace: path.namespace,
      name,
      scheme: proxied?.scheme ?? '',
      port: proxied?.port ?? '',
      path: path.rest,
      query,
      user,
      object,
    })
  }

  #token(exchange: Exchange, body: JsonObject): Promise<Response> {
    const account = this.#parts.registry.get(targetOf(exchange))
    const seconds = Number(at(body, 'spec', 'expirationSeconds') ?? 3600)
    const wanted = listAt(body, 'spec', 'audiences') as readonly string[]
    const audiences = wanted.length > 0 ? wanted : [issuer]
    const { token, expiresAt } = this.#parts.gatekeeper.authenticator.issue(account, {
      seconds,
      audiences,
    })
    return this.#written(
      exchange,
      {
        kind: 'TokenRequest',
        apiVersion: 'authentication.k8s.io/v1',
        metadata: {
          name: account.metadata.name,
          namespace: account.metadata.namespace,
          creationTimestamp: renderTime(this.#parts.registry.store.clock.now()),
        },
        spec: {
          audiences,
          expirationSeconds: seconds,
          boundObjectRef: at(body, 'spec', 'boundObjectRef') ?? null,
        },
        status: {
          token,
          expirationTimestamp: renderTime(expiresAt),
        },
      },
      201,
    )
  }
}

const patchKinds: Readonly<Record<string, PatchKind>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
}

const fieldValidations: ReadonlySet<string> = new Set(['Strict', 'Warn', 'Ignore'])

function verbOf(request: Request, path: ResourcePath, query: URLSearchParams): string {
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      if (path.watch || (path.subresource === '' && isTrue(query.get('watch')))) return 'watch'
      return path.name === '' ? 'list' : 'get'
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return path.name === '' ? 'deletecollection' : 'delete'
    default:
      throw methodNotAllowed()
  }
}

/** A list or watch of one name is authorized by that name. */
function nameSelected(query: URLSearchParams): string {
  return /^metadata\.name=([^,]+)$/.exec(query.get('fieldSelector') ?? '')?.[1] ?? ''
}

function targetOf(exchange: Exchange): Target {
  const { served, path } = exchange
  return { served, namespace: path.namespace, name: path.name, subresource: path.subresource }
}

function listOf(served: ServedResource, metadata: object, items: readonly UnknownObject[]): object {
  return {
    kind: served.custom?.listKind ?? `${served.resource.kind}List`,
    apiVersion: apiVersionOf(served.resource),
    metadata,
    items,
  }
}

function isKind(object: object, kind: string): boolean {
  return at(object, 'kind') === kind && at(object, 'apiVersion') === 'v1'
}

/** `https:web:8443` names a scheme, a name and a port; `web:8443` and `web` leave parts out. */
function splitProxyName(text: string): { scheme: string; name: string; port: string } {
  const parts = text.split(':')
  if (parts.length === 3)
    return { scheme: parts[0] ?? '', name: parts[1] ?? '', port: parts[2] ?? '' }
  return { scheme: '', name: parts[0] ?? '', port: parts[1] ?? '' }
}
