import type { AnalysisRunInfo, ExperimentInfo, ReplicaSetInfo } from './rollout-info.ts'
import type { Paint } from './table.ts'

const tagOrder = ['canary', 'stable', 'active', 'preview', 'ping', 'pong']

/** One line for each image that runs, with the tags of the sets it runs in (spec cli 4.1). */
export function imageLines(sets: readonly ReplicaSetInfo[], paint: Paint): string[] {
  const tags = new Map<string, Set<string>>()
  const sources = new Map<string, number>()
  for (const set of sets) {
    if (set.replicas === 0) continue
    for (const image of new Set(set.images)) {
      const known = tags.get(image) ?? new Set<string>()
      for (const tag of set.tags) known.add(tag)
      if (set.template) known.add(`Σ:${set.template}`)
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

export interface Branch {
  readonly self: string
  readonly below: string
}

export interface Style {
  readonly paint: Paint
  readonly age: (createdAt: number) => string
}

export function branches(above: string, last: boolean): Branch {
  return { self: `${above}${last ? '└──' : '├──'}`, below: `${above}${last ? '   ' : '│  '}` }
}

export function setRows(set: ReplicaSetInfo, branch: Branch, style: Style): string[][] {
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

export function runRows(run: AnalysisRunInfo, branch: Branch, style: Style): string[][] {
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

/** The row of an Experiment and of what belongs to it. */
export function experimentRows(info: ExperimentInfo, branch: Branch, style: Style): string[][] {
  const { paint, age } = style
  let left = info.replicaSets.length + info.analysisRuns.length
  const next = () => branches(branch.below, --left === 0)
  return [
    [
      `${branch.self}Σ ${paint(info.name, phaseColour(info.status))}`,
      'Experiment',
      `${icon(paint, info.icon)} ${info.status}`,
      age(info.createdAt),
      '',
    ],
    ...info.replicaSets.flatMap((set) => setRows(set, next(), style)),
    ...info.analysisRuns.flatMap((run) => runRows(run, next(), style)),
  ]
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

export function icon(paint: Paint, sign: string): string {
  return paint(sign, iconColours[sign] ?? 0)
}
