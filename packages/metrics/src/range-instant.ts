import { compile, evaluate, Time } from '@serinus/expr'

/**
 * `rangeQuery.start` and `.end`: an expression that yields a time, such as `now() - duration("5m")`
 * (spec metric-providers 2.2). @returns epoch milliseconds
 */
export function rangeInstant(name: 'start' | 'end', source: string, now: number): number {
  const fail = (cause: string) => new Error(`failed to parse rangeQuery.${name} as time: ${cause}`)
  const compiled = compile(source, { now })
  if (!compiled.ok) throw fail(compiled.problem.message)
  const result = evaluate(compiled.program, {}, { now })
  if (!result.ok) throw fail(result.problem.message)
  if (result.value instanceof Time) return result.value.epochMs
  throw fail(`expected time.Time, but got ${typeName(result.value)}`)
}

function typeName(value: unknown): string {
  if (value === null) return '<nil>'
  if (typeof value === 'number') return 'float64'
  if (typeof value === 'bigint') return 'int'
  return typeof value === 'boolean' ? 'bool' : typeof value
}
