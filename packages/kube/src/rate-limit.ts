import type { KubeClient } from './client.ts'
import type { Clock } from './clock.ts'
import { resources } from './resources.ts'
import { TokenBucket } from './token-bucket.ts'
import { type ClientRequest, wrapClient } from './wrap-client.ts'

/** Token buckets, as `--qps` and `--burst` set them. */
export interface RateLimitOptions {
  readonly clock: Clock
  /** Requests per second in the long run; 0 or less: no limit. Upstream's default is 40 (spec operations 1.1). */
  readonly qps: number
  /** Requests that may go at once after a rest. Upstream's default is 80. */
  readonly burst: number
  /** Told of each request's wait for its token, milliseconds; 0 where there was none. The bucket: `core`, or an API group. */
  readonly onWait?: (bucket: string, waitedMs: number) => void
}

/**
 * A client whose requests wait for a token, as client-go's do. Kubernetes' own kinds share one bucket and each other
 * API group has one, as upstream's client sets (spec operations 5.1). First come, first served, but Events wait for
 * everybody else. The start of a watch takes one token, a list takes one however many pages it has. An abort while
 * waiting rejects with the signal's reason.
 */
export function limitRate(client: KubeClient, options: RateLimitOptions): KubeClient {
  const { clock, qps, burst, onWait } = options
  if (!(qps > 0)) return client
  const buckets = new Map<string, TokenBucket>()
  const bucketOf = (name: string): TokenBucket => {
    const known = buckets.get(name)
    if (known) return known
    const bucket = new TokenBucket({ clock, perSecond: qps, burst })
    buckets.set(name, bucket)
    return bucket
  }
  return wrapClient(client, (request, signal) => {
    const isEvent = request.resource?.plural === resources.events.plural
    const name = bucketName(request)
    const since = clock.now()
    const waiting = bucketOf(name).take(isEvent ? 1 : 0, signal)
    if (!waiting) {
      onWait?.(name, 0)
      return undefined
    }
    return waiting.then(() => onWait?.(name, clock.now() - since))
  })
}

function bucketName({ resource }: ClientRequest): string {
  const group = resource?.group ?? ''
  const isBuiltIn = !group.includes('.') || group.endsWith('.k8s.io')
  return isBuiltIn ? 'core' : group
}
