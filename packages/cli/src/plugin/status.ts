import { clientPhase, kinds } from '@serinus/api'
import { startInformer } from '@serinus/kube'
import { Option } from 'commander'
import { type Access, notFound, readSeenRollout, type StoredRollout } from './access.ts'
import { Bell } from './bell.ts'
import type { PluginCommand } from './command.ts'
import { durationFlag } from './duration-flag.ts'
import type { CommandParts, Terminal } from './terminal.ts'

/** `status` (spec cli 7). */
export function addStatus(program: PluginCommand, { terminal, connect }: CommandParts): void {
  program
    .command('status')
    .description('Show the status of a rollout')
    .argument('<ROLLOUT_NAME>')
    .examples(
      ['Watch the rollout until it succeeds', 'status guestbook'],
      ['Show the rollout status once', 'status guestbook --watch=false'],
      [
        'Watch the rollout until it succeeds, fail if it takes more than 60 seconds',
        'status guestbook --timeout 60s',
      ],
    )
    .option('-w, --watch', 'Watch the status of the rollout until it is done', true)
    .addOption(new Option('--no-watch').hideHelp())
    .option(
      '-t, --timeout <duration>',
      'The length of time to watch before giving up. Zero means wait forever',
      timeoutOf,
      0,
    )
    .action(async (name: string, options: { watch: boolean; timeout: number }) => {
      const access = connect()
      const rollout = await readSeenRollout(access, name)
      if (options.watch) {
        return waitForEnd({ access, rollout, terminal, timeoutMs: options.timeout })
      }
      const { phase, message } = clientPhase(rollout)
      const isEnd = phase === 'Healthy' || phase === 'Degraded'
      terminal.out(`${isEnd ? phase : `${phase} - ${message}`}\n`)
      if (phase === 'Degraded') throw degraded(message)
    })
}

function timeoutOf(text: string): number {
  try {
    return durationFlag(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`invalid argument ${JSON.stringify(text)} for "-t, --timeout" flag: ${why}`)
  }
}

function degraded(message: string): Error {
  return new Error(`The rollout is in a degraded state with message: ${message}`)
}

interface Wait {
  readonly access: Access
  readonly rollout: StoredRollout
  readonly terminal: Terminal
  /** 0: for ever. */
  readonly timeoutMs: number
}

/** One line for each change; ends well when Healthy, and throws otherwise. */
async function waitForEnd({ access, rollout: first, terminal, timeoutMs }: Wait): Promise<void> {
  const { clock } = terminal
  const { name } = first.metadata
  const endAt = timeoutMs > 0 ? clock.now() + timeoutMs : Number.POSITIVE_INFINITY
  const bell = new Bell()
  const ended = new AbortController()
  const signal = AbortSignal.any([terminal.signal, ended.signal])
  const cache = startInformer<StoredRollout>({
    client: access.client,
    clock,
    signal,
    namespace: access.namespace,
    resource: kinds.rollouts,
    fieldSelector: `metadata.name=${name}`,
  })
  let isSynced = false
  cache.synced.then(
    () => {
      isSynced = true
      bell.ring()
    },
    () => {},
  )
  cache.subscribe(bell.ring)
  let told = ''
  try {
    for (;;) {
      const isOver = clock.now() >= endAt || signal.aborted
      // What the watch has not told yet may still decide.
      const rollout = isOver
        ? await readSeenRollout(access, name)
        : isSynced
          ? cache.list()[0]
          : first
      if (!rollout) throw notFound(kinds.rollouts, name)
      const { phase, message } = clientPhase(rollout)
      const line = message ? `${phase} - ${message}` : phase
      if (line !== told && !isOver) terminal.out(`${line}\n`)
      told = line
      if (phase === 'Healthy') return
      if (phase === 'Degraded') throw degraded(message)
      if (isOver) throw new Error('Rollout status watch exceeded timeout')
      await bell.sleep({ clock, at: endAt, signal })
    }
  } finally {
    ended.abort()
  }
}
