import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import {
  type Clock,
  httpClient,
  type KubeClient,
  type KubeconfigOptions,
  kubeconfigTransport,
  RealClock,
} from '@serinus/kube'
import { collectDefaultMetrics } from 'prom-client'
import { requestTimeoutMs, withTimeout } from '../plugin/request-timeout.ts'
import { version } from '../version.ts'
import { healthPage, metricsPage, servePages } from './controller-servers.ts'
import { type ControllerFlags, controllerSettings, tellNotices } from './controller-settings.ts'
import { keepHeapSmall } from './heap.ts'
import { createLog } from './log.ts'
import { outsideFetch } from './outside-fetch.ts'
import { startReplica } from './replica.ts'
import type { Process } from './up.ts'

/**
 * The controller alone, out of cluster or in (spec operations 1). Ends with the signal.
 *
 * @param without flags that were given and have no effect
 */
export async function runController(
  flags: ControllerFlags,
  without: readonly string[],
  { err, env, signal }: Process,
): Promise<void> {
  keepHeapSmall()
  const clock = new RealClock()
  const reach = kubeconfigTransport({ ...connectionOf(flags), env, clock })
  const settings = controllerSettings(flags, { env, contextNamespace: reach.namespace })
  const log = createLog({
    level: settings.logLevel,
    format: settings.logFormat,
    clock,
    write: err,
  })
  tellNotices(log, settings, without)
  const jobClient = jobClientOf(env, clock)
  const timeoutMs = requestTimeoutMs(flags.requestTimeout)
  const replica = startReplica({
    transport: withTimeout(reach.transport, { clock, timeoutMs }),
    baseUrl: reach.baseUrl,
    ...(jobClient ? { jobClient } : {}),
    settings,
    clock,
    signal,
    identity: `${hostname()}_${randomUUID()}`,
    log,
    fetch: outsideFetch(env),
    env,
  })
  collectDefaultMetrics({ register: replica.metrics.registry })
  const servers: { close(): void }[] = []
  try {
    const health = await servePages('--healthzPort', { port: settings.healthzPort }, (path) =>
      healthPage(replica, path),
    )
    servers.push(health)
    const metrics = await servePages('--metricsPort', { port: settings.metricsPort }, (path) =>
      metricsPage(replica.metrics, path),
    )
    servers.push(metrics)
    if (settings.profiling) {
      // Loads the inspector, which nobody else needs.
      const { serveProfiles } = await import('./profiles.ts')
      servers.push(await serveProfiles(settings.profiling))
    }
    log.info('controller started', {
      version,
      server: reach.baseUrl,
      namespace: settings.namespace ?? 'all',
      healthzPort: health.port,
      metricsPort: metrics.port,
    })
    await replica.done
    log.info('controller ended')
  } finally {
    for (const server of servers) server.close()
  }
}

function connectionOf(flags: ControllerFlags): KubeconfigOptions {
  const { asGroup, ...rest } = flags
  const names = [
    'kubeconfig',
    'context',
    'cluster',
    'user',
    'namespace',
    'server',
    'token',
    'username',
    'password',
    'as',
    'asUid',
    'certificateAuthority',
    'clientCertificate',
    'clientKey',
    'insecureSkipTlsVerify',
    'tlsServerName',
    'proxyUrl',
  ] as const
  const given = names.flatMap((name) => (rest[name] === undefined ? [] : [[name, rest[name]]]))
  return { ...Object.fromEntries(given), ...(asGroup.length > 0 ? { asGroups: asGroup } : {}) }
}

/** Where the Jobs of metrics run, if not in the same cluster (spec operations 1.2). */
function jobClientOf(env: Process['env'], clock: Clock): KubeClient | null {
  const file = env['ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG']
  if (!file) return null
  try {
    const where = file === 'in-cluster' ? { inCluster: true } : { kubeconfig: file }
    const reach = kubeconfigTransport({ ...where, env, clock })
    return httpClient(reach.transport, {
      baseUrl: reach.baseUrl,
      userAgent: `rollouts-controller/${version}`,
    })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG: ${why}`, { cause })
  }
}
