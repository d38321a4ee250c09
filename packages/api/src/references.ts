import { defaults } from './defaults.ts'
import { annotationKeys, hashLabel } from './labels.ts'
import { nearest } from './nearest.ts'
import { type Finding, internal, invalid, type Problem } from './problem.ts'
import { fieldOfRollout, missingMetadata } from './rollout-field.ts'
import {
  argumentTags,
  mergeIntoRun,
  type ResolvedTemplates,
  resolveTemplates,
  substitute,
  type TemplateScope,
} from './templates.ts'
import type {
  AnalysisRunArgument,
  AnalysisRunSpec,
  AnalysisTemplate,
  AnalysisTemplateRef,
  Argument,
  ClusterAnalysisTemplate,
  Metric,
  Rollout,
} from './types.ts'
import { validateMetricRules, validateMetrics } from './validation/metrics.ts'

/**
 * The objects that exist. Those of other namespaces among them do not count. Routers that look at
 * further kinds check those themselves.
 */
export interface ReferencedObjects {
  readonly services: readonly ReferencedService[]
  readonly ingresses: readonly ReferencedIngress[]
  readonly analysisTemplates: readonly AnalysisTemplate[]
  readonly clusterAnalysisTemplates: readonly ClusterAnalysisTemplate[]
  /** Absent: all templates that are given. */
  readonly templateScope?: TemplateScope
  /** True: what is missing here may exist elsewhere, so it is no problem. */
  readonly isPartial?: boolean
}

interface Named {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
}

/** The part of a Service that matters here. */
export interface ReferencedService extends Named {
  readonly spec?: { readonly selector?: Readonly<Record<string, string>> }
}

/** The part of an Ingress that matters here. */
export interface ReferencedIngress extends Named {
  readonly spec?: {
    readonly defaultBackend?: ReferencedBackend
    readonly rules?: readonly {
      readonly http?: { readonly paths?: readonly { readonly backend?: ReferencedBackend }[] }
    }[]
  }
}

interface ReferencedBackend {
  readonly service?: { readonly name: string }
}

/** What references came to. */
export interface ReferenceReport {
  readonly problems: readonly Problem[]
  readonly warnings: readonly Finding[]
}

/**
 * Everything wrong with what a Rollout refers to, all missing objects at once, in upstream's order
 * and words (spec api 10): Services, analysis templates, Ingresses. Templates are checked with the
 * arguments that they get, those of experiment steps included.
 */
export function validateReferences(rollout: Rollout, objects: ReferencedObjects): ReferenceReport {
  const namespace = rollout.metadata.namespace ?? 'default'
  const here = <T extends Named>(list: readonly T[], name: string): T | undefined =>
    list.find(
      ({ metadata }) => metadata.name === name && (metadata.namespace ?? namespace) === namespace,
    )
  const services = serviceUses(rollout).map((use) => ({
    ...use,
    service: here(objects.services, use.name),
  }))
  const analyses = analysisUses(rollout).map((use) => ({
    use,
    resolved: resolveTemplates(use.refs, { namespace, path: use.path, ...lookupOf(objects) }),
  }))
  const ingresses = ingressUses(rollout).map((use) => ({
    ...use,
    ingress: here(objects.ingresses, use.name),
  }))
  const checked = analyses.map(({ use, resolved }) => checkAnalysis(rollout, use, resolved))
  const { isPartial = false } = objects
  return {
    problems: [
      ...services.flatMap(({ path, name, service }) =>
        service || isPartial ? [] : [invalid(path, name, missingService(name, objects.services))],
      ),
      ...analyses.flatMap(({ resolved }) =>
        resolved.problems.filter(({ detail }) => !isPartial || !detail.includes(' not found')),
      ),
      ...istioProblems(rollout),
      ...nginxProblems(rollout),
      ...albProblems(rollout),
      ...ingresses.flatMap(({ path, name, ingress }) =>
        ingress || isPartial ? [] : [invalid(path, name, missingIngress(name, objects.ingresses))],
      ),
      ...services.flatMap(({ path, service }) =>
        service ? serviceProblems(rollout, service, path) : [],
      ),
      ...checked.flatMap((report) => report.problems),
      ...ingresses.flatMap(({ path, name, backend, ingress }) =>
        ingress && !servesBackend(ingress, backend)
          ? [
              invalid(
                path,
                name,
                `ingress \`${name}\` has no rules using service ${backend} backend`,
              ),
            ]
          : [],
      ),
    ],
    warnings: [
      ...analyses.flatMap(({ resolved }) => resolved.warnings),
      ...checked.flatMap((report) => report.warnings),
    ],
  }
}

