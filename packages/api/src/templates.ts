import { labelKeys } from './labels.ts'
import { nearest } from './nearest.ts'
import { type Finding, invalid, type Outcome, type Problem } from './problem.ts'
import { fieldOfRollout } from './rollout-field.ts'
import type {
  AnalysisRunArgument,
  AnalysisRunSpec,
  AnalysisTemplate,
  AnalysisTemplateRef,
  AnalysisTemplateSpec,
  Argument,
  ClusterAnalysisTemplate,
  Rollout,
} from './types.ts'

/** Which templates a controller can see at all (spec operations 3.1, 3.3). */
export interface TemplateScope {
  /** Only templates with this instance id; null: only those without one. */
  readonly instanceId: string | null
  /** False for a controller of one namespace, which reads no cluster-scoped kind. */
  readonly readsClusterScope: boolean
}

/** Where templates are looked up. */
export interface TemplateLookup {
  readonly namespace: string
  /** Templates of other namespaces among them do not count. */
  readonly analysisTemplates: readonly AnalysisTemplate[]
  readonly clusterAnalysisTemplates: readonly ClusterAnalysisTemplate[]
  /** Absent: all that are given. */
  readonly templateScope?: TemplateScope
}

/** A template that a reference, or a template so found, led to. */
export interface ResolvedTemplate {
  readonly scope: 'namespace' | 'cluster'
  readonly name: string
  readonly spec: AnalysisTemplateSpec
}

/** What references came to. */
export interface ResolvedTemplates {
  /** Namespaced ones first, each in the order of first mention. */
  readonly templates: readonly ResolvedTemplate[]
  readonly problems: readonly Problem[]
  /** ClusterTemplateFallback, one for each reference that had to fall back. */
  readonly warnings: readonly Finding[]
}

const deepest = 20

/**
 * Templates behind references, nested ones included, each once (spec api 10.1). A reference without
 * `clusterScope` to a name that only a ClusterAnalysisTemplate has takes that one, with a warning
 * (spec api 15.2 B2). Missing ones, cycles and nesting deeper than 20 are problems at `path`.
 */
export function resolveTemplates(
  refs: readonly AnalysisTemplateRef[],
  lookup: TemplateLookup & { readonly path?: string },
): ResolvedTemplates {
  const path = lookup.path ?? 'spec.templates'
  const byName = {
    namespace: new Map<string, ResolvedTemplate>(),
    cluster: new Map<string, ResolvedTemplate>(),
  }
  const found = { namespace: indexOf(lookup, 'namespace'), cluster: indexOf(lookup, 'cluster') }
  const problems: Problem[] = []
  const warnings: Finding[] = []

  function visit(ref: AnalysisTemplateRef, above: readonly ResolvedTemplate[]): void {
    const name = ref.templateName ?? ''
    const template = choose(ref, name)
    if (!template) return
    const from = above.indexOf(template)
    if (from >= 0) {
      const circle = [...above.slice(from), template].map((each) => each.name).join(' -> ')
      problems.push(invalid(path, name, `templates ${circle} form a cycle`))
      return
    }
    if (byName[template.scope].has(template.name)) return
    if (above.length >= deepest) {
      const chain = above.map((each) => each.name).join(' -> ')
      problems.push(invalid(path, name, `templates ${chain} nest deeper than ${deepest}`))
      return
    }
    byName[template.scope].set(template.name, template)
    for (const nested of template.spec.templates ?? []) visit(nested, [...above, template])
  }

  function choose(ref: AnalysisTemplateRef, name: string): ResolvedTemplate | undefined {
    const wanted = ref.clusterScope ? 'cluster' : 'namespace'
    const template = found[wanted].get(name)
    if (template) return template
    const fallback = ref.clusterScope === undefined ? found.cluster.get(name) : undefined
    if (fallback) {
      const message = `AnalysisTemplate '${name}' not found; using the ClusterAnalysisTemplate of that name (say so with clusterScope: true)`
      if (!warnings.some((warning) => warning.message === message)) {
        warnings.push({ reason: 'ClusterTemplateFallback', path, message })
      }
      return fallback
    }
    const kind = ref.clusterScope ? 'ClusterAnalysisTemplate' : 'AnalysisTemplate'
    const elsewhere =
      ref.clusterScope === undefined ? ', nor is there a ClusterAnalysisTemplate of that name' : ''
    const close = nearest(name, found[wanted].keys())
    const hint =
      unseen(lookup, wanted, name) ?? (close === undefined ? '' : `; did you mean '${close}'?`)
    const problem = invalid(path, name, `${kind} '${name}' not found${elsewhere}${hint}`)
    if (!problems.some((each) => each.detail === problem.detail)) problems.push(problem)
    return undefined
  }

  for (const ref of refs) visit(ref, [])
  return {
    templates: [...byName.namespace.values(), ...byName.cluster.values()],
    problems,
    warnings,
  }
}

