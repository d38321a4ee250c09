import { humanDuration } from './human-duration.ts'
import type { ExperimentInfo } from './rollout-info.ts'
import { alignColumns, type Paint } from './table.ts'
import { experimentRows, icon, imageLines } from './tree-rows.ts'

/** The page of `get experiment` (spec cli 5). */
export function experimentText(
  info: ExperimentInfo,
  options: { readonly now: number; readonly paint: Paint },
): string {
  const { now, paint } = options
  const line = (label: string, value: string) => `${label.padEnd(17)}${value}`
  const rows = experimentRows(
    info,
    { self: '', below: '' },
    { paint, age: (createdAt) => humanDuration(now - createdAt) },
  )
  return [
    line('Name:', info.name),
    line('Namespace:', info.namespace),
    line('Status:', `${icon(paint, info.icon)} ${info.status}`),
    ...(info.message ? [line('Message:', info.message)] : []),
    ...imageLines(info.replicaSets, paint).map((image, index) =>
      line(index === 0 ? 'Images:' : '', image),
    ),
    '',
    ...alignColumns([['NAME', 'KIND', 'STATUS', 'AGE', 'INFO'], ...rows]),
    '',
  ].join('\n')
}
