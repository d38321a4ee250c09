import { durationProblem, nearest, parseDuration } from '@serinus/api'
import { parseDocument } from 'yaml'
import type { PluginKind, PluginProtocol } from './plugin-process.ts'

/** One plugin as the ConfigMap declares it (spec metric-providers 14.1). */
export interface Declaration {
  readonly kind: PluginKind
  /** `<namespace>/<name>`. */
  readonly name: string
  readonly location: Location
  /** 64 hexadecimal digits, lower case; absent: any file will do. */
  readonly sha256?: string
  readonly args: readonly string[]
  /** Names of Secrets whose entries are headers. */
  readonly headersFrom: readonly string[]
  readonly protocol: PluginProtocol | 'auto'
  /** Longest one call may take, milliseconds. */
  readonly timeoutMs: number
}

/** Where a plugin comes from. `text` is the location as it was written, without its query: that may hold a key. */
export type Location =
  /** Relative paths are relative to the working directory. */
  | { readonly kind: 'file'; readonly text: string; readonly path: string }
  | { readonly kind: 'download'; readonly text: string; readonly url: string }
  /** It runs already and is asked by HTTP. */
  | { readonly kind: 'service'; readonly text: string; readonly url: string }

/** An entry of a list: usable, switched off, or wrong. */
export type Declared =
  | { readonly kind: 'usable'; readonly name: string; readonly declaration: Declaration }
  | { readonly kind: 'disabled'; readonly name: string }
  /** `problem` is what its users see. */
  | { readonly kind: 'wrong'; readonly name: string; readonly problem: string }

/** One list: what it declares by name, or why it cannot be read at all. */
export type DeclaredList =
  | { readonly ok: true; readonly plugins: ReadonlyMap<string, Declared> }
  | { readonly ok: false; readonly problem: string }

/** The keys of ConfigMap `argo-rollouts-config`. */
export const listKeys: Readonly<Record<PluginKind, string>> = {
  metric: 'metricProviderPlugins',
  router: 'trafficRouterPlugins',
  step: 'stepPlugins',
}

/** The deadline of a call where the declaration sets none, milliseconds. */
const defaultTimeoutMs = 30_000

/** No call may take longer than this, milliseconds: who waits so long waits in vain. */
export const longestTimeoutMs = 600_000

/** Reads one key of the ConfigMap. A wrong entry spoils no other; unknown fields are ignored, as upstream does. */
export function parseDeclarations(kind: PluginKind, text: string | undefined): DeclaredList {
  const key = listKeys[kind]
  if (text === undefined || text.trim() === '') return { ok: true, plugins: new Map() }
  const { list, problem } = parseYaml(text)
  if (problem !== null) return { ok: false, problem: `${key}: ${problem}` }
  if (list === null) return { ok: true, plugins: new Map() }
  if (!Array.isArray(list))
    return {
      ok: false,
      problem: `${key}: must be a list of plugins, each with name and location, got ${typeof list}`,
    }
  const plugins = new Map<string, Declared>()
  for (const [index, item] of list.entries()) {
    const declared = parseItem(kind, item, `${key}[${index}]`)
    const twice = plugins.has(declared.name)
    plugins.set(
      declared.name,
      twice
        ? {
            kind: 'wrong',
            name: declared.name,
            problem: `${key}[${index}].name: ${declared.name} is declared twice; keep one of them`,
          }
        : declared,
    )
  }
  return { ok: true, plugins }
}

/** Throws at nothing that anybody may write into a ConfigMap: aliases that explode, or endless nesting. */
function parseYaml(text: string): { readonly list: unknown; readonly problem: string | null } {
  try {
    const document = parseDocument(text)
    const [mistake] = document.errors
    if (!mistake) return { list: document.toJS(), problem: null }
    return { list: null, problem: firstLine(mistake) }
  } catch (error) {
    return { list: null, problem: firstLine(error as Error) }
  }
}

function firstLine({ message }: Error): string {
  return message.split('\n')[0] ?? ''
}

const namePattern = /^([a-zA-Z0-9-]+)\/([a-zA-Z0-9_\-.]+)$/

/** Most that is told of a mistake, characters: whoever uses the plugin stores it. */
const longestProblem = 1_000

function parseItem(kind: PluginKind, item: unknown, path: string): Declared {
  const fields = isRecord(item) ? item : {}
  const name = typeof fields['name'] === 'string' ? fields['name'] : path
  try {
    if (!namePattern.test(name) || /^\.+$/.test(name.slice(name.indexOf('/') + 1)))
      throw new Error(`plugin repository (${name}) must be in the format of <namespace>/<name>`)
    if (flag(fields, 'disabled', path)) {
      if (kind === 'step') return { kind: 'disabled', name }
      throw new Error(`${path}.disabled: only step plugins can be disabled; remove the entry`)
    }
    return { kind: 'usable', name, declaration: parseUsable(kind, name, { fields, path }) }
  } catch (error) {
    return { kind: 'wrong', name, problem: (error as Error).message.slice(0, longestProblem) }
  }
}

