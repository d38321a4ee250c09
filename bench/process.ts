import { type KubeObject, resources } from '@serinus/kube'
import { type BenchCluster, benchCluster } from './bench-cluster.ts'
import { type ControllerProcess, startControllerProcess } from './controller-process.ts'
import { type Figure, quantile } from './figure.ts'
import { type Fleet, startFleet } from './fleet.ts'

const size = 1000

/** How long a figure at rest is watched. */
const restMs = 20_000

export interface ProcessOptions {
  /** Absent: the embedded cluster. */
  readonly kubeconfig?: string
}

/** The controller in a process of its own beside a thousand Rollouts: what it costs, and how soon it is back. */
export async function controllerProcess(options: ProcessOptions): Promise<readonly Figure[]> {
  await using cluster = await benchCluster(options.kubeconfig)
  using fleet = startFleet({ ...cluster, size })
  const figures: Figure[] = []
  {
    await using controller = await startControllerProcess(cluster.kubeconfig)
    await controller.works
    const healthy = fleet.healthy('v1')
    await fleet.create()
    await healthy
    await rest()
    figures.push(await idleCpu(controller, cluster))
    // Before the scrapes: 25 in a row are nobody's monitoring, and their texts stay resident for a while.
    figures.push(memory(controller, cluster, { replicaSets: 1, target: 200, upstream: '214' }))
    figures.push(await scrape(controller, cluster))
    figures.push(...(await update(controller, cluster, fleet)))
    const third = fleet.healthy('v3')
    await fleet.change('v3')
    await third
    await rest()
    figures.push(memory(controller, cluster, { replicaSets: 3, target: 300, upstream: '-' }))
  }
  figures.push(await start(cluster, fleet))
  figures.push(await failover(cluster, fleet))
  // Beside the embedded cluster `thousand` measures it, in virtual time.
  if (options.kubeconfig !== undefined) figures.push(...(await withinLimits(cluster, fleet)))
  return figures
}

const rest = () => new Promise((resolve) => setTimeout(resolve, restMs))

async function idleCpu(controller: ControllerProcess, { where }: BenchCluster): Promise<Figure> {
  const before = controller.cpuMs()
  await rest()
  return {
    name: 'idle-cpu-with-1000-rollouts',
    value: (controller.cpuMs() - before) / (restMs / 1000),
    unit: 'ms per s',
    target: 5,
    better: 'lower',
    method: `processor time while nothing happens for ${restMs / 1000} s, ${size} healthy Rollouts; ${where}`,
  }
}

async function scrape(controller: ControllerProcess, { where }: BenchCluster): Promise<Figure> {
  const samples: number[] = []
  for (let n = 0; n < 25; n++) {
    const askedAt = performance.now()
    await (await fetch(controller.metricsUrl)).text()
    samples.push(performance.now() - askedAt)
  }
  return {
    name: 'metrics-with-1000-rollouts',
    value: quantile(samples.slice(5), 0.5),
    unit: 'ms',
    target: 60,
    better: 'lower',
    method: `GET /metrics to the end of the answer, median of 20 (upstream: 68); ${where}`,
  }
}

function memory(
  controller: ControllerProcess,
  { where }: BenchCluster,
  facts: { readonly replicaSets: number; readonly target: number; readonly upstream: string },
): Figure {
  return {
    name: `rss-with-1000-rollouts-of-${facts.replicaSets}`,
    value: controller.rssMiB(),
    unit: 'MiB',
    target: facts.target,
    better: 'lower',
    method: `resident memory ${restMs / 1000} s after the last of ${size} Rollouts got its ReplicaSet number ${facts.replicaSets} (upstream: ${facts.upstream}); ${where}`,
  }
}

/** All changed at once, without client limits. */
async function update(
  controller: ControllerProcess,
  { clock, where }: BenchCluster,
  fleet: Fleet,
): Promise<readonly Figure[]> {
  const cpuBefore = controller.cpuMs()
  const changedAt = clock.now()
  const healthy = fleet.healthy('v2')
  await fleet.change('v2')
  const instants = (await healthy).map((at) => (at - changedAt) / 1000)
  await rest()
  const lastS = instants.at(-1) ?? Number.NaN
  const method = `${size} Rollouts of one replica and one step changed at once, no client limits; ${where}`
  return [
    {
      name: 'controller-cpu-per-rollout-of-1000',
      value: (controller.cpuMs() - cpuBefore) / size,
      unit: 'ms',
      target: 20,
      better: 'lower',
      method: `processor time until ${restMs / 1000} s after the last is Healthy (upstream: 24); ${method}`,
    },
    {
      name: 'rollouts-per-second-of-1000',
      value: size / lastS,
      unit: '/s',
      target: 14,
      better: 'higher',
      method: `until the last is Healthy (upstream: 14.1); ${method}`,
    },
    {
      name: 'first-healthy-unthrottled',
      value: instants[0] ?? Number.NaN,
      unit: 's',
      target: 3,
      better: 'lower',
      method,
    },
    {
      name: 'median-healthy-unthrottled',
      value: (instants[size / 2] ?? Number.NaN) / lastS,
      unit: 'of the total time',
      target: 0.5,
      better: 'lower',
      method: `against the ${lastS.toFixed(0)} s until the last is Healthy; ${method}`,
    },
  ]
}

