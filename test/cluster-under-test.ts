import { kinds, type Rollout } from '@serinus/api'
import type { Surroundings } from '@serinus/cluster'
import {
  type Clock,
  httpClient,
  type KubeClient,
  type KubeObject,
  type Resource,
  startInformer,
  type Transport,
  type UnknownObject,
  VirtualClock,
} from '@serinus/kube'
import { applyManifests } from '../packages/cli/src/serinus/manifests.ts'
import {
  type ControllerUnderTest,
  leaderElect,
  startControllerUnderTest,
} from './controller-under-test.ts'
import { embeddedCluster } from './embedded-cluster.ts'
import { runKubectl } from './kubectl.ts'
import { realCluster } from './real-cluster.ts'

export type StoredRollout = Rollout & KubeObject

/**
 * A cluster with Serinus' kinds, roles and account in it: the embedded one, or a real control plane where
 * `SERINUS_TEST_CLUSTER` names its kubeconfig (`npm run test:kubernetes`). What is said here holds on both.
 */
export interface ClusterUnderTest extends AsyncDisposable {
  /** Virtual on the embedded cluster, unless kubectl is to reach it. */
  readonly clock: Clock
  /** Cluster admin. */
  readonly client: KubeClient
  /** The test's own. */
  readonly namespace: string
  readonly surroundings: Surroundings
  /** What the controllers reported. */
  readonly errors: string[]
  /**
   * Starts `serinus controller` under its shipped account and role, with flags; without `--leader-elect` it works when
   * this resolves.
   */
  startController(...args: readonly string[]): Promise<ControllerUnderTest>
  /** Who presents this token. */
  clientWith(token: string): KubeClient
  /** A token of a ServiceAccount. */
  tokenOf(account: { readonly namespace: string; readonly name: string }): Promise<string>
  /** Into the test's namespace where an object names none. */
  apply(...objects: readonly object[]): Promise<void>
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>
  /**
   * Waits for a state of the objects of a kind in the test's namespace and gives what was found in it; fails after an
   * hour of virtual time, a minute of another.
   */
  until<T extends KubeObject, Found>(
    resource: Resource,
    find: (objects: readonly T[]) => Found | undefined,
  ): Promise<Found>
  untilRollout(name: string, holds: (rollout: StoredRollout) => boolean): Promise<StoredRollout>
  rollout(name: string): Promise<StoredRollout>
  /** Absent: no socket leads here. */
  readonly kubeconfig?: string
  /** What kubectl prints, as a user runs it: with the plugin on PATH, in the test's namespace. Rejects when it fails. */
  kubectl(...args: readonly string[]): Promise<string>
  /** The same with something to read. */
  kubectlWith(input: string, ...args: readonly string[]): Promise<string>
  /** What kubectl complains of; rejects when it succeeds. */
  kubectlRefused(...args: readonly string[]): Promise<string>
}

interface Answer {
  readonly status: number
  // Tests look into answers of many shapes; a wrong path shows as undefined in the assertion.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly body: any
  readonly warnings: readonly string[]
}

/** What the two kinds of cluster provide by themselves. */
export interface ClusterBase {
  readonly clock: Clock
  readonly namespace: string
  readonly surroundings: Surroundings
  /** As cluster admin. */
  readonly admin: { readonly transport: Transport; readonly baseUrl: string }
  /** With the request's own credentials only. */
  readonly strangers: Transport
  /** A file; absent: no socket leads here. */
  readonly kubeconfig?: string
  readonly errors: string[]
  close(): Promise<void>
}

const account = { namespace: 'argo-rollouts', name: 'argo-rollouts' }

export interface ClusterUnderTestOptions {
  /** Whether kubectl is to reach it. Absent: no. */
  readonly kubectl?: boolean
  /** For manifests that know their namespace; the test then clears what it leaves. Absent: one of the test's own. */
  readonly namespace?: 'default'
}

