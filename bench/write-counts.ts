import type { RequestCounts } from '@serinus/kube'

/** Writes to objects of these kinds (plural names), those to their subresources included. */
export function writesTo({ byKind }: RequestCounts, ...plurals: readonly string[]): number {
  let sum = 0
  for (const [call, count] of byKind) {
    const [verb = '', target = ''] = call.split(' ')
    const isWrite = verb !== 'get' && verb !== 'list' && verb !== 'watch'
    if (isWrite && plurals.includes(target.split('/')[0] ?? '')) sum += count
  }
  return sum
}
