import {
  type Kind,
  kinds,
  parseAnalysisRun,
  parseAnalysisTemplate,
  parseClusterAnalysisTemplate,
  parseExperiment,
  parseRollout,
} from '@serinus/api'
import { apiVersionOf, type UnknownObject } from '@serinus/kube'
import { createdText } from './access.ts'
import { collect, type PluginCommand, WrongUsage } from './command.ts'
import { addCreateRun } from './create-run.ts'
import { showExperiment, showRollout } from './get.ts'
import type { CommandParts } from './terminal.ts'

interface Flags {
  readonly filename: readonly string[]
  readonly watch: boolean
  readonly color: boolean
}

/** `create` (spec cli 8.4, 8.5). */
export function addCreate(program: PluginCommand, parts: CommandParts): void {
  const { terminal, connect } = parts
  const create = program
    .command('create')
    .description(
      'Create a Rollout, Experiment, AnalysisTemplate, ClusterAnalysisTemplate, or AnalysisRun resource',
    )
    .examples(
      ['Create an experiment and watch it', 'create -f my-experiment.yaml -w'],
      ['Create what another program writes', 'create -f -'],
    )
    .option('-f, --filename <string>', 'File, folder or - for stdin, can be repeated', collect, [])
    .option('-w, --watch', 'Watch live updates to the resource after creating', false)
    .option('--no-color', 'Do not colorize output')
    .action(async ({ filename, watch, color }: Flags) => {
      if (filename.length === 0) throw new WrongUsage(create)
      const created = await readObjects(filename)
      if (watch && created.length > 1) throw new Error('Cannot watch multiple resources')
      const access = connect()
      for (const { kind, object } of created) {
        const { metadata } = object
        const namespace = metadata.namespace || access.namespace
        const placed = kind.namespaced
          ? { ...object, metadata: { ...metadata, namespace } }
          : object
        const { name } = (await access.client.create(kind, placed)).metadata
        terminal.out(`${createdText(kind, name)}\n`)
        if (!watch) continue
        if (kind !== kinds.rollouts && kind !== kinds.experiments) {
          throw new Error('Can only watch resources of type Rollout or Experiment')
        }
        const show = kind === kinds.rollouts ? showRollout : showExperiment
        await show({ client: access.client, namespace }, name, { terminal, watch, color })
      }
    })
  addCreateRun(create, parts)
}

const parsers = {
  Rollout: [kinds.rollouts, parseRollout],
  Experiment: [kinds.experiments, parseExperiment],
  AnalysisTemplate: [kinds.analysisTemplates, parseAnalysisTemplate],
  ClusterAnalysisTemplate: [kinds.clusterAnalysisTemplates, parseClusterAnalysisTemplate],
  AnalysisRun: [kinds.analysisRuns, parseAnalysisRun],
} as const

interface Manifest {
  readonly kind: Kind
  readonly object: UnknownObject
}

/** All are read and checked before the first is created, so that a mistake in the last leaves nothing half done. */
async function readObjects(paths: readonly string[]): Promise<readonly Manifest[]> {
  const { readStrictly } = await import('./manifest.ts')
  return readStrictly(paths, ({ object }) => {
    const [kind, parse] = knownKind(object)
    return { kind, object, parsed: parse(object) }
  })
}

function knownKind({ apiVersion, kind }: UnknownObject) {
  const known = Object.hasOwn(parsers, kind) ? parsers[kind as keyof typeof parsers] : undefined
  if (known && apiVersion === apiVersionOf(known[0])) return known
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : ''
  throw new Error(`creates of ${group}/${kind} unsupported`)
}
