import { type Experiment, finalPhases, parseDuration } from '@serinus/api'
import { humanDuration } from './human-duration.ts'
import { alignColumns } from './table.ts'

/** `list experiments` (spec cli 6.2). @param options.now epoch milliseconds */
export function experimentList(
  experiments: readonly Experiment[],
  options: { readonly allNamespaces: boolean; readonly now: number },
): string {
  const { allNamespaces, now } = options
  const rows = [['NAMESPACE', 'NAME', 'STATUS', 'DURATION', 'REMAINING', 'AGE']]
  for (const experiment of experiments) {
    const { metadata, spec, status } = experiment
    const durationMs = parseDuration(spec.duration ?? '')
    rows.push([
      metadata.namespace ?? '',
      metadata.name,
      status?.phase ?? '',
      durationMs === undefined ? '-' : humanDuration(durationMs),
      remaining(experiment, { durationMs, now }),
      humanDuration(now - Date.parse(metadata.creationTimestamp ?? '')),
    ])
  }
  const shown = allNamespaces ? rows : rows.map((row) => row.slice(1))
  return `${alignColumns(shown).join('\n')}\n`
}

function remaining(
  { status = {} }: Experiment,
  facts: { readonly durationMs: number | undefined; readonly now: number },
): string {
  const { durationMs, now } = facts
  if (finalPhases.has(status.phase ?? '') || !status.availableAt || durationMs === undefined) {
    return '-'
  }
  const leftMs = Date.parse(status.availableAt) + durationMs - now
  return leftMs > 0 ? humanDuration(leftMs) : '-'
}
