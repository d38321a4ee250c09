import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crd, kinds } from '@serinus/api'
import { ApiServer, routerKinds } from '@serinus/cluster'
import {
  type KubeObject,
  kubeconfigTransport,
  resources,
  SeededRandom,
  type Transport,
  type UnknownObject,
  VirtualClock,
} from '@serinus/kube'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { clusterUnderTest } from '../cluster-under-test.ts'

/** Manifests of the outside world, beside the repository where somebody has put them. */
const corpus = fileURLToPath(new URL('../../../shared/corpus', import.meta.url))
const folders = ['upstream/examples', 'upstream/docs', 'upstream/install', 'wild', 'demo']
const real = process.env['SERINUS_TEST_CLUSTER']

test.skipIf(real === undefined || !existsSync(corpus)).each(['Strict', 'Warn'])(
  'the embedded API server judges and completes every manifest of the corpus just as Kubernetes does (fieldValidation=%s; needs both)',
  { timeout: 120_000 },
  async (mode) => {
    await using _world = await clusterUnderTest() // brings our kinds to the real one
    const { transport, baseUrl } = kubeconfigTransport({ kubeconfig: real ?? '', env: {} })
    const embedded = await embeddedServer()
    const paths = pathsOf((path) => transport(new Request(baseUrl + path)))
    let compared = 0
    for (const { file, object } of manifests()) {
      if (groupsOfRouters.has(object.apiVersion.split('/')[0] ?? '')) continue
      const path = await paths(object)
      if (path === undefined) continue
      const ask = async (send: Transport, server: string) => {
        const query = `?dryRun=All&fieldValidation=${mode}`
        const request = new Request(`${server}${path}${query}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(object),
        })
        return answerOf(await send(request))
      }
      const [ours, theirs] = [await ask(embedded, 'http://here'), await ask(transport, baseUrl)]
      expect(ours, `${file}: ${object.kind} ${object.metadata.name}`).toEqual(theirs)
      compared++
    }
    expect(compared).toBeGreaterThan(200)
  },
)

/** Other tests define their kinds for a while. */
const groupsOfRouters: ReadonlySet<string> = new Set([
  'appmesh.k8s.aws',
  ...routerKinds.map((definition) => (definition as unknown as Definition).spec.group),
])

interface Definition {
  readonly spec: { readonly group: string }
}

async function embeddedServer(): Promise<Transport> {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  const server = new ApiServer({ clock, random: new SeededRandom(1) })
  for (const kind of Object.values(kinds)) {
    const definition = crd(kind) as unknown as KubeObject
    await server.client.create(resources.customResourceDefinitions, definition)
  }
  return server.handleTrusted
}

function manifests(): readonly { readonly file: string; readonly object: UnknownObject }[] {
  return folders.flatMap((folder) =>
    readdirSync(join(corpus, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.ya?ml$/.test(name))
      .flatMap((name) => {
        const file = join(folder, name)
        const text = readFileSync(join(corpus, file), 'utf8')
        // Templates of a chart are no manifests yet.
        if (text.includes('{{ template') || text.includes('{{- ')) return []
        return parseAllDocuments(text).flatMap((document) => {
          const object = document.toJS() as UnknownObject | null
          if (!object?.kind || !object.apiVersion || !object.metadata) return []
          const { namespace: _, ...metadata } = object.metadata
          return [{ file, object: { ...object, metadata } as UnknownObject }]
        })
      }),
  )
}

interface Kinds {
  readonly resources: readonly {
    readonly name: string
    readonly kind: string
    readonly namespaced: boolean
  }[]
}

/** Where an object is created; undefined for kinds that the server does not have. */
function pathsOf(get: (path: string) => Promise<Response>) {
  const known = new Map<string, Kinds['resources']>()
  return async ({ apiVersion, kind }: UnknownObject): Promise<string | undefined> => {
    const path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    if (!known.has(path)) {
      const answer = await get(path)
      known.set(path, answer.ok ? ((await answer.json()) as Kinds).resources : [])
    }
    const found = known.get(path)?.find((one) => one.kind === kind && !one.name.includes('/'))
    return found && `${path}/${found.namespaced ? 'namespaces/default/' : ''}${found.name}`
  }
}

/** Drawn by each server for itself. */
const drawn = new Set([
  ...['uid', 'creationTimestamp', 'managedFields', 'resourceVersion', 'time'],
  ...[
    'clusterIP',
    'clusterIPs',
    'nodePort',
    'controller-uid',
    'batch.kubernetes.io/controller-uid',
  ],
])

async function answerOf(answer: Response): Promise<object> {
  const body = (await answer.json()) as { readonly message?: string }
  const warnings = (answer.headers.get('warning') ?? '').split(/, (?=299 )/).sort()
  return answer.ok
    ? { status: answer.status, warnings, body: withoutDrawn(body) }
    : { status: answer.status, warnings, message: body.message }
}

function withoutDrawn(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDrawn)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([name]) => !drawn.has(name))
  return Object.fromEntries(entries.map(([name, part]) => [name, withoutDrawn(part)]))
}