function parseUsable(
  kind: PluginKind,
  name: string,
  { fields, path }: { fields: Readonly<Record<string, unknown>>; path: string },
): Declaration {
  const protocol = parseProtocol(fields, path)
  const location = parseLocation(text(fields, 'location', path), protocol)
  if (location.kind === 'service' && protocol !== 'auto' && protocol !== 'http')
    throw new Error(
      `${path}.protocol: ${protocol} needs a file, and ${location.text} is a service; leave it out`,
    )
  if (location.kind === 'file' && protocol === 'http')
    throw new Error(`${path}.protocol: http needs a location such as http+rpc://plugin.ns:8080/`)
  if (location.kind !== 'file' && hasPassword(location.url))
    throw new Error(
      `${path}.location: an address with a user name or password would be read by many; put them into a Secret, as the value of Authorization, and name that in headersFrom`,
    )
  const sha256 = parseSha256(fields, path)
  if (location.kind === 'service' && sha256)
    throw new Error(
      `${path}.sha256: a plugin that is asked by HTTP has no file to check; remove it`,
    )
  return {
    kind,
    name,
    location,
    ...(sha256 ? { sha256 } : {}),
    args: strings(fields, 'args', path),
    headersFrom: parseHeadersFrom(fields, path),
    protocol: location.kind === 'service' ? 'http' : protocol,
    timeoutMs: parseTimeout(fields, path),
  }
}

function parseLocation(text: string, protocol: PluginProtocol | 'auto'): Location {
  const [, scheme, rest = ''] = /^([a-z+]+):\/\/(.+)$/.exec(text) ?? []
  const shown = withoutQuery(text)
  switch (scheme) {
    case 'file':
      return { kind: 'file', text, path: rest }
    case 'http':
    case 'https':
      if (!URL.canParse(text)) break
      return { kind: protocol === 'http' ? 'service' : 'download', text: shown, url: text }
    case 'http+rpc':
    case 'https+rpc': {
      const url = text.replace('+rpc', '')
      if (!URL.canParse(url)) break
      return { kind: 'service', text: shown, url }
    }
  }
  const got = JSON.stringify(shown.replace(/\/\/.*@/, '//…@'))
  throw new Error(`plugin location must be of http(s) or file scheme, got ${got}`)
}

/** An address as messages show it. */
export function withoutQuery(url: string): string {
  return url.replace(/\?.*/s, '?…')
}

function hasPassword(url: string): boolean {
  const { username, password } = new URL(url)
  return username !== '' || password !== ''
}

const protocols = ['auto', 'netrpc', 'jsonrpc', 'js', 'http'] as const

function parseProtocol(
  fields: Readonly<Record<string, unknown>>,
  path: string,
): PluginProtocol | 'auto' {
  const value = fields['protocol'] ?? 'auto'
  const found = protocols.find((one) => one === value)
  if (found) return found
  const near = typeof value === 'string' ? nearest(value, [...protocols]) : undefined
  throw new Error(
    `${path}.protocol: ${JSON.stringify(value)} is none of ${protocols.join(', ')}${near ? `; did you mean ${near}?` : ''}`,
  )
}

function parseSha256(fields: Readonly<Record<string, unknown>>, path: string): string | undefined {
  const value = fields['sha256']
  if (value === undefined || value === null || value === '') return undefined
  // YAML takes 64 digits without a letter for a number.
  const digits = typeof value === 'string' ? value.trim().toLowerCase() : ''
  if (/^[0-9a-f]{64}$/.test(digits)) return digits
  throw new Error(
    `${path}.sha256: must be the 64 hexadecimal digits that sha256sum prints, in quotes, got ${typeof value === 'string' ? `${value.length} characters` : typeof value}`,
  )
}

function parseTimeout(fields: Readonly<Record<string, unknown>>, path: string): number {
  const value = fields['timeout']
  if (value === undefined || value === null) return defaultTimeoutMs
  const ms = typeof value === 'string' ? parseDuration(value) : undefined
  if (ms === undefined)
    throw new Error(`${path}.timeout: ${durationProblem(String(value))}; write it as in "45s"`)
  if (ms <= 0 || ms > longestTimeoutMs)
    throw new Error(`${path}.timeout: ${value} must be above 0 and at most 10m`)
  return ms
}

function parseHeadersFrom(fields: Readonly<Record<string, unknown>>, path: string): string[] {
  const value = fields['headersFrom'] ?? []
  if (!Array.isArray(value)) throw new Error(`${path}.headersFrom: must be a list`)
  return value.map((item: unknown, index) => {
    const reference = isRecord(item) ? item['secretRef'] : undefined
    const name = isRecord(reference) ? reference['name'] : undefined
    if (typeof name === 'string' && name !== '') return name
    throw new Error(`${path}.headersFrom[${index}].secretRef.name: must be the name of a Secret`)
  })
}

function text(fields: Readonly<Record<string, unknown>>, field: string, path: string): string {
  const value = fields[field]
  if (typeof value === 'string' && value !== '') return value
  throw new Error(`${path}.${field}: must be a text, got ${JSON.stringify(value) ?? 'nothing'}`)
}

function strings(fields: Readonly<Record<string, unknown>>, field: string, path: string): string[] {
  const value = fields[field] ?? []
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw new Error(`${path}.${field}: must be a list of texts; put numbers and flags in quotes`)
}

function flag(fields: Readonly<Record<string, unknown>>, field: string, path: string): boolean {
  const value = fields[field] ?? false
  if (typeof value === 'boolean') return value
  throw new Error(`${path}.${field}: must be true or false, got ${JSON.stringify(value)}`)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
