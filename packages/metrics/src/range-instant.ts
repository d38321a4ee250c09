import { evaluateTime } from '@serinus/expr'

/**
 * `rangeQuery.start` and `.end`: an expression that yields a time, such as `now() - duration("5m")`
 * (spec metric-providers 2.2). @returns epoch milliseconds
 */
export function rangeInstant(name: 'start' | 'end', source: string, now: () => number): number {
  const result = evaluateTime(source, { now })
  if (!result.ok)
    throw new Error(`failed to parse rangeQuery.${name} as time: ${result.problem.message}`)
  return result.value.epochMs
}
