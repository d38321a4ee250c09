import type { KubeClient } from './client.ts'
import { wrapClient } from './wrap-client.ts'

/** Calls since the start or the last reset; a list counts once however many pages it has. */
export interface RequestCounts {
  /** get, list, watch and raw. */
  readonly reads: number
  /** create, update, patch and delete. */
  readonly writes: number
  /** By `verb plural` or `verb plural/subresource`, as `patch rollouts/status`; `raw` alone. */
  readonly byKind: ReadonlyMap<string, number>
}

/** A client that counts its calls, for benchmarks and for tests that say how many writes something costs. */
export function countRequests(client: KubeClient): {
  readonly client: KubeClient
  /** The present counts; later calls do not change them. */
  counts(): RequestCounts
  reset(): void
} {
  let reads = 0
  let writes = 0
  let byKind = new Map<string, number>()
  return {
    client: wrapClient(client, ({ verb, resource, subresource }) => {
      if (verb === 'get' || verb === 'list' || verb === 'watch' || verb === 'raw') reads++
      else writes++
      const target = subresource ? `${resource?.plural}/${subresource}` : resource?.plural
      const kind = target ? `${verb} ${target}` : verb
      byKind.set(kind, (byKind.get(kind) ?? 0) + 1)
      return undefined
    }),
    counts: () => ({ reads, writes, byKind: new Map(byKind) }),
    reset() {
      reads = 0
      writes = 0
      byKind = new Map()
    },
  }
}
