import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { kinds } from '@serinus/api'
import type { ReplicaSet } from '@serinus/engine'
import { type KubeObject, resources } from '@serinus/kube'
import type { StoredRollout } from '../test/virtual-cluster.ts'
import { delayFigures, type Figure } from './figure.ts'
import { imageChange, type RealCluster, realCluster, type Sightings } from './real-cluster.ts'
import { behindNginx, canary, isHealthy } from './rollouts.ts'

const where =
  'embedded cluster and controller in this process, real time; the client speaks to the API over TLS'

/** Lets the controller finish what it does about the last sample, so that each starts from rest. */
const restMs = 100

const rest = () => new Promise((resolve) => setTimeout(resolve, restMs))

/** How quickly the controller answers to an edit, an abort and a bad measurement. */
export async function latency(): Promise<readonly Figure[]> {
  return [
    ...(await edits()),
    ...(await aborts()),
    ...(await abortsOfDynamicScale()),
    ...(await badAnswers()),
  ]
}

async function edits(): Promise<readonly Figure[]> {
  await using world = await realCluster()
  const replicaSets = await world.follow<ReplicaSet>(resources.replicaSets)
  const rollouts = await world.follow<StoredRollout>(kinds.rollouts)
  const healthy = rollouts.next(isHealthy)
  await world.apply(canary('app', { replicas: 2, steps: [{ setWeight: 50 }, { pause: {} }] }))
  await healthy
  const app = await world.user.get<StoredRollout>(kinds.rollouts, key('app'))
  const samples: number[] = []
  for (let n = 0; n < 205; n++) {
    await rest()
    const image = `app:n${n}`
    const seen = replicaSets.next(
      (set) => set.spec.template?.spec?.containers?.[0]?.image === image,
    )
    const sentAt = performance.now()
    const answered = world.patch('app', imageChange(app, image))
    samples.push((await seen) - sentAt)
    await answered
  }
  return delayFigures(warm(samples), {
    name: 'edit-to-new-replica-set',
    medianTarget: 20,
    p99Target: 150,
    method: `from sending a new image until a watch shows the new ReplicaSet (upstream, on a real API server: 18.5); ${where}`,
  })
}

async function aborts(): Promise<readonly Figure[]> {
  return delayFigures(await abortSamples({}), {
    name: 'abort-to-stable-weight',
    medianTarget: 30,
    p99Target: 150,
    method: `from sending the abort until a watch shows weight 0 on the canary Ingress of nginx (upstream: 27); ${where}`,
  })
}

async function abortsOfDynamicScale(): Promise<readonly Figure[]> {
  return delayFigures(await abortSamples({ dynamicStableScale: true }), {
    name: 'abort-to-stable-weight-with-dynamic-stable-scale',
    medianTarget: 60,
    p99Target: 150,
    method: `the same with dynamicStableScale, one replica, so that no pod has to start (upstream: 129); ${where}`,
  })
}

async function abortSamples(
  options: Pick<Parameters<typeof canary>[1], 'dynamicStableScale'>,
): Promise<readonly number[]> {
  await using world = await realCluster()
  const steps = [{ setWeight: 50 }, { pause: {} }]
  const ingresses = await withCanaryAtHalf(world, { steps, ...options })
  const samples: number[] = []
  for (let n = 0; n < 105; n++) {
    await rest()
    const stable = ingresses.next(hasCanaryWeight('0'))
    const sentAt = performance.now()
    const answered = world.patch('app', { status: { abort: true } }, 'status')
    samples.push((await stable) - sentAt)
    await answered
    await rest()
    const half = ingresses.next(hasCanaryWeight('50'))
    await world.patch('app', { status: { abort: false } }, 'status')
    await half
  }
  return warm(samples)
}

/** The metric's endpoint answers badly once the canary has its weight; each retry makes a new AnalysisRun. */
async function badAnswers(): Promise<readonly Figure[]> {
  await using world = await realCluster()
  await using endpoint = await badEndpoint()
  await world.apply({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name: 'errors' },
    spec: {
      metrics: [
        {
          name: 'errors',
          successCondition: 'result == 0',
          provider: { web: { url: endpoint.url, jsonPath: '{$.errors}' } },
        },
      ],
    },
  } as KubeObject)
  const analysis = { analysis: { templates: [{ templateName: 'errors' }] } }
  const ingresses = await withCanaryAtHalf(world, { steps: [{ setWeight: 50 }, analysis] })
  const samples: number[] = []
  for (let n = 0; n < 105; n++) {
    const stable = ingresses.next(hasCanaryWeight('0'))
    const answeredAt = await endpoint.answerNext()
    samples.push((await stable) - answeredAt)
    await rest()
    const half = ingresses.next(hasCanaryWeight('50'))
    await world.patch('app', { status: { abort: false } }, 'status')
    await half
  }
  return delayFigures(warm(samples), {
    name: 'bad-answer-to-stable-weight',
    medianTarget: 50,
    p99Target: 150,
    method: `from the bad answer of a web metric's endpoint until a watch shows weight 0 on the canary Ingress of nginx (upstream: 49); ${where}`,
  })
}

/** The first samples run code that no compiler has seen yet. */
function warm(samples: readonly number[]): readonly number[] {
  return samples.slice(5)
}

function key(name: string) {
  return { namespace: 'default', name }
}

/** A Rollout `app` behind nginx whose second revision has just got half of the traffic. */
async function withCanaryAtHalf(
  world: RealCluster,
  facts: Pick<Parameters<typeof canary>[1], 'steps' | 'dynamicStableScale'>,
): Promise<Sightings<KubeObject>> {
  const ingresses = await world.follow<KubeObject>(resources.ingresses)
  const rollouts = await world.follow<StoredRollout>(kinds.rollouts)
  const healthy = rollouts.next(isHealthy)
  await world.apply(
    ...behindNginx('app'),
    canary('app', { replicas: 1, ...facts, isBehindNginx: true }),
  )
  await healthy
  const app = await world.user.get<StoredRollout>(kinds.rollouts, key('app'))
  const half = ingresses.next(hasCanaryWeight('50'))
  await world.patch('app', imageChange(app, 'app:v2'))
  await half
  return ingresses
}

function hasCanaryWeight(weight: string): (ingress: KubeObject) => boolean {
  return ({ metadata }) =>
    metadata.annotations?.['nginx.ingress.kubernetes.io/canary-weight'] === weight
}

/** Holds each request until it is told to answer it, badly. */
async function badEndpoint() {
  const waiting: (() => number)[] = []
  let arrived = () => {}
  const server = createServer((_, response) => {
    waiting.push(() => {
      response.setHeader('Content-Type', 'application/json')
      response.end('{"errors":1}')
      return performance.now()
    })
    arrived()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    /** Resolves with the instant of the answer, given when the controller rests. */
    async answerNext(): Promise<number> {
      if (waiting.length === 0)
        await new Promise<void>((resolve) => {
          arrived = resolve
        })
      await rest()
      return waiting.shift()?.() ?? Number.NaN
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
