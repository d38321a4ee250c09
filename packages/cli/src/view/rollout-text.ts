import { humanDuration } from './human-duration.ts'
import type { RolloutInfo } from './rollout-info.ts'
import { alignColumns, type Paint } from './table.ts'
import { branches, experimentRows, icon, imageLines, runRows, setRows } from './tree-rows.ts'

/** The page of `get rollout`: header block, blank line, tree (spec cli 4). */
export function rolloutText(
  info: RolloutInfo,
  options: { readonly now: number; readonly paint: Paint },
): string {
  return `${[...header(info, options.paint), '', ...tree(info, options)].join('\n')}\n`
}

function header(info: RolloutInfo, paint: Paint): string[] {
  const line = (label: string, value: string | number) => `${label.padEnd(17)}${value}`
  const lines = [
    line('Name:', info.name),
    line('Namespace:', info.namespace),
    line('Status:', `${icon(paint, info.icon)} ${info.status}`),
  ]
  if (info.message) lines.push(line('Message:', info.message))
  lines.push(line('Strategy:', info.strategy))
  if (info.strategy === 'Canary') {
    lines.push(
      line('  Step:', info.step),
      line('  SetWeight:', info.setWeight),
      line('  ActualWeight:', info.actualWeight),
    )
  }
  const images = imageLines(
    [info, ...info.experiments].flatMap(({ replicaSets }) => replicaSets),
    paint,
  )
  for (const [index, image] of images.entries())
    lines.push(line(index === 0 ? 'Images:' : '', image))
  lines.push(
    'Replicas:',
    line('  Desired:', info.desired),
    line('  Current:', info.current),
    line('  Updated:', info.updated),
    line('  Ready:', info.ready),
    line('  Available:', info.available),
  )
  for (const [index, warning] of info.warnings.entries())
    lines.push(line(index === 0 ? 'Warnings:' : '', warning))
  return lines
}

function tree(
  info: RolloutInfo,
  options: { readonly now: number; readonly paint: Paint },
): string[] {
  const { paint } = options
  const age = (createdAt: number) => humanDuration(options.now - createdAt)
  const rows: string[][] = [
    ['NAME', 'KIND', 'STATUS', 'AGE', 'INFO'],
    [
      `⟳ ${info.name}`,
      'Rollout',
      `${icon(paint, info.icon)} ${info.status}`,
      age(info.createdAt),
      '',
    ],
  ]
  const parts = [...info.replicaSets, ...info.experiments, ...info.analysisRuns]
  const revisions = [...new Set(parts.map((part) => part.revision))].sort((a, b) => b - a)
  for (const [index, revision] of revisions.entries()) {
    const branch = branches('', index === revisions.length - 1)
    rows.push([`${branch.self}# revision:${revision}`, '', ' ', '', ''])
    const isOfRevision = (part: { readonly revision: number }) => part.revision === revision
    const sets = info.replicaSets.filter(isOfRevision)
    const experiments = info.experiments.filter(isOfRevision)
    const runs = info.analysisRuns.filter(isOfRevision)
    let left = sets.length + experiments.length + runs.length
    const next = () => branches(branch.below, --left === 0)
    for (const set of sets) rows.push(...setRows(set, next(), { paint, age }))
    for (const one of experiments) rows.push(...experimentRows(one, next(), { paint, age }))
    for (const run of runs) rows.push(...runRows(run, next(), { paint, age }))
  }
  return alignColumns(rows)
}
