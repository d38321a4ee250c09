import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { type StoredRollout, virtualCluster } from '../test/virtual-cluster.ts'
import type { Figure } from './run.ts'

/** Every benchmark by the name that `npm run bench -- NAME` takes. */
export const benchmarks: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  writes,
  idle,
  'virtual-hour': virtualHour,
  latency,
}

function canary(
  name: string,
  facts: { readonly replicas: number; readonly steps: readonly object[] },
): never {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name },
    spec: {
      replicas: facts.replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [{ name: 'app', image: `${name}:v1`, ports: [{ containerPort: 8080 }] }],
        },
      },
      strategy: { canary: { steps: facts.steps } },
    },
  } as never
}

const isHealthy = (rollout: StoredRollout) => rollout.status?.phase === 'Healthy'

/** Writes of one update, counted at the client of the controller. */
async function writes(): Promise<readonly Figure[]> {
  await using world = await virtualCluster()
  const steps = [{ setWeight: 20 }, { pause: { duration: '60s' } }, { setWeight: 60 }]
  await world.apply(canary('app', { replicas: 5, steps }))
  await world.until('app', isHealthy)
  await world.pass(10_000)
  world.requests.reset()
  await world.setImage('app', 'app:v2')
  await world.pass(2_000)
  await world.until('app', isHealthy)
  await world.pass(10_000)
  const { byKind } = world.requests.counts()
  const of = (plural: string) =>
    [...byKind].reduce((sum, [call, count]) => {
      const [verb = '', target = ''] = call.split(' ')
      const isWrite = verb !== 'get' && verb !== 'list' && verb !== 'watch'
      return isWrite && target.split('/')[0] === plural ? sum + count : sum
    }, 0)
  return [
    {
      name: 'writes-per-canary-update',
      value: of('rollouts') + of('replicasets'),
      unit: 'writes',
      target: 18,
      better: 'lower',
      method:
        '5 replicas, setWeight 20, pause 60 s, setWeight 60; writes to Rollout and ReplicaSets, virtual time, embedded cluster (upstream: 27)',
    },
    {
      name: 'events-per-canary-update',
      value: of('events'),
      unit: 'writes',
      target: 19,
      better: 'lower',
      method: 'the same update; writes of Events (upstream: 17 to 19)',
    },
  ]
}

/** What a controller sends that starts beside 500 healthy Rollouts. */
async function idle(): Promise<readonly Figure[]> {
  await using world = await virtualCluster()
  for (let n = 0; n < 500; n++)
    await world.apply(canary(`app-${n}`, { replicas: 1, steps: [{ setWeight: 50 }] }))
  await world.pass(60_000)
  await world.until('app-499', isHealthy)
  world.requests.reset()
  await world.restartController()
  await world.pass(600_000)
  return [
    {
      name: 'idle-writes-with-500-rollouts',
      value: world.requests.counts().writes,
      unit: 'writes',
      target: 0,
      better: 'lower',
      method:
        '500 healthy Rollouts, the controller starts and ten minutes pass in virtual time (upstream: 500 Events at each start)',
    },
  ]
}

/** An hour of the 10-replica canary of the production article. */
async function virtualHour(): Promise<readonly Figure[]> {
  await using world = await virtualCluster()
  await world.apply(...readManifests('examples/articles/production/surroundings.yaml'))
  await world.apply(...readManifests('examples/articles/production/complete.yaml'))
  await world.until('my-app', isHealthy)
  await world.setImage('my-app', 'my-app:v9')
  const began = performance.now()
  await world.pass(3_600_000)
  return [
    {
      name: 'virtual-hour-of-a-10-replica-canary',
      value: performance.now() - began,
      unit: 'ms',
      target: 1000,
      better: 'lower',
      method:
        'wall time of one hour of cluster time with traffic, metrics, analysis every 5 minutes and the controller',
    },
  ]
}

/** Edit to new ReplicaSet and abort to stable weight, in process and real time between requests. */
async function latency(): Promise<readonly Figure[]> {
  await using world = await virtualCluster()
  await world.apply(canary('app', { replicas: 2, steps: [{ setWeight: 50 }, { pause: {} }] }))
  await world.until('app', isHealthy)
  const edits: number[] = []
  for (let n = 0; n < 30; n++) {
    const began = performance.now()
    await world.setImage('app', `app:n${n}`)
    await world.clock.settle()
    edits.push(performance.now() - began)
    await world.pass(5_000)
  }
  edits.sort((a, b) => a - b)
  return [
    {
      name: 'edit-to-new-replica-set-median',
      value: edits[Math.floor(edits.length / 2)] ?? Number.NaN,
      unit: 'ms',
      target: 20,
      better: 'lower',
      method:
        '30 image changes on the embedded cluster in this process: from sending the edit until the controller has done all it does about it (upstream, on a real API server: 18.5)',
    },
  ]
}
