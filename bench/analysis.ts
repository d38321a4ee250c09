import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AnalysisRun, kinds } from '@serinus/api'
import type { KubeObject } from '@serinus/kube'
import { type BenchCluster, benchCluster } from './bench-cluster.ts'
import { type ControllerProcess, startControllerProcess } from './controller-process.ts'
import { type Figure, quantile } from './figure.ts'
import type { ProcessOptions } from './process.ts'

const running = 1000
const unanswered = 100
const finished = 6600
const intervalMs = 10_000
const watchedMs = 60_000
/** What creation left to be collected is collected by then. */
const settleMs = 60_000

/** Many AnalysisRuns at a time: whether measurements keep their times, whoever else is slow, and what finished runs cost. */
export async function analysis(options: ProcessOptions): Promise<readonly Figure[]> {
  await using cluster = await benchCluster(options.kubeconfig)
  await using source = await startSource()
  const figures: Figure[] = []
  {
    await using controller = await startControllerProcess(cluster.kubeconfig)
    await controller.works
    await createRuns(cluster, running, (n) => measuring(`run-${n}`, source.url))
    figures.push(...(await punctuality(cluster, { source, controller, name: 'measurement-late' })))
    await createRuns(cluster, unanswered, (n) => measuring(`hung-${n}`, source.silentUrl))
    const more = `, while ${unanswered} more runs ask a Prometheus that never answers`
    const name = 'measurement-late-beside-a-hung-prometheus'
    figures.push(...(await punctuality(cluster, { source, controller, name, more })))
    await Promise.all([...names('run', running), ...names('hung', unanswered)].map(remove(cluster)))
    await createRuns(cluster, finished, (n) => ended(`old-${n}`, cluster))
    await pause(settleMs)
    figures.push(await idleCpu(cluster, controller))
    await Promise.all(names('old', finished).map(remove(cluster)))
  }
  return figures
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const names = (prefix: string, size: number) =>
  Array.from({ length: size }, (_, n) => `${prefix}-${n}`)

function remove({ client, namespace }: BenchCluster) {
  return (name: string) => client.delete(kinds.analysisRuns, { namespace, name })
}

/** What metrics ask: it notes when, by path, and answers at once, or never. */
interface Source extends AsyncDisposable {
  readonly url: string
  readonly silentUrl: string
  /** Instants of `performance.now` at which each path was asked. */
  readonly asked: Map<string, number[]>
}

async function startSource(): Promise<Source> {
  const asked = new Map<string, number[]>()
  const answering = createServer((request, response) => {
    const path = request.url ?? ''
    asked.set(path, [...(asked.get(path) ?? []), performance.now()])
    response.end('1')
  })
  const silent = createServer(() => {})
  const urls = await Promise.all(
    [answering, silent].map(
      (server) =>
        new Promise<string>((resolve) =>
          server.listen(0, '127.0.0.1', () =>
            resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
          ),
        ),
    ),
  )
  return {
    url: urls[0] ?? '',
    silentUrl: urls[1] ?? '',
    asked,
    async [Symbol.asyncDispose]() {
      for (const server of [answering, silent]) {
        server.closeAllConnections()
        server.close()
      }
    },
  }
}

function measuring(name: string, url: string): Pick<AnalysisRun, 'spec' | 'status'> & KubeObject {
  const metrics = ['a', 'b'].map((metric) => ({
    name: metric,
    interval: `${intervalMs / 1000}s`,
    consecutiveErrorLimit: 1000,
    provider: name.startsWith('hung')
      ? { prometheus: { address: url, query: 'up' } }
      : { web: { url: `${url}/${name}/${metric}` } },
  }))
  return runOf(name, { spec: { metrics } })
}

function ended(name: string, { clock }: BenchCluster) {
  const at = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`
  const measurement = { phase: 'Successful', value: '1', startedAt: at, finishedAt: at }
  const measurements = Array.from({ length: 10 }, () => measurement)
  return runOf(name, {
    spec: { metrics: [{ name: 'a', provider: { web: { url: 'http://x' } } }] },
    status: {
      phase: 'Successful',
      startedAt: at,
      completedAt: at,
      metricResults: [{ name: 'a', phase: 'Successful', count: 10, successful: 10, measurements }],
    },
  } as Pick<AnalysisRun, 'spec' | 'status'>)
}

function runOf(
  name: string,
  content: Pick<AnalysisRun, 'spec' | 'status'>,
): Pick<AnalysisRun, 'spec' | 'status'> & KubeObject {
  return { apiVersion: 'argoproj.io/v1alpha1', kind: 'AnalysisRun', metadata: { name }, ...content }
}

async function createRuns(
  { client, namespace }: BenchCluster,
  size: number,
  make: (n: number) => KubeObject,
): Promise<void> {
  for (let n = 0; n < size; n++) {
    const one = make(n)
    await client.create(kinds.analysisRuns, { ...one, metadata: { ...one.metadata, namespace } })
  }
}

async function punctuality(
  { where }: BenchCluster,
  facts: {
    readonly source: Source
    readonly controller: ControllerProcess
    readonly name: string
    readonly more?: string
  },
): Promise<readonly Figure[]> {
  const { source, controller, name, more = '' } = facts
  await pause(intervalMs)
  source.asked.clear()
  const cpuBefore = controller.cpuMs()
  await pause(watchedMs)
  const cpu = (controller.cpuMs() - cpuBefore) / watchedMs
  const late = [...source.asked.values()].flatMap((instants) =>
    instants.slice(1).map((at, index) => at - (instants[index] ?? at) - intervalMs),
  )
  const method = `longest delay beyond the interval of ${intervalMs / 1000} s between two questions of one metric, as the source saw them; ${running} runs of 2 metrics${more}, ${late.length} measurements in ${watchedMs / 1000} s, median ${quantile(late, 0.5).toFixed(0)} ms, no client limits; ${where}`
  return [
    { name, value: quantile(late, 1), unit: 'ms', target: 1000, better: 'lower', method },
    {
      name: `${name}-cpu`,
      value: cpu,
      unit: 'cores',
      target: 1,
      better: 'lower',
      method: `processor time of the controller meanwhile; ${where}`,
    },
  ]
}

async function idleCpu({ where }: BenchCluster, controller: ControllerProcess): Promise<Figure> {
  const cpuBefore = controller.cpuMs()
  await pause(watchedMs)
  return {
    name: 'cpu-with-6600-finished-runs',
    value: (controller.cpuMs() - cpuBefore) / watchedMs,
    unit: 'cores',
    target: 0.02,
    better: 'lower',
    method: `processor time in ${watchedMs / 1000} s during which nothing happens beside ${finished} finished runs, from a minute after the last one was created; ${where}`,
  }
}
