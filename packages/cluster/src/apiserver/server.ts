import {
  type Clock,
  type KubeClient,
  keyOf,
  type SeededRandom,
  type UnknownObject,
} from '@serinus/kube'
import { Authenticator, clusterAdmin } from './authentication.ts'
import { bootstrapObjects } from './bootstrap.ts'
import { Catalog } from './catalog.ts'
import { directClient } from './direct-client.ts'
import { Gatekeeper, type Peer } from './gatekeeper.ts'
import type { AdmissionHook, HandledSubresource, PortForward, SubresourceHandler } from './hooks.ts'
import { HttpApi, type ResourceRequest } from './http-api.ts'
import type { Journal } from './journal.ts'
import { Lists } from './lists.ts'
import { OpenApi } from './open-api.ts'
import { Authorizer, aggregatedRules } from './rbac.ts'
import { Registry } from './registry.ts'
import { Store } from './store.ts'
import { at, sameJson } from './values.ts'
import { EventBytes } from './watch-stream.ts'
import type { WriteContext } from './write-context.ts'

const definitions = { group: 'apiextensions.k8s.io', plural: 'customresourcedefinitions' }
const clusterRoles = { group: 'rbac.authorization.k8s.io', plural: 'clusterroles' }

export interface ApiServerOptions {
  readonly clock: Clock
  readonly random: SeededRandom
  /** How the server is reached; only documents that name it need it. */
  readonly serverUrl?: string
  readonly journal?: Journal
  /** Events remembered per kind for watches that come back; older ones get 410. */
  readonly historyLimit?: number
}

/** The API server of the embedded cluster (spec embedded-cluster 2). */
export class ApiServer implements Disposable {
  readonly store: Store
  readonly catalog = new Catalog()
  readonly authenticator: Authenticator
  /** The whole HTTP API incl. authentication, fetch-standard. */
  readonly handle: (request: Request) => Promise<Response>
  /** The same as cluster admin and without authentication, for use in this process. */
  readonly handleTrusted: (request: Request) => Promise<Response>
  /** Speaks to the server without HTTP; objects are frozen and shared with the store. */
  readonly client: KubeClient
  readonly journal: Journal | undefined
  readonly #api: HttpApi
  readonly #registry: Registry
  readonly #handlers = new Map<HandledSubresource, SubresourceHandler>()
  readonly #ended = new AbortController()
  #portForward: PortForward | undefined

  constructor(options: ApiServerOptions) {
    const { clock, random, journal } = options
    const serverUrl = options.serverUrl ?? 'https://kubernetes.default.svc'
    this.store = new Store({
      clock,
      random: random.fork('api-server'),
      ...(options.historyLimit !== undefined && { historyLimit: options.historyLimit }),
    })
    this.journal = journal
    this.authenticator = new Authenticator({ clock, store: this.store, journal })
    this.#registry = new Registry(this.store, this.catalog)
    const lists = new Lists(this.store)
    this.#api = new HttpApi({
      registry: this.#registry,
      catalog: this.catalog,
      lists,
      openApi: new OpenApi(this.catalog),
      authenticator: this.authenticator,
      gatekeeper: new Gatekeeper(this.authenticator, new Authorizer(this.store)),
      journal,
      handlers: this.#handlers,
      bytes: new EventBytes(),
      serverUrl,
      signal: this.#ended.signal,
    })
    this.handle = (request) => this.handleFrom(request, { trusted: false })
    this.handleTrusted = (request) => this.handleFrom(request, { trusted: true })
    this.client = directClient({
      registry: this.#registry,
      catalog: this.catalog,
      lists,
      journal,
      raw: this.handleTrusted,
      serverUrl,
    })
    if (journal) this.#restore(journal)
    this.#bootstrap()
    this.#aggregateRoles()
  }

  /** As `handle`, for a listener that knows the client's certificate. */
  handleFrom(request: Request, peer: Peer): Promise<Response> {
    return this.#api.handle(request, peer)
  }

  /** Authenticates and authorizes a request whose answer is not HTTP (an upgrade). */
  resourceRequest(request: Request, peer: Peer): ResourceRequest {
    return this.#api.resourceRequest(request, peer)
  }

  /** Serves `pods/log`, a proxy, ...; the last one set answers until it is disposed. */
  setSubresourceHandler(name: HandledSubresource, handler: SubresourceHandler): Disposable {
    this.#handlers.set(name, handler)
    return {
      [Symbol.dispose]: () => {
        if (this.#handlers.get(name) === handler) this.#handlers.delete(name)
      },
    }
  }

  /** Opens the connections of `kubectl port-forward`. */
  setPortForward(dial: PortForward): Disposable {
    this.#portForward = dial
    return {
      [Symbol.dispose]: () => {
        if (this.#portForward === dial) this.#portForward = undefined
      },
    }
  }

  get portForward(): PortForward | undefined {
    return this.#portForward
  }

  /** Adds a step between an object's defaults and its validation; hooks run in the order they came. */
  addAdmission(hook: AdmissionHook): Disposable {
    this.#registry.hooks.add(hook)
    return { [Symbol.dispose]: () => void this.#registry.hooks.delete(hook) }
  }

  /** Ends open watches. Objects stay readable. */
  [Symbol.dispose](): void {
    this.#ended.abort()
  }

  #restore(journal: Journal): void {
    const { version, entries } = journal.load()
    this.store.restore(version, entries)
    for (const definition of this.store.list(definitions)) {
      if (at(definition, 'status', 'acceptedNames', 'kind')) this.catalog.define(definition)
    }
    this.store.onWrite((resource, key, event) => {
      journal.append({
        resource,
        key,
        version: event.version,
        ...(event.type !== 'DELETED' && { object: event.object }),
      })
    })
  }

  #bootstrap(): void {
    const context: WriteContext = {
      user: clusterAdmin,
      fieldManager: 'kube-apiserver',
      dryRun: false,
      fieldValidation: 'Ignore',
      warn: () => undefined,
    }
    for (const object of bootstrapObjects) {
      const served = this.catalog.ofKind(object.apiVersion, object.kind)
      if (!served) throw new TypeError(`bootstrap kind is not served: ${object.kind}`)
      if (this.store.get(served.storage, keyOf(object))) continue
      this.#registry.create(served, object.metadata.namespace ?? '', object, context)
    }
  }

  /** Keeps the rules of aggregated ClusterRoles equal to what their selectors find. */
  #aggregateRoles(): void {
    const aggregate = () => {
      // A role may aggregate one that aggregates itself, so this goes on until nothing changes.
      for (let changed = true; changed; ) {
        changed = false
        for (const role of this.store.list(clusterRoles)) {
          const rules = aggregatedRules(this.store, role)
          if (rules === undefined || sameJson(role['rules'] ?? [], rules)) continue
          this.store.update(clusterRoles, { ...role, rules } as UnknownObject)
          changed = true
        }
      }
    }
    aggregate()
    const watch = this.store.watch(clusterRoles, {}, aggregate)
    this.#ended.signal.addEventListener('abort', () => watch[Symbol.dispose]())
  }
}
