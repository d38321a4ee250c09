import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RealClock, ScaledClock } from '@serinus/kube'
import {
  controllerNamespace,
  defaultDataFolder,
  startLocalCluster,
  writePrivate,
} from './local-cluster.ts'
import { applyManifests, readManifests } from './manifests.ts'
import { outsideFetch } from './outside-fetch.ts'

export interface UpOptions {
  readonly data?: string
  readonly ephemeral: boolean
  readonly kubeconfig?: string
  readonly listen: string
  readonly controller: boolean
  readonly readyFile?: string
  readonly timeScale: number
  readonly insecureHttp: boolean
  readonly inbox: boolean
  readonly filename: readonly string[]
}

export interface Process {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

/** The cluster in the foreground until a signal ends it (spec embedded-cluster 1). */
export async function up(options: UpOptions, { out, err, env, signal }: Process): Promise<void> {
  const listen = parseListen(options.listen)
  const clock =
    options.timeScale === 1 ? new RealClock() : new ScaledClock({ factor: options.timeScale })
  const data = options.data ?? defaultDataFolder(env)
  if (!options.ephemeral) mkdirSync(data, { recursive: true, mode: 0o700 })
  const pluginFolder = options.ephemeral ? mkdtempSync(join(tmpdir(), 'serinus-plugins-')) : data
  const local = await startLocalCluster({
    // Another one at each start: names and uids must not come again beside those that were kept.
    seed: randomUUID(),
    ...(options.ephemeral ? {} : { journalFile: join(data, 'cluster.db') }),
    clock,
    signal,
    listen,
    insecureHttp: options.insecureHttp,
    useInbox: options.inbox,
    withController: options.controller,
    plugins: {
      folder: pluginFolder,
      log: ({ level, plugin, message }) => {
        if (level !== 'debug') err(`${plugin ? `plugin ${plugin}` : 'plugins'}: ${message}\n`)
      },
    },
    outside: outsideFetch(env),
    onError: (where, error) =>
      err(`${where}: ${error instanceof Error ? error.message : String(error)}\n`),
  })
  const kubeconfig = options.kubeconfig ?? join(data, 'kubeconfig')
  writePrivate(kubeconfig, local.addresses.kubeconfig)
  for (const file of options.filename)
    await applyManifests(local.client, readManifests(file), 'default')
  if (options.readyFile) {
    const { server, ingress, prometheus, inbox } = local.addresses
    writePrivate(
      options.readyFile,
      `${JSON.stringify({ server, kubeconfig, ingress, prometheus, inbox })}\n`,
    )
  }
  out(`Serinus is up: a Kubernetes in this process${options.controller ? ', with the controller' : ''}.

  API server   ${local.addresses.server}
  Ingress      ${local.addresses.ingress}      (curl -H 'Host: my-app.example.com' ${local.addresses.ingress}/)
  Prometheus   ${local.addresses.prometheus}
  Inbox        ${local.addresses.inbox}

  export KUBECONFIG=${kubeconfig}
  kubectl apply -f examples/gate.yaml
  kubectl argo rollouts get rollout gate --watch

Central notification configuration belongs in the namespace ${controllerNamespace}. Ctrl-C ends it.
`)
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await local.close()
  if (options.ephemeral) rmSync(pluginFolder, { recursive: true, force: true })
}

function parseListen(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(?:(.+):)?(\d+)$/.exec(text) ?? []
  if (!port)
    throw new Error(
      `--listen: ${JSON.stringify(text)} is not ADDRESS:PORT, for example 127.0.0.1:6444`,
    )
  const address = host || '127.0.0.1'
  if (!/^(127\.|localhost$|\[?::1\]?$)/.test(address)) {
    throw new Error(
      `--listen: ${address} is not a loopback address; this cluster is for this machine alone`,
    )
  }
  return { host: address, port: Number(port) }
}
