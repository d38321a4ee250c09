import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { httpClient, type KubeClient, kubeconfigTransport, RealClock, sleep } from '@serinus/kube'
import { stringify } from 'yaml'

/** An API server of Kubernetes on loopback. */
interface RealApi {
  /** File that makes its reader cluster admin. */
  readonly kubeconfig: string
  readonly client: KubeClient
}

export interface ControlPlane extends AsyncDisposable {
  /** With the controllers of kube-controller-manager. */
  readonly whole: RealApi
  /** Nothing acts on its objects: as the API server of the embedded cluster by itself. */
  readonly bare: RealApi
}

const startTimeoutMs = 90_000

/** Starts the programs in `binaries` on loopback, with all they keep in a folder of their own that goes with them. */
export async function startControlPlane(binaries: string): Promise<ControlPlane> {
  const folder = mkdtempSync(join(tmpdir(), 'serinus-kubernetes-'))
  const programs = new Programs(binaries, folder)
  try {
    const etcd = await startEtcd(programs)
    writeFileSync(join(folder, 'key.pem'), serviceAccountKey(), { mode: 0o600 })
    const [whole, bare] = await Promise.all([
      startApi(programs, { name: 'whole', etcd, more: [] }),
      // Without a controller nobody makes the ServiceAccount that this admission asks for.
      startApi(programs, {
        name: 'bare',
        etcd,
        more: ['--disable-admission-plugins=ServiceAccount'],
      }),
    ])
    programs.start('kube-controller-manager', 'kube-controller-manager', [
      `--kubeconfig=${whole.kubeconfig}`,
      `--root-ca-file=${join(folder, 'whole', 'apiserver.crt')}`,
      `--service-account-private-key-file=${join(folder, 'key.pem')}`,
      '--leader-elect=false',
      '--secure-port=0',
      '--kube-api-qps=500',
      '--kube-api-burst=1000',
      // The nodes are simulated: nobody sends their heartbeats.
      '--controllers=*,-node-lifecycle-controller,-taint-eviction-controller,-node-ipam-controller',
    ])
    await untilItHolds('the default ServiceAccount', programs, async () => {
      const path = '/api/v1/namespaces/default/serviceaccounts/default'
      return (await whole.client.raw(path)).ok
    })
    return { whole, bare, [Symbol.asyncDispose]: () => programs.stop() }
  } catch (error) {
    await programs.stop()
    throw error
  }
}

async function startEtcd(programs: Programs): Promise<string> {
  const [client, peer] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${client}`
  programs.start('etcd', 'etcd', [
    `--data-dir=${join(programs.folder, 'etcd-data')}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
    // Nothing here outlives the machine.
    '--unsafe-no-fsync=true',
  ])
  await untilItHolds('etcd', programs, async () => (await fetch(`${url}/health`)).ok)
  return url
}

async function startApi(
  programs: Programs,
  facts: { readonly name: string; readonly etcd: string; readonly more: readonly string[] },
): Promise<RealApi> {
  const { name, etcd } = facts
  const folder = join(programs.folder, name)
  mkdirSync(folder)
  const token = randomUUID()
  const tokens = join(folder, 'tokens.csv')
  writeFileSync(tokens, `${token},kubernetes-admin,admin,"system:masters"\n`, { mode: 0o600 })
  const port = await freePort()
  const key = join(programs.folder, 'key.pem')
  programs.start(name, 'kube-apiserver', [
    `--etcd-servers=${etcd}`,
    `--etcd-prefix=/${name}`,
    `--cert-dir=${folder}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.96.0.0/16',
    `--token-auth-file=${tokens}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${key}`,
    `--service-account-signing-key-file=${key}`,
    '--allow-privileged=true',
    // Simulated nodes come up ready; this would keep pods off them until a controller says so too.
    '--disable-admission-plugins=TaintNodesByCondition',
    ...facts.more,
  ])
  const server = `https://127.0.0.1:${port}`
  const certificate = join(folder, 'apiserver.crt')
  const kubeconfig = join(folder, 'kubeconfig')
  // The server makes its own certificate as it starts; clients cannot speak to it before.
  await untilItHolds(`the certificate of ${name}`, programs, async () => {
    const ca = readFileSync(certificate)
    writeFileSync(kubeconfig, kubeconfigText({ server, token, ca }), { mode: 0o600 })
    return true
  })
  const { transport, baseUrl } = kubeconfigTransport({ kubeconfig, env: {} })
  const client = httpClient(transport, { baseUrl })
  await untilItHolds(name, programs, async () => (await client.raw('/readyz')).ok)
  return { kubeconfig, client }
}

/** Child processes that end together, each with its output in a file. */
class Programs {
  readonly folder: string
  readonly #binaries: string
  readonly #children: { readonly name: string; readonly process: ChildProcess }[] = []

  constructor(binaries: string, folder: string) {
    this.#binaries = binaries
    this.folder = folder
  }

  start(name: string, program: string, args: readonly string[]): void {
    const log = openSync(this.#log(name), 'w')
    const child = spawn(join(this.#binaries, program), args, { stdio: ['ignore', log, log] })
    this.#children.push({ name, process: child })
  }

  /** Throws with the last words of a program that has ended by itself. */
  check(): void {
    for (const { name, process } of this.#children) {
      if (process.exitCode === null && process.signalCode === null) continue
      const words = readFileSync(this.#log(name), 'utf8').trimEnd().split('\n').slice(-20)
      throw new Error(`${name} has ended:\n${words.join('\n')}`)
    }
  }

  async stop(): Promise<void> {
    // Whoever speaks to another ends before it.
    for (const { process } of this.#children.toReversed()) {
      if (process.exitCode !== null || process.signalCode !== null) continue
      const ended = new Promise((resolve) => process.once('exit', resolve))
      process.kill('SIGKILL')
      await ended
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  #log(name: string): string {
    return join(this.folder, `${name}.log`)
  }
}

/** Asks ten times a second: these are other people's programs, and they call nobody when they are ready. */
async function untilItHolds(
  what: string,
  programs: Programs,
  holds: () => Promise<boolean>,
): Promise<void> {
  const clock = new RealClock()
  const end = clock.now() + startTimeoutMs
  for (;;) {
    programs.check()
    if (await holds().catch(() => false)) return
    if (clock.now() > end) throw new Error(`${what} did not come within ${startTimeoutMs / 1000} s`)
    await sleep(clock, 100)
  }
}

function kubeconfigText(facts: {
  readonly server: string
  readonly token: string
  readonly ca: Buffer
}): string {
  const { server, token, ca } = facts
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [
      { name: 'test', cluster: { server, 'certificate-authority-data': ca.toString('base64') } },
    ],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
  })
}

function serviceAccountKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
}

/** Any port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
