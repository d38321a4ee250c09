import { Command, InvalidArgumentError } from 'commander'
import { version } from '../version.ts'
import { runController } from './controller.ts'
import type { ControllerFlags } from './controller-settings.ts'
import type { Process } from './up.ts'

/** Upstream's flags that mean nothing here, or not yet (spec operations 1.1). */
const withoutEffect: readonly (readonly [flag: string, why: string])[] = [
  ['--rollout-resync <seconds>', 'caches here follow every change and need no resync'],
  ['--kloglevel <n>', 'there is no client library with a log of its own'],
  ['--service-threads <n>', 'Services are looked after with their Rollout'],
  ['--ingress-threads <n>', 'Ingresses are looked after with their Rollout'],
  ['--ephemeral-metadata-threads <n>', 'not carried yet'],
  ['--ephemeral-metadata-update-pod-retries <n>', 'not carried yet'],
  ['--aws-target-group-binding-api-version <version>', 'AWS is not asked yet'],
  ['--alb-tag-key-resource-id <key>', 'AWS is not asked yet'],
  ['--ingress-api-version <version>', 'networking.k8s.io/v1 is used'],
  ['--alb-ingress-classes <class>', 'Ingresses are found by the name in the Rollout'],
  ['--nginx-ingress-classes <class>', 'Ingresses are found by the name in the Rollout'],
  ['--aws-verify-target-group [bool]', 'AWS is not asked yet'],
  ['--alb-verify-weight [bool]', 'AWS is not asked yet'],
  ['--disable-compression [bool]', 'answers are not compressed'],
]

/** `serinus controller`: every flag of upstream's controller is taken. */
export function controllerCommand(process: Process): Command {
  const command = controllerOptions()
  return command.action(async (flags: ControllerFlags) => {
    if (flags.version) return process.out(`serinus controller: ${version}\n`)
    await runController(flags, given(command), process)
  })
}

/** The flags alone. */
export function controllerOptions(): Command {
  const command = new Command('controller')
    .description('the controller, against the cluster of the kubeconfig or the one it runs in')
    .helpOption('-h, --help')
  const number = (flags: string, text: string, standard: string) =>
    command.option(flags, text, standard)
  command
    .optionsGroup('Scope:')
    .option(
      '--namespaced [bool]',
      'watch one namespace: that of --namespace or of the context',
      boolean,
      false,
    )
    .option('-n, --namespace <namespace>', 'namespace of the context')
    .option('--instance-id <id>', 'look after the objects with this instance id only', '')
    .option('--controllers <list>', 'analysis: AnalysisRuns alone; all by default', words, [])
  command
    .optionsGroup('Leader election:')
    .option('--leader-elect [bool]', 'write only while holding the lease', boolean, true)
    .option(
      '--leader-election-lease-duration <duration>',
      'how long others leave a silent leader alone',
      '15s',
    )
    .option(
      '--leader-election-renew-deadline <duration>',
      'a leader that could not renew for so long stops writing',
      '10s',
    )
    .option('--leader-election-retry-period <duration>', 'pause between two attempts', '2s')
  command.optionsGroup('Work:')
  number('--rollout-threads <n>', 'Rollouts looked at at the same time', '10')
  number('--analysis-threads <n>', 'AnalysisRuns looked at at the same time', '30')
  number('--experiment-threads <n>', 'Experiments looked at at the same time', '10')
  number(
    '--qps <n>',
    'requests per second, each for argoproj.io, Events and everything else; 0 for no limit',
    '40',
  )
  number('--burst <n>', 'requests at once after a rest', '80')
  command
    .option(
      '--self-service-notification-enabled [bool]',
      'notification configuration of namespaces too (default: where it may be read)',
      boolean,
    )
    .option('--zero-pause <meaning>', 'what pause: {duration: 0} means: gate or advance', 'gate')
    .option('--plugin-dir <folder>', 'where plugin-bin is made, for the files of plugins', '.')
  command
    .optionsGroup('Traffic:')
    .option('--istio-api-version <version>', 'v1, v1beta1 or v1alpha3 (default: what is served)')
    .option('--traefik-api-group <group>', 'group of TraefikService (default: traefik.io)')
    .option('--traefik-api-version <version>', 'its version, such as traefik.io/v1alpha1')
    .option('--ambassador-api-version <version>', 'of Mapping, such as getambassador.io/v2')
    .option(
      '--appmesh-crd-version <version>',
      'version of the kinds of App Mesh (default: v1beta2)',
    )
    .option('--traffic-split-api-version <version>', 'version of TrafficSplit, such as v1alpha1')
  command.optionsGroup('Ports and logs:')
  number('--healthzPort <port>', 'port of /healthz and /readyz', '8080')
  number('--metricsPort <port>', 'port of /metrics', '8090')
  command
    .option('--metricsport <port>', 'deprecated name of --metricsPort')
    .option('--enable-pprof-address <address>', 'where profiles are served, such as :6060', '')
    .option('--loglevel <level>', 'debug, info, warn or error', 'info')
    .option('--logformat <format>', 'text or json', '')
    .option('--version', 'print the version and end', false)
  addConnection(command)
  command.optionsGroup('Accepted for compatibility, without effect:')
  for (const [flag, why] of withoutEffect) command.option(flag, why)
  return command
}

function addConnection(command: Command): void {
  command
    .optionsGroup('API server:')
    .option('--kubeconfig <file>', 'kubeconfig file; else KUBECONFIG, else the pod')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--cluster <name>', 'cluster of the kubeconfig')
    .option('--user <name>', 'user of the kubeconfig')
    .option('-s, --server <url>', 'address of the API server')
    .option('--token <token>', 'bearer token')
    .option('--username <name>', 'name for basic authentication')
    .option('--password <password>', 'password for basic authentication')
    .option('--as <user>', 'user to act as')
    .option('--as-group <group>', 'group to act as (repeatable)', words, [])
    .option('--as-uid <uid>', 'uid to act as')
    .option('--certificate-authority <file>', "certificate of the server's authority")
    .option('--client-certificate <file>', 'client certificate')
    .option('--client-key <file>', 'key of the client certificate')
    .option('--insecure-skip-tls-verify [bool]', "do not check the server's certificate", boolean)
    .option('--tls-server-name <name>', "the name in the server's certificate")
    .option('--proxy-url <url>', 'proxy to the API server')
    .option('--request-timeout <duration>', 'limit for the beginning of each answer; 0: none', '0')
}

/** The flags of that list that were given. */
function given(command: Command): readonly string[] {
  const names = new Set(withoutEffect.map(([flag]) => flag.split(' ')[0]))
  return command.options.flatMap((option) =>
    names.has(option.long ?? '') &&
    command.getOptionValueSource(option.attributeName()) !== undefined
      ? [option.long ?? '']
      : [],
  )
}

/** As Go's flags read it: the bare flag means true. */
function boolean(text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true
  if (/^(0|f|false)$/i.test(text)) return false
  throw new InvalidArgumentError('It is neither true nor false.')
}

/** Repeated or separated by commas. */
function words(text: string, before: readonly string[]): readonly string[] {
  return [...before, ...text.split(',').filter((word) => word !== '')]
}
