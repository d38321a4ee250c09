import { kinds, type Rollout } from '@serinus/api'
import {
  type Clock,
  httpClient,
  type KubeconfigOptions,
  type KubeObject,
  kubeconfigTransport,
  sleep,
} from '@serinus/kube'
import { Command, InvalidArgumentError, Option } from 'commander'
import { version } from '../version.ts'
import { listText } from '../view/list-text.ts'
import { rolloutInfo } from '../view/rollout-info.ts'
import { rolloutText } from '../view/rollout-text.ts'
import { painter } from '../view/table.ts'
import { type Access, patchSpec, patchStatus, readObjects } from './access.ts'
import { completionScript, shells } from './completion.ts'
import { promote } from './promote.ts'
import { setImage } from './set-image.ts'
import { undo } from './undo.ts'
import { watchRollout } from './watch.ts'

/** What a command needs of the process it runs in; handed in, so that tests run commands without one. */
export interface Terminal {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  /** Absent: the network, by kubeconfig. */
  readonly connect?: (options: KubeconfigOptions) => Access
}

/** Ends the command with an exit code after its text was written. */
export class Exit extends Error {
  override readonly name = 'Exit'
  readonly code: number
  constructor(code: number) {
    super(`exit ${code}`)
    this.code = code
  }
}

/** `kubectl argo rollouts` (spec cli 2). */
export function pluginProgram(terminal: Terminal): Command {
  const program = new Command('kubectl-argo-rollouts')
  program
    .description('The Serinus command line for Argo Rollouts resources')
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .exitOverride()
    .helpOption('-h, --help', 'show help')
  const connect = () => accessOf(program, terminal)
  addGlobalFlags(program)
  addGet(program, terminal, connect)
  addList(program, terminal, connect)
  addStatus(program, terminal, connect)
  addVerbs(program, terminal, connect)
  addSet(program, terminal, connect)
  program
    .command('version')
    .description('Show the plugin version')
    .option('--short', 'print just the version number', false)
    .action((options: { short: boolean }) => {
      if (options.short) return terminal.out(`${version}\n`)
      terminal.out(
        `kubectl-argo-rollouts: ${version}\n  Product: Serinus\n  NodeVersion: ${process.version}\n  Platform: ${process.platform}/${process.arch}\n`,
      )
    })
  program
    .command('completion')
    .description('Generate the completion script for a shell')
    .argument('<shell>', shells.join('|'))
    .action((shell: string) => {
      const script = completionScript(shell)
      if (script === null) throw new Error(`invalid argument "${shell}" for "completion"`)
      terminal.out(script)
    })
  addComplete(program, terminal, connect)
  return program
}

type Connect = () => Access

function addGlobalFlags(program: Command): void {
  program
    .option('--as <user>', 'impersonate a user')
    .option('--as-group <group>', 'impersonate a group (repeatable)', collect, [])
    .option('--as-uid <uid>', 'impersonate a uid')
    .option('--cache-dir <dir>', 'accepted for compatibility')
    .option('--certificate-authority <file>', 'certificate of the authority of the server')
    .option('--client-certificate <file>', 'client certificate')
    .option('--client-key <file>', 'client key')
    .option('--cluster <name>', 'kubeconfig cluster')
    .option('--context <name>', 'kubeconfig context')
    .option('--user <name>', 'kubeconfig user')
    .option('--disable-compression', 'accepted for compatibility')
    .option('--insecure-skip-tls-verify', "do not verify the server's certificate")
    .option('-v, --kloglevel <level>', 'accepted for compatibility')
    .option('--kubeconfig <file>', 'kubeconfig file')
    .option('--loglevel <level>', 'log level', 'info')
    .option('-n, --namespace <namespace>', 'namespace of the request')
    .option('--request-timeout <time>', 'accepted for compatibility', '0')
    .option('-s, --server <url>', 'address of the Kubernetes API server')
    .option('--tls-server-name <name>', "name in the server's certificate")
    .option('--token <token>', 'bearer token')
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value]
}

