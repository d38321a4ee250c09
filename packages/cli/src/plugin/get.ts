import { type RolloutObjects, rolloutInfo } from '../view/rollout-info.ts'
import { rolloutText } from '../view/rollout-text.ts'
import { painter } from '../view/table.ts'
import { readObjects, readSeenRollout } from './access.ts'
import { type PluginCommand, wholeNumber } from './command.ts'
import type { CommandParts } from './terminal.ts'
import { watchRollout } from './watch.ts'

interface GetOptions {
  readonly watch: boolean
  readonly color: boolean
  readonly timeoutSeconds: number
}

/** `get rollout` (spec cli 4). */
export function addGet(program: PluginCommand, { terminal, connect }: CommandParts): void {
  const get = program
    .command('get')
    .description('Get details about rollouts')
    .examples(['Get a rollout', 'get rollout guestbook'])
  get
    .command('rollout')
    .aliases(['ro', 'rollouts'])
    .description('Get details about a rollout')
    .argument('<ROLLOUT_NAME>')
    .examples(
      ['Get a rollout', 'get rollout guestbook'],
      ['Watch progress of a rollout', 'get rollout guestbook -w'],
      ['Watch the rollout for a minute', 'get rollout guestbook -w --timeout-seconds 60'],
    )
    .option('-w, --watch', 'Watch live updates to the rollout', false)
    .option('--no-color', 'Do not colorize output')
    .option(
      '--timeout-seconds <int>',
      'Timeout after specified seconds',
      wholeNumber('--timeout-seconds'),
      0,
    )
    .action(async (name: string, { watch, color, timeoutSeconds }: GetOptions) => {
      const access = connect()
      const paint = painter(color && terminal.env['TERM'] !== 'dumb')
      const page = (objects: RolloutObjects, now: number) =>
        rolloutText(rolloutInfo(objects, now), { now, paint })
      const rollout = await readSeenRollout(access, name)
      const objects = await readObjects(access, rollout)
      if (!watch) return terminal.out(page(objects, terminal.clock.now()))
      await watchRollout({ access, first: objects, terminal, page, timeoutSeconds })
    })
}
