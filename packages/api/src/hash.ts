import { canonicalJson } from '@serinus/kinds'
import type { PodTemplateSpec } from './schema/pod-template.ts'
import { canaryStep } from './schema/rollout.ts'
import type { SchemaNode } from './schema/typed-schema.ts'
import type { CanaryStep, RolloutSpec } from './types.ts'

/** How a pod template hash is made. */
export interface PodTemplateHashOptions {
  /** `status.collisionCount`; absent: unsalted, which 0 is not. */
  readonly collisionCount?: number | undefined
  /** True: the form of releases up to 1.8, which printed `"creationTimestamp":null`. */
  readonly creationTimestampNull?: boolean | undefined
}

/**
 * The hash that names a revision, byte for byte as upstream computes it from the template as stored,
 * without hash label and injected parts (spec api 8.5). Example: `7fd9d6f5cf`.
 */
export function podTemplateHash(
  template: PodTemplateSpec,
  options: PodTemplateHashOptions = {},
): string {
  const json = canonicalJson('core/v1.PodTemplateSpec', template, {
    creationTimestampNull: options.creationTimestampNull === true,
  })
  const bytes = new TextEncoder().encode(json)
  const { collisionCount } = options
  if (collisionCount === undefined) return encode(fnv1a(bytes))
  const salt = new DataView(new ArrayBuffer(8))
  salt.setUint32(0, collisionCount, true)
  return encode(fnv1a(new Uint8Array(salt.buffer), fnv1a(bytes)))
}

/** A short hash of any text, at most ten characters, that may stand in names and labels. */
export function textHash(text: string): string {
  return encode(fnv1a(new TextEncoder().encode(text)))
}

/** How a hash of steps is made. */
export interface StepsHashOptions {
  /** True: the form of releases up to 1.8, which printed `"analysisRunMetadata":{}` in every analysis. */
  readonly upTo18?: boolean
}

/**
 * The hash of the canary steps: a different one restarts an update at step 0. Undefined for
 * blueGreen and where there is no canary (spec api 8.6). No steps: `5ffbfbbd64`.
 */
export function stepsHash(
  strategy: RolloutSpec['strategy'],
  { upTo18 = false }: StepsHashOptions = {},
): string | undefined {
  if (!strategy?.canary || strategy.blueGreen) return undefined
  const steps = (strategy.canary.steps ?? []).map((step) => (upTo18 ? asUpTo18(step) : step))
  const json =
    steps.length === 0
      ? 'null'
      : `[${steps.map((step) => printed(canaryStep.node, step, [])).join(',')}]`
  return encode(fnv1a(new TextEncoder().encode(json)))
}

/** What has become a pointer in 1.9 was none before: a struct was always there, a `false` never. */
function asUpTo18(step: CanaryStep): CanaryStep {
  if (!step.analysis) return step
  const { analysisRunMetadata = {}, templates, ...analysis } = step.analysis
  const printedTemplates = templates?.map(({ clusterScope, ...template }) =>
    clusterScope ? { ...template, clusterScope } : template,
  )
  return {
    ...step,
    analysis: {
      ...analysis,
      analysisRunMetadata,
      ...(printedTemplates ? { templates: printedTemplates } : {}),
    },
  }
}

/** FNV-1a, 32 bit. */
function fnv1a(bytes: Uint8Array, start = 0x811c9dc5): number {
  let hash = start
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}

/** Decimal digits of the hash, each as a letter or digit that makes no words. */
function encode(hash: number): string {
  return String(hash).replace(/\d/g, (digit) => '456789bcdf'[Number(digit)] ?? '')
}

/**
 * Go structs that are no pointers print even when empty (spec api 8.6). Everything else that is
 * empty vanishes, but for pointers, which `pointers` lists where their value may be a zero.
 */
const alwaysPrinted: ReadonlySet<string> = new Set([
  'experiment.analysisRunMetadata',
  'experiment.templates.metadata',
  'analysis.templates.templateName',
])
const pointers: ReadonlySet<string> = new Set([
  'setWeight',
  'pause.duration',
  'experiment.templates.replicas',
  'experiment.templates.weight',
  'experiment.scaleDownDelaySeconds',
  'analysis.templates.clusterScope',
  'setCanaryScale.weight',
  'setCanaryScale.replicas',
  'setMirrorRoute.percentage',
  'analysis.args.valueFrom.podTemplateHashValue',
  'experiment.analyses.args.valueFrom.podTemplateHashValue',
])

function printed(node: SchemaNode, value: unknown, path: readonly string[]): string {
  switch (node.kind) {
    case 'object': {
      const object = isObject(value) ? value : {}
      const fields: string[] = []
      for (const [name, field] of Object.entries(node.fields)) {
        const inside = [...path, name]
        const place = inside.join('.')
        const kept = field.required || alwaysPrinted.has(place) || pointers.has(place)
        const held = object[name]
        if (held === undefined || held === null) {
          if (!field.required && !alwaysPrinted.has(place)) continue
        } else if (!kept && isZero(field.node, held)) continue
        fields.push(`"${name}":${printed(field.node, held, inside)}`)
      }
      return `{${fields.join(',')}}`
    }
    case 'list':
      if (!Array.isArray(value)) return 'null'
      return `[${value.map((item) => printed(node.items, item, path)).join(',')}]`
    case 'map': {
      const object = isObject(value) ? value : {}
      const keys = Object.keys(object).sort(byBytes)
      return `{${keys.map((key) => `${text(key)}:${printed(node.values, object[key], path)}`).join(',')}}`
    }
    case 'kubernetes':
      return canonicalJson(node.ref, value)
    case 'any':
    case 'metadata':
      return escaped(JSON.stringify(value ?? null))
    case 'string':
      return text(String(value ?? ''))
    case 'integer':
      return String(value ?? 0)
    case 'boolean':
      return String(value === true)
    case 'intOrString':
    case 'numberOrString':
      return typeof value === 'string' ? text(value) : String(value ?? 0)
    default:
      throw new TypeError(`unknown node: ${JSON.stringify(node satisfies never)}`)
  }
}

/** Objects behind optional fields are pointers, which are kept when they point to an empty struct. */
function isZero(node: SchemaNode, value: unknown): boolean {
  if (node.kind === 'list') return Array.isArray(value) && value.length === 0
  if (node.kind === 'map') return isObject(value) && Object.keys(value).length === 0
  return value === '' || value === 0 || value === false
}

function text(value: string): string {
  return escaped(JSON.stringify(value))
}

/** Go's encoder escapes these so that JSON may stand in HTML. */
function escaped(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** UTF-8 sorts by code points, which JavaScript's own order of strings does not quite. */
function byBytes(a: string, b: string): number {
  const left = [...a]
  const right = [...b]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i]?.codePointAt(0) ?? 0) - (right[i]?.codePointAt(0) ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
