import { canonicalJson, decodeProblems, unknownFields } from '@serinus/kinds'
import { nearest } from './nearest.ts'
import { invalid, missing, type Problem } from './problem.ts'
import { analysisRun, analysisTemplate } from './schema/analysis.ts'
import { experiment } from './schema/experiment.ts'
import { gatewayApi, rollout } from './schema/rollout.ts'
import type { ObjectMeta, SchemaField, SchemaNode, Typed } from './schema/typed-schema.ts'
import type {
  AnalysisRun,
  AnalysisTemplate,
  ClusterAnalysisTemplate,
  Experiment,
  GatewayApiRouting,
  Rollout,
} from './types.ts'

/** What could be read of an object, and what could not. */
export interface Parsed<T> {
  /** Malformed parts are left out; required texts, numbers and lists that are missing are empty. */
  readonly value: T
  /** Malformed parts of metadata and spec. Status is the controller's own and never a problem. */
  readonly problems: readonly Problem[]
  /** Fields nobody knows, which an API server drops unless asked to be strict; with the nearest known name. */
  readonly unknownFields: readonly Problem[]
}

/** Reads a Rollout; never throws. Null means absent (spec api 2, 3). */
export function parseRollout(object: unknown): Parsed<Rollout> {
  return parse(rollout, object, 'Rollout')
}

/** Reads an AnalysisTemplate; never throws. */
export function parseAnalysisTemplate(object: unknown): Parsed<AnalysisTemplate> {
  return parse(analysisTemplate, object, 'AnalysisTemplate')
}

/** Reads a ClusterAnalysisTemplate; never throws. */
export function parseClusterAnalysisTemplate(object: unknown): Parsed<ClusterAnalysisTemplate> {
  return parse(analysisTemplate, object, 'ClusterAnalysisTemplate')
}

/** Reads an AnalysisRun; never throws. Neither metrics nor templates is a problem. */
export function parseAnalysisRun(object: unknown): Parsed<AnalysisRun> {
  const parsed = parse<AnalysisRun>(analysisRun, object, 'AnalysisRun')
  const { metrics, templates } = parsed.value.spec
  if (metrics || templates) return parsed
  const problem = missing('spec.metrics', 'an AnalysisRun needs metrics or templates')
  return { ...parsed, problems: [...parsed.problems, problem] }
}

/** Reads an Experiment; never throws. */
export function parseExperiment(object: unknown): Parsed<Experiment> {
  return parse(experiment, object, 'Experiment')
}

/** Reads the settings of the plugin argoproj-labs/gatewayAPI; never throws. Its unknown keys are nobody's business. */
export function parseGatewayApi(
  settings: unknown,
  path: string,
): Pick<Parsed<GatewayApiRouting>, 'value' | 'problems'> {
  const report: Report = { problems: [], unknown: [] }
  const cleaned = clean(gatewayApi.node, settings, path, report)
  return { value: (cleaned ?? {}) as GatewayApiRouting, problems: report.problems }
}

interface Report {
  readonly problems: Problem[]
  readonly unknown: Problem[]
}

function parse<T>(schema: Typed<T>, object: unknown, kind: string): Parsed<T> {
  const report: Report = { problems: [], unknown: [] }
  const cleaned = clean(schema.node, object, '', report)
  const fields = isObject(cleaned) ? cleaned : {}
  const value = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind,
    metadata: { name: '' },
    spec: {},
    ...fields,
  }
  return {
    // `clean` has left nothing in it that the schema, from which T is inferred, does not allow.
    value: value as T,
    problems: report.problems.filter((problem) => !problem.path.startsWith('status')),
    unknownFields: report.unknown.filter((problem) => !problem.path.startsWith('status')),
  }
}

/** The value without what does not belong; the same object where all belongs. */
function clean(node: SchemaNode, value: unknown, path: string, report: Report): unknown {
  switch (node.kind) {
    case 'object':
      if (!isObject(value)) return mistyped('object', value, path, report)
      return cleanObject(node.fields, value, path, report)
    case 'list':
      if (!Array.isArray(value)) return mistyped('array', value, path, report)
      return cleanList(node.items, value, path, report)
    case 'map':
      if (!isObject(value)) return mistyped('object', value, path, report)
      return cleanMap(node.values, value, path, report)
    case 'string':
      if (typeof value !== 'string') return mistyped('string', value, path, report)
      if (node.values && !node.values.includes(value)) {
        const listed = node.values.map((each) => JSON.stringify(each)).join(', ')
        const detail = `supported values: ${listed}`
        report.problems.push({ path, kind: 'Unsupported value', value, detail })
        return undefined
      }
      return value
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) {
        return mistyped('integer', value, path, report)
      }
      if (node.format === 'int32' && (value | 0) !== value) {
        report.problems.push(invalid(path, value, 'must be a 32-bit integer'))
        return undefined
      }
      return value
    case 'boolean':
      return typeof value === 'boolean' ? value : mistyped('boolean', value, path, report)
    case 'intOrString':
      if (typeof value === 'string' || Number.isInteger(value)) return value
      return mistyped('integer,string', value, path, report)
    case 'numberOrString':
      if (typeof value === 'string' || typeof value === 'number') return value
      return mistyped('number,string', value, path, report)
    case 'any':
      return isObject(value) ? value : mistyped('object', value, path, report)
    case 'metadata':
      return cleanMetadata(value, path, report)
    case 'kubernetes':
      return cleanKubernetes(node.ref, value, path, report)
    default:
      throw new TypeError(`unknown node: ${JSON.stringify(node satisfies never)}`)
  }
}

function mistyped(wanted: string, value: unknown, path: string, report: Report): undefined {
  const found = Array.isArray(value) ? 'array' : typeof value
  const detail = `must be of type ${wanted}: "${found}"`
  report.problems.push(invalid(path === '' ? 'object' : path, value, detail))
  return undefined
}

