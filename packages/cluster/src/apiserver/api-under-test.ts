import { SeededRandom, VirtualClock } from '@serinus/kube'
import type { Journal } from './journal.ts'
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
  readonly clock: VirtualClock
  readonly server: ApiServer
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>
}

const startOfTests = Date.parse('2026-01-01T00:00:00Z')

/** A server in virtual time, spoken to through its HTTP handler as cluster admin. */
export function apiUnderTest(
  options: { journal?: Journal; historyLimit?: number } = {},
): ApiUnderTest {
  const clock = new VirtualClock(startOfTests)
  const server = new ApiServer({ clock, random: new SeededRandom(1), ...options })
  return {
    clock,
    server,
    async call(method, path, body, headers = {}) {
      const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      const request = new Request(`http://cluster${path}`, {
        method,
        headers: { 'content-type': contentType, 'user-agent': 'test/1', ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const response = await server.handleTrusted(request)
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
    },
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
