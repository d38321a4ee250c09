import {
  type AnalysisTemplate,
  type AnalysisTemplateRef,
  type Argument,
  analysisRunSpecFor,
  type ClusterAnalysisTemplate,
  kinds,
  labelKeys,
  nearest,
  parseAnalysisTemplate,
  resolveTemplates,
} from '@serinus/api'
import { ApiError, apiVersionOf, type KubeObject } from '@serinus/kube'
import { type Access, createdText } from './access.ts'
import { collect, type PluginCommand } from './command.ts'
import type { CommandParts } from './terminal.ts'

interface Flags {
  readonly from?: string
  readonly fromFile?: string
  readonly global: boolean
  readonly argument: readonly string[]
  readonly name: string
  readonly generateName: string
  readonly instanceId: string
}

/** `create analysisrun` (spec cli 8.5). */
export function addCreateRun(create: PluginCommand, { terminal, connect }: CommandParts): void {
  create
    .command('analysisrun')
    .aliases(['ar', 'analysisruns'])
    .description('Create an AnalysisRun from an AnalysisTemplate or a ClusterAnalysisTemplate')
    .examples(
      [
        'Create an AnalysisRun from a local AnalysisTemplate file',
        'create analysisrun --from-file my-analysis-template.yaml',
      ],
      [
        'Create an AnalysisRun from an AnalysisTemplate in the cluster',
        'create analysisrun --from my-analysis-template',
      ],
      [
        'Create an AnalysisRun from a ClusterAnalysisTemplate in the cluster',
        'create analysisrun --global --from my-analysis-cluster-template',
      ],
      [
        'Fill in arguments',
        'create analysisrun --from my-analysis-template -a service=guestbook -a threshold=0.95',
      ],
    )
    .option('-a, --argument <NAME=VALUE>', 'Argument of the template, can be repeated', collect, [])
    .option('--from <string>', 'Create from this AnalysisTemplate of the cluster')
    .option('--from-file <string>', 'Create from the AnalysisTemplate in this file, or - for stdin')
    .option('--generate-name <string>', 'Prefix of a name that the server completes', '')
    .option('--global', 'Take a ClusterAnalysisTemplate', false)
    .option('--instance-id <string>', 'Instance id of the controller that is to run it', '')
    .option('--name <string>', 'Name of the run', '')
    .action(async (flags: Flags) => {
      const { from, fromFile } = flags
      if ((from ? 1 : 0) + (fromFile ? 1 : 0) !== 1) {
        throw new Error('one of --from or --from-file must be specified')
      }
      const given = flags.argument.map(parseArgument)
      const access = connect()
      const source = fromFile
        ? await templateIn(fromFile)
        : await templateOf(access, from ?? '', flags)
      const { run, unknown } = await runOf(access, source, { flags, given })
      for (const text of unknown) terminal.err(`Warning: ${text}\n`)
      const { name } = (await access.client.create(kinds.analysisRuns, run)).metadata
      terminal.out(`${createdText(kinds.analysisRuns, name)}\n`)
    })
}

function parseArgument(text: string): Argument {
  const at = text.indexOf('=')
  if (at < 0) throw new Error('arguments must be in the form NAME=VALUE')
  return { name: text.slice(0, at), value: text.slice(at + 1) }
}

type Template = (AnalysisTemplate | ClusterAnalysisTemplate) & KubeObject
/** A template and where the templates that refer to it find it. */
interface Source {
  readonly scope: 'namespace' | 'cluster'
  readonly template: Template
}

async function templateIn(file: string): Promise<Source> {
  const { readStrictly } = await import('./manifest.ts')
  const found = readStrictly([file], ({ object }) => ({
    kind: object.kind,
    parsed: parseAnalysisTemplate(object),
  }))
  const [only, ...others] = found
  if (!only || others.length > 0) {
    throw new Error(`${file} holds ${found.length} objects; a run is made from one template`)
  }
  const scope = only.kind === kinds.clusterAnalysisTemplates.kind ? 'cluster' : 'namespace'
  return { scope, template: only.parsed.value as Template }
}

