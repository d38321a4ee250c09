import type { UnknownObject } from '@serinus/kube'
import { labelKeyProblems, labelValueProblems } from './names.ts'
import { badRequest } from './status-error.ts'
import { at } from './values.ts'

export type Matches = (object: UnknownObject) => boolean

interface Requirement {
  readonly key: string
  readonly operator: 'in' | 'notin' | 'exists' | '!exists' | 'gt' | 'lt'
  readonly values: readonly string[]
}

/** A label selector of a query (`app=web,tier in (a,b),!old`); undefined selects everything. */
export function parseLabelSelector(text: string | undefined): Matches | undefined {
  if (text === undefined || text.trim() === '') return undefined
  const requirements = parseRequirements(text)
  return (object) => matchesAll(requirements, object.metadata.labels ?? {})
}

/** A LabelSelector of an object: matchLabels and matchExpressions. A missing one selects nothing. */
export function matchesLabelSelector(
  selector: unknown,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (selector === undefined || selector === null) return false
  const expressions = (at(selector, 'matchExpressions') ?? []) as readonly {
    key: string
    operator: string
    values?: readonly string[]
  }[]
  const matchLabels = (at(selector, 'matchLabels') ?? {}) as Readonly<Record<string, string>>
  for (const key in matchLabels) if (labels[key] !== matchLabels[key]) return false
  return expressions.every(({ key, operator, values = [] }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value)
      case 'NotIn':
        return value === undefined || !values.includes(value)
      case 'Exists':
        return value !== undefined
      case 'DoesNotExist':
        return value === undefined
      default:
        return false
    }
  })
}

function matchesAll(
  requirements: readonly Requirement[],
  labels: Readonly<Record<string, string>>,
): boolean {
  return requirements.every(({ key, operator, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    switch (operator) {
      case 'in':
        return value !== undefined && values.includes(value)
      case 'notin':
        return value === undefined || !values.includes(value)
      case 'exists':
        return value !== undefined
      case '!exists':
        return value === undefined
      case 'gt':
        return value !== undefined && Number(value) > Number(values[0])
      case 'lt':
        return value !== undefined && Number(value) < Number(values[0])
      default:
        throw new TypeError(`unknown operator ${operator satisfies never}`)
    }
  })
}

type Token = { readonly text: string; readonly symbol: boolean }

/** The grammar of apimachinery: pkg/labels/selector.go. */
function parseRequirements(text: string): readonly Requirement[] {
  const tokens = tokenize(text)
  const requirements: Requirement[] = []
  let position = 0
  const peek = () => tokens[position]
  const next = () => tokens[position++]
  const fail = (found: Token | undefined, expected: string): never => {
    throw badRequest(
      `unable to parse requirement: found '${found?.text ?? ''}', expected: ${expected}`,
    )
  }
  while (position < tokens.length) {
    const negated = peek()?.text === '!' && peek()?.symbol === true
    if (negated) next()
    const key = next()
    if (!key || key.symbol) return fail(key, "!, identifier, or 'end of string'")
    checkKey(key.text)
    requirements.push(
      negated ? { key: key.text, operator: '!exists', values: [] } : condition(key.text),
    )
    const comma = next()
    if (!comma) break
    if (comma.text !== ',' || !comma.symbol) fail(comma, "',' or 'end of string'")
    if (position >= tokens.length) fail(undefined, "identifier after ','")
  }
  return requirements

  function condition(key: string): Requirement {
    const operator = peek()
    if (!operator || (operator.symbol && operator.text === ',')) {
      return { key, operator: 'exists', values: [] }
    }
    next()
    switch (operator.text) {
      case '=':
      case '==':
        return { key, operator: 'in', values: [value(key)] }
      case '!=':
        return { key, operator: 'notin', values: [value(key)] }
      case '>':
        return { key, operator: 'gt', values: [value(key)] }
      case '<':
        return { key, operator: 'lt', values: [value(key)] }
      case 'in':
      case 'notin':
        return { key, operator: operator.text, values: valueList(key) }
      default:
        return fail(operator, 'in, notin, =, ==, !=, gt, lt')
    }
  }
  function value(key: string): string {
    const token = peek()
    if (!token || (token.symbol && token.text === ',')) return ''
    if (token.symbol) return fail(token, 'identifier')
    next()
    checkValue(key, token.text)
    return token.text
  }
  function valueList(key: string): readonly string[] {
    const open = next()
    if (open?.text !== '(' || !open.symbol) fail(open, "'('")
    const values: string[] = []
    for (;;) {
      const token = next()
      if (!token) fail(token, "',', ')' or identifier")
      else if (token.symbol && token.text === ')') {
        if (values.length === 0) values.push('')
        return values
      } else if (token.symbol && token.text === ',') {
        if (values.length === 0) values.push('')
      } else if (token.symbol) fail(token, "',', ')' or identifier")
      else {
        checkValue(key, token.text)
        values.push(token.text)
      }
    }
  }
}

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = []
  const pattern = /\s*(==|!=|[=!,()<>]|[^\s=!,()<>]+)/gy
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text)
    if (!match?.[1]) break
    tokens.push({ text: match[1], symbol: /^[=!,()<>]/.test(match[1]) })
  }
  return tokens
}

