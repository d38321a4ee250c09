import { humanDuration } from './human-duration.ts'
import type { AnalysisRunInfo, ReplicaSetInfo, RolloutInfo } from './rollout-info.ts'
import { alignColumns, type Paint } from './table.ts'

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
  for (const [index, image] of images(info, paint).entries())
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

const tagOrder = ['canary', 'stable', 'active', 'preview', 'ping', 'pong']

function images(info: RolloutInfo, paint: Paint): string[] {
  const tags = new Map<string, Set<string>>()
  const sources = new Map<string, number>()
  for (const set of info.replicaSets) {
    if (set.replicas === 0) continue
    for (const image of new Set(set.images)) {
      const known = tags.get(image) ?? new Set<string>()
      for (const tag of set.tags) known.add(tag)
      tags.set(image, known)
      sources.set(image, (sources.get(image) ?? 0) + 1)
    }
  }
  return [...tags]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([image, of]) => {
      const merged = (sources.get(image) ?? 0) > 1
      const sorted = merged
        ? [...of].sort()
        : [...of].sort((a, b) => tagOrder.indexOf(a) - tagOrder.indexOf(b))
      return sorted.length === 0
        ? image
        : `${image} (${sorted.map((tag) => paint(tag, tagColour(tag))).join(', ')})`
    })
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
  const revisions = [
    ...new Set([...info.replicaSets, ...info.analysisRuns].map((part) => part.revision)),
  ].sort((a, b) => b - a)
  for (const [index, revision] of revisions.entries()) {
    const branch = branches('', index === revisions.length - 1)
    rows.push([`${branch.self}# revision:${revision}`, '', ' ', '', ''])
    const sets = info.replicaSets.filter((set) => set.revision === revision)
    const runs = info.analysisRuns.filter((run) => run.revision === revision)
    const count = sets.length + runs.length
    for (const [at, set] of sets.entries())
      rows.push(...setRows(set, branches(branch.below, at === count - 1), { paint, age }))
    for (const [at, run] of runs.entries()) {
      rows.push(
        ...runRows(run, branches(branch.below, sets.length + at === count - 1), { paint, age }),
      )
    }
  }
  return alignColumns(rows)
}

interface Branch {
  readonly self: string
  readonly below: string
}

interface Style {
  readonly paint: Paint
  readonly age: (createdAt: number) => string
}

function branches(above: string, last: boolean): Branch {
  return { self: `${above}${last ? '└──' : '├──'}`, below: `${above}${last ? '   ' : '│  '}` }
}

function setRows(set: ReplicaSetInfo, branch: Branch, style: Style): string[][] {
  const { paint, age } = style
  const name = set.tags.reduce((text, tag) => paint(text, tagColour(tag)), set.name)
  const info = [
    ...set.tags.map((tag) => paint(tag, tagColour(tag))),
    ...(set.delay === null ? [] : [`delay:${set.delay}`]),
  ]
  const rows = [
    [
      `${branch.self}⧉ ${name}`,
      'ReplicaSet',
      `${icon(paint, set.icon)} ${set.status}`,
      age(set.createdAt),
      info.join(','),
    ],
  ]
  for (const [index, pod] of set.pods.entries()) {
    const own = branches(branch.below, index === set.pods.length - 1)
    const restarts = pod.restarts > 0 ? `,restarts:${pod.restarts}` : ''
    rows.push([
      `${own.self}□ ${pod.name}`,
      'Pod',
      `${icon(paint, pod.icon)} ${pod.status}`,
      age(pod.createdAt),
      `ready:${pod.ready}${restarts}`,
    ])
  }
  return rows
}

function runRows(run: AnalysisRunInfo, branch: Branch, style: Style): string[][] {
  const { paint, age } = style
  const counts = [
    ['✔', run.successful],
    ['✖', run.failed],
    ['?', run.inconclusive],
    ['⚠', run.error],
  ] as const
  const info = counts
    .filter(([, count]) => count > 0)
    .map(([sign, count]) => `${icon(paint, sign)} ${count}`)
  const rows = [
    [
      `${branch.self}α ${paint(run.name, phaseColour(run.status))}`,
      'AnalysisRun',
      `${icon(paint, run.icon)} ${run.status}`,
      age(run.createdAt),
      info.join(','),
    ],
  ]
  for (const [index, job] of run.jobs.entries()) {
    const own = branches(branch.below, index === run.jobs.length - 1)
    rows.push([
      `${own.self}⊞ ${paint(job.name, phaseColour(job.status))}`,
      'Job',
      `${icon(paint, job.icon)} ${job.status}`,
      age(job.createdAt),
      '',
    ])
  }
  return rows
}

function tagColour(tag: string): number {
  if (tag === 'canary') return 33
  if (tag === 'preview' || tag === 'ping' || tag === 'pong') return 94
  return tag === 'stable' || tag === 'active' ? 32 : 0
}

function phaseColour(phase: string): number {
  return phase === 'Pending' || phase === 'Running' ? 94 : 0
}

const iconColours: Readonly<Record<string, number>> = {
  '◷': 33,
  '?': 33,
  '◌': 94,
  '⚠': 31,
  '✖': 31,
  '✔': 32,
}

function icon(paint: Paint, sign: string): string {
  return paint(sign, iconColours[sign] ?? 0)
}
