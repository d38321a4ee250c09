import { readFileSync } from 'node:fs'
import { parseDuration } from '@serinus/api'
import type { KubeconfigOptions } from '@serinus/kube'
import type { RouterSettings } from '@serinus/traffic'
import type { Log, LogOptions } from './log.ts'

/** How to reach the API, as kubectl has it. */
type Connection = Pick<
  KubeconfigOptions,
  | 'kubeconfig'
  | 'context'
  | 'cluster'
  | 'user'
  | 'namespace'
  | 'server'
  | 'token'
  | 'username'
  | 'password'
  | 'as'
  | 'asUid'
  | 'certificateAuthority'
  | 'clientCertificate'
  | 'clientKey'
  | 'insecureSkipTlsVerify'
  | 'tlsServerName'
  | 'proxyUrl'
>

/** The flags of `serinus controller` as typed (spec operations 1.1). */
export interface ControllerFlags extends Connection {
  readonly namespaced: boolean
  readonly instanceId: string
  readonly controllers: readonly string[]
  readonly leaderElect: boolean
  readonly leaderElectionLeaseDuration: string
  readonly leaderElectionRenewDeadline: string
  readonly leaderElectionRetryPeriod: string
  readonly rolloutThreads: string
  readonly analysisThreads: string
  readonly experimentThreads: string
  readonly qps: string
  readonly burst: string
  readonly healthzPort: string
  readonly metricsPort: string
  readonly metricsport?: string
  readonly enablePprofAddress: string
  readonly loglevel: string
  readonly logformat: string
  readonly selfServiceNotificationEnabled?: boolean
  readonly zeroPause: string
  readonly pluginDir: string
  readonly istioApiVersion?: string
  readonly traefikApiGroup?: string
  readonly traefikApiVersion?: string
  readonly trafficSplitApiVersion?: string
  readonly ambassadorApiVersion?: string
  readonly appmeshCrdVersion?: string
  readonly version: boolean
  readonly asGroup: readonly string[]
  readonly requestTimeout: string
}

/** What the flags and the environment amount to. Durations are milliseconds. */
export interface ControllerSettings {
  /** Of the lease, the notification configuration and the outboxes. */
  readonly ownNamespace: string
  /** The only one that is looked at; absent: all. */
  readonly namespace?: string
  readonly instanceId?: string
  readonly analysisOnly: boolean
  readonly leaderElect: boolean
  readonly leaseName: string
  readonly leaseDurationMs: number
  readonly renewDeadlineMs: number
  readonly retryPeriodMs: number
  readonly rolloutThreads: number
  readonly analysisThreads: number
  readonly experimentThreads: number
  /** Requests per second, per bucket; 0: no limit. */
  readonly qps: number
  readonly burst: number
  readonly healthzPort: number
  readonly metricsPort: number
  readonly profiling: { readonly host: string; readonly port: number } | null
  readonly logLevel: LogOptions['level']
  readonly logFormat: LogOptions['format']
  /** Absent: as far as the API lets it be read. */
  readonly selfService?: boolean
  readonly zeroPause: 'gate' | 'advance'
  /** The files of plugins are put in its folder `plugin-bin`. */
  readonly pluginFolder: string
  /** Which API versions routers use. */
  readonly routers: RouterSettings
  /** Between two looks at whether a router follows (`ROLLOUT_VERIFY_RETRY_INTERVAL`). */
  readonly verifyRetryIntervalMs: number
  /** What is to be told at the start: level and text. */
  readonly notices: readonly string[]
}

export interface SettingsContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The namespace of the kubeconfig's context, or of `--namespace`. */
  readonly contextNamespace: string
  /** Where a pod finds the name of its namespace. */
  readonly namespaceFile?: string
}

