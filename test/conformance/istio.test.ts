import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { hashLabel } from '@serinus/api'
import type { KubeObject, Resource } from '@serinus/kube'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { type ClusterUnderTest, clusterUnderTest } from '../cluster-under-test.ts'
import { isDone, isPausedAt, patchStatus } from './web-rollout.ts'

const corpus = fileURLToPath(new URL('../../../shared/corpus', import.meta.url))
const here = existsSync(corpus)

const group = 'networking.istio.io'
const common = { group, version: 'v1', namespaced: true }
const virtualServices: Resource = { ...common, plural: 'virtualservices', kind: 'VirtualService' }
const destinationRules: Resource = {
  ...common,
  plural: 'destinationrules',
  kind: 'DestinationRule',
}

interface Route {
  readonly name?: string
  readonly mirrorPercentage?: object
  readonly match?: readonly object[]
  readonly route: readonly { readonly weight?: number }[]
}

interface VirtualService extends KubeObject {
  readonly spec: { readonly http: readonly Route[]; readonly tls?: readonly Route[] }
}

interface DestinationRule extends KubeObject {
  readonly spec: {
    readonly subsets: readonly {
      readonly name: string
      readonly labels: Readonly<Record<string, string>>
    }[]
  }
}

function documents(file: string): readonly KubeObject[] {
  return parseAllDocuments(readFileSync(`${corpus}/${file}`, 'utf8'))
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null)
}

/** A cluster with Istio's own definitions and the published manifests in it, the first version in place. */
async function published(...files: readonly string[]): Promise<ClusterUnderTest> {
  const world = await clusterUnderTest()
  const names = ['virtualservices', 'destinationrules', 'gateways'].map((one) => `${one}.${group}`)
  for (const definition of documents('crds/istio/crd-all.gen.yaml')) {
    if (!names.includes(definition.metadata.name)) continue
    const { status } = await world.call(
      'POST',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      definition,
    )
    expect([201, 409]).toContain(status)
  }
  await world.until(virtualServices, () => true)
  await world.until(destinationRules, () => true)
  await world.startController()
  await world.apply(...files.flatMap((file) => documents(`upstream/${file}`)))
  return world
}

const weights = ({ route }: Route) => route.map(({ weight = 0 }) => weight)

/** All weighted routes of all VirtualServices have these weights: stable, canary. */
const untilSplit = (world: ClusterUnderTest, stable: number, canary: number) =>
  world.until<VirtualService, readonly VirtualService[]>(virtualServices, (objects) => {
    const all = objects.flatMap(({ spec }) => [...spec.http, ...(spec.tls ?? [])]).map(weights)
    const isSo = all.every(([a, b]) => a === stable && b === canary)
    return all.length > 0 && isSo ? objects : undefined
  })

async function update(world: ClusterUnderTest, name: string): Promise<void> {
  const body = { spec: { template: { metadata: { annotations: { version: '2' } } } } }
  const rollouts = { ...common, group: 'argoproj.io', version: 'v1alpha1', plural: 'rollouts' }
  const resource = { ...rollouts, kind: 'Rollout' }
  await world.client.patch(resource, { namespace: world.namespace, name }, { kind: 'merge', body })
}

test.skipIf(!here)(
  "the published Istio example with subsets runs under Istio's own definitions and the shipped role",
  async () => {
    await using world = await published('examples/istio/istio-subset-split.yaml')
    const name = 'istio-subset-split'
    const hashes = (canaryIsStable: boolean) =>
      world.until<DestinationRule, Record<string, string | undefined>>(
        destinationRules,
        ([rule]) => {
          const of = (subset: string) =>
            rule?.spec.subsets.find((one) => one.name === subset)?.labels[hashLabel]
          const [stable, canary] = [of('stable'), of('canary')]
          if (!stable || !canary || (stable === canary) !== canaryIsStable) return undefined
          return { stable, canary }
        },
      )
    const first = await world.untilRollout(name, isDone)
    const before = await hashes(true)
    expect(before.stable).toBe(first.status?.stableRS)
    await update(world, name)
    const paused = await world.untilRollout(name, isPausedAt(1))
    await untilSplit(world, 90, 10)
    expect(await hashes(false)).toEqual({
      stable: before.stable,
      canary: paused.status?.currentPodHash,
    })
    await patchStatus(world, name, { pauseConditions: null })
    await world.untilRollout(name, isDone)
    await untilSplit(world, 100, 0)
    expect((await hashes(true)).stable).toBe(paused.status?.currentPodHash)
    expect(world.errors).toEqual([])
  },
)

test.skipIf(!here)(
  'the published Istio example with a mirror route sets it and takes it away with the update',
  async () => {
    await using world = await published('examples/istio/istio-mirror.yaml')
    const name = 'istio-host-split'
    await world.untilRollout(name, isDone)
    await update(world, name)
    await world.untilRollout(name, isPausedAt(2))
    const [object] = await untilSplit(world, 100, 0)
    expect(object?.spec.http).toMatchObject([
      {
        name: 'mirror-route',
        match: [{ method: { exact: 'POST' }, uri: { prefix: '/color' } }],
        mirror: { host: 'istio-host-split-canary' },
        mirrorPercentage: { value: 50 },
      },
      { name: 'primary' },
    ])
    await patchStatus(world, name, { pauseConditions: null })
    await world.untilRollout(name, isDone)
    await world.until<VirtualService, true>(virtualServices, ([one]) =>
      one?.spec.http.length === 1 ? true : undefined,
    )
    expect(world.errors).toEqual([])
  },
)

test.skipIf(!here)(
  'the published Istio example with two VirtualServices weights their HTTP and their TLS routes',
  async () => {
    await using world = await published(
      'docs/getting-started/istio/services.yaml',
      'docs/getting-started/istio/multipleVirtualsvc.yaml',
    )
    const [rollout] = documents('upstream/docs/getting-started/istio/rollout.yaml')
    const two = [
      { name: 'rollouts-demo-vsvc1', routes: ['primary'] },
      { name: 'rollouts-demo-vsvc2', routes: ['secondary'] },
    ]
    const { spec } = rollout as KubeObject & {
      spec: { strategy: { canary: { trafficRouting: object } } }
    }
    const canary = { ...spec.strategy.canary, trafficRouting: { istio: { virtualServices: two } } }
    await world.apply({ ...rollout, spec: { ...spec, strategy: { canary } } })
    await world.untilRollout('rollouts-demo', isDone)
    await untilSplit(world, 100, 0)
    await update(world, 'rollouts-demo')
    await world.untilRollout('rollouts-demo', isPausedAt(1))
    await untilSplit(world, 95, 5)
    expect(world.errors).toEqual([])
  },
)
