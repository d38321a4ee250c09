import { httpClient, type KubeconfigOptions, kubeconfigTransport } from '@serinus/kube'
import { version } from '../version.ts'
import { versionText } from '../view/version-text.ts'
import type { Access } from './access.ts'
import { collect, executable, PluginCommand } from './command.ts'
import { completionScript, shells } from './completion-script.ts'
import { addCreate } from './create.ts'
import { addGet } from './get.ts'
import { addLint } from './lint/command.ts'
import { addList } from './list.ts'
import { addNotifications } from './notifications/commands.ts'
import { requestTimeoutMs, withTimeout } from './request-timeout.ts'
import { addStatus } from './status.ts'
import type { CommandParts, Terminal } from './terminal.ts'
import { addVerbs } from './verbs.ts'

/** `kubectl argo rollouts` (spec cli 2). */
export function pluginProgram(terminal: Terminal): PluginCommand {
  const program = new PluginCommand(executable)
  program
    .description(
      'This command consists of multiple subcommands which can be used to manage Argo Rollouts.',
    )
    .helpOption('-h, --help')
    .helpCommand(false)
    .examples(
      ['Get guestbook rollout and watch progress', 'get rollout guestbook -w'],
      ['Pause the guestbook rollout', 'pause guestbook'],
      ['Promote the guestbook rollout', 'promote guestbook'],
      ['Abort the guestbook rollout', 'abort guestbook'],
      ['Retry the guestbook rollout', 'retry rollout guestbook'],
    )
  addGlobalFlags(program)
  program.hook('preAction', () => checkLogLevel(program.opts<{ loglevel: string }>().loglevel))
  const parts = pluginParts(program, terminal)
  addGet(program, parts)
  addList(program, parts)
  addStatus(program, parts)
  addLint(program, parts)
  addVerbs(program, parts)
  addCreate(program, parts)
  addNotifications(program, parts)
  addNotCarried(program, terminal)
  addVersion(program, terminal)
  addCompletion(program, terminal)
  return program
}

/** Connects by the global flags, once they are parsed. */
export function pluginParts(program: PluginCommand, terminal: Terminal): CommandParts {
  return { terminal, connect: () => accessOf(program, terminal) }
}

/** Commands of upstream that people and scripts will type: said, not unknown. */
function addNotCarried(program: PluginCommand, terminal: Terminal): void {
  program
    .command('dashboard')
    .description('Start UI dashboard (not in this version)')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      terminal.out(
        'This version of Serinus has no dashboard yet. The live view in the terminal:\n  kubectl argo rollouts get rollout NAME --watch\n',
      )
    })
}

function addVersion(program: PluginCommand, terminal: Terminal): void {
  program
    .command('version')
    .description('Print version')
    .examples(
      ['Get full version info', 'version'],
      ['Get just plugin version number', 'version --short'],
    )
    .option('--short', 'print just the version number', false)
    .action(({ short }: { short: boolean }) => {
      const [first, ...details] = versionText(process)
      terminal.out(`${(short ? [first] : [first, ...details]).join('\n')}\n`)
    })
}

function addCompletion(program: PluginCommand, terminal: Terminal): void {
  program
    .command('completion')
    .description('Generate completion script')
    .argument('<SHELL>', shells.join('|'))
    .examples(
      ['Write the script for bash', 'completion bash > kubectl-argo-rollouts.bash'],
      [
        'Let kubectl complete, too: put this script on the PATH as kubectl_complete-argo-rollouts',
        '__complete "$@"',
      ],
    )
    .action((shell: string) => {
      const script = completionScript(shell)
      if (script === null) {
        throw new Error(`invalid argument ${JSON.stringify(shell)} for "completion"`)
      }
      terminal.out(script)
    })
}

function addGlobalFlags(program: PluginCommand): void {
  program
    .option('--as <string>', 'Username to impersonate for the operation')
    .option('--as-group <stringArray>', 'Group to impersonate, can be repeated', collect, [])
    .option('--as-uid <string>', 'UID to impersonate for the operation')
    .option('--cache-dir <string>', 'Accepted for compatibility: nothing is cached on disk')
    .option('--certificate-authority <string>', 'Path to a cert file for the certificate authority')
    .option('--client-certificate <string>', 'Path to a client certificate file for TLS')
    .option('--client-key <string>', 'Path to a client key file for TLS')
    .option('--cluster <string>', 'The name of the kubeconfig cluster to use')
    .option('--context <string>', 'The name of the kubeconfig context to use')
    .option('--user <string>', 'The name of the kubeconfig user to use')
    .option('--disable-compression', 'Accepted for compatibility')
    .option('--insecure-skip-tls-verify', "Do not check the server's certificate")
    .option('-v, --kloglevel <int>', 'Accepted for compatibility', '0')
    .option('--kubeconfig <string>', 'Path to the kubeconfig file to use for CLI requests')
    .option('--loglevel <string>', 'Log level for kubectl argo rollouts', 'info')
    .option('-n, --namespace <string>', 'The namespace scope for this CLI request')
    .option(
      '--request-timeout <string>',
      'The length of time to wait for one answer of the server; no unit means seconds, 0 for ever',
      '0',
    )
    .option('-s, --server <string>', 'The address and port of the Kubernetes API server')
    .option('--tls-server-name <string>', "The name in the server's certificate")
    .option('--token <string>', 'Bearer token for authentication to the API server')
}

const logLevels = ['panic', 'fatal', 'error', 'warn', 'warning', 'info', 'debug', 'trace']

/** Nothing is logged, but a script with a wrong level fails as it does upstream (spec cli 1.1). */
function checkLogLevel(level: string): void {
  if (!logLevels.includes(level.toLowerCase())) {
    throw new Error(`not a valid logrus Level: ${JSON.stringify(level)}`)
  }
}

function accessOf(program: PluginCommand, terminal: Terminal): Access {
  const { asGroup, namespace, requestTimeout, ...flags } = program.opts<
    KubeconfigOptions & { asGroup: readonly string[]; requestTimeout: string }
  >()
  const timeoutMs = requestTimeoutMs(requestTimeout)
  const options: KubeconfigOptions = {
    ...flags,
    ...(namespace ? { namespace } : {}),
    ...(asGroup.length > 0 ? { asGroups: asGroup } : {}),
    env: terminal.env,
    clock: terminal.clock,
  }
  if (terminal.connect) return terminal.connect(options)
  const reached = kubeconfigTransport(options)
  return {
    client: httpClient(withTimeout(reached.transport, { clock: terminal.clock, timeoutMs }), {
      baseUrl: reached.baseUrl,
      userAgent: `${executable}/${version}`,
    }),
    namespace: reached.namespace,
  }
}