function cleanObject(
  fields: Readonly<Record<string, SchemaField>>,
  value: Readonly<Record<string, unknown>>,
  path: string,
  report: Report,
): unknown {
  const cleaned: Record<string, unknown> = {}
  for (const [name, held] of Object.entries(value)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    const place = join(path, name)
    if (!field) {
      if (!isZeroTime(name, held, path))
        report.unknown.push(unknownField(place, name, Object.keys(fields)))
      continue
    }
    if (held === null || held === undefined) continue
    const kept = clean(field.node, held, place, report)
    if (kept !== undefined) cleaned[name] = kept
  }
  for (const [name, field] of Object.entries(fields)) {
    if (!field.required || cleaned[name] !== undefined) continue
    if (value[name] === undefined || value[name] === null) {
      report.problems.push(missing(join(path, name), ''))
    }
    cleaned[name] = emptyValue(field.node)
  }
  return cleaned
}

/** Tools in Go, before Kubernetes 1.34, write the zero time into every metadata, such as that of a Job in a metric. */
function isZeroTime(name: string, held: unknown, path: string): boolean {
  return name === 'creationTimestamp' && held === null && /(^|\.)metadata$/.test(path)
}

function unknownField(path: string, name: string, known: readonly string[]): Problem {
  const close = nearest(name, known)
  const detail = close === undefined ? '' : `did you mean "${close}"?`
  return { path, kind: 'Unknown field', detail }
}

function emptyValue(node: SchemaNode): unknown {
  switch (node.kind) {
    case 'string':
      return ''
    case 'integer':
    case 'intOrString':
    case 'numberOrString':
      return 0
    case 'boolean':
      return false
    case 'list':
      return []
    case 'object': {
      const required = Object.entries(node.fields).filter(([, field]) => field.required)
      return Object.fromEntries(required.map(([name, field]) => [name, emptyValue(field.node)]))
    }
    default:
      return {}
  }
}

function cleanList(
  items: SchemaNode,
  value: readonly unknown[],
  path: string,
  report: Report,
): unknown {
  return value.map((item, index) => {
    const place = `${path}[${index}]`
    // An item that cannot be read keeps its place, since steps and results are counted by index.
    if (item === null || item === undefined) {
      report.problems.push(invalid(place, null, 'must not be null'))
      return emptyValue(items)
    }
    return clean(items, item, place, report) ?? emptyValue(items)
  })
}

function cleanMap(
  values: SchemaNode,
  value: Readonly<Record<string, unknown>>,
  path: string,
  report: Report,
): unknown {
  const cleaned: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    if (item === null || item === undefined) continue
    const kept = clean(values, item, `${path}[${key}]`, report)
    if (kept !== undefined) cleaned[key] = kept
  }
  return cleaned
}

const texts: SchemaNode = { kind: 'map', values: { kind: 'string' } }
const metadataTypes: Readonly<Record<keyof ObjectMeta, SchemaNode | null>> = {
  name: { kind: 'string' },
  generateName: { kind: 'string' },
  namespace: { kind: 'string' },
  uid: { kind: 'string' },
  resourceVersion: { kind: 'string' },
  generation: { kind: 'integer', format: 'int64' },
  creationTimestamp: { kind: 'string' },
  deletionTimestamp: { kind: 'string' },
  deletionGracePeriodSeconds: { kind: 'integer', format: 'int64' },
  labels: texts,
  annotations: texts,
  ownerReferences: { kind: 'list', items: { kind: 'any' } },
  finalizers: { kind: 'list', items: { kind: 'string' } },
  managedFields: null,
}

function cleanMetadata(value: unknown, path: string, report: Report): unknown {
  if (!isObject(value)) return mistyped('object', value, path, report)
  const cleaned: Record<string, unknown> = { name: '' }
  for (const [name, held] of Object.entries(value)) {
    if (held === null || held === undefined) continue
    const type = Object.hasOwn(metadataTypes, name)
      ? metadataTypes[name as keyof ObjectMeta]
      : undefined
    if (type === undefined && name !== 'selfLink') {
      report.unknown.push(unknownField(join(path, name), name, Object.keys(metadataTypes)))
      continue
    }
    const kept = type ? clean(type, held, join(path, name), report) : held
    if (kept !== undefined) cleaned[name] = kept
  }
  return cleaned
}

function cleanKubernetes(ref: string, value: unknown, path: string, report: Report): unknown {
  if (!isObject(value)) return mistyped('object', value, path, report)
  const misread = decodeProblems(ref, value)
  for (const { path: inside, detail } of misread) {
    report.problems.push(invalid(join(path, inside), valueAt(value, inside), detail))
  }
  for (const inside of unknownFields(ref, value)) {
    report.unknown.push({ path: join(path, inside), kind: 'Unknown field', detail: '' })
  }
  // Go's own reading of it leaves out what it cannot hold.
  return misread.length === 0 ? withoutNull(value) : JSON.parse(canonicalJson(ref, value))
}

function valueAt(value: unknown, path: string): unknown {
  let found = value
  for (const part of path.split(/[.[\]]+/).filter((each) => each !== '')) {
    if (typeof found !== 'object' || found === null) return undefined
    found = (found as Readonly<Record<string, unknown>>)[part]
  }
  return found
}

function withoutNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNull)
  if (!isObject(value)) return value
  const kept: Record<string, unknown> = {}
  for (const [name, held] of Object.entries(value)) {
    if (held !== null && held !== undefined) kept[name] = withoutNull(held)
  }
  return kept
}

function join(path: string, name: string): string {
  if (path === '') return name
  return name.startsWith('[') ? `${path}${name}` : `${path}.${name}`
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