function lookupOf(objects: ReferencedObjects) {
  return {
    analysisTemplates: objects.analysisTemplates,
    clusterAnalysisTemplates: objects.clusterAnalysisTemplates,
    ...(objects.templateScope ? { templateScope: objects.templateScope } : {}),
  }
}

function missingService(name: string, services: readonly Named[]): string {
  return `service "${name}" not found${hint(name, services)}`
}

function missingIngress(name: string, ingresses: readonly Named[]): string {
  return `ingress.networking.k8s.io "${name}" not found${hint(name, ingresses)}`
}

function hint(name: string, objects: readonly Named[]): string {
  const close = nearest(
    name,
    objects.map((object) => object.metadata.name),
  )
  return close === undefined || close === name ? '' : `; did you mean "${close}"?`
}

interface NamedUse {
  readonly path: string
  readonly name: string
}

function serviceUses(rollout: Rollout): readonly NamedUse[] {
  const { canary, blueGreen } = rollout.spec.strategy ?? {}
  const uses: readonly (readonly [string, string | undefined])[] = [
    ['blueGreen.activeService', blueGreen?.activeService],
    ['blueGreen.previewService', blueGreen?.previewService],
    ['canary.stableService', canary?.stableService],
    ['canary.canaryService', canary?.canaryService],
    ['canary.pingPong.pingService', canary?.pingPong?.pingService],
    ['canary.pingPong.pongService', canary?.pingPong?.pongService],
  ]
  return uses.flatMap(([field, name]) => (name ? [{ path: `spec.strategy.${field}`, name }] : []))
}

function serviceProblems(
  rollout: Rollout,
  service: ReferencedService,
  path: string,
): readonly Problem[] {
  const { name, annotations } = service.metadata
  const problems: Problem[] = []
  const labels = rollout.spec.template?.metadata?.labels
  // The labels of a workloadRef that nobody has resolved are not known.
  if (labels || !rollout.spec.workloadRef) {
    for (const [key, value] of Object.entries(service.spec?.selector ?? {})) {
      if (key === hashLabel || labels?.[key] === value) continue
      const detail = `Service "${name}" has unmatch label "${key}" in rollout`
      problems.push(invalid(path, name, detail))
    }
  }
  const owner = annotations?.[annotationKeys.managedBy]
  if (owner !== undefined && owner !== rollout.metadata.name) {
    problems.push(invalid(path, name, `Service "${name}" is managed by another Rollout`))
  }
  return problems
}

const routingPath = 'spec.strategy.canary.trafficRouting'

function nginxProblems(rollout: Rollout): readonly Problem[] {
  const nginx = rollout.spec.strategy?.canary?.trafficRouting?.nginx
  if (!nginx) return []
  const { stableIngress, stableIngresses = [] } = nginx
  if (Boolean(stableIngress) !== stableIngresses.length > 0) return []
  const which = stableIngress ? 'Both' : 'Neither'
  return [
    internal(
      `${routingPath}.nginx`,
      `Either StableIngress or StableIngresses must be configured. ${which} are configured.`,
    ),
  ]
}

function istioProblems(rollout: Rollout): readonly Problem[] {
  const istio = rollout.spec.strategy?.canary?.trafficRouting?.istio
  if (!istio) return []
  const { virtualService, virtualServices = [] } = istio
  if (Boolean(virtualService) !== virtualServices.length > 0) return []
  const detail = 'either VirtualService or VirtualServices must be configured'
  return [internal(`${routingPath}.istio`, detail)]
}

function albProblems(rollout: Rollout): readonly Problem[] {
  const alb = rollout.spec.strategy?.canary?.trafficRouting?.alb
  if (!alb) return []
  const { ingress, ingresses = [] } = alb
  if (Boolean(ingress) !== ingresses.length > 0) return []
  const which = ingress ? 'Both' : 'Neither'
  return [
    internal(
      `${routingPath}.alb`,
      `Either Ingress or Ingresses must be configured. ${which} are configured.`,
    ),
  ]
}

function ingressUses(rollout: Rollout): readonly (NamedUse & { readonly backend: string })[] {
  const canary = rollout.spec.strategy?.canary
  const { nginx, alb } = canary?.trafficRouting ?? {}
  const stable = canary?.stableService ?? ''
  const root = alb?.rootService || stable
  const uses = [
    ...(alb?.ingress ? [{ field: 'alb.ingress', name: alb.ingress, backend: root }] : []),
    ...(alb?.ingresses ?? []).map((name) => ({ field: 'alb.ingresses', name, backend: root })),
    ...(nginx?.stableIngress
      ? [{ field: 'nginx.stableIngress', name: nginx.stableIngress, backend: stable }]
      : []),
    ...(nginx?.stableIngresses ?? []).map((name) => ({
      field: 'nginx.stableIngresses',
      name,
      backend: stable,
    })),
  ]
  return uses.map(({ field, ...use }) => ({ path: `${routingPath}.${field}`, ...use }))
}