function indexOf(
  lookup: TemplateLookup,
  scope: ResolvedTemplate['scope'],
): ReadonlyMap<string, ResolvedTemplate> {
  const objects = scope === 'cluster' ? lookup.clusterAnalysisTemplates : lookup.analysisTemplates
  const index = new Map<string, ResolvedTemplate>()
  for (const { metadata, spec } of objects) {
    if (!isSeen(lookup, metadata.labels)) continue
    if (scope === 'namespace' && (metadata.namespace ?? lookup.namespace) !== lookup.namespace) {
      continue
    }
    index.set(metadata.name, { scope, name: metadata.name, spec })
  }
  return index
}

function isSeen(
  { templateScope }: TemplateLookup,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return !templateScope || (labels?.[labelKeys.instanceId] ?? null) === templateScope.instanceId
}

/** Why a template that may well exist is not found; null: there is none. */
function unseen(
  lookup: TemplateLookup,
  scope: ResolvedTemplate['scope'],
  name: string,
): string | null {
  const { templateScope } = lookup
  if (!templateScope) return null
  if (scope === 'cluster' && !templateScope.readsClusterScope) {
    return '; this controller looks after one namespace and reads no ClusterAnalysisTemplate'
  }
  const objects = scope === 'cluster' ? lookup.clusterAnalysisTemplates : lookup.analysisTemplates
  const hidden = objects.find(({ metadata }) => metadata.name === name)
  if (!hidden) return null
  const { instanceId } = templateScope
  const present = hidden.metadata.labels?.[labelKeys.instanceId]
  return instanceId === null
    ? `; it has the label ${labelKeys.instanceId}=${present}, which is for another controller`
    : `; it lacks the label ${labelKeys.instanceId}=${instanceId} that this controller goes by`
}

/** The parts of several templates as one. Problems carry upstream's texts (spec analysis-and-experiments 1.7). */
export function flattenTemplates(
  templates: readonly ResolvedTemplate[],
  path = 'spec.templates',
): Outcome<Required<Omit<AnalysisTemplateSpec, 'templates'>>> {
  const specs = templates.map((template) => template.spec)
  const problems: Problem[] = []
  const value = `templateNames: [${templates.map((template) => template.name).join(' ')}]`
  const report = (detail: string) => problems.push(invalid(path, value, detail))

  const metrics = specs.flatMap((spec) => spec.metrics ?? [])
  for (const name of repeated(metrics.map((metric) => metric.name))) {
    report(`two metrics have the same name '${name}'`)
  }
  const args = joinArguments(specs, report)
  const dryRun = specs.flatMap((spec) => spec.dryRun ?? [])
  for (const name of repeated(dryRun.map((rule) => rule.metricName))) report(twoDryRuns(name))
  const measurementRetention = specs.flatMap((spec) => spec.measurementRetention ?? [])
  for (const name of repeated(measurementRetention.map((rule) => rule.metricName))) {
    report(twoRetentions(name))
  }
  if (problems.length > 0) return { ok: false, problems }
  return { ok: true, value: { metrics, args, dryRun, measurementRetention } }
}

function joinArguments(
  specs: readonly AnalysisTemplateSpec[],
  report: (detail: string) => void,
): readonly Argument[] {
  const joined = new Map<string, Argument>()
  for (const arg of specs.flatMap((spec) => spec.args ?? [])) {
    const earlier = joined.get(arg.name)
    const isBare = arg.value === undefined && arg.valueFrom === undefined
    // Upstream lets a bare declaration replace one that has a source, and then misses the argument.
    if (earlier && isBare) continue
    if (earlier?.value === undefined) joined.set(arg.name, arg)
    else if (arg.value !== undefined && arg.value !== earlier.value) {
      report(
        `Argument \`${arg.name}\` specified multiple times with different values: '${earlier.value}', '${arg.value}'`,
      )
    }
  }
  return [...joined.values()]
}

