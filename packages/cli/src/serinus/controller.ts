import { hostname } from 'node:os'
import {
  httpClient,
  kubeconfigTransport,
  limitRate,
  RealClock,
  runWithLease,
  SeededRandom,
} from '@serinus/kube'
import { version } from '../version.ts'
import { metricsOf, serveMetrics } from './metrics.ts'
import { outsideFetch } from './outside-fetch.ts'
import { startService } from './service.ts'
import type { Process } from './up.ts'

export interface ControllerFlags {
  readonly kubeconfig?: string
  readonly context?: string
  readonly namespaced: boolean
  readonly namespace?: string
  readonly instanceId?: string
  readonly leaderElect: boolean
  readonly qps: number
  readonly burst: number
  readonly zeroPause: string
  readonly metricsport: number
}

/** The controller alone, out of cluster or in (spec operations 1.1). */
export async function runController(
  flags: ControllerFlags,
  ignored: readonly string[],
  { out, err, env, signal }: Process,
): Promise<void> {
  if (flags.zeroPause !== 'gate' && flags.zeroPause !== 'advance') {
    throw new Error(`--zero-pause: ${JSON.stringify(flags.zeroPause)} is neither gate nor advance`)
  }
  const zeroPause = flags.zeroPause
  if (ignored.length > 0) {
    err(`accepted for compatibility, without effect: ${ignored.join(' ')}\n`)
  }
  const clock = new RealClock()
  const reach = kubeconfigTransport({
    ...(flags.kubeconfig ? { kubeconfig: flags.kubeconfig } : {}),
    ...(flags.context ? { context: flags.context } : {}),
    env,
    clock,
  })
  const unlimited = httpClient(reach.transport, {
    baseUrl: reach.baseUrl,
    userAgent: `rollouts-controller/${version}`,
  })
  const client = limitRate(unlimited, { clock, qps: flags.qps, burst: flags.burst })
  const namespace = flags.namespace ?? env['POD_NAMESPACE'] ?? 'argo-rollouts'
  const onError = (where: string, error: unknown) =>
    err(`${where}: ${error instanceof Error ? error.message : String(error)}\n`)
  const work = async (term: AbortSignal) => {
    const controller = startService({
      client,
      clock,
      signal: term,
      fetch: outsideFetch,
      env,
      engine: { zeroPause },
      controllerNamespace: namespace,
      random: new SeededRandom(hostname()),
      holder: `${hostname()}_${process.pid}`,
      ...(flags.namespaced ? { namespace } : {}),
      ...(flags.instanceId ? { instanceId: flags.instanceId } : {}),
      onError,
    })
    await controller.synced
    const metrics = serveMetrics(metricsOf(controller), {
      port: flags.metricsport,
      onError: (error) => err(`--metricsport: ${error.message}\n`),
    })
    out('controller started\n')
    await controller.stopped
    metrics.close()
  }
  if (!flags.leaderElect) return work(signal)
  await runWithLease(
    // The lease is upstream's, so that both never work at the same time; its requests are not rationed.
    {
      client: unlimited,
      clock,
      signal,
      namespace,
      name: leaseName(flags.instanceId),
      identity: `${hostname()}_${process.pid}`,
    },
    work,
  )
}

/** Upstream's name, so that the two never work on the same objects at the same time (spec operations 2). */
function leaseName(instanceId: string | undefined): string {
  return ['argo-rollouts-controller-lock', ...(instanceId ? [instanceId] : [])].join('-')
}
