import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openCluster, startCluster } from '@serinus/cluster'
import { kubeconfigTransport, resources, ScaledClock, VirtualClock } from '@serinus/kube'
import type { ClusterBase, ClusterUnderTestOptions } from './cluster-under-test.ts'
import { installSerinus } from './install-serinus.ts'

/** The embedded cluster: in virtual time, or twenty times as fast as ours and on a socket when kubectl is to reach it. */
export async function embeddedCluster(options: ClusterUnderTestOptions): Promise<ClusterBase> {
  const clock = options.kubectl
    ? new ScaledClock({ factor: 20 })
    : new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  const ended = new AbortController()
  const errors: string[] = []
  const cluster = startCluster({
    clock,
    signal: ended.signal,
    seed: 'test',
    home: 'default',
    useInbox: true,
    onError: (error) => {
      if (!ended.signal.aborted) errors.push(`cluster: ${String(error)}`)
    },
  })
  await installSerinus(cluster.client)
  const namespace = options.namespace ?? 'test'
  if (!options.namespace) {
    await cluster.client.create(resources.namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace },
    })
  }
  const common = { clock, namespace, surroundings: cluster, errors }
  if (clock instanceof VirtualClock) {
    await clock.settle()
    return {
      ...common,
      admin: { transport: cluster.api.handleTrusted, baseUrl: 'http://localhost' },
      strangers: cluster.api.handle,
      async close() {
        ended.abort()
        await clock.settle()
      },
    }
  }
  const opened = await openCluster(cluster, { host: '127.0.0.1', port: 0, insecureHttp: false })
  const folder = mkdtempSync(join(tmpdir(), 'serinus-test-'))
  const kubeconfig = join(folder, 'kubeconfig')
  writeFileSync(kubeconfig, opened.addresses.kubeconfig, { mode: 0o600 })
  return {
    ...common,
    admin: kubeconfigTransport({ kubeconfig, env: {} }),
    // The same server without the way over the socket: what is asked is what the headers say.
    strangers: cluster.api.handle,
    kubeconfig,
    async close() {
      ended.abort()
      await opened.close()
      rmSync(folder, { recursive: true })
    },
  }
}
