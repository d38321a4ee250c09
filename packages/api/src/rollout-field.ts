import type { Rollout } from './types.ts'

/**
 * A field of a Rollout as text, the way analysis arguments name it (spec analysis-and-experiments
 * 1.5): paths that begin with `metadata` follow the downward API, all others walk the JSON.
 */
export function fieldOfRollout(
  rollout: Rollout,
  path: string,
):
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly problem: string } {
  return path.startsWith('metadata')
    ? metadataField(rollout.metadata, path)
    : jsonField(rollout, path)
}

/** The label or annotation that a `metadata` path names and the object lacks, so that it reads as empty text. */
export function missingMetadata(metadata: Metadata, path: string): string | undefined {
  const [, kind, key = ''] = subscript.exec(path) ?? []
  if (!kind) return undefined
  const map = kind === 'labels' ? metadata.labels : metadata.annotations
  return map && Object.hasOwn(map, key) ? undefined : `${kind.slice(0, -1)} ${key}`
}

/** What is wrong with a `metadata...` path; undefined for a good one. */
export function metadataPathProblem(path: string): string | undefined {
  if (simple.has(path) || subscript.test(path)) return undefined
  return `unsupported fieldPath: ${path}`
}

const simple: ReadonlySet<string> = new Set([
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'metadata.labels',
  'metadata.annotations',
])
const subscript = /^metadata\.(labels|annotations)\['([^']*)'\]$/

type Metadata = Pick<Rollout['metadata'], 'name' | 'namespace' | 'uid' | 'labels' | 'annotations'>

/** A `metadata…` path of any object, by the downward API. */
export function metadataField(metadata: Metadata, path: string): ReturnType<typeof fieldOfRollout> {
  const problem = metadataPathProblem(path)
  if (problem) return { ok: false, problem }
  const [, kind, key = ''] = subscript.exec(path) ?? []
  if (kind) {
    const map = kind === 'labels' ? metadata.labels : metadata.annotations
    return { ok: true, value: map?.[key] ?? '' }
  }
  switch (path) {
    case 'metadata.labels':
      return { ok: true, value: lines(metadata.labels) }
    case 'metadata.annotations':
      return { ok: true, value: lines(metadata.annotations) }
    case 'metadata.namespace':
      return { ok: true, value: metadata.namespace ?? '' }
    case 'metadata.uid':
      return { ok: true, value: metadata.uid ?? '' }
    default:
      return { ok: true, value: metadata.name }
  }
}

function lines(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n')
}

function jsonField(rollout: Rollout, path: string): ReturnType<typeof fieldOfRollout> {
  let value: unknown = rollout
  for (const part of path.split(/[.[\]]+/).filter((each) => each !== '')) {
    if (Array.isArray(value)) {
      if (!/^[+-]?\d+$/.test(part)) return { ok: false, problem: `invalid index '${part}'` }
      const index = Number(part)
      if (index < 0 || index >= value.length) {
        return { ok: false, problem: `index ${index} out of range` }
      }
      value = value[index]
    } else if (isObject(value) && Object.hasOwn(value, part)) {
      value = value[part]
    } else {
      value = undefined
    }
    if (value === undefined || value === null) {
      return { ok: false, problem: `invalid path ${path} in rollout` }
    }
  }
  if (typeof value === 'object') {
    return { ok: false, problem: `path ${path} in rollout must terminate in a primitive value` }
  }
  return { ok: true, value: typeof value === 'number' ? goNumber(value) : String(value) }
}

/**
 * Go prints JSON numbers as floats with %v: 0.00001 is `1e-05`. Whole numbers stay what the manifest says, where
 * upstream makes `1.234567e+06` of 1234567.
 */
function goNumber(value: number): string {
  if (Number.isSafeInteger(value)) return String(value)
  const size = Math.abs(value)
  return size !== 0 && (size < 1e-4 || size >= 1e6) ? exponential(value) : String(value)
}

function exponential(value: number): string {
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