/** All changed at once, by a controller that keeps to the limits that it has where nobody sets any. */
async function withinLimits(cluster: BenchCluster, fleet: Fleet): Promise<readonly Figure[]> {
  const { clock, where, kubeconfig } = cluster
  await using controller = await startControllerProcess(kubeconfig, { limits: 'default' })
  await controller.works
  await rest()
  const changedAt = clock.now()
  const healthy = fleet.healthy('v6')
  await fleet.change('v6')
  const instants = (await healthy).map((at) => (at - changedAt) / 1000)
  const lastS = instants.at(-1) ?? Number.NaN
  const method = `${size} Rollouts of one replica and one step changed at once, 40 requests a second and 80 at once; ${where}`
  return [
    {
      name: 'first-healthy-within-limits',
      value: instants[0] ?? Number.NaN,
      unit: 's',
      target: 3,
      better: 'lower',
      method: `(upstream: 59) ${method}`,
    },
    {
      name: 'median-healthy-within-limits',
      value: (instants[size / 2] ?? Number.NaN) / lastS,
      unit: 'of the total time',
      target: 0.5,
      better: 'lower',
      method: `against the ${lastS.toFixed(0)} s until the last is Healthy (upstream: 129 of 145 s); ${method}`,
    },
  ]
}

/** Nobody worked while one Rollout was changed; then the controller starts. */
async function start(cluster: BenchCluster, fleet: Fleet): Promise<Figure> {
  const name = fleet.names[size / 2] ?? ''
  await fleet.changeOne(name, 'v4')
  const seen = newReplicaSet(cluster, `${name}:v4`)
  const startedAt = performance.now()
  await using _controller = await startControllerProcess(cluster.kubeconfig)
  const value = ((await seen) - startedAt) / 1000
  await rest()
  return {
    name: 'start-to-edit-handled',
    value,
    unit: 's',
    target: 3,
    better: 'lower',
    method: `from starting the process beside ${size} healthy Rollouts, the lease released by its predecessor, until a watch shows the ReplicaSet of a change made before (upstream: 16); ${cluster.where}`,
  }
}

interface Lease extends KubeObject {
  readonly spec?: { readonly renewTime?: string; readonly leaseDurationSeconds?: number }
}

/** The leader is killed, one Rollout is changed, and a warm standby takes over. */
async function failover(cluster: BenchCluster, fleet: Fleet): Promise<Figure> {
  const name = fleet.names[size / 2] ?? ''
  await using leader = await startControllerProcess(cluster.kubeconfig)
  await leader.works
  await using standby = await startControllerProcess(cluster.kubeconfig)
  await standby.ready()
  const key = { namespace: 'argo-rollouts', name: 'argo-rollouts-controller-lock' }
  leader.kill()
  const seen = newReplicaSet(cluster, `${name}:v5`)
  await fleet.changeOne(name, 'v5')
  const { spec } = await cluster.client.get<Lease>(resources.leases, key)
  const freeAt = Date.parse(spec?.renewTime ?? '') + (spec?.leaseDurationSeconds ?? 0) * 1000
  const freeIn = freeAt - cluster.clock.now()
  const askedAt = performance.now()
  return {
    name: 'leader-killed-to-standby-acts',
    value: ((await seen) - askedAt - freeIn) / 1000,
    unit: 's',
    target: 5,
    better: 'lower',
    method: `from the instant at which the killed leader's lease runs out until a watch shows the ReplicaSet of a change made after its death, ${size} Rollouts; ${cluster.where}`,
  }
}

interface OneImage extends KubeObject {
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly { image: string }[] } }
  }
}

/** When a watch shows a ReplicaSet with that image (`performance.now`). */
async function newReplicaSet({ client, namespace }: BenchCluster, image: string): Promise<number> {
  const { resourceVersion } = await client.list(resources.replicaSets, { namespace })
  for await (const event of client.watch<OneImage>(resources.replicaSets, {
    namespace,
    resourceVersion,
  })) {
    if (event.type === 'ADDED' && event.object.spec.template.spec.containers[0]?.image === image)
      return performance.now()
  }
  throw new Error(`the watch ended before the ReplicaSet of ${image} was there`)
}