function checkKey(key: string): void {
  const problems = labelKeyProblems(key)
  if (problems.length > 0) {
    throw badRequest(
      `unable to parse requirement: key: Invalid value: ${JSON.stringify(key)}: ${problems.join('; ')}`,
    )
  }
}

function checkValue(key: string, value: string): void {
  const problems = labelValueProblems(value)
  if (problems.length > 0) {
    throw badRequest(
      `unable to parse requirement: values[0][${key}]: Invalid value: ${JSON.stringify(value)}: ${problems.join('; ')}`,
    )
  }
}

/** Fields beyond metadata.name and metadata.namespace that a kind can be selected by. */
const selectableFields: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  pods: {
    'spec.nodeName': ['spec', 'nodeName'],
    'spec.restartPolicy': ['spec', 'restartPolicy'],
    'spec.schedulerName': ['spec', 'schedulerName'],
    'spec.serviceAccountName': ['spec', 'serviceAccountName'],
    'spec.hostNetwork': ['spec', 'hostNetwork'],
    'status.phase': ['status', 'phase'],
    'status.podIP': ['status', 'podIP'],
    'status.podIPs': ['status', 'podIP'],
    'status.nominatedNodeName': ['status', 'nominatedNodeName'],
  },
  events: {
    'involvedObject.kind': ['involvedObject', 'kind'],
    'involvedObject.namespace': ['involvedObject', 'namespace'],
    'involvedObject.name': ['involvedObject', 'name'],
    'involvedObject.uid': ['involvedObject', 'uid'],
    'involvedObject.apiVersion': ['involvedObject', 'apiVersion'],
    'involvedObject.resourceVersion': ['involvedObject', 'resourceVersion'],
    'involvedObject.fieldPath': ['involvedObject', 'fieldPath'],
    reason: ['reason'],
    reportingComponent: ['reportingComponent'],
    source: ['source', 'component'],
    type: ['type'],
  },
  'events.events.k8s.io': {
    'regarding.kind': ['involvedObject', 'kind'],
    'regarding.namespace': ['involvedObject', 'namespace'],
    'regarding.name': ['involvedObject', 'name'],
    'regarding.uid': ['involvedObject', 'uid'],
    'regarding.apiVersion': ['involvedObject', 'apiVersion'],
    'regarding.resourceVersion': ['involvedObject', 'resourceVersion'],
    'regarding.fieldPath': ['involvedObject', 'fieldPath'],
    reason: ['reason'],
    reportingController: ['reportingComponent'],
    type: ['type'],
  },
  secrets: { type: ['type'] },
  services: { 'spec.clusterIP': ['spec', 'clusterIP'], 'spec.type': ['spec', 'type'] },
  nodes: { 'spec.unschedulable': ['spec', 'unschedulable'] },
  namespaces: { 'status.phase': ['status', 'phase'] },
  replicationcontrollers: { 'status.replicas': ['status', 'replicas'] },
  'replicasets.apps': { 'status.replicas': ['status', 'replicas'] },
  'jobs.batch': { 'status.successful': ['status', 'succeeded'] },
}

/** A field selector of a query, on the stored form of the object. */
export function parseFieldSelector(
  text: string | undefined,
  kind: { readonly id: string; readonly extra?: readonly string[] },
): Matches | undefined {
  if (text === undefined || text.trim() === '') return undefined
  const terms = text.split(/(?<!\\),/).map((term) => parseTerm(term, kind))
  return (object) =>
    terms.every(({ path, value, equal }) => {
      const found = at(object, ...path)
      const printed = found === undefined || found === null ? emptyValue(path) : String(found)
      return (printed === value) === equal
    })
}

/** How the zero value of the field prints: Go's booleans and counts are never absent. */
function emptyValue(path: readonly string[]): string {
  switch (path.join('.')) {
    case 'spec.unschedulable':
    case 'spec.hostNetwork':
      return 'false'
    case 'status.replicas':
    case 'status.succeeded':
      return '0'
    default:
      return ''
  }
}

function parseTerm(
  term: string,
  kind: { readonly id: string; readonly extra?: readonly string[] },
) {
  const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term)
  if (!match) {
    throw badRequest(
      `invalid field selector ${JSON.stringify(term)}: unable to parse field selector: invalid selector: '${term}'; can't understand '${term}'`,
    )
  }
  const field = (match[1] ?? '').trim()
  const value = (match[3] ?? '').replace(/\\(.)/g, '$1')
  const equal = match[2] !== '!='
  return { path: pathOf(field, kind), value, equal }
}

function pathOf(
  field: string,
  kind: { readonly id: string; readonly extra?: readonly string[] },
): readonly string[] {
  if (field === 'metadata.name') return ['metadata', 'name']
  if (field === 'metadata.namespace') return ['metadata', 'namespace']
  const known = selectableFields[kind.id]?.[field]
  if (known) return known
  if (kind.extra?.includes(field)) return field.split('.')
  throw badRequest(`field label not supported: ${field}`)
}

export function matchesBoth(a: Matches | undefined, b: Matches | undefined): Matches | undefined {
  if (!a) return b
  if (!b) return a
  return (object) => a(object) && b(object)
}