function accessOf(program: Command, terminal: Terminal): Access {
  const flags = program.opts<KubeconfigOptions & { asGroup: readonly string[] }>()
  const { asGroup, ...rest } = flags
  const options: KubeconfigOptions = {
    ...rest,
    ...(asGroup.length > 0 ? { asGroups: asGroup } : {}),
    env: terminal.env,
  }
  if (terminal.connect) return terminal.connect(options)
  const { transport, baseUrl, namespace } = kubeconfigTransport(options)
  return {
    client: httpClient(transport, { baseUrl, userAgent: `kubectl-argo-rollouts/${version}` }),
    namespace: options.namespace ?? namespace,
  }
}

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value)) throw new InvalidArgumentError('not a whole number')
  return value
}

function addGet(program: Command, terminal: Terminal, connect: Connect): void {
  const get = program.command('get').description('Get details about rollouts')
  get
    .command('rollout')
    .aliases(['ro', 'rollouts'])
    .description('Get details about a rollout')
    .argument('<name>')
    .option('-w, --watch', 'watch live updates', false)
    .option('--no-color', 'do not colorize output')
    .option('--timeout-seconds <n>', 'end the watch after this many seconds', positive, 0)
    .action(
      async (name: string, options: { watch: boolean; color: boolean; timeoutSeconds: number }) => {
        const access = connect()
        const paint = painter(options.color && terminal.env['TERM'] !== 'dumb')
        const now = terminal.clock.now()
        const page = (objects: Parameters<typeof rolloutInfo>[0], at: number) =>
          rolloutText(rolloutInfo(objects, at), { now: at, paint })
        if (!options.watch) return terminal.out(page(await readSingular(access, name), now))
        await readSingular(access, name)
        await watchRollout({ access, name, terminal, page, timeoutSeconds: options.timeoutSeconds })
      },
    )
}

/** `get` and `status` name the kind in the singular when the object is missing, as upstream's view cache does (spec cli 1.1). */
async function readSingular(access: Access, name: string): ReturnType<typeof readObjects> {
  try {
    return await readObjects(access, name)
  } catch (error) {
    if (error instanceof Error && error.message === `rollouts.argoproj.io "${name}" not found`) {
      throw new Error(`rollout.argoproj.io "${name}" not found`)
    }
    throw error
  }
}

function addList(program: Command, terminal: Terminal, connect: Connect): void {
  const list = program.command('list').description('List rollouts')
  list
    .command('rollouts')
    .aliases(['ro', 'rollout'])
    .description('List rollouts')
    .option('--name <name>', 'only the rollout with this name', '')
    .option('-A, --all-namespaces', 'all namespaces', false)
    .option('--timestamps', 'print the time in the first column', false)
    .action(async (options: { name: string; allNamespaces: boolean; timestamps: boolean }) => {
      const { client, namespace } = connect()
      const rollouts = await client.list<Rollout & KubeObject>(kinds.rollouts, {
        ...(options.allNamespaces ? {} : { namespace }),
        ...(options.name ? { fieldSelector: `metadata.name=${options.name}` } : {}),
      })
      if (rollouts.items.length === 0) return terminal.err('No resources found.\n')
      const now = terminal.clock.now()
      const infos = rollouts.items.map((rollout) =>
        rolloutInfo({ rollout, replicaSets: [], pods: [], analysisRuns: [] }, now),
      )
      const timestamp = `${new Date(now).toISOString().slice(0, 19)}Z`
      terminal.out(
        listText(infos, {
          allNamespaces: options.allNamespaces,
          ...(options.timestamps ? { timestamp } : {}),
        }),
      )
    })
}

