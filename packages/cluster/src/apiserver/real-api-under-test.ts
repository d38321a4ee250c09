import { readFileSync } from 'node:fs'
import { kubeconfigTransport, RealClock, sleep, type Transport } from '@serinus/kube'
import { parse, stringify } from 'yaml'

/**
 * A kube-apiserver that many tests share, dressed as one of a test's own: the namespace `default` and the group
 * `example.com` of the test are others on the server, renamed on the way there and back.
 */
export interface RealApiUnderTest {
  readonly adminToken: string
  /** As cluster admin. */
  readonly send: Transport
  /** With the request's own credentials only. */
  readonly sendAsIs: Transport
  /** Resolves when the server judges by every role and binding that was written so far. */
  knowsRoles(): Promise<void>
  /** Resolves when the kinds of a CRD are served. */
  serves(definition: string): Promise<void>
}

let tests = 0

export function realApiUnderTest(kubeconfig: string): RealApiUnderTest {
  const name = `t${process.pid}-${++tests}`
  const text = readFileSync(kubeconfig, 'utf8')
  const admin = kubeconfigTransport({ content: text, env: {} })
  const strangers = kubeconfigTransport({ content: withoutUser(text), env: {} })
  const { baseUrl } = admin
  const post = (path: string, body: object) => send(admin.transport, 'POST', path, body)

  async function send(
    transport: Transport,
    method: string,
    path: string,
    body?: object,
  ): Promise<Response> {
    return transport(
      new Request(`${baseUrl}${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      }),
    )
  }

  let prepared: Promise<unknown> | undefined
  const prepare = () => {
    prepared ??= post('/api/v1/namespaces', { metadata: { name } })
    return prepared
  }

  /** As the server knows it. */
  const there = (value: string) =>
    value
      .replaceAll('/namespaces/default', `/namespaces/${name}`)
      .replace(/"namespace": ?"default"/g, `"namespace":"${name}"`)
      .replaceAll('example.com', `${name}.example.com`)
  /** As the test knows it. */
  const back = (value: string) =>
    value.replaceAll(`${name}.example.com`, 'example.com').replaceAll(name, 'default')

  const renaming =
    (transport: Transport): Transport =>
    async (request) => {
      await prepare()
      const url = new URL(request.url)
      const address = `${baseUrl}${there(url.pathname)}${there(url.search)}`
      const isText = !request.headers.get('content-type')?.includes('protobuf')
      const body = request.body === null ? undefined : await request.arrayBuffer()
      const answer = await transport(
        new Request(address, {
          method: request.method,
          headers: request.headers,
          signal: request.signal,
          ...(body && { body: isText ? there(Buffer.from(body).toString()) : body }),
        }),
      )
      // A watch is read as it comes, and what is looked at in it has no namespace.
      if (url.searchParams.has('watch')) return answer
      const type = answer.headers.get('content-type') ?? ''
      const bytes = Buffer.from(await answer.arrayBuffer())
      const headers = new Headers(answer.headers)
      headers.delete('content-length')
      return new Response(/json|yaml|text/.test(type) ? back(bytes.toString()) : bytes, {
        status: answer.status,
        headers,
      })
    }

  return {
    adminToken: tokenOf(text),
    send: renaming(admin.transport),
    sendAsIs: renaming(strangers.transport),
    async knowsRoles() {
      // Roles and bindings reach the authorizer in the order they were written: once it knows these, it knows all.
      const marker = `marker-${crypto.randomUUID()}`
      const rbac = 'rbac.authorization.k8s.io'
      const metadata = { name: marker }
      const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }]
      await post(`/apis/${rbac}/v1/namespaces/${name}/roles`, { metadata, rules })
      await post(`/apis/${rbac}/v1/clusterroles`, { metadata, rules })
      for (const kind of ['Role', 'ClusterRole']) {
        await post(`/apis/${rbac}/v1/namespaces/${name}/rolebindings`, {
          metadata: { name: `${marker}-${kind.toLowerCase()}` },
          roleRef: { apiGroup: rbac, kind, name: marker },
          subjects: [{ kind: 'User', apiGroup: rbac, name: `${marker}-${kind}` }],
        })
        const review = {
          spec: {
            user: `${marker}-${kind}`,
            resourceAttributes: { namespace: name, verb: 'get', resource: 'configmaps' },
          },
        }
        await untilTrue(async () => {
          const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews'
          const answer = (await (await post(path, review)).json()) as {
            readonly status: { readonly allowed: boolean }
          }
          return answer.status.allowed
        })
      }
    },
    async serves(definition) {
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${there(definition)}`
      await untilTrue(async () => {
        const { spec, status } = (await (
          await send(admin.transport, 'GET', path)
        ).json()) as StoredDefinition
        if (!status?.conditions?.some((one) => one.type === 'Established' && one.status === 'True'))
          return false
        const [version] = spec.versions
        const kinds = `/apis/${spec.group}/${version?.name}/${spec.names.plural}`
        return (await send(admin.transport, 'GET', kinds)).ok
      })
    },
  }
}

interface StoredDefinition {
  readonly spec: {
    readonly group: string
    readonly names: { readonly plural: string }
    readonly versions: readonly { readonly name: string }[]
  }
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

/** Asks every 20 ms: the server tells nobody when its caches have followed. */
async function untilTrue(holds: () => Promise<boolean>): Promise<void> {
  const clock = new RealClock()
  const end = clock.now() + 10_000
  while (!(await holds())) {
    if (clock.now() > end) throw new Error('the API server did not follow within 10 s')
    await sleep(clock, 20)
  }
}

interface Kubeconfig {
  readonly users: readonly { readonly name: string; readonly user: { readonly token?: string } }[]
}

function tokenOf(text: string): string {
  return (parse(text) as Kubeconfig).users[0]?.user.token ?? ''
}

function withoutUser(text: string): string {
  const config = parse(text) as Kubeconfig
  return stringify({ ...config, users: config.users.map(({ name }) => ({ name, user: {} })) })
}
