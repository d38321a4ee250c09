import { RealClock } from '@serinus/kube'
import { Command, CommanderError } from 'commander'
import { runPlugin } from '../plugin/run.ts'
import { version } from '../version.ts'
import { controllerCommand } from './controller-command.ts'
import { demo } from './demo.ts'
import { showInbox } from './inbox.ts'
import { type Process, up } from './up.ts'

/** `serinus`; every command that it does not know goes to the plugin, so that one name is enough. */
export async function runSerinus(args: readonly string[], process: Process): Promise<number> {
  const own = ['up', 'demo', 'controller', 'inbox', 'help', '--help', '-h', '--version', undefined]
  if (!own.includes(args[0])) {
    return runPlugin(args, { ...process, clock: new RealClock() })
  }
  try {
    return await parse(args, process)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode
    process.err(`Error: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

async function parse(args: readonly string[], process: Process): Promise<number> {
  let code = 0
  const program = new Command('serinus')
    .description('Progressive delivery for Kubernetes')
    .version(version)
    .configureOutput({ writeOut: process.out, writeErr: process.err })
    .exitOverride()
    .addHelpText(
      'after',
      '\nEvery command of kubectl argo rollouts works here too: serinus get rollout NAME, serinus promote NAME, ...\n',
    )
  program
    .command('up')
    .description('a Kubernetes in this process, with Serinus in it, until Ctrl-C')
    .option('--data <dir>', 'where the kubeconfig and the state of the cluster are kept')
    .option('--ephemeral', 'keep nothing', false)
    .option('--kubeconfig <file>', 'write the kubeconfig here (default: <data>/kubeconfig)')
    .option(
      '--listen <address:port>',
      'loopback address of the API server; port 0 takes any free one',
      '127.0.0.1:6444',
    )
    .option('--no-controller', 'the cluster alone, for another controller')
    .option(
      '--ready-file <file>',
      'write the addresses here, as one JSON line, once everything answers',
    )
    .option('--time-scale <n>', 'cluster time runs so many times as fast', Number, 1)
    .option('--insecure-http', 'plain HTTP, for debugging', false)
    .option('--inbox', 'play Slack and PagerDuty instead of calling them', false)
    .option(
      '-f, --filename <file>',
      'apply these manifests after the start (file, folder, - for stdin; repeatable)',
      (value: string, all: string[]) => [...all, value],
      [],
    )
    .action((options) => up(options, process))
  program
    .command('demo')
    .description('a healthy release, a bad one caught and rolled back, and who was told')
    .option(
      '--fast',
      'end after the summary: exit code 0 when the story went as told, else 1',
      false,
    )
    .action(async (options) => {
      code = await demo(options, process)
    })
  program.addCommand(
    controllerCommand(process)
      .configureOutput({ writeOut: process.out, writeErr: process.err })
      .exitOverride(),
  )
  program
    .command('inbox')
    .description('what came in at the inbox of a running cluster')
    .option('--url <url>', 'address of the inbox, as serinus up prints it')
    .option('-o, --output <format>', 'json')
    .action((options) => showInbox(options, process))
  await program.parseAsync(args, { from: 'user' })
  return code
}
