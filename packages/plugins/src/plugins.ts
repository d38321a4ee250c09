import {
  type Clock,
  deepEqual,
  type KubeClient,
  type KubeObject,
  readSecret,
  resources,
  startInformer,
} from '@serinus/kube'
import {
  type Declaration,
  type Declared,
  type DeclaredList,
  listKeys,
  parseDeclarations,
} from './declarations.ts'
import { sweepUnfinished } from './files.ts'
import { Keeper } from './keeper.ts'
import { type PluginLog, printable } from './log.ts'
import { type MetricPluginClient, metricClient } from './metric-client.ts'
import { type PluginKind, textOf } from './plugin-process.ts'
import { type StepPluginClient, stepClient, unavailableStep } from './step-client.ts'

export interface PluginsOptions {
  readonly client: KubeClient
  readonly clock: Clock
  /** Ends every plugin: each is asked to end and has two seconds for it. */
  readonly signal: AbortSignal
  /** Of ConfigMap `argo-rollouts-config` and of the Secrets that it names. */
  readonly namespace: string
  /** Where `plugin-bin` is made; must be writable, and its files must be allowed to run. */
  readonly folder: string
  /** What the processes of plugins inherit. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** For downloads, and for plugins that are asked by HTTP. */
  readonly fetch: (request: Request) => Promise<Response>
  readonly log: PluginLog
}

/** Every plugin that the controller's configuration declares (spec metric-providers 13, 14). */
export interface Plugins {
  /**
   * The metric plugin of this name, started and found to be there. Throws with the message that users see when it
   * cannot be had.
   */
  metric(name: string): Promise<MetricPluginClient>
  /** The step plugin of this name. `message` is what users see. */
  step(
    name: string,
  ): StepPluginClient | { kind: 'disabled' } | { kind: 'unavailable'; message: string }
  /** Resolves once every plugin has ended after the signal. */
  readonly stopped: Promise<void>
}

const configMapName = 'argo-rollouts-config'

type ConfigMap = KubeObject & { readonly data?: Readonly<Record<string, string>> }

/** Plugins that are run: those of routers have nobody who would ask them yet. */
const runKinds = ['metric', 'step'] as const
type RunKind = (typeof runKinds)[number]

/**
 * Follows the ConfigMap, without a restart, and keeps each plugin that it declares at work. One that cannot be had fails
 * its users only (spec metric-providers, rows 40 and 41).
 */
