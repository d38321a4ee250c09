import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { startSurroundings } from '@serinus/cluster'
import {
  ApiError,
  httpClient,
  kubeconfigTransport,
  RealClock,
  resources,
  SeededRandom,
} from '@serinus/kube'
import { parse, stringify } from 'yaml'
import type { ClusterBase, ClusterUnderTestOptions } from './cluster-under-test.ts'
import { installSerinus } from './install-serinus.ts'

/** A cluster of Kubernetes that many tests share: each has a namespace of its own in it. */
export async function realCluster(
  kubeconfig: string,
  options: ClusterUnderTestOptions,
): Promise<ClusterBase> {
  const text = readFileSync(kubeconfig, 'utf8')
  const admin = kubeconfigTransport({ content: text, env: {} })
  const client = httpClient(admin.transport, { baseUrl: admin.baseUrl })
  const clock = new RealClock()
  const ended = new AbortController()
  const errors: string[] = []
  const namespace = options.namespace ?? `test-${randomUUID().slice(0, 8)}`
  await installSerinus(client)
  if (!options.namespace) {
    await client.create(resources.namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace },
    })
  }
  const surroundings = startSurroundings({
    client,
    clock,
    random: new SeededRandom(randomUUID()),
    signal: ended.signal,
    home: namespace,
    useInbox: true,
    onError: (error) => {
      if (!ended.signal.aborted) errors.push(`surroundings: ${String(error)}`)
    },
  })
  return {
    clock,
    namespace,
    surroundings,
    admin,
    strangers: kubeconfigTransport({ content: withoutUser(text), env: {} }).transport,
    kubeconfig,
    errors,
    async close() {
      ended.abort()
      if (options.namespace) return
      // First, so that the next test's controller does not meet Rollouts in a namespace on its way out.
      const path = `/apis/argoproj.io/v1alpha1/namespaces/${namespace}/rollouts`
      await client.raw(path, { method: 'DELETE' }).catch(unlessGone)
      await client.delete(resources.namespaces, { name: namespace })
    },
  }
}

/** A test may have taken the kinds away. */
function unlessGone(error: unknown): void {
  if (!(error instanceof ApiError && error.code === 404)) throw error
}

function withoutUser(text: string): string {
  const config = parse(text) as { readonly users: readonly { readonly name: string }[] }
  return stringify({ ...config, users: config.users.map(({ name }) => ({ name, user: {} })) })
}