async function templateOf(
  { client, namespace }: Access,
  name: string,
  { global }: Pick<Flags, 'global'>,
): Promise<Source> {
  const template = global
    ? await client.get<Template>(kinds.clusterAnalysisTemplates, { name })
    : await client.get<Template>(kinds.analysisTemplates, { namespace, name })
  return { scope: global ? 'cluster' : 'namespace', template }
}

/** The run, and what is said of arguments that no template declares. */
async function runOf(
  access: Access,
  source: Source,
  { flags, given }: { readonly flags: Flags; readonly given: readonly Argument[] },
): Promise<{ readonly run: KubeObject; readonly unknown: readonly string[] }> {
  const { namespace } = access
  const { metadata } = source.template
  const name = flags.name || undefined
  const generateName = flags.generateName || (metadata.name && `${metadata.name}-`)
  if (!name && !generateName) throw new Error('name is invalid')
  const templates = [refTo(source)]
  const lookup = { namespace, ...(await templatesBelow(access, source)) }
  const spec = analysisRunSpecFor({ ...lookup, templates, args: given })
  if (!spec.ok) throw new Error(spec.problems.map(({ detail }) => detail).join('; '))
  const declared = resolveTemplates(templates, lookup).templates.flatMap(({ spec }) =>
    (spec.args ?? []).map((arg) => arg.name),
  )
  const { [lastApplied]: _, ...annotations } = metadata.annotations ?? {}
  const labels = flags.instanceId ? { [labelKeys.instanceId]: flags.instanceId } : metadata.labels
  const run = {
    apiVersion: apiVersionOf(kinds.analysisRuns),
    kind: kinds.analysisRuns.kind,
    metadata: {
      name: name ?? '',
      ...(name ? {} : { generateName }),
      namespace,
      ...(labels ? { labels } : {}),
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    },
    spec: spec.value,
  }
  return { run, unknown: unknownArguments(given, declared) }
}

/** What `kubectl apply` keeps of the template; the run was never applied. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

function unknownArguments(
  given: readonly Argument[],
  declared: readonly string[],
): readonly string[] {
  return given
    .filter(({ name }) => !declared.includes(name))
    .map(({ name }) => {
      const close = nearest(name, declared)
      const hint = close === undefined ? '' : `; did you mean "${close}"?`
      return `no template declares the argument "${name}", so it is left out${hint}`
    })
}

function refTo({ scope, template }: Source): AnalysisTemplateRef {
  return { templateName: template.metadata.name, clusterScope: scope === 'cluster' }
}

/** The template and all that it refers to, as far as they exist; each is read once. */
async function templatesBelow(
  { client, namespace }: Access,
  source: Source,
): Promise<{
  readonly analysisTemplates: readonly AnalysisTemplate[]
  readonly clusterAnalysisTemplates: readonly ClusterAnalysisTemplate[]
}> {
  const found = { namespace: new Map<string, Template>(), cluster: new Map<string, Template>() }
  const asked = new Set<string>()
  const keep = async ({ scope, template }: Source): Promise<void> => {
    const { metadata } = template
    const local = scope === 'namespace' ? { ...metadata, namespace } : metadata
    found[scope].set(metadata.name, { ...template, metadata: local })
    for (const ref of template.spec.templates ?? []) await follow(ref)
  }
  const follow = async ({ templateName = '', clusterScope }: AnalysisTemplateRef) => {
    if (!clusterScope && (await read('namespace', templateName))) return
    if (clusterScope !== false) await read('cluster', templateName)
  }
  /** Whether there is one. */
  const read = async (scope: Source['scope'], name: string): Promise<boolean> => {
    if (found[scope].has(name)) return true
    const id = `${scope}/${name}`
    if (asked.has(id)) return false
    asked.add(id)
    try {
      const template = await (scope === 'cluster'
        ? client.get<Template>(kinds.clusterAnalysisTemplates, { name })
        : client.get<Template>(kinds.analysisTemplates, { namespace, name }))
      await keep({ scope, template })
      return true
    } catch (error) {
      // What is missing is told by whoever resolves the references, all of it at once.
      if (error instanceof ApiError && error.code === 404) return false
      throw error
    }
  }
  await keep(source)
  return {
    analysisTemplates: [...found.namespace.values()],
    clusterAnalysisTemplates: [...found.cluster.values()],
  }
}
