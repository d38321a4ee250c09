import { sleep } from '@serinus/kube'
import { experimentText } from '../view/experiment-text.ts'
import { experimentInfo, type RolloutObjects, rolloutInfo } from '../view/rollout-info.ts'
import { rolloutText } from '../view/rollout-text.ts'
import { painter } from '../view/table.ts'
import {
  type Access,
  readExperimentParts,
  readObjects,
  readSeenExperiment,
  readSeenRollout,
} from './access.ts'
import { type PluginCommand, wholeNumber } from './command.ts'
import type { CommandParts, Terminal } from './terminal.ts'
import { clearScreen, tickMs, watchRollout } from './watch.ts'

interface GetOptions {
  readonly watch: boolean
  readonly color: boolean
  readonly timeoutSeconds: number
}

/** `get` (spec cli 4, 5). */
export function addGet(program: PluginCommand, parts: CommandParts): void {
  const get = program
    .command('get')
    .description('Get details about rollouts, experiments')
    .examples(
      ['Get a rollout', 'get rollout guestbook'],
      ['Get an experiment', 'get experiment my-experiment'],
    )
  addRollout(get, parts)
  addExperiment(get, parts)
}

function addRollout(get: PluginCommand, { terminal, connect }: CommandParts): void {
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
    .action((name: string, options: GetOptions) =>
      showRollout(connect(), name, { terminal, ...options }),
    )
}

interface Shown {
  readonly terminal: Terminal
  readonly watch: boolean
  readonly color: boolean
  /** Absent or 0: for ever. */
  readonly timeoutSeconds?: number
}

/** Prints one Rollout with all that belongs to it, once or until the watch ends. */
export async function showRollout(access: Access, name: string, shown: Shown): Promise<void> {
  const { terminal, watch, color, timeoutSeconds = 0 } = shown
  const paint = painter(color && terminal.env['TERM'] !== 'dumb')
  const page = (objects: RolloutObjects, now: number) =>
    rolloutText(rolloutInfo(objects, now), { now, paint })
  const rollout = await readSeenRollout(access, name)
  const objects = await readObjects(access, rollout)
  if (!watch) return terminal.out(page(objects, terminal.clock.now()))
  await watchRollout({ access, first: objects, terminal, page, timeoutSeconds })
}

function addExperiment(get: PluginCommand, { terminal, connect }: CommandParts): void {
  get
    .command('experiment')
    .aliases(['exp', 'experiments'])
    .description('Get details about an Experiment')
    .argument('<EXPERIMENT_NAME>')
    .examples(
      ['Get an experiment', 'get experiment my-experiment'],
      ['Watch progress of an experiment', 'get experiment my-experiment -w'],
    )
    .option('-w, --watch', 'Watch live updates to the experiment', false)
    .option('--no-color', 'Do not colorize output')
    .action((name: string, options: Omit<GetOptions, 'timeoutSeconds'>) =>
      showExperiment(connect(), name, { terminal, ...options }),
    )
}

/** Prints one Experiment with all that belongs to it, once or until the watch ends. */
export async function showExperiment(access: Access, name: string, shown: Shown): Promise<void> {
  const { terminal, watch, color } = shown
  const { clock, signal } = terminal
  const paint = painter(color && terminal.env['TERM'] !== 'dumb')
  const page = async () => {
    const experiment = await readSeenExperiment(access, name)
    const parts = await readExperimentParts(access, [experiment])
    const now = clock.now()
    return experimentText(experimentInfo(experiment, parts, now), { now, paint })
  }
  if (!watch) return terminal.out(await page())
  // Its parts are known only by its status, so each second it is read as a whole.
  while (!signal.aborted) {
    terminal.out(clearScreen + (await page()))
    await sleep(clock, tickMs, signal).catch(() => {})
  }
}
