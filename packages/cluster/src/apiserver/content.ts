import { parseDocument } from 'yaml'
import { badRequest, unsupportedMediaType } from './status-error.ts'

/** The form in which an answer is wanted. */
export type Form =
  | { readonly kind: 'object' }
  | { readonly kind: 'table'; readonly includeObject: 'Metadata' | 'None' | 'Object' }
  | { readonly kind: 'metadata' }

export interface Negotiated {
  readonly encoding: 'json' | 'yaml'
  readonly form: Form
  readonly pretty: boolean
}

/**
 * Chooses the form of an answer. Protobuf and CBOR are passed over for the next acceptable type,
 * and where nothing else is acceptable the answer is JSON, which every client reads.
 */
export function negotiate(request: Request, query: URLSearchParams): Negotiated {
  const accept = request.headers.get('accept') ?? '*/*'
  const pretty = query.get('pretty') === 'true' || query.get('pretty') === '1'
  const include = query.get('includeObject')
  const includeObject = include === 'None' || include === 'Object' ? include : 'Metadata'
  for (const part of accept.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((text) => text.trim())
    const as = parameter(parameters, 'as')
    const encoding = encodingOf(type)
    if (!encoding) continue
    switch (as) {
      case undefined:
        return { encoding, form: { kind: 'object' }, pretty }
      case 'Table':
        return { encoding, form: { kind: 'table', includeObject }, pretty }
      case 'PartialObjectMetadata':
      case 'PartialObjectMetadataList':
        return { encoding, form: { kind: 'metadata' }, pretty }
      default:
    }
  }
  return { encoding: 'json', form: { kind: 'object' }, pretty }
}

function encodingOf(type: string): 'json' | 'yaml' | undefined {
  switch (type) {
    case 'application/json':
    case 'application/*':
    case '*/*':
      return 'json'
    case 'application/yaml':
      return 'yaml'
    default:
      return undefined
  }
}

function parameter(parameters: readonly string[], name: string): string | undefined {
  const found = parameters.find((text) => text.startsWith(`${name}=`))
  return found?.slice(name.length + 1)
}

export interface Body {
  readonly value: unknown
  /** `duplicate field "spec.replicas"`, for field validation. */
  readonly problems: readonly string[]
}

/** Parses a request body; JSON unless the content type says YAML. */
export function parseBody(text: string, contentType: string): Body {
  const type = (contentType.split(';')[0] ?? '').trim()
  switch (type) {
    case '':
    case 'application/json':
    case 'application/json-patch+json':
    case 'application/merge-patch+json':
    case 'application/strategic-merge-patch+json':
      return parseJson(text)
    case 'application/yaml':
    case 'application/apply-patch+yaml':
      return looksLikeJson(text) ? parseJson(text) : parseYaml(text)
    default:
      throw unsupportedMediaType(['application/json', 'application/yaml'])
  }
}

function looksLikeJson(text: string): boolean {
  return /^\s*\{/.test(text)
}

function parseJson(text: string): Body {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    // YAML is a superset that also covers a flow mapping sent with the YAML type.
    if (looksLikeJson(text)) {
      try {
        return parseYaml(text)
      } catch {
        // The JSON error below says it better.
      }
    }
    throw badRequest(`couldn't get version/kind; json parse error: ${jsonErrorText(error)}`)
  }
  return { value, problems: duplicateKeys(text) }
}

function jsonErrorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function parseYaml(text: string): Body {
  const document = parseDocument(text, { uniqueKeys: false, version: '1.1', merge: true })
  const [first] = document.errors
  if (first)
    throw badRequest(`error converting YAML to JSON: yaml: ${first.message.split('\n')[0]}`)
  return { value: document.toJS(), problems: [] }
}

/**
 * Keys given twice in one object, as `duplicate field "spec.replicas"`. One pass over the text,
 * since JSON.parse silently keeps the last one.
 */
function duplicateKeys(text: string): readonly string[] {
  const problems: string[] = []
  const stack: { keys: Set<string> | undefined; name: string; index: number }[] = []
  let expectKey = false
  let position = 0
  const pathTo = (key: string) => {
    let path = ''
    for (const frame of stack) {
      if (frame.keys === undefined) path += `[${frame.index}]`
      else if (frame !== stack.at(-1)) path += `${path === '' ? '' : '.'}${frame.name}`
    }
    return path === '' ? key : `${path}.${key}`
  }
  while (position < text.length) {
    const code = text.charCodeAt(position)
    if (code === 0x22) {
      const end = stringEnd(text, position)
      const top = stack.at(-1)
      if (expectKey && top?.keys) {
        const raw = text.slice(position + 1, end)
        const key = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw
        if (top.keys.has(key)) problems.push(`duplicate field ${JSON.stringify(pathTo(key))}`)
        top.keys.add(key)
        top.name = key
        expectKey = false
      }
      position = end + 1
      continue
    }
    if (code === 0x7b) {
      stack.push({ keys: new Set(), name: '', index: 0 })
      expectKey = true
    } else if (code === 0x5b) {
      stack.push({ keys: undefined, name: '', index: 0 })
      expectKey = false
    } else if (code === 0x7d || code === 0x5d) stack.pop()
    else if (code === 0x2c) {
      const top = stack.at(-1)
      if (top?.keys) expectKey = true
      else if (top) top.index++
    }
    position++
  }
  return problems
}

function stringEnd(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end > 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end < 0 ? text.length : end
}

function isEscaped(text: string, position: number): boolean {
  let slashes = 0
  while (text.charCodeAt(position - 1 - slashes) === 0x5c) slashes++
  return slashes % 2 === 1
}
