import type { RolloutInfo } from './rollout-info.ts'
import { alignColumns } from './table.ts'

const columns = [
  ['NAME', 10],
  ['STRATEGY', 9],
  ['STATUS', 12],
  ['STEP', 4],
  ['SET-WEIGHT', 10],
  ['READY', 5],
  ['DESIRED', 7],
  ['UP-TO-DATE', 10],
  ['AVAILABLE', 9],
] as const

/** `list rollouts` (spec cli 6.1): cells are padded before they are aligned, as upstream prints them. */
export function listText(
  infos: readonly RolloutInfo[],
  options: {
    readonly allNamespaces: boolean
    readonly timestamp?: string
    readonly header: boolean
  },
): string {
  const pad = (cells: readonly string[]) =>
    cells.map((cell, index) => cell.padEnd(columns[index]?.[1] ?? 0))
  const before = (timestamp: string, namespace: string) => [
    ...(options.timestamp === undefined ? [] : [timestamp.padEnd(20)]),
    ...(options.allNamespaces ? [namespace.padEnd(9)] : []),
  ]
  const rows = options.header
    ? [[...before('TIMESTAMP', 'NAMESPACE'), ...pad(columns.map(([title]) => title))]]
    : []
  for (const info of infos) {
    rows.push([
      ...before(options.timestamp ?? '', info.namespace),
      ...pad([
        info.name,
        info.strategy || 'unknown',
        info.status,
        info.step || '-',
        info.setWeight || '-',
        `${info.ready}/${info.current}`,
        String(info.desired),
        String(info.updated),
        String(info.available),
      ]),
    ])
  }
  return `${alignColumns(rows).join('\n')}\n`
}
