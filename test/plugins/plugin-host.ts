import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cluster, startCluster } from '@serinus/cluster'
import { ApiError, type Clock, resources, VirtualClock } from '@serinus/kube'
import { type PluginLogEntry, type Plugins, startPlugins } from '@serinus/plugins'
import { stringify } from 'yaml'

const namespace = 'argo-rollouts'

/** The fields of one entry of a list in the ConfigMap. */
interface Entry {
  readonly name: string
  readonly [field: string]: unknown
}

/**
 * A plugin host over the embedded cluster. Its time is virtual: processes and threads take the real time that they
 * need, while deadlines and pauses pass only when a test lets them.
 */
export interface PluginWorld extends AsyncDisposable {
  readonly cluster: Cluster
  readonly clock: Clock & { advance(ms: number): Promise<void> }
  readonly plugins: Plugins
  readonly log: readonly PluginLogEntry[]
  readonly folder: string
  /** Answers requests for downloads and services. */
  answer: (request: Request) => Response | Promise<Response>
  /** Writes ConfigMap `argo-rollouts-config`; a text stands as it is, a list is written as YAML. */
  declare(data: Readonly<Record<string, string | readonly Entry[]>>): Promise<void>
  /** Resolves once a line has been logged that matches, since the last such question. */
  logged(pattern: RegExp): Promise<PluginLogEntry>
  /** Writes a file and returns its location. */
  file(name: string, text: string): string
  stop(): Promise<void>
}

/** `folder`: that of another world, which then removes it. */
export function pluginWorld(options: { readonly folder?: string } = {}): PluginWorld {
  const clock = new VirtualClock(Date.parse('2026-08-17T10:00:00Z'))
  const over = new AbortController()
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'serinus-plugins-'))
  const log: PluginLogEntry[] = []
  const cluster = startCluster({
    clock,
    signal: over.signal,
    seed: 'plugins',
    home: 'default',
    useInbox: false,
    onError: (error) => log.push({ level: 'error', message: String(error) }),
  })
  let seen = 0
  let told = Promise.withResolvers<void>()
  const world: { answer: PluginWorld['answer'] } = {
    answer: (request) => new Response(`nobody is at ${request.url}`, { status: 404 }),
  }
  const plugins = startPlugins({
    client: cluster.client,
    clock,
    signal: over.signal,
    namespace,
    folder,
    env: process.env,
    fetch: async (request) => world.answer(request),
    log(entry) {
      log.push(entry)
      told.resolve()
      told = Promise.withResolvers()
    },
  })

  async function logged(pattern: RegExp): Promise<PluginLogEntry> {
    for (;;) {
      const entry = log[seen]
      if (!entry) {
        await told.promise
        continue
      }
      seen++
      if (pattern.test(entry.message)) return entry
    }
  }

  async function declare(data: Readonly<Record<string, string | readonly Entry[]>>) {
    const texts = Object.fromEntries(
      Object.entries(data).map(([key, value]) => [
        key,
        typeof value === 'string' ? value : stringify(value),
      ]),
    )
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace, name: 'argo-rollouts-config' },
      data: texts,
    }
    try {
      await cluster.client.create(resources.configMaps, object)
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
      await cluster.client.update(resources.configMaps, object)
    }
  }

  async function stop(): Promise<void> {
    over.abort(new Error('the test is over'))
    await plugins.stopped
  }

  return Object.assign(world, {
    cluster,
    clock,
    plugins,
    log,
    folder,
    declare,
    logged,
    file(name: string, text: string) {
      writeFileSync(join(folder, name), text, { mode: 0o755 })
      return `file://${join(folder, name)}`
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
      if (!options.folder) rmSync(folder, { recursive: true, force: true })
    },
  })
}

/** The namespace of the controller, which tests of an empty cluster must make. */
export async function withNamespace(world: PluginWorld): Promise<PluginWorld> {
  await world.cluster.client.create(resources.namespaces, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  })
  return world
}