/**
 * The declared arguments with the given ones over them. Given ones that nobody declares are left
 * out: see the warning UnknownArgument.
 */
export function mergeArguments(
  declared: readonly Argument[],
  given: readonly Argument[],
): readonly Argument[] {
  const byName = new Map(given.map((arg) => [arg.name, arg]))
  return declared.map((arg) => {
    const over = byName.get(arg.name)
    if (over?.value !== undefined) return { ...arg, value: over.value }
    if (over?.valueFrom !== undefined) return { ...arg, valueFrom: over.valueFrom }
    return arg
  })
}

/** What an AnalysisRun is made from. */
export interface AnalysisRequest extends TemplateLookup {
  readonly templates: readonly AnalysisTemplateRef[]
  readonly args: readonly Argument[]
  readonly dryRun?: AnalysisRunSpec['dryRun'] | undefined
  readonly measurementRetention?: AnalysisRunSpec['measurementRetention'] | undefined
  /** Where problems are reported; `spec.templates` by default. */
  readonly path?: string
}

/**
 * The spec of a run: templates resolved and merged, arguments and rules of the caller over them
 * (spec analysis-and-experiments 1.6, 1.7). Placeholders stay: they are resolved at each measurement.
 */
export function analysisRunSpecFor(request: AnalysisRequest): Outcome<AnalysisRunSpec> {
  const path = request.path ?? 'spec.templates'
  const resolved = resolveTemplates(request.templates, request)
  if (resolved.problems.length > 0) return { ok: false, problems: resolved.problems }
  return mergeIntoRun(resolved.templates, { ...request, path })
}

/** As `analysisRunSpecFor`, from templates that are resolved already. */
export function mergeIntoRun(
  templates: readonly ResolvedTemplate[],
  request: Pick<AnalysisRequest, 'args' | 'dryRun' | 'measurementRetention'> & {
    readonly path: string
  },
): Outcome<AnalysisRunSpec> {
  const flat = flattenTemplates(templates, request.path)
  if (!flat.ok) return flat
  const value = `templateNames: [${templates.map((template) => template.name).join(' ')}]`
  const problems: Problem[] = []
  const report = (detail: string) => problems.push(invalid(request.path, value, detail))
  const args = mergeArguments(flat.value.args, request.args)
  for (const arg of args) {
    if (arg.value === undefined && arg.valueFrom === undefined) {
      report(`args.${arg.name} was not resolved`)
    }
  }
  const dryRun = [...(request.dryRun ?? []), ...flat.value.dryRun]
  for (const name of repeated(dryRun.map((rule) => rule.metricName))) report(twoDryRuns(name))
  const measurementRetention = [
    ...(request.measurementRetention ?? []),
    ...flat.value.measurementRetention,
  ]
  for (const name of repeated(measurementRetention.map((rule) => rule.metricName))) {
    report(twoRetentions(name))
  }
  if (problems.length > 0) return { ok: false, problems }
  return {
    ok: true,
    value: {
      metrics: flat.value.metrics,
      ...(args.length > 0 && { args }),
      ...(dryRun.length > 0 && { dryRun }),
      ...(measurementRetention.length > 0 && { measurementRetention }),
    },
  }
}

function twoDryRuns(name: string): string {
  return `two Dry-Run metric rules have the same name '${name}'`
}

function twoRetentions(name: string): string {
  return `two Measurement Retention metric rules have the same name '${name}'`
}

function repeated(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.filter((name, index) => names.indexOf(name) < index))
}

/**
 * Values of the arguments that a Rollout hands over (spec analysis-and-experiments 1.5). Problems
 * name the path that leads nowhere.
 */
