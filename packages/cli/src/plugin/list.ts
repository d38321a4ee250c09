import { kinds } from '@serinus/api'
import { type Clock, keyOf, startInformer } from '@serinus/kube'
import { experimentList } from '../view/experiment-list.ts'
import { secondsText } from '../view/instant-text.ts'
import { listText } from '../view/list-text.ts'
import { type RolloutInfo, rolloutInfo } from '../view/rollout-info.ts'
import type { StoredExperiment, StoredRollout } from './access.ts'
import { Bell } from './bell.ts'
import type { PluginCommand } from './command.ts'
import type { CommandParts } from './terminal.ts'

interface ListOptions {
  readonly name: string
  readonly allNamespaces: boolean
  readonly timestamps: boolean
  readonly watch: boolean
}

/** `list` (spec cli 6). */
export function addList(program: PluginCommand, parts: CommandParts): void {
  const list = program
    .command('list')
    .description('List rollouts or experiments')
    .examples(['List rollouts', 'list rollouts'], ['List experiments', 'list experiments'])
  addRollouts(list, parts)
  addExperiments(list, parts)
}

function addRollouts(list: PluginCommand, { terminal, connect }: CommandParts): void {
  list
    .command('rollouts')
    .aliases(['ro', 'rollout'])
    .description('List rollouts')
    .examples(
      ['List rollouts', 'list rollouts'],
      ['List rollouts from all namespaces', 'list rollouts --all-namespaces'],
      ['List rollouts and watch for changes', 'list rollouts --watch'],
    )
    .allowExcessArguments()
    .option('--name <string>', 'Only show the rollout with this name', '')
    .option('-A, --all-namespaces', 'Include all namespaces', false)
    .option('-w, --watch', 'Watch for changes', false)
    .option('--timestamps', 'Print timestamps on updates', false)
    .action(async (options: ListOptions) => {
      const { client, namespace } = connect()
      const { clock } = terminal
      const scope = {
        ...(options.allNamespaces ? {} : { namespace }),
        ...(options.name ? { fieldSelector: `metadata.name=${options.name}` } : {}),
      }
      // Also before a watch, which goes on through failures for ever: a missing permission is told at once.
      const { items } = await client.list<StoredRollout>(kinds.rollouts, scope)
      if (!options.watch) {
        if (items.length === 0) return terminal.err('No resources found.\n')
        return terminal.out(table(items, { ...options, clock, header: true }))
      }
      const { signal } = terminal
      const cache = startInformer<StoredRollout>({
        client,
        clock,
        signal,
        resource: kinds.rollouts,
        ...scope,
      })
      await watchRows({ cache, options, clock, signal, out: terminal.out })
    })
}

function addExperiments(list: PluginCommand, { terminal, connect }: CommandParts): void {
  list
    .command('experiments')
    .aliases(['exp', 'experiment'])
    .description('List experiments')
    .examples(
      ['List experiments', 'list experiments'],
      ['List experiments from all namespaces', 'list experiments --all-namespaces'],
    )
    .allowExcessArguments()
    .option('-A, --all-namespaces', 'Include all namespaces', false)
    .action(async ({ allNamespaces }: Pick<ListOptions, 'allNamespaces'>) => {
      const { client, namespace } = connect()
      const scope = allNamespaces ? {} : { namespace }
      const { items } = await client.list<StoredExperiment>(kinds.experiments, scope)
      if (items.length === 0) return terminal.err('No resources found.\n')
      terminal.out(experimentList(items, { allNamespaces, now: terminal.clock.now() }))
    })
}

interface Rows {
  readonly cache: ReturnType<typeof startInformer<StoredRollout>>
  readonly options: ListOptions
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly out: (text: string) => void
}

/** Rows that come within this time are aligned with each other. */
const flushEveryMs = 500

/** Prints a row when one of its cells changed, until the signal. */
async function watchRows({ cache, options, clock, signal, out }: Rows): Promise<void> {
  await cache.synced.catch(() => {})
  const bell = new Bell()
  const changed = new Map<string, StoredRollout>()
  const printed = new Map<string, string>()
  let header = true
  cache.subscribe(({ type, object }) => {
    const key = keyOf(object)
    if (type === 'deleted') {
      changed.delete(key)
      // Should the name come back, its row is news.
      printed.delete(key)
    } else changed.set(key, object)
    bell.ring()
  })
  while (!signal.aborted) {
    const fresh = [...changed.values()].filter((rollout) => {
      const cells = listText([infoOf(rollout, clock)], { allNamespaces: true, header: false })
      const isNews = printed.get(keyOf(rollout)) !== cells
      printed.set(keyOf(rollout), cells)
      return isNews
    })
    changed.clear()
    if (header || fresh.length > 0) out(table(fresh, { ...options, clock, header }))
    header = false
    await clock.until(clock.now() + flushEveryMs, signal).catch(() => {})
    if (changed.size === 0) {
      await bell.sleep({ clock, at: Number.POSITIVE_INFINITY, signal })
    }
  }
}

function table(
  rollouts: readonly StoredRollout[],
  options: {
    readonly clock: Clock
    readonly allNamespaces: boolean
    readonly timestamps: boolean
    readonly header: boolean
  },
): string {
  const { clock, allNamespaces, header } = options
  const timestamp = secondsText(clock.now())
  return listText(
    rollouts.map((rollout) => infoOf(rollout, clock)),
    { allNamespaces, header, ...(options.timestamps ? { timestamp } : {}) },
  )
}

function infoOf(rollout: StoredRollout, clock: Clock): RolloutInfo {
  return rolloutInfo({ rollout, replicaSets: [], pods: [], analysisRuns: [] }, clock.now())
}