/** Backends may also be resources, which have no Service; the default backend counts. */
function servesBackend(ingress: ReferencedIngress, service: string): boolean {
  const { defaultBackend, rules = [] } = ingress.spec ?? {}
  if (defaultBackend?.service?.name === service) return true
  return rules.some((rule) =>
    (rule.http?.paths ?? []).some((path) => path.backend?.service?.name === service),
  )
}

/** An analysis that a Rollout asks for, wherever it stands in the strategy. */
export interface AnalysisUse {
  /** Where problems with the templates are reported. */
  readonly path: string
  readonly argsPath: string
  readonly refs: readonly AnalysisTemplateRef[]
  readonly args: readonly AnalysisRunArgument[]
  readonly dryRun?: AnalysisRunSpec['dryRun'] | undefined
  readonly measurementRetention?: AnalysisRunSpec['measurementRetention'] | undefined
  /** Whether somebody else ends the run, so that metrics may go on for ever. */
  readonly openEnded: boolean
  /** In an experiment step: names of its templates and whether it has a duration. */
  readonly experiment?: { readonly templates: readonly string[]; readonly hasDuration: boolean }
}

/** Every analysis of a Rollout that names templates, those of experiment steps included. */
export function analysisUses(rollout: Rollout): readonly AnalysisUse[] {
  const { canary, blueGreen } = rollout.spec.strategy ?? {}
  const uses: AnalysisUse[] = []
  const add = (
    analysis: NonNullable<typeof blueGreen>['prePromotionAnalysis'],
    path: string,
    openEnded: boolean,
  ) => {
    if (!analysis) return
    uses.push({
      path: `${path}.templates`,
      argsPath: `${path}.args`,
      refs: analysis.templates ?? [],
      args: analysis.args ?? [],
      dryRun: analysis.dryRun,
      measurementRetention: analysis.measurementRetention,
      openEnded,
    })
  }
  add(blueGreen?.prePromotionAnalysis, 'spec.strategy.blueGreen.prePromotionAnalysis', false)
  add(blueGreen?.postPromotionAnalysis, 'spec.strategy.blueGreen.postPromotionAnalysis', false)
  ;(canary?.steps ?? []).forEach((step, index) => {
    const path = `spec.strategy.canary.steps[${index}]`
    add(step.analysis, `${path}.analysis`, false)
  })
  add(canary?.analysis, 'spec.strategy.canary.analysis', true)
  ;(canary?.steps ?? []).forEach((step, index) => {
    const path = `spec.strategy.canary.steps[${index}]`
    ;(step.experiment?.analyses ?? []).forEach((analysis, each) => {
      const { templateName, clusterScope, args = [] } = analysis
      uses.push({
        path: `${path}.experiment.analyses[${each}].templateName`,
        argsPath: `${path}.experiment.analyses[${each}].args`,
        refs: [{ templateName, ...(clusterScope !== undefined && { clusterScope }) }],
        args,
        dryRun: step.experiment?.dryRun,
        measurementRetention: step.experiment?.measurementRetention,
        // Nobody would ever end what has to succeed first.
        openEnded: analysis.requiredForCompletion !== true,
        experiment: {
          templates: (step.experiment?.templates ?? []).map((template) => template.name),
          hasDuration: Boolean(step.experiment?.duration),
        },
      })
    })
  })
  return uses.filter((use) => use.refs.length > 0)
}

