/**
 * The JSONPath templates of kubectl (k8s.io/client-go: util/jsonpath), as far as a web metric reads one value with them
 * (spec metric-providers 3.3). `parseJsonPath` throws with upstream's words; `select` yields the values of the first
 * node that yields any.
 */
export type JsonPath = readonly Node[]

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'path'; readonly steps: readonly Step[] }

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'recursive' }
  | { readonly kind: 'index'; readonly at: number }
  | {
      readonly kind: 'slice'
      readonly from: number | null
      readonly to: number | null
      readonly step: number
    }
  | { readonly kind: 'union'; readonly parts: readonly Step[] }
  | {
      readonly kind: 'filter'
      readonly path: readonly Step[]
      readonly operator: string
      readonly literal: unknown
    }
  | { readonly kind: 'literal'; readonly value: unknown }

export function parseJsonPath(template: string): JsonPath {
  const nodes: Node[] = []
  for (let at = 0; at < template.length; ) {
    const open = template.indexOf('{', at)
    if (open < 0 || open > at)
      nodes.push({ kind: 'text', text: template.slice(at, open < 0 ? undefined : open) })
    if (open < 0) break
    const close = closing(template, open)
    const action = template.slice(open + 1, close).trim()
    // `range` repeats what is inside; a web metric takes the first value only, which is that of the ranged path.
    if (action.startsWith('range '))
      nodes.push({
        kind: 'path',
        steps: rangeSteps(template, { from: close + 1, path: action.slice(6) }),
      })
    else if (action !== 'end') nodes.push({ kind: 'path', steps: parseSteps(action) })
    at = action.startsWith('range ') ? endOfRange(template, close + 1) : close + 1
  }
  return nodes
}

function closing(template: string, open: number): number {
  let quote = ''
  for (let at = open + 1; at < template.length; at++) {
    const c = template.charAt(at)
    if (quote) quote = c === quote ? '' : quote
    else if (c === "'" || c === '"') quote = c
    else if (c === '}') return at
  }
  throw new Error('unclosed action')
}

function endOfRange(template: string, from: number): number {
  const end = template.indexOf('{end}', from)
  if (end < 0) throw new Error('unclosed action')
  return end + '{end}'.length
}

function rangeSteps(
  template: string,
  range: { readonly from: number; readonly path: string },
): readonly Step[] {
  const inside = template.slice(range.from, endOfRange(template, range.from) - '{end}'.length)
  const first = /\{([^}]*)\}/.exec(inside)
  return [...parseSteps(range.path), ...(first ? parseSteps(first[1] ?? '') : [])]
}

function parseSteps(action: string): readonly Step[] {
  const literal = literalOf(action)
  if (literal !== undefined) return [{ kind: 'literal', value: literal }]
  const steps: Step[] = []
  let rest = action
  while (rest !== '') {
    const c = rest.charAt(0)
    if (c === '$' || c === '@' || c === ' ') {
      rest = rest.slice(1)
    } else if (rest.startsWith('..')) {
      steps.push({ kind: 'recursive' })
      rest = rest.slice(1)
    } else if (c === '.') {
      const name = /^\.((?:\\.|[^.[\]{}\s\\])*)/.exec(rest)?.[1] ?? ''
      rest = rest.slice(1 + name.length)
      if (name === '*') steps.push({ kind: 'wildcard' })
      else if (name !== '') steps.push({ kind: 'field', name: name.replace(/\\(.)/g, '$1') })
    } else if (c === '[') {
      const end = closingBracket(rest)
      steps.push(parseBracket(rest.slice(1, end)))
      rest = rest.slice(end + 1)
    } else {
      throw new Error(`unrecognized identifier ${/^[^.[\]]*/.exec(rest)?.[0] ?? rest}`)
    }
  }
  return steps
}

function closingBracket(text: string): number {
  let depth = 0
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const c = text.charAt(at)
    if (quote) quote = c === quote ? '' : quote
    else if (c === "'" || c === '"') quote = c
    else if (c === '[') depth++
    else if (c === ']' && --depth === 0) return at
  }
  throw new Error('unterminated array')
}

function literalOf(text: string): unknown {
  const trimmed = text.trim()
  if (trimmed === 'true') return true
  if (trimmed === 'false') return false
  if (/^-?\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed)
  return /^'(.*)'$/s.exec(trimmed)?.[1] ?? /^"(.*)"$/s.exec(trimmed)?.[1]
}