/** Throws with flag, value and remedy where something cannot be meant. */
export function controllerSettings(
  flags: ControllerFlags,
  context: SettingsContext,
): ControllerSettings {
  const notices: string[] = []
  const unsupported = flags.controllers.find((name) => name !== 'analysis')
  // Upstream's words (spec operations 1.1).
  if (unsupported !== undefined) throw new Error(`unsupported controller: ${unsupported}`)
  const analysisOnly = flags.controllers.length > 0
  if (flags.metricsport !== undefined)
    notices.push('--metricsport is deprecated: use --metricsPort')
  const logFormat = formatOf(flags.logformat, notices)
  const instanceId = flags.instanceId === '' ? undefined : flags.instanceId
  const namespace = flags.namespaced ? context.contextNamespace : undefined
  if (namespace !== undefined) {
    notices.push(
      `--namespaced: only ${namespace} is looked at; a ClusterAnalysisTemplate that a Rollout names is not found, copy it to an AnalysisTemplate there`,
    )
  }
  if (context.env['ROLLOUT_VERIFY_RETRY_INTERVAL']) {
    notices.push('ROLLOUT_VERIFY_RETRY_INTERVAL: no router of this version needs it')
  }
  return {
    ownNamespace: ownNamespace(flags, context, namespace),
    ...(namespace === undefined ? {} : { namespace }),
    ...(instanceId === undefined ? {} : { instanceId: validInstanceId(instanceId) }),
    analysisOnly,
    leaderElect: flags.leaderElect,
    leaseName: leaseName(analysisOnly, instanceId),
    ...leaseTimes(flags),
    rolloutThreads: count('rollout-threads', flags.rolloutThreads),
    analysisThreads: count('analysis-threads', flags.analysisThreads),
    experimentThreads: count('experiment-threads', flags.experimentThreads),
    qps: numberOf('qps', flags.qps),
    burst: count('burst', flags.burst),
    healthzPort: port('healthzPort', flags.healthzPort),
    metricsPort: port('metricsPort', flags.metricsport ?? flags.metricsPort),
    profiling: address('enable-pprof-address', flags.enablePprofAddress),
    logLevel: oneOf('loglevel', flags.loglevel, ['debug', 'info', 'warn', 'error']),
    logFormat,
    ...(flags.selfServiceNotificationEnabled === undefined
      ? {}
      : { selfService: flags.selfServiceNotificationEnabled }),
    zeroPause: oneOf('zero-pause', flags.zeroPause, ['gate', 'advance']),
    pluginFolder: folder('plugin-dir', flags.pluginDir),
    routers: routerSettings(flags),
    verifyRetryIntervalMs: verifyRetryInterval(context.env),
    notices,
  }
}

/** What is not given is found out from the cluster. */
function routerSettings(flags: ControllerFlags): RouterSettings {
  const {
    istioApiVersion,
    traefikApiGroup,
    traefikApiVersion,
    trafficSplitApiVersion: trafficSplit,
  } = flags
  const [ambassadorGroup, ambassadorVersion] = groupAndVersion(
    'ambassador-api-version',
    flags.ambassadorApiVersion,
  )
  // Upstream writes the group into the version as well, and takes only its last part.
  const traefikVersion = traefikApiVersion?.split('/').at(-1)
  return {
    ...(istioApiVersion ? { istioVersion: istioApiVersion } : {}),
    ...(traefikApiGroup ? { traefikGroup: traefikApiGroup } : {}),
    ...(traefikVersion ? { traefikVersion } : {}),
    ...(trafficSplit
      ? {
          trafficSplitVersion: oneOf('traffic-split-api-version', trafficSplit, [
            'v1alpha1',
            'v1alpha2',
            'v1alpha3',
            'v1alpha4',
          ]),
        }
      : {}),
    ...(flags.appmeshCrdVersion ? { appMeshVersion: flags.appmeshCrdVersion } : {}),
    ...(ambassadorGroup && ambassadorVersion ? { ambassadorGroup, ambassadorVersion } : {}),
  }
}

function groupAndVersion(flag: string, text: string | undefined): readonly string[] {
  if (!text) return []
  const parts = text.split('/')
  if (parts.length !== 2 || parts.includes('')) {
    throw new Error(
      `--${flag}: ${JSON.stringify(text)} is not GROUP/VERSION, such as getambassador.io/v2`,
    )
  }
  return parts
}

/**
 * Upstream's order (spec operations 1.2), so that both take the same lease; outside a cluster, where upstream would say
 * `argo-rollouts`, a namespace that was named counts before that.
 */
function ownNamespace(
  flags: ControllerFlags,
  { env, namespaceFile }: SettingsContext,
  watched: string | undefined,
): string {
  const file = namespaceFile ?? '/var/run/secrets/kubernetes.io/serviceaccount/namespace'
  return env['POD_NAMESPACE'] || readText(file) || flags.namespace || watched || 'argo-rollouts'
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return '' // outside a pod there is none
  }
}

/** Upstream's name, so that the two never work on the same objects at the same time (spec operations 3.2). */
function leaseName(analysisOnly: boolean, instanceId: string | undefined): string {
  // Upstream's analysis-only process competes with a full one, so that either of them stands still (falls short 22).
  const name = analysisOnly
    ? 'argo-rollouts-analysis-controller-lock'
    : 'argo-rollouts-controller-lock'
  return instanceId === undefined ? name : `${name}-${instanceId}`
}