export function argumentsOf(
  rollout: Rollout,
  args: readonly AnalysisRunArgument[],
  options: {
    readonly latestHash: string
    readonly stableHash: string
    /** Where the arguments stand; `args` by default. */
    readonly path?: string
  },
): Outcome<readonly Argument[]> {
  const path = options.path ?? 'args'
  const problems: Problem[] = []
  const values: Argument[] = []
  args.forEach((arg, index) => {
    const { name, value, valueFrom } = arg
    if (valueFrom?.fieldRef && value === undefined) {
      const fieldPath = valueFrom.fieldRef.fieldPath
      const field = fieldOfRollout(rollout, fieldPath)
      if (field.ok) values.push({ name, value: field.value })
      else {
        const place = `${path}[${index}].valueFrom.fieldRef.fieldPath`
        problems.push(invalid(place, fieldPath, field.problem))
      }
    } else if (valueFrom?.podTemplateHashValue && value === undefined) {
      const hash =
        valueFrom.podTemplateHashValue === 'Stable' ? options.stableHash : options.latestHash
      values.push({ name, value: hash })
    } else if (value !== undefined) {
      values.push({ name, value })
    }
    // With neither, the template's own default counts; upstream overrides it with an empty text.
  })
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: values }
}

/**
 * What stands for `{{args.<name>}}` in the metrics of a run, by tag. An argument without value, used
 * or not, is a problem: `argument "<name>" was not supplied`. `valueFrom` reads those that come from
 * elsewhere.
 */
export function argumentTags(
  args: readonly Argument[],
  valueFrom: (arg: Argument) => string | undefined = () => undefined,
): Outcome<Readonly<Record<string, string>>> {
  const tags: Record<string, string> = {}
  const problems: Problem[] = []
  for (const arg of args) {
    const value = arg.value ?? (arg.valueFrom ? valueFrom(arg) : undefined)
    if (value !== undefined) tags[`args.${arg.name}`] = value
    else problems.push(invalid('args', arg.name, `argument "${arg.name}" was not supplied`))
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: tags }
}

/** Every `{{tag}}` in the values of arguments, without the braces and the blanks inside them. */
export function experimentTagsIn(
  analyses: readonly { readonly args?: readonly { readonly value?: string }[] }[],
): ReadonlySet<string> {
  const values = analyses.flatMap(({ args = [] }) => args.map(({ value = '' }) => value))
  return new Set(
    values.flatMap((value) =>
      [...value.matchAll(/\{\{(.*?)\}\}/gs)].map(([, inside = '']) => inside.trim()),
    ),
  )
}

/**
 * The value with every `{{tag}}` in its texts and map keys replaced, blanks inside the braces
 * ignored. An unknown tag, or braces without end, is a problem (spec analysis-and-experiments 4.1).
 */
export function substitute<T>(value: T, tags: Readonly<Record<string, string>>): Outcome<T> {
  const problems: Problem[] = []
  const replaced = replaceIn(value, tags, problems)
  const last = problems.at(-1)
  // The shape stays: only texts change.
  return last ? { ok: false, problems: [last] } : { ok: true, value: replaced as T }
}

function replaceIn(
  value: unknown,
  tags: Readonly<Record<string, string>>,
  problems: Problem[],
): unknown {
  if (typeof value === 'string') return replaceTags(value, tags, problems)
  if (Array.isArray(value)) return value.map((item) => replaceIn(item, tags, problems))
  if (typeof value !== 'object' || value === null) return value
  const replaced: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    replaced[replaceTags(key, tags, problems)] = replaceIn(item, tags, problems)
  }
  return replaced
}

/** `{{"{{"}}` stands for two braces themselves, which Go templates and Helm write; to upstream it is an unknown tag. */
const literalBraces = '"{{"'

function replaceTags(
  text: string,
  tags: Readonly<Record<string, string>>,
  problems: Problem[],
): string {
  let result = ''
  let from = 0
  for (;;) {
    const start = text.indexOf('{{', from)
    if (start < 0) return result + text.slice(from)
    const end = text.indexOf('}}', start + 2)
    if (end < 0) {
      const rest = text.slice(start + 2)
      const detail = `Cannot find end tag="}}" in the template=${JSON.stringify(text)} starting from ${JSON.stringify(rest)}`
      problems.push(invalid('', text, detail))
      return text
    }
    const tag = text.slice(start + 2, end)
    const name = tag.trim()
    const value = name === literalBraces ? '{{' : Object.hasOwn(tags, name) ? tags[name] : undefined
    if (value === undefined) problems.push(invalid('', text, `failed to resolve {{${tag}}}`))
    result += text.slice(from, start) + (value ?? '')
    from = end + 2
  }
}
