import type { ManagedRoute } from '@serinus/engine'
import { prefixPattern } from '../prefix-pattern.ts'
import type { BackendRef, Comparison, HeaderMatch, Match, Rule } from './objects.ts'
import { type Place, refOf, sideIn } from './shares.ts'

/**
 * The rules that a header or mirror step asks for: one per rule that splits traffic, with all that the user wrote there
 * and both its conditions and those of the step (spec traffic-routing 6.3, 6.6). None: no request meets both.
 * @param sources with the weights that they are to have
 */
export function managedRules(
  wanted: ManagedRoute,
  sources: readonly Rule[],
  place: Place & { readonly protocol: 'http' | 'grpc' },
): readonly Rule[] {
  const asked = wanted.kind === 'header' ? headerMatches(wanted, place) : mirrorMatches(wanted)
  return sources
    .flatMap((source) => {
      const own = source.matches?.length ? source.matches : [emptyMatch(place.protocol)]
      const matches = own.flatMap((one) => asked.flatMap((other) => both(one, other) ?? []))
      const canary = sideIn(source, 'canary', place)
      return matches.length > 0 && canary
        ? [managedRule(wanted, { ...source, matches }, canary)]
        : []
    })
    .map((rule, index) => ({
      ...rule,
      name: index === 0 ? wanted.name : `${wanted.name}-${index}`,
    }))
}

export function isMirror({ filters = [] }: Rule, canary: string): boolean {
  return filters.some(({ requestMirror }) => requestMirror?.backendRef.name === canary)
}

/** What the API server makes of a rule without matches. */
function emptyMatch(protocol: 'http' | 'grpc'): Match {
  return protocol === 'http' ? { path: { type: 'PathPrefix', value: '/' } } : {}
}

function managedRule(wanted: ManagedRoute, source: Rule, canary: BackendRef): Rule {
  if (wanted.kind === 'header') {
    return { ...source, backendRefs: [{ ...canary, ...refOf(canary), weight: 1 }] }
  }
  const { percentage } = wanted
  const requestMirror = {
    backendRef: refOf(canary),
    // Which not every data plane knows.
    ...(percentage === 100 ? {} : { percent: percentage }),
  }
  return {
    ...source,
    filters: [...(source.filters ?? []), { type: 'RequestMirror', requestMirror }],
  }
}

/** Matches are alternatives, the headers of one are not. */
function headerMatches(
  { match }: ManagedRoute & { readonly kind: 'header' },
  { facts }: Place,
): readonly Match[] {
  const headers = match.map(({ headerName, headerValue }) => headerMatch(headerName, headerValue))
  return facts.headerMatch === 'and' ? [{ headers }] : headers.map((one) => ({ headers: [one] }))
}

function mirrorMatches({ match }: ManagedRoute & { readonly kind: 'mirror' }): readonly Match[] {
  return match.map(({ method, path, headers = {} }) => ({
    ...(method?.exact ? { method: method.exact } : {}),
    ...(path ? { path: pathMatch(path) } : {}),
    headers: Object.entries(headers).map(([name, value]) => headerMatch(name, value)),
  }))
}

interface StringMatch {
  readonly exact?: string
  readonly prefix?: string
  readonly regex?: string
}

function headerMatch(name: string, { exact, prefix, regex }: StringMatch): HeaderMatch {
  if (exact) return { type: 'Exact', name, value: exact }
  const value = prefix ? prefixPattern(prefix) : (regex ?? '')
  return { type: 'RegularExpression', name, value }
}

function pathMatch({ exact, prefix, regex }: StringMatch): Comparison {
  if (exact) return { type: 'Exact', value: exact }
  return prefix
    ? { type: 'PathPrefix', value: prefix }
    : { type: 'RegularExpression', value: regex ?? '' }
}

/** Null: no request can meet both. */
function both(own: Match, asked: Match): Match | null {
  const path = narrowerPath(own.path, asked.path)
  const isOtherMethod =
    own.method !== undefined && asked.method !== undefined && own.method !== asked.method
  if (path === null || isOtherMethod) return null
  const headers = [...(own.headers ?? [])]
  for (const one of asked.headers ?? []) {
    // Names of headers are the same in any case, and may stand in a list once.
    const at = headers.findIndex(({ name }) => name.toLowerCase() === one.name.toLowerCase())
    const before = headers[at]
    if (before && isExact(before) && isExact(one) && before.value !== one.value) return null
    if (before) headers[at] = one
    else headers.push(one)
  }
  return {
    ...own,
    ...(path ? { path } : {}),
    ...(asked.method === undefined ? {} : { method: asked.method }),
    ...(headers.length > 0 ? { headers } : {}),
  }
}

function isExact({ type = 'Exact' }: HeaderMatch): boolean {
  return type === 'Exact'
}

/** Of a regular expression and another condition that of the step; null: no path meets both. */
function narrowerPath(
  own: Comparison | undefined,
  asked: Comparison | undefined,
): Comparison | null | undefined {
  if (!own || !asked) return asked ?? own
  if (isAll(own)) return asked
  if (isAll(asked)) return own
  if (own.type === 'RegularExpression' || asked.type === 'RegularExpression') return asked
  if (isBeneath(asked, own)) return asked
  return isBeneath(own, asked) ? own : null
}

function isAll({ type = 'PathPrefix', value = '/' }: Comparison): boolean {
  return type === 'PathPrefix' && value === '/'
}

function isBeneath({ value: path = '/' }: Comparison, upper: Comparison): boolean {
  const { type = 'PathPrefix', value = '/' } = upper
  return (
    path === value || (type === 'PathPrefix' && path.startsWith(`${value.replace(/\/$/, '')}/`))
  )
}