function addStatus(program: Command, terminal: Terminal, connect: Connect): void {
  program
    .command('status')
    .description('Show the status of a rollout, and wait for its end')
    .argument('<name>')
    .addOption(
      new Option('-w, --watch [bool]', 'wait until the rollout is healthy or degraded').default(
        'true',
      ),
    )
    .option('-t, --timeout <duration>', 'how long to wait; 0 waits for ever', '0s')
    .action(async (name: string, options: { watch: string | true; timeout: string }) => {
      const access = connect()
      const read = async () => {
        const { status, message } = rolloutInfo(
          await readSingular(access, name),
          terminal.clock.now(),
        )
        return { status, message, text: message ? `${status} - ${message}` : status }
      }
      const degraded = (message: string) =>
        new Error(`The rollout is in a degraded state with message: ${message}`)
      const first = await read()
      if (options.watch === 'false') {
        const ended = first.status === 'Healthy' || first.status === 'Degraded'
        terminal.out(`${ended ? first.status : `${first.status} - ${first.message}`}\n`)
        if (first.status === 'Degraded') throw degraded(first.message)
        return
      }
      const limit = timeoutMs(options.timeout)
      const until = limit > 0 ? terminal.clock.now() + limit : Number.POSITIVE_INFINITY
      let told = ''
      for (let now = first; ; now = await read()) {
        if (now.text !== told) terminal.out(`${now.text}\n`)
        told = now.text
        if (now.status === 'Healthy') return
        if (now.status === 'Degraded') throw degraded(now.message)
        if (terminal.clock.now() >= until || terminal.signal.aborted)
          throw new Error('Rollout status watch exceeded timeout')
        await sleep(terminal.clock, 500, terminal.signal).catch(() => {})
      }
    })
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

function timeoutMs(text: string): number {
  if (text === '0') return 0
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  if (parts.map((part) => part[0]).join('') !== text || parts.length === 0) {
    throw new Error(
      `invalid argument "${text}" for "-t, --timeout" flag: time: invalid duration "${text}"`,
    )
  }
  return parts.reduce((sum, part) => sum + Number(part[1]) * (units[part[2] ?? ''] ?? 0), 0)
}

function addVerbs(program: Command, terminal: Terminal, connect: Connect): void {
  const each =
    (names: readonly string[], act: (access: Access, name: string) => Promise<string>) =>
    async () => {
      const access = connect()
      for (const name of names) terminal.out(`${await act(access, name)}\n`)
    }
  program
    .command('promote')
    .description('Promote a rollout: resume it, or skip its current step')
    .argument('<name>')
    .option('--full', 'skip all steps, pauses and analysis', false)
    .addOption(new Option('-c, --skip-current-step').hideHelp())
    .addOption(new Option('-a, --skip-all-steps').hideHelp())
    .action(
      async (
        name: string,
        options: { full: boolean; skipCurrentStep?: boolean; skipAllSteps?: boolean },
      ) => {
        if (options.skipCurrentStep)
          terminal.err(
            'Flag --skip-current-step has been deprecated, use without the flag instead ie. promote ROLLOUT\n',
          )
        if (options.skipAllSteps)
          terminal.err(
            'Flag --skip-all-steps has been deprecated, use --full instead ie. promote ROLLOUT --full\n',
          )
        terminal.out(`${await promote(connect(), name, options)}\n`)
      },
    )
  program
    .command('abort')
    .description('Abort an update: traffic returns to the stable version')
    .argument('<names...>')
    .action((names: string[]) =>
      each(names, async (access, name) => {
        await patchStatus(access, name, { abort: true })
        return `rollout '${name}' aborted`
      })(),
    )
  program
    .command('pause')
    .description('Pause a rollout')
    .argument('<names...>')
    .action((names: string[]) =>
      each(names, async (access, name) => {
        await patchSpec(access, name, { paused: true })
        return `rollout '${name}' paused`
      })(),
    )
  program
    .command('restart')
    .description('Restart the pods of a rollout')
    .argument('<name>')
    .option('-i, --in <duration>', 'amount of time to wait before the restart', '')
    .action(async (name: string, options: { in: string }) => {
      const access = connect()
      const at = terminal.clock.now() + (options.in ? timeoutMs(options.in) : 0)
      await patchSpec(access, name, { restartAt: `${new Date(at).toISOString().slice(0, 19)}Z` })
      terminal.out(`rollout '${name}' restarts in ${options.in || '0s'}\n`)
    })
  const retry = program.command('retry').description('Retry an aborted rollout')
  retry
    .command('rollout')
    .aliases(['ro', 'rollouts'])
    .description('Retry an aborted rollout')
    .argument('<names...>')
    .action((names: string[]) =>
      each(names, async (access, name) => {
        await patchStatus(access, name, { abort: false })
        return `rollout '${name}' retried`
      })(),
    )
  program
    .command('undo')
    .description('Return to an earlier revision')
    .argument('<name>')
    .option('--to-revision <n>', 'revision to return to; 0 is the previous one', positive, 0)
    .action(async (name: string, options: { toRevision: number }) => {
      terminal.out(await undo(connect(), name, options.toRevision))
    })
  const terminate = program.command('terminate').description('Terminate an analysis run')
  terminate
    .command('analysisrun')
    .aliases(['ar', 'analysisruns'])
    .description('Terminate an analysis run')
    .argument('<names...>')
    .action((names: string[]) =>
      each(names, async ({ client, namespace }, name) => {
        await client.patch(
          kinds.analysisRuns,
          { namespace, name },
          { kind: 'merge', body: { spec: { terminate: true } } },
        )
        return `analysisRun '${name}' terminated`
      })(),
    )
}

function addSet(program: Command, terminal: Terminal, connect: Connect): void {
  const set = program.command('set').description('Update values of a rollout')
  set
    .command('image')
    .description('Update the image of a container')
    .argument('<name>')
    .argument('<container=image>')
    .action(async (name: string, assignment: string, _options: unknown, command: Command) => {
      const parts = assignment.split('=')
      const [container, image] = parts
      if (parts.length !== 2 || !container || !image) {
        terminal.err(command.helpInformation())
        throw new Exit(1)
      }
      terminal.out(`${await setImage(connect(), name, { container, image })}\n`)
    })
}

const namedCommands: ReadonlySet<string> = new Set([
  'get rollout',
  'get ro',
  'get rollouts',
  'status',
  'promote',
  'abort',
  'pause',
  'restart',
  'undo',
  'retry rollout',
  'retry ro',
  'set image',
])

/** The protocol of cobra's completion scripts, which kubectl calls (spec cli 1.2). */
function addComplete(program: Command, terminal: Terminal, connect: Connect): void {
  for (const name of ['__complete', '__completeNoDesc']) {
    program
      .command(name, { hidden: true })
      .argument('[words...]')
      .allowUnknownOption()
      .action(async (words: string[]) => {
        const { candidates, directive, label } = await complete(program, words, connect)
        terminal.out([...candidates, `:${directive}`, ''].join('\n'))
        terminal.err(`Completion ended with directive: ${label}\n`)
      })
  }
}

async function complete(program: Command, words: readonly string[], connect: Connect) {
  const typed = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  if (namedCommands.has(before.join(' '))) {
    try {
      const { client, namespace } = connect()
      const rollouts = await client.list(kinds.rollouts, { namespace })
      const names = rollouts.items
        .map((rollout) => rollout.metadata.name)
        .filter((name) => name.startsWith(typed))
      return { candidates: names, directive: 4, label: 'ShellCompDirectiveNoFileComp' }
    } catch {
      return { candidates: [], directive: 1, label: 'ShellCompDirectiveError' }
    }
  }
  let group: Command | undefined = program
  for (const word of before) group = group?.commands.find((command) => command.name() === word)
  const candidates = (group?.commands ?? [])
    .filter((command) => !command.name().startsWith('__') && command.name().startsWith(typed))
    .map((command) => `${command.name()}\t${command.description()}`)
  return { candidates, directive: 4, label: 'ShellCompDirectiveNoFileComp' }
}