function parseBracket(text: string): Step {
  const filter = /^\?\((.*)\)$/s.exec(text.trim())
  if (filter) return parseFilter(filter[1] ?? '')
  const parts = text.split(',')
  if (parts.length > 1) return { kind: 'union', parts: parts.map(parseBracket) }
  const quoted = /^\s*(['"])(.*)\1\s*$/s.exec(text)
  // Inside quotes a dot still separates fields, as in client-go, unless it is escaped.
  if (quoted) return { kind: 'union', parts: [fieldChain(quoted[2] ?? '')] }
  if (text.trim() === '*') return { kind: 'wildcard' }
  if (/^\s*-?\d+\s*$/.test(text)) return { kind: 'index', at: Number(text) }
  const slice = /^\s*(-?\d*)\s*:\s*(-?\d*)\s*(?::\s*(-?\d+)\s*)?$/.exec(text)
  if (!slice) throw new Error(`invalid array index ${text}`)
  const bound = (value: string | undefined) => (value ? Number(value) : null)
  return { kind: 'slice', from: bound(slice[1]), to: bound(slice[2]), step: Number(slice[3] ?? 1) }
}

function fieldChain(text: string): Step {
  const name = /^((?:\\.|[^.\\])*)/.exec(text)?.[1] ?? ''
  return { kind: 'field', name: name.replace(/\\(.)/g, '$1') }
}

function parseFilter(text: string): Step {
  const compared = /^(.*?)\s*(==|!=|<=|>=|<|>)\s*(.*)$/s.exec(text)
  const path = parseSteps((compared?.[1] ?? text).trim())
  if (!compared) return { kind: 'filter', path, operator: 'exists', literal: undefined }
  const literal = literalOf(compared[3] ?? '')
  if (literal === undefined) throw new Error(`unrecognized identifier ${compared[3]}`)
  return { kind: 'filter', path, operator: compared[2] ?? '==', literal }
}

/** The first value found; `found: false` when nothing was selected. Throws where a field or index is not there. */
export function selectFirst(
  path: JsonPath,
  document: unknown,
): { readonly found: boolean; readonly value: unknown } {
  for (const node of path) {
    if (node.kind === 'text') return { found: true, value: node.text }
    const values = walk(node.steps, document)
    if (values.length > 0) return { found: true, value: values[0] }
  }
  return { found: false, value: null }
}

/** After `..` a field that a value lacks is passed over; elsewhere it is an error. */
function walk(steps: readonly Step[], document: unknown): readonly unknown[] {
  let values: readonly unknown[] = [document]
  let lenient = false
  for (const step of steps) {
    values = values.flatMap((value) => {
      if (!lenient) return take(step, value)
      try {
        return take(step, value)
      } catch {
        return []
      }
    })
    lenient = step.kind === 'recursive'
  }
  return values
}

function take(step: Step, value: unknown): readonly unknown[] {
  switch (step.kind) {
    case 'literal':
      return [step.value]
    case 'field':
      return field(step.name, value)
    case 'wildcard':
      return children(value)
    case 'recursive':
      return descendants(value)
    case 'union':
      return step.parts.flatMap((part) => take(part, value))
    case 'filter':
      return children(value).filter((child) => matches(step, child))
    case 'index': {
      if (!Array.isArray(value)) return []
      const at = step.at < 0 ? value.length + step.at : step.at
      if (at < 0 || at >= value.length)
        throw new Error(`array index out of bounds: index ${step.at}, length ${value.length}`)
      return [value[at]]
    }
    case 'slice': {
      if (!Array.isArray(value)) return []
      const bound = (n: number) => Math.min(value.length, Math.max(0, n < 0 ? value.length + n : n))
      const part = value.slice(bound(step.from ?? 0), bound(step.to ?? value.length))
      return part.filter((_, index) => index % step.step === 0)
    }
    default:
      throw new TypeError(`unknown step: ${JSON.stringify(step satisfies never)}`)
  }
}

function field(name: string, value: unknown): readonly unknown[] {
  if (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.hasOwn(value, name)
  ) {
    return [(value as Record<string, unknown>)[name]]
  }
  if (Array.isArray(value)) return value.flatMap((child) => field(name, child))
  throw new Error(`${name} is not found`)
}

function children(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return typeof value === 'object' && value !== null ? Object.values(value) : []
}

/** The values that have fields themselves; what they lack is passed over. */
function descendants(value: unknown): readonly unknown[] {
  const own = typeof value === 'object' && value !== null ? [value] : []
  return [...own, ...children(value).flatMap(descendants)]
}

function matches(filter: Extract<Step, { kind: 'filter' }>, child: unknown): boolean {
  let values: readonly unknown[]
  try {
    values = walk(filter.path, child)
  } catch {
    return false
  }
  if (filter.operator === 'exists') return values.length > 0
  const [value] = values
  const { literal } = filter
  if (typeof value !== typeof literal) throw new Error('incompatible types for comparison')
  const [a, b] = [value, literal] as [number, number]
  switch (filter.operator) {
    case '==':
      return a === b
    case '!=':
      return a !== b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    default:
      return a >= b
  }
}
