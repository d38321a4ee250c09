import { SeededRandom, type Transport, VirtualClock } from '@serinus/kube'
import { expect, test, vi } from 'vitest'
import type { Journal } from './journal.ts'
import { realApiUnderTest } from './real-api-under-test.ts'
import { ApiServer } from './server.ts'

/** What a request came back with; `body` is parsed where it is JSON. */
interface Answer {
  readonly status: number
  // Tests look into answers of many shapes; a wrong path shows as undefined in the assertion.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly body: any
  readonly warnings: readonly string[]
  readonly headers: Headers
}

export interface ApiUnderTest {
  readonly adminToken: string
  /** As cluster admin. */
  readonly send: Transport
  /** With the request's own credentials only. */
  readonly sendAsIs: Transport
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>
  /** The newest resourceVersion. */
  version(): Promise<number>
  /** Passes once `check` does: at once on the embedded server, which has nothing to catch up with. */
  eventually(check: () => Promise<void>): Promise<void>
}

/** One whose time and inside are at hand too. */
export interface EmbeddedApiUnderTest extends ApiUnderTest {
  readonly clock: VirtualClock
  readonly server: ApiServer
}

const startOfTests = Date.parse('2026-01-01T00:00:00Z')

/** Kubeconfig of a kube-apiserver that these tests are to run against; absent: the embedded one, in virtual time. */
export const realApi = process.env['SERINUS_TEST_API']

/** For what only the embedded API server has: its clock, its inside, or a limit of its own. */
export const testEmbedded = test.skipIf(realApi !== undefined)

/** What an instant of the answers is: of the embedded server, to the second that the test stands at. */
export const instant = (embedded: string): unknown =>
  realApi === undefined ? embedded : expect.stringMatching(/^\d{4}(-\d\d){2}T\d\d(:\d\d){2}Z$/)

/** An API server without controllers, spoken to through HTTP as cluster admin; each test has one of its own. */
export function apiUnderTest(): ApiUnderTest {
  if (realApi === undefined) return embeddedApiUnderTest()
  const api = realApiUnderTest(realApi)
  let rolesChanged = false
  const call = callerOf(api.send)
  return {
    ...api,
    async sendAsIs(request) {
      if (rolesChanged) await api.knowsRoles()
      rolesChanged = false
      return api.sendAsIs(request)
    },
    async call(method, path, body, headers) {
      if (path.includes('/rbac.authorization.k8s.io/')) rolesChanged = true
      const judges = rolesChanged && path.includes('/authorization.k8s.io/')
      if (judges) await api.knowsRoles()
      const answer = await call(method, path, body, headers)
      if (path === definitions && answer.status === 201) await api.serves(answer.body.metadata.name)
      return answer
    },
    async version() {
      const { body } = await call('GET', `${configMaps}?limit=1`)
      return Number(body.metadata.resourceVersion)
    },
    eventually: (check) => vi.waitFor(check, { timeout: 10_000, interval: 20 }),
  }
}

/** The embedded server, for tests that look behind its API. */
export function embeddedApiUnderTest(
  options: { journal?: Journal; historyLimit?: number } = {},
): EmbeddedApiUnderTest {
  const clock = new VirtualClock(startOfTests)
  const server = new ApiServer({ clock, random: new SeededRandom(1), ...options })
  return {
    clock,
    server,
    adminToken: server.authenticator.adminToken,
    send: server.handleTrusted,
    sendAsIs: server.handle,
    call: callerOf(server.handleTrusted),
    version: async () => server.store.version,
    eventually: (check) => check(),
  }
}

function callerOf(send: Transport): ApiUnderTest['call'] {
  return async (method, path, body, headers = {}) => {
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const request = new Request(`http://cluster${path}`, {
      method,
      headers: { 'content-type': contentType, 'user-agent': 'test/1', ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const response = await send(request)
    const text = await response.text()
    const json = response.headers.get('content-type')?.startsWith('application/json')
    const warning = response.headers.get('warning') ?? ''
    return {
      status: response.status,
      body: json ? JSON.parse(text) : text,
      warnings: [...warning.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(
        ([, quoted]) => JSON.parse(`"${quoted}"`) as string,
      ),
      headers: response.headers,
    }
  }
}

export function deployment(name: string, spec: object = {}, metadata: object = {}) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, ...metadata },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image: 'nginx:1' }] },
      },
      ...spec,
    },
  }
}

export function configMap(
  name: string,
  data: Readonly<Record<string, string>> = {},
  metadata: object = {},
) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data }
}

export const deployments = '/apis/apps/v1/namespaces/default/deployments'
export const configMaps = '/api/v1/namespaces/default/configmaps'
export const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

/** A CRD of kind Widget with the given schema of its spec. */
export function widgetDefinition(spec: object, version: object = {}) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'] },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec,
                status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
              },
            },
          },
          ...version,
        },
      ],
    },
  }
}

export const widgets = '/apis/example.com/v1/namespaces/default/widgets'

export function widget(name: string, spec: unknown, rest: object = {}) {
  return { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name }, spec, ...rest }
}