export async function clusterUnderTest(
  options: ClusterUnderTestOptions = {},
): Promise<ClusterUnderTest> {
  const real = process.env['SERINUS_TEST_CLUSTER']
  const base = real ? await realCluster(real, options) : await embeddedCluster(options)
  const { clock, namespace, surroundings, admin, strangers, errors } = base
  const { baseUrl } = admin
  const client = httpClient(admin.transport, { baseUrl })
  const running = new Set<ControllerUnderTest>()

  const presenting = (token: string): Transport => {
    return (request) => {
      const headers = new Headers(request.headers)
      headers.set('authorization', `Bearer ${token}`)
      return strangers(new Request(request, { headers }))
    }
  }
  const tokenOf = async ({ namespace, name }: { namespace: string; name: string }) => {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`
    const answer = await client.raw(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {},
      }),
    })
    const { status } = (await answer.json()) as { readonly status: { readonly token: string } }
    return status.token
  }

  const kubectl = async (args: readonly string[], input = '') => {
    const { code, out, err } = await runKubectl(base, args, input)
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} failed: ${err}${out}`)
    return out
  }

  const until: ClusterUnderTest['until'] = (resource, find) =>
    clock instanceof VirtualClock
      ? untilInVirtualTime({ clock, client, namespace, resource, find })
      : untilInRealTime({ clock, client, namespace, resource, find })

  return {
    clock,
    client,
    namespace,
    surroundings,
    errors,
    clientWith: (token) => httpClient(presenting(token), { baseUrl }),
    tokenOf,
    async startController(...args) {
      const token = await tokenOf(account)
      const controller = startControllerUnderTest({
        transport: presenting(token),
        baseUrl,
        clock,
        surroundings,
        args,
        onError: (key, text) => {
          // What other tests left behind is on its way out, and none of ours.
          if (!key.includes('/') || key.startsWith(`${namespace}/`)) errors.push(`${key}: ${text}`)
        },
      })
      running.add(controller)
      controller.ended.then(() => running.delete(controller))
      if (!args.includes(leaderElect)) await inTime(clock, controller.working)
      return controller
    },
    async apply(...objects) {
      await applyManifests(client, objects as readonly UnknownObject[], namespace)
      if (clock instanceof VirtualClock) await clock.settle()
    },
    async call(method, path, body, headers = {}) {
      const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      const response = await admin.transport(
        new Request(`${baseUrl}${path}`, {
          method,
          headers: { 'content-type': contentType, ...headers },
          ...(body === undefined
            ? {}
            : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        }),
      )
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.startsWith('application/json')
      const warning = response.headers.get('warning') ?? ''
      return {
        status: response.status,
        body: isJson ? JSON.parse(text) : text,
        warnings: [...warning.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(
          ([, quoted]) => JSON.parse(`"${quoted}"`) as string,
        ),
      }
    },
    until,
    untilRollout: (name, holds) =>
      until<StoredRollout, StoredRollout>(kinds.rollouts, (all) =>
        all.find((one) => one.metadata.name === name && holds(one)),
      ),
    rollout: (name) => client.get<StoredRollout>(kinds.rollouts, { namespace, name }),
    ...(base.kubeconfig === undefined ? {} : { kubeconfig: base.kubeconfig }),
    kubectl: (...args) => kubectl(args),
    kubectlWith: (input, ...args) => kubectl(args, input),
    async kubectlRefused(...args) {
      const { code, out, err } = await runKubectl(base, args)
      if (code === 0) throw new Error(`kubectl ${args.join(' ')} was to fail, and said: ${out}`)
      return err
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...running].map((controller) => inTime(clock, controller.stop())))
      await base.close()
    },
  }
}

/** Waits for what needs time to pass. */
async function inTime<T>(clock: Clock, work: Promise<T>): Promise<T> {
  if (!(clock instanceof VirtualClock)) return work
  let isOver = false
  const over = work.finally(() => {
    isOver = true
  })
  over.catch(() => {})
  for (let tenth = 0; !isOver && tenth < 600; tenth++) await clock.advance(100)
  return over
}

interface Waiting<T extends KubeObject, Found, C extends Clock> {
  readonly clock: C
  readonly client: KubeClient
  readonly namespace: string
  readonly resource: Resource
  readonly find: (objects: readonly T[]) => Found | undefined
}

async function untilInVirtualTime<T extends KubeObject, Found>(
  waiting: Waiting<T, Found, VirtualClock>,
): Promise<Found> {
  const { clock, client, namespace, resource, find } = waiting
  let last: readonly T[] = []
  for (let second = 0; second < 3_600; second++) {
    last = (await client.list<T>(resource, { namespace })).items
    const found = find(last)
    if (found !== undefined) return found
    await clock.advance(1_000)
  }
  throw notCome(resource, last)
}

async function untilInRealTime<T extends KubeObject, Found>(
  waiting: Waiting<T, Found, Clock>,
): Promise<Found> {
  const { clock, client, namespace, resource, find } = waiting
  const ended = new AbortController()
  const objects = startInformer<T>({
    client,
    clock,
    resource,
    namespace,
    signal: ended.signal,
  })
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    return await new Promise<Found>((resolve, reject) => {
      timer = setTimeout(() => reject(notCome(resource, objects.list())), 60_000)
      const look = () => {
        try {
          const found = find(objects.list())
          if (found !== undefined) resolve(found)
        } catch (error) {
          reject(error)
        }
      }
      objects.subscribe(look)
      objects.synced.then(look, reject)
    })
  } finally {
    clearTimeout(timer)
    ended.abort()
  }
}

function notCome(resource: Resource, objects: readonly KubeObject[]): Error {
  const shown = objects.map((object) => {
    const { metadata, status } = object as UnknownObject & { readonly status?: unknown }
    return `${metadata.name}: ${JSON.stringify(status)}`
  })
  return new Error(`it does not come; ${resource.plural}: ${shown.join('; ').slice(0, 4_000)}`)
}