function leaseTimes(
  flags: ControllerFlags,
): Pick<ControllerSettings, 'leaseDurationMs' | 'renewDeadlineMs' | 'retryPeriodMs'> {
  const times = {
    leaseDurationMs: duration('leader-election-lease-duration', flags.leaderElectionLeaseDuration),
    renewDeadlineMs: duration('leader-election-renew-deadline', flags.leaderElectionRenewDeadline),
    retryPeriodMs: duration('leader-election-retry-period', flags.leaderElectionRetryPeriod),
  }
  if (times.renewDeadlineMs >= times.leaseDurationMs) {
    throw new Error(
      `--leader-election-renew-deadline: ${flags.leaderElectionRenewDeadline} must be shorter than --leader-election-lease-duration (${flags.leaderElectionLeaseDuration}), or two processes could work at once`,
    )
  }
  // client-go asks for a fifth more than the period, which is by how much a retry may be late.
  if (times.retryPeriodMs * 1.2 >= times.renewDeadlineMs) {
    throw new Error(
      `--leader-election-retry-period: ${flags.leaderElectionRetryPeriod} must be less than five sixths of --leader-election-renew-deadline (${flags.leaderElectionRenewDeadline}), or a renewal that failed once could not be tried again`,
    )
  }
  return times
}

function duration(flag: string, text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms <= 0) {
    throw new Error(`--${flag}: ${JSON.stringify(text)} is not a duration above zero, such as 15s`)
  }
  return ms
}

function numberOf(flag: string, text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!(value >= 0 && Number.isFinite(value))) {
    throw new Error(`--${flag}: ${JSON.stringify(text)} is not a number of at least 0, such as 40`)
  }
  return value
}

function count(flag: string, text: string): number {
  if (!/^\d+$/.test(text) || Number(text) < 1) {
    throw new Error(`--${flag}: ${JSON.stringify(text)} is not a whole number above 0, such as 10`)
  }
  return Number(text)
}

function port(flag: string, text: string): number {
  if (!/^\d+$/.test(text) || Number(text) > 65_535) {
    throw new Error(`--${flag}: ${JSON.stringify(text)} is not a port: 1 to 65535, or 0 for any`)
  }
  return Number(text)
}

function address(flag: string, text: string): { host: string; port: number } | null {
  if (text === '') return null
  const [, host = '', digits = ''] = /^(?:\[?([^\]]*)\]?):(\d+)$/.exec(text) ?? []
  if (digits === '') {
    throw new Error(`--${flag}: ${JSON.stringify(text)} is not ADDRESS:PORT, such as :6060`)
  }
  return { host, port: port(flag, digits) }
}

function folder(flag: string, text: string): string {
  if (text === '') throw new Error(`--${flag}: needs a folder, such as /plugins`)
  return text
}

function oneOf<W extends string>(flag: string, text: string, words: readonly W[]): W {
  const found = words.find((word) => word === text)
  if (found === undefined) {
    throw new Error(`--${flag}: ${JSON.stringify(text)} is not one of ${words.join(', ')}`)
  }
  return found
}

function formatOf(text: string, notices: string[]): LogOptions['format'] {
  if (text === 'json' || text === 'text') return text
  if (text !== '') {
    notices.push(`--logformat: ${JSON.stringify(text)} is neither text nor json: text is used`)
  }
  return 'text'
}

function validInstanceId(text: string): string {
  if (!/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/.test(text)) {
    throw new Error(
      `--instance-id: ${JSON.stringify(text)} cannot be a label value and part of the lease's name: up to 63 lower-case letters, digits, - and .`,
    )
  }
  return text
}

/** Upstream ignores a good value and takes a bad one for 0 (spec operations, falls short 1). */
function verifyRetryInterval(env: SettingsContext['env']): number {
  const text = env['ROLLOUT_VERIFY_RETRY_INTERVAL']
  if (text === undefined || text === '') return 10_000
  if (!/^\d+$/.test(text) || Number(text) < 1) {
    throw new Error(
      `ROLLOUT_VERIFY_RETRY_INTERVAL: ${JSON.stringify(text)} is not a number of seconds above 0, such as 10`,
    )
  }
  return Number(text) * 1000
}

/** Says at the start what was asked for and has no effect. */
export function tellNotices(
  log: Log,
  settings: ControllerSettings,
  without: readonly string[],
): void {
  for (const notice of settings.notices) log.warn(notice)
  if (without.length > 0) {
    log.warn(`accepted for compatibility, without effect in this version: ${without.join(', ')}`)
  }
}
