import { mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { crd, kinds, type Rollout } from '@serinus/api'
import {
  type Addresses,
  type Cluster,
  openCluster,
  routerKinds,
  startCluster,
} from '@serinus/cluster'
import {
  ApiError,
  type Clock,
  httpClient,
  type KubeClient,
  type KubeObject,
  resources,
  SeededRandom,
  type Transport,
  VirtualClock,
} from '@serinus/kube'
import { type PluginLog, type Plugins, startPlugins } from '@serinus/plugins'
import type { OutsideFetch } from './outside-fetch.ts'
import { type Service, startService } from './service.ts'

/** Namespace of the controller and of the central notification configuration, as upstream's manifests have it. */
export const controllerNamespace = 'argo-rollouts'

export interface LocalOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Decides every chance in the cluster. */
  readonly seed: string
  /** File that the state is kept in across restarts; absent: nothing is kept. */
  readonly journalFile?: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly insecureHttp: boolean
  /** Slack and PagerDuty are played by the inbox. */
  readonly useInbox: boolean
  readonly withController: boolean
  /** Where the files of plugins are put; absent: no plugins are run. */
  readonly plugins?: { readonly folder: string; readonly log: PluginLog }
  /** Absent: the outside world is out of reach. */
  readonly outside?: OutsideFetch
  readonly onStored?: (rollout: Rollout) => void
  readonly onError: (where: string, error: unknown) => void
}

/** The embedded cluster with Serinus in it, reachable from outside. */
export interface LocalCluster {
  readonly cluster: Cluster
  readonly client: KubeClient
  readonly controller: Service | null
  readonly addresses: Addresses
  close(): Promise<void>
}

export async function startLocalCluster(options: LocalOptions): Promise<LocalCluster> {
  const { clock, signal } = options
  const cluster = startCluster({
    clock,
    signal,
    seed: options.seed,
    ...(options.journalFile ? { journalFile: options.journalFile } : {}),
    home: 'default',
    useInbox: options.useInbox,
    ...(options.outside ? { outside: options.outside } : {}),
    onError: (error) => options.onError('cluster', error),
  })
  await installKinds(cluster.client)
  await ensure(cluster.client, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: controllerNamespace },
  })
  let controller: Service | null = null
  let plugins: Plugins | null = null
  const closing = new AbortController()
  if (options.withController) {
    const client = httpClient(socketless(cluster, clock))
    plugins = options.plugins
      ? startPlugins({
          ...options.plugins,
          client,
          clock,
          signal: AbortSignal.any([signal, closing.signal]),
          namespace: controllerNamespace,
          env: process.env,
          fetch: (request) => cluster.fetch(request),
        })
      : null
    controller = startService({
      client,
      clock,
      signal,
      fetch: (request, how) => cluster.fetch(request, how),
      env: process.env,
      controllerNamespace,
      ...(plugins ? { plugins, stepPlugins: plugins } : {}),
      random: new SeededRandom('notifications'),
      holder: 'local',
      onError: options.onError,
      ...(options.onStored ? { onStored: options.onStored } : {}),
    })
    await controller.synced
  }
  const opened = await openCluster(cluster, {
    ...options.listen,
    insecureHttp: options.insecureHttp,
  })
  return {
    cluster,
    client: cluster.client,
    controller,
    addresses: opened.addresses,
    close: async () => {
      closing.abort(new Error('the cluster is closed'))
      await opened.close()
      await plugins?.stopped
    },
  }
}

/**
 * The controller speaks HTTP to the cluster as it would to any other, only without a socket between them. All it does
 * about one change would thus be one chain of promises, and whoever is at a socket would wait for its end (an edit took
 * 20 ms instead of 6); so a request lets the event loop turn first. One at a time: if all did, a message would wait
 * behind the passes of all other Rollouts. Virtual time has nobody at a socket, and takes such turns for silence.
 */
function socketless({ api }: Cluster, clock: Clock): Transport {
  if (clock instanceof VirtualClock) return api.handleTrusted
  let isTurning = false
  return async (request) => {
    if (!isTurning) {
      isTurning = true
      await new Promise((resolve) => setImmediate(resolve))
      isTurning = false
    }
    return api.handleTrusted(request)
  }
}

/** The five kinds, as `kubectl apply --server-side -f deploy/crds` would install them, and those of routers. */
async function installKinds(client: KubeClient): Promise<void> {
  const own = Object.values(kinds).map((kind) => crd(kind) as unknown as KubeObject)
  for (const definition of [...own, ...routerKinds]) {
    try {
      await client.create(resources.customResourceDefinitions, definition)
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
    }
  }
}

async function ensure(client: KubeClient, namespace: KubeObject): Promise<void> {
  try {
    await client.create(resources.namespaces, namespace)
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
  }
}

/** Where `serinus up` keeps its things unless told otherwise. */
export function defaultDataFolder(env: Readonly<Record<string, string | undefined>>): string {
  return join(env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'serinus', 'default')
}

/** Readable by the user alone: it holds the keys of the cluster. */
export function writePrivate(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text, { mode: 0o600 })
}
