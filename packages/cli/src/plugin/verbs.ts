import { kinds } from '@serinus/api'
import { Option } from 'commander'
import { secondsText } from '../view/instant-text.ts'
import { type Access, patchMain, patchStatus } from './access.ts'
import { type PluginCommand, WrongUsage, wholeNumber } from './command.ts'
import { durationFlag } from './duration-flag.ts'
import { promote } from './promote.ts'
import { setImage } from './set-image.ts'
import type { CommandParts } from './terminal.ts'
import { undo } from './undo.ts'

/** The commands that change something (spec cli 8). */
export function addVerbs(program: PluginCommand, parts: CommandParts): void {
  addPromote(program, parts)
  addAbort(program, parts)
  addPause(program, parts)
  addRestart(program, parts)
  addRetry(program, parts)
  addUndo(program, parts)
  addTerminate(program, parts)
  addSet(program, parts)
}

/** Stops at the first name that fails; what was changed before stays changed and told (spec cli 2). */
function forEachName(
  { terminal, connect }: CommandParts,
  act: (access: Access, name: string) => Promise<string>,
) {
  return async (names: readonly string[]) => {
    const access = connect()
    for (const name of names) terminal.out(`${await act(access, name)}\n`)
  }
}

function addPromote(program: PluginCommand, { terminal, connect }: CommandParts): void {
  const advice = {
    skipCurrentStep: 'use without the flag instead ie. promote ROLLOUT',
    skipAllSteps: 'use --full instead ie. promote ROLLOUT --full',
  }
  program
    .command('promote')
    .description('Promote a rollout')
    .argument('<ROLLOUT_NAME>')
    .examples(
      ['Promote a paused rollout', 'promote guestbook'],
      [
        'Fully promote a rollout to desired version, skipping analysis, pauses, and steps',
        'promote guestbook --full',
      ],
    )
    .option('--full', 'Perform a full promotion, skipping analysis, pauses, and steps', false)
    .addOption(new Option('-c, --skip-current-step').hideHelp())
    .addOption(new Option('-a, --skip-all-steps').hideHelp())
    .action(
      async (
        name: string,
        options: { full: boolean; skipCurrentStep?: boolean; skipAllSteps?: boolean },
      ) => {
        if (options.skipCurrentStep) {
          terminal.err(`Flag --skip-current-step has been deprecated, ${advice.skipCurrentStep}\n`)
        }
        if (options.skipAllSteps) {
          terminal.err(`Flag --skip-all-steps has been deprecated, ${advice.skipAllSteps}\n`)
        }
        terminal.out(`${await promote(connect(), name, options)}\n`)
      },
    )
}

function addAbort(program: PluginCommand, parts: CommandParts): void {
  program
    .command('abort')
    .description('Abort a rollout')
    .argument('<ROLLOUT_NAME...>')
    .examples(['Abort a rollout', 'abort guestbook'])
    .action(
      forEachName(parts, async (access, name) => {
        await patchStatus(access, name, { status: { abort: true } })
        return `rollout '${name}' aborted`
      }),
    )
}

function addPause(program: PluginCommand, parts: CommandParts): void {
  program
    .command('pause')
    .description('Pause a rollout')
    .argument('<ROLLOUT_NAME...>')
    .examples(['Pause a rollout', 'pause guestbook'])
    .action(
      forEachName(parts, async (access, name) => {
        await patchMain(access, name, { body: { spec: { paused: true } } })
        return `rollout '${name}' paused`
      }),
    )
}

function addRestart(program: PluginCommand, { terminal, connect }: CommandParts): void {
  program
    .command('restart')
    .description('Restart the pods of a rollout')
    .argument('<ROLLOUT_NAME>')
    .examples(
      ['Restart the pods of a rollout in now', 'restart guestbook'],
      ['Restart the pods of a rollout in ten seconds', 'restart guestbook --in 10s'],
    )
    .option('-i, --in <string>', 'Amount of time before a restart. (e.g. 30s, 5m, 1h)', '')
    .action(async (name: string, options: { in: string }) => {
      const delayMs = options.in === '' ? 0 : durationFlag(options.in)
      const restartAt = secondsText(terminal.clock.now() + delayMs)
      await patchMain(connect(), name, { body: { spec: { restartAt } } })
      terminal.out(`rollout '${name}' restarts in ${options.in || '0s'}\n`)
    })
}