function checkAnalysis(
  rollout: Rollout,
  use: AnalysisUse,
  resolved: ResolvedTemplates,
): ReferenceReport {
  // What depends on a missing template cannot be judged.
  if (resolved.problems.length > 0) return { problems: [], warnings: [] }
  const { templates } = resolved
  const declared = new Set(
    templates.flatMap(({ spec }) => (spec.args ?? []).map((arg) => arg.name)),
  )
  const warnings = [...unknownArguments(use, declared), ...missingFields(rollout, use)]
  const tagProblems = use.experiment ? experimentTagProblems(use) : []
  const run = mergeIntoRun(templates, {
    path: use.path,
    args: placeholdersFor(rollout, use.args),
    dryRun: use.dryRun,
    measurementRetention: use.measurementRetention,
  })
  if (!run.ok) return { problems: [...tagProblems, ...run.problems], warnings }
  const problems: Problem[] = [...tagProblems]
  const tags = argumentTags(
    (run.value.args ?? []).map((arg) => ({ ...arg, value: arg.value ?? unknownYet })),
  )
  const values = tags.ok ? tags.value : {}
  for (const { name, spec } of templates) {
    const report = (detail: string) =>
      problems.push(invalid(use.path, name, `AnalysisTemplate ${name}${detail}`))
    for (const arg of spec.args ?? []) {
      if (arg.value !== undefined && arg.valueFrom !== undefined) {
        report(`: arg '${arg.name}' has both Value and ValueFrom fields`)
      }
    }
    const metrics: Metric[] = []
    for (const metric of spec.metrics ?? []) {
      const replaced = substitute(metric, values)
      if (replaced.ok) metrics.push(replaced.value)
      else for (const problem of replaced.problems) report(`: ${problem.detail}`)
    }
    if (!use.openEnded) {
      for (const metric of metrics.filter((each) => defaults.effectiveCount(each) === null)) {
        report(
          ` has metric ${metric.name} which runs indefinitely. Invalid value for count: ${metric.count ?? '<nil>'}; set count, or use it under canary.analysis`,
        )
      }
    }
    // Duplicates across templates have been reported by the merge.
    for (const problem of metrics.length > 0 ? validateMetrics(metrics) : []) {
      report(`: ${problem.path}: ${problem.detail}`)
    }
  }
  if ((run.value.metrics ?? []).length === 0) {
    problems.push(invalid(use.path, namesOf(resolved), 'no metrics specified'))
  }
  // Experiments hand their rules to each of several runs, so none need match in every one.
  if (!use.experiment) {
    for (const problem of validateMetricRules(run.value)) {
      problems.push(invalid(use.path, problem.value, `${problem.path}: ${problem.detail}`))
    }
  }
  return { problems, warnings }
}

function namesOf(resolved: ResolvedTemplates): string {
  return `templateNames: [${resolved.templates.map((template) => template.name).join(' ')}]`
}

/** What is only known when the update runs stands as a dummy. */
function placeholdersFor(
  rollout: Rollout,
  args: readonly AnalysisRunArgument[],
): readonly Argument[] {
  return args.map(({ name, value, valueFrom }) => {
    if (value !== undefined) return { name, value }
    if (valueFrom?.podTemplateHashValue === 'Stable') return { name, value: 'dummy-stable-hash' }
    if (valueFrom?.podTemplateHashValue) return { name, value: 'dummy-new-hash' }
    const path = valueFrom?.fieldRef?.fieldPath
    const field = path === undefined ? undefined : fieldOfRollout(rollout, path)
    return { name, value: field?.ok ? field.value : unknownYet }
  })
}

/** A duration as well as a count, so that neither is taken for a mistake. */
const unknownYet = '0'

function unknownArguments(use: AnalysisUse, declared: ReadonlySet<string>): readonly Finding[] {
  return use.args.flatMap((arg, index) => {
    if (declared.has(arg.name)) return []
    const close = nearest(arg.name, declared)
    const meant = close === undefined ? '' : `; did you mean '${close}'?`
    return [
      {
        reason: 'UnknownArgument',
        path: `${use.argsPath}[${index}].name`,
        message: `no template declares an argument '${arg.name}', so it is ignored${meant}`,
      },
    ]
  })
}

/** A label that is not there reads as empty text, which a query takes without complaint. */
function missingFields(rollout: Rollout, use: AnalysisUse): readonly Finding[] {
  return use.args.flatMap((arg, index) => {
    const path = arg.value === undefined ? arg.valueFrom?.fieldRef?.fieldPath : undefined
    const missing = path === undefined ? undefined : missingMetadata(rollout.metadata, path)
    if (missing === undefined) return []
    return [
      {
        reason: 'MissingMetadata',
        path: `${use.argsPath}[${index}].valueFrom.fieldRef.fieldPath`,
        message: `the Rollout has no ${missing}, so argument '${arg.name}' is empty`,
      },
    ]
  })
}

/** Experiments replace tags of their own in argument values (spec analysis-and-experiments 4.3). */
function experimentTagProblems(use: AnalysisUse): readonly Problem[] {
  const { templates = [], hasDuration = false } = use.experiment ?? {}
  const tags: Record<string, string> = { 'experiment.availableAt': '' }
  if (hasDuration) tags['experiment.finishedAt'] = ''
  for (const name of templates) {
    for (const part of ['podTemplateHash', 'replicaset.name', 'service.name']) {
      tags[`templates.${name}.${part}`] = ''
    }
  }
  return use.args.flatMap((arg, index) => {
    const replaced = substitute(arg.value ?? '', tags)
    if (replaced.ok) return []
    const place = `${use.argsPath}[${index}].value`
    return replaced.problems.map((problem) => {
      const tag = /\{\{\s*(.*?)\s*\}\}/.exec(problem.detail)?.[1] ?? ''
      const close = nearest(tag, Object.keys(tags))
      const meant = close === undefined ? '' : `; did you mean {{${close}}}?`
      return invalid(place, arg.value, problem.detail + meant)
    })
  })
}
