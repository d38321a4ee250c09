import { quantityToNumber } from '@serinus/kinds'
import type { Container, Pod } from './pod.ts'
import { durationMs, durationWish, imageTag, share, wishOf } from './wishes.ts'

/** How a pod answers requests. */
export interface PodBehaviour {
  /** Share of requests that fail at that instant (epoch milliseconds), 0 to 1. */
  errorRate(at: number): number
  /** HTTP status of a request that does not fail. */
  readonly status: number
  /** HTTP status of a failed request. */
  readonly errorStatus: number
  /** Milliseconds; the distribution between them is log-normal. */
  readonly latencyMs: { readonly p50: number; readonly p95: number }
  /** Pod template hash of the workload; without one the image tag. */
  readonly version: string
  readonly image: string
  /** Of the rollouts-demo images (`blue`, also as `bad-blue`); absent for all others. */
  readonly colour?: string
  readonly cpuSecondsPerRequest: number
  readonly memoryBytes: number
}

const colours: ReadonlySet<string> = new Set(['red', 'orange', 'yellow', 'green', 'blue', 'purple'])
const usualLatencyMs = { p50: 8, p95: 25 }
const badImageErrorRate = 0.15
const slowImageLatencyMs = 2_000

/** Pure: what the annotations, environment and image of the serving container ask for (spec embedded-cluster 4). */
export function behaviourOf(pod: Pod): PodBehaviour {
  const container = servingContainer(pod)
  const image = container.image ?? ''
  const tag = imageTag(image)
  const colour = tag.replace(/^(bad|slow)-/, '')
  const labels = pod.metadata.labels ?? {}
  return {
    errorRate: errorRateOf(pod, container, tag),
    status: Number(wishOf(pod, container, 'answer-status') ?? 200) || 200,
    errorStatus: Number(wishOf(pod, container, 'error-status') ?? 500) || 500,
    latencyMs: latencyOf(pod, container, tag),
    version: labels['rollouts-pod-template-hash'] ?? labels['pod-template-hash'] ?? tag,
    image,
    ...(colours.has(colour) && { colour }),
    cpuSecondsPerRequest: quantityWish(pod, container, 'cpu-per-request') ?? 0.001,
    memoryBytes: quantityWish(pod, container, 'memory') ?? 32 * 1024 * 1024,
  }
}

/** The container that requests reach: the first with a port, else the first. */
export function servingContainer(pod: Pod): Container {
  const { containers } = pod.spec
  const found = containers.find((container) => container.ports?.length) ?? containers[0]
  if (!found) throw new TypeError(`pod ${pod.metadata.name} has no container`)
  return found
}

export function memoryWish(pod: Pod, container: Container): number | undefined {
  return quantityWish(pod, container, 'memory')
}

function errorRateOf(pod: Pod, container: Container, tag: string): (at: number) => number {
  const wished = share(wishOf(pod, container, 'error-rate') ?? '')
  const base = wished ?? (tag.startsWith('bad-') ? badImageErrorRate : 0)
  const turns = turnsOf(wishOf(pod, container, 'error-rate-after'))
  if (turns.length === 0) return () => base
  const startedAt = Date.parse(pod.status?.startTime ?? pod.metadata.creationTimestamp ?? '') || 0
  return (at) => turns.findLast((turn) => at >= startedAt + turn.afterMs)?.rate ?? base
}

/** `5m=0.3` or several, `5m=0.3,10m=0`; entries that cannot be read count as absent. */
function turnsOf(text: string | undefined): readonly { afterMs: number; rate: number }[] {
  const turns = (text ?? '').split(',').flatMap((entry) => {
    const [after = '', rate = ''] = entry.split('=')
    const afterMs = durationMs(after)
    const parsed = share(rate)
    return afterMs === undefined || parsed === undefined ? [] : [{ afterMs, rate: parsed }]
  })
  return turns.sort((a, b) => a.afterMs - b.afterMs)
}

function latencyOf(pod: Pod, container: Container, tag: string): { p50: number; p95: number } {
  const slow = tag.startsWith('slow-') ? slowImageLatencyMs : undefined
  const typical = durationWish(pod, container, 'latency') ?? slow
  const high = durationWish(pod, container, 'latency-p95')
  const p50 = typical ?? Math.min(usualLatencyMs.p50, high ?? Number.POSITIVE_INFINITY)
  const usual = typical === undefined ? usualLatencyMs.p95 : typical * 1.5
  return { p50, p95: Math.max(p50, high ?? usual) }
}

function quantityWish(
  pod: Pod,
  container: Container,
  wish: 'cpu-per-request' | 'memory',
): number | undefined {
  return quantityToNumber(wishOf(pod, container, wish)?.trim() ?? '')
}
