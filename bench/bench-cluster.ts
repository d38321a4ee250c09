import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ApiError,
  type Clock,
  httpClient,
  type KubeClient,
  type KubeObject,
  kubeconfigTransport,
  RealClock,
  resources,
} from '@serinus/kube'
import { startLocalCluster, writePrivate } from '../packages/cli/src/serinus/local-cluster.ts'

/** A cluster that a controller in a process of its own is measured against. */
export interface BenchCluster extends AsyncDisposable {
  readonly clock: Clock
  /** A file: what the controller is given. */
  readonly kubeconfig: string
  /** The measuring client. */
  readonly client: KubeClient
  /** Where the Rollouts of the benchmark are; new and empty. */
  readonly namespace: string
  /** Says in a method what the cluster is. */
  readonly where: string
}

/**
 * The cluster of a kubeconfig, with Serinus's kinds installed, pods that somebody runs and no controller yet; absent:
 * the embedded one, in this process and behind a socket.
 */
export async function benchCluster(kubeconfig: string | undefined): Promise<BenchCluster> {
  const namespace = `bench-${Math.floor(performance.timeOrigin).toString(36)}`
  return kubeconfig === undefined ? embedded(namespace) : given(kubeconfig, namespace)
}

async function embedded(namespace: string): Promise<BenchCluster> {
  const clock = new RealClock()
  const ended = new AbortController()
  const folder = mkdtempSync(join(tmpdir(), 'serinus-bench-'))
  const local = await startLocalCluster({
    seed: 'bench',
    clock,
    signal: ended.signal,
    listen: { host: '127.0.0.1', port: 0 },
    insecureHttp: false,
    useInbox: true,
    withController: false,
    onError: (where, error) => {
      if (!ended.signal.aborted) process.stderr.write(`    ${where}: ${String(error)}\n`)
    },
  })
  const kubeconfig = join(folder, 'kubeconfig')
  writePrivate(kubeconfig, local.addresses.kubeconfig)
  await ensureNamespace(local.client, namespace)
  return {
    clock,
    kubeconfig,
    client: local.client,
    namespace,
    where: 'embedded cluster in another process, real time',
    async [Symbol.asyncDispose]() {
      ended.abort()
      await local.close()
      rmSync(folder, { recursive: true })
    },
  }
}

async function given(kubeconfig: string, namespace: string): Promise<BenchCluster> {
  const clock = new RealClock()
  const reach = kubeconfigTransport({ kubeconfig, clock, env: {} })
  const client = httpClient(reach.transport, { baseUrl: reach.baseUrl })
  await ensureNamespace(client, 'argo-rollouts')
  await ensureNamespace(client, namespace)
  return {
    clock,
    kubeconfig,
    client,
    namespace,
    where: 'API server of the kubeconfig, real time',
    async [Symbol.asyncDispose]() {
      await client.delete(resources.namespaces, { name: namespace })
    },
  }
}

async function ensureNamespace(client: KubeClient, name: string): Promise<void> {
  const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  try {
    await client.create(resources.namespaces, namespace)
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
  }
}