export function startPlugins(options: PluginsOptions): Plugins {
  const { client, clock, signal, namespace } = options
  const log: PluginLog = (entry) => options.log({ ...entry, message: printable(entry.message) })
  const lists = new Map<RunKind, ReadonlyMap<string, Declared>>()
  const mistakes = new Map<RunKind, string>()
  const keepers = new Map<string, { readonly keeper: Keeper; readonly end: () => void }>()
  const ending = new Set<Promise<void>>()
  let unread: string | null = `ConfigMap ${namespace}/${configMapName} has not been read yet`
  /** Once the ConfigMap has been read, or could not be: nobody waits for an API that says no. */
  const looked = Promise.withResolvers<void>()
  sweepUnfinished(options.folder)

  const informer = startInformer<ConfigMap>({
    client,
    clock,
    signal,
    resource: resources.configMaps,
    namespace,
    fieldSelector: `metadata.name=${configMapName}`,
    onError(error) {
      const why = `ConfigMap ${namespace}/${configMapName} cannot be read: ${textOf(error)}`
      if (unread !== null) unread = why
      looked.resolve()
      log({ level: 'warn', message: why })
    },
  })
  informer.subscribe(({ type, object }) => {
    if (object.metadata.name === configMapName)
      declare(type === 'deleted' ? {} : (object.data ?? {}))
  })
  informer.synced.then(
    () => {
      unread = null
      looked.resolve()
    },
    () => looked.resolve(),
  )

  function declare(data: Readonly<Record<string, string>>): void {
    for (const kind of runKinds) {
      const list = parseDeclarations(kind, data[listKeys[kind]])
      tell(kind, list)
      // Nobody's plugin ends because somebody forgot a quote.
      if (list.ok) lists.set(kind, list.plugins)
    }
    if (data[listKeys.router]?.trim())
      log({
        level: 'warn',
        message: `${listKeys.router} has no effect: no router of this version is a plugin`,
      })
    settle()
  }

  function tell(kind: RunKind, list: DeclaredList): void {
    if (list.ok) {
      mistakes.delete(kind)
      for (const declared of list.plugins.values()) {
        if (declared.kind !== 'wrong') continue
        const { name: plugin, problem: message } = declared
        log({ level: 'error', kind, plugin, message })
      }
      return
    }
    mistakes.set(kind, list.problem)
    log({ level: 'error', kind, message: `${list.problem}; the last readable list stays in force` })
  }

  /** Starts what is declared anew and ends what is not any more. */
  function settle(): void {
    const wanted = new Map<string, Declaration>()
    for (const [kind, list] of lists) {
      for (const declared of list.values()) {
        if (declared.kind === 'usable') wanted.set(keyOf(kind, declared.name), declared.declaration)
      }
    }
    for (const [key, { keeper, end }] of keepers) {
      if (deepEqual(wanted.get(key), keeper.declaration)) continue
      keepers.delete(key)
      // Whoever has asked it gets an answer.
      note(
        keeper
          .idle()
          .then(end)
          .then(() => keeper.stopped),
      )
    }
    for (const [key, declaration] of wanted) {
      if (!keepers.has(key) && !signal.aborted) keepers.set(key, keep(declaration))
    }
  }

  function keep(declaration: Declaration): { keeper: Keeper; end: () => void } {
    const own = new AbortController()
    const keeper = new Keeper({
      declaration,
      clock,
      folder: options.folder,
      env: options.env,
      fetch: options.fetch,
      log,
      signal: AbortSignal.any([signal, own.signal]),
      readHeaders: (secrets) => readHeaders(options, secrets),
    })
    note(keeper.stopped)
    return {
      keeper,
      end: () => own.abort(new Error('it is not declared any more, or in another way')),
    }
  }

  function note(work: Promise<void>): void {
    ending.add(work)
    void work.finally(() => ending.delete(work))
  }

  /** Throws upstream's chain from `unable to find plugin` on. */
  function find(kind: RunKind, name: string): Keeper | null {
    const declared = lists.get(kind)?.get(name)
    if (declared?.kind === 'disabled') return null
    const kept = keepers.get(keyOf(kind, name))
    if (declared?.kind === 'usable' && kept) return kept.keeper
    throw new Error(`unable to find plugin (${name}): ${whyNot(kind, name, declared)}`)
  }

  function whyNot(kind: RunKind, name: string, declared: Declared | undefined): string {
    if (declared?.kind === 'wrong') return declared.problem
    if (signal.aborted) return 'the plugin host has ended'
    if (unread !== null) return unread
    const mistake = mistakes.get(kind)
    return `plugin ${name} not configured in configmap${mistake ? ` (${mistake})` : ''}`
  }

  return {
    async metric(name) {
      try {
        await looked.promise
        const keeper = find('metric', name)
        if (!keeper) throw new Error(`unable to find plugin (${name}): it is disabled`)
        await keeper.ready()
        return metricClient(keeper)
      } catch (error) {
        throw new Error(
          `failed to create plugin: unable to get metric plugin: unable to start plugin system: ${textOf(error)}`,
          { cause: error },
        )
      }
    },
    step(name) {
      try {
        const keeper = find('step', name)
        if (!keeper) return { kind: 'disabled' }
        const { problem } = keeper
        if (problem !== null)
          return { kind: 'unavailable', message: unavailableStep(name, problem) }
        return stepClient(keeper)
      } catch (error) {
        return { kind: 'unavailable', message: unavailableStep(name, textOf(error)) }
      }
    },
    stopped: allEnded(),
  }

  async function allEnded(): Promise<void> {
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    while (ending.size > 0) await Promise.allSettled(ending)
  }
}

function keyOf(kind: PluginKind, name: string): string {
  return `${kind} ${name}`
}

/** The entries of the Secrets, later ones winning. */
async function readHeaders(
  { client, namespace }: PluginsOptions,
  secrets: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const headers: Record<string, string> = {}
  for (const name of secrets) {
    const values = await readSecret(client, { namespace, name }).catch((cause: unknown) => {
      throw new Error(`failed to get secret in secretRef: ${textOf(cause)}`, { cause })
    })
    for (const [key, value] of Object.entries(values)) headers[key] = value.trim()
  }
  return headers
}