function addRetry(program: PluginCommand, parts: CommandParts): void {
  const retry = program
    .command('retry')
    .description('Retry a rollout or experiment')
    .examples(
      ['Retry an aborted rollout', 'retry rollout guestbook'],
      ['Retry a failed experiment', 'retry experiment my-experiment'],
    )
  retry
    .command('rollout')
    .aliases(['ro', 'rollouts'])
    .description('Retry an aborted rollout')
    .argument('<ROLLOUT_NAME...>')
    .examples(['Retry an aborted rollout', 'retry rollout guestbook'])
    .action(
      forEachName(parts, async (access, name) => {
        await patchStatus(access, name, { status: { abort: false } })
        return `rollout '${name}' retried`
      }),
    )
  retry
    .command('experiment')
    .aliases(['exp', 'experiments'])
    .description('Retry an experiment')
    .argument('<EXPERIMENT_NAME...>')
    .examples(['Retry an experiment', 'retry experiment my-experiment'])
    .action(
      forEachName(parts, async (access, name) => {
        await patchMain(access, name, { resource: kinds.experiments, body: { status: null } })
        return `experiment '${name}' retried`
      }),
    )
}

function addUndo(program: PluginCommand, { terminal, connect }: CommandParts): void {
  program
    .command('undo')
    .description('Undo a rollout')
    .argument('<ROLLOUT_NAME>')
    .examples(
      ['Undo a rollout', 'undo guestbook'],
      ['Undo a rollout revision 3', 'undo guestbook --to-revision=3'],
    )
    .option(
      '--to-revision <int>',
      'The revision to rollback to. Default to 0 (last revision).',
      wholeNumber('--to-revision'),
      0,
    )
    .action(async (name: string, { toRevision }: { toRevision: number }) => {
      terminal.out(`${await undo(connect(), name, toRevision)}\n`)
    })
}

function addTerminate(program: PluginCommand, parts: CommandParts): void {
  const body = { spec: { terminate: true } }
  const terminate = program
    .command('terminate')
    .description('Terminate an AnalysisRun or Experiment')
    .examples(
      ['Terminate an AnalysisRun', 'terminate analysisrun guestbook-877894d5b-4-success-rate.1'],
      ['Terminate a running experiment', 'terminate experiment my-experiment'],
    )
  terminate
    .command('analysisrun')
    .aliases(['ar', 'analysisruns'])
    .description('Terminate an AnalysisRun')
    .argument('<ANALYSISRUN_NAME...>')
    .examples([
      'Terminate an AnalysisRun',
      'terminate analysisrun guestbook-877894d5b-4-success-rate.1',
    ])
    .action(
      forEachName(parts, async (access, name) => {
        await patchMain(access, name, { resource: kinds.analysisRuns, body })
        return `analysisRun '${name}' terminated`
      }),
    )
  terminate
    .command('experiment')
    .aliases(['exp', 'experiments'])
    .description('Terminate an experiment')
    .argument('<EXPERIMENT_NAME...>')
    .examples(['Terminate an experiment', 'terminate experiment my-experiment'])
    .action(
      forEachName(parts, async (access, name) => {
        await patchMain(access, name, { resource: kinds.experiments, body })
        return `experiment '${name}' terminated`
      }),
    )
}

function addSet(program: PluginCommand, { terminal, connect }: CommandParts): void {
  const example = ['Set rollout image', 'set image my-rollout www=image:v2'] as const
  const set = program.command('set').description('Update various values on resources')
  set.examples(example)
  set
    .command('image')
    .description('Update the image of a rollout')
    .argument('<ROLLOUT_NAME>')
    .argument('<CONTAINER=IMAGE>')
    .examples(example)
    .action(async (name: string, assignment: string, _options: unknown, command: PluginCommand) => {
      const [container, image, ...more] = assignment.split('=')
      if (container === undefined || image === undefined || more.length > 0) {
        throw new WrongUsage(command)
      }
      terminal.out(`${await setImage(connect(), name, { container, image })}\n`)
    })
}
