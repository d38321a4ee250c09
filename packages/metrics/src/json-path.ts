/**
 * The JSONPath templates of kubectl (k8s.io/client-go: util/jsonpath), as far as a web metric reads one value with them
 * (spec metric-providers 3.3). Differs in one point: a filter compares `2` with a JSON number, as it does `2.0`.
 */
export type JsonPath = readonly Node[]

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'path'; readonly steps: readonly Step[] }
  | { readonly kind: 'range'; readonly steps: readonly Step[]; readonly body: JsonPath }

type Step =
  | { readonly kind: 'literal'; readonly value: unknown }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'recursive' }
  | { readonly kind: 'slice'; readonly bounds: Bounds }
  | { readonly kind: 'union'; readonly parts: readonly (readonly Step[])[] }
  | { readonly kind: 'exists'; readonly path: readonly Step[] }
  | {
      readonly kind: 'compare'
      readonly left: readonly Step[]
      readonly operator: string
      readonly right: readonly Step[]
    }

interface Bounds {
  readonly from: number | null
  readonly to: number | null
  readonly step: number
  /** `[i]`: the bounds of one element, where `to` 0 means the end. */
  readonly single: boolean
}

/** Reads a template; throws upstream's words, such as `unclosed action`. */
export function parseJsonPath(template: string): JsonPath {
  const parsed = parseNodes(template, { at: 0, inRange: false })
  return parsed.nodes
}

function parseNodes(
  template: string,
  from: { readonly at: number; readonly inRange: boolean },
): { readonly nodes: readonly Node[]; readonly at: number } {
  const nodes: Node[] = []
  let { at } = from
  while (at < template.length) {
    const open = template.indexOf('{', at)
    const text = template.slice(at, open < 0 ? undefined : open)
    if (text !== '') nodes.push({ kind: 'text', text })
    if (open < 0) break
    const close = closing(template, open)
    const action = template.slice(open + 1, close).trim()
    at = close + 1
    if (action === 'end') {
      if (!from.inRange) throw new Error('not in range, nothing to end')
      return { nodes, at }
    }
    if (/^range\b/.test(action)) {
      const body = parseNodes(template, { at, inRange: true })
      nodes.push({ kind: 'range', steps: parseSteps(action.slice(5)), body: body.nodes })
      at = body.at
    } else {
      nodes.push({ kind: 'path', steps: parseSteps(action) })
    }
  }
  if (from.inRange) throw new Error('unterminated range')
  return { nodes, at }
}

/** Where the `}` of an action stands; one inside quotes is text. */
function closing(template: string, open: number): number {
  const at = endOf(template, { from: open + 1, open: '', close: '}' })
  if (at < 0) throw new Error('unclosed action')
  return at
}

function endOf(
  text: string,
  find: { readonly from: number; readonly open: string; readonly close: string },
): number {
  let depth = 0
  let quote = ''
  for (let at = find.from; at < text.length; at++) {
    const c = text.charAt(at)
    if (c === '\\') at++
    else if (quote) quote = c === quote ? '' : quote
    else if (c === "'" || c === '"') quote = c
    else if (c === find.open) depth++
    else if (c === find.close && depth-- === 0) return at
  }
  return -1
}

function parseSteps(action: string): readonly Step[] {
  const steps: Step[] = []
  let rest = action
  while (rest !== '') {
    const c = rest.charAt(0)
    let taken = 1
    if (rest.startsWith('..')) {
      // Only the first dot: what follows the second is a field of its own.
      steps.push({ kind: 'recursive' })
    } else if (c === '.') {
      const name = /^\.((?:\\.|[^.,[\]{}$@\s\\])*)/.exec(rest)?.[1] ?? ''
      taken = 1 + name.length
      if (name === '*') steps.push({ kind: 'wildcard' })
      else if (name !== '') steps.push({ kind: 'field', name: name.replaceAll('\\', '') })
    } else if (c === '[') {
      const end = endOf(rest, { from: 1, open: '[', close: ']' })
      if (end < 0) throw new Error('unterminated array')
      steps.push(parseBracket(rest.slice(1, end)))
      taken = end + 1
    } else if (c !== '$' && c !== '@' && !/\s/.test(c)) {
      const literal = parseLiteral(rest)
      steps.push({ kind: 'literal', value: literal.value })
      taken = literal.length
    }
    rest = rest.slice(taken)
  }
  return steps
}

function parseLiteral(text: string): { readonly value: unknown; readonly length: number } {
  const quoted = /^(['"])((?:\\.|(?!\1)[^\\])*)\1/s.exec(text)
  if (quoted) {
    return { value: (quoted[2] ?? '').replace(/\\(.)/gs, '$1'), length: quoted[0].length }
  }
  if (/^['"]/.test(text)) throw new Error('unterminated quoted string')
  const number = /^[+-]?\d+(?:\.\d+)?/.exec(text)
  if (number) return { value: Number(number[0]), length: number[0].length }
  const word = /^[^.,[\]{}$@\s]+/.exec(text)?.[0] ?? text
  if (word === 'true' || word === 'false') return { value: word === 'true', length: word.length }
  throw new Error(`unrecognized identifier ${word}`)
}

function parseBracket(text: string): Step {
  const filter = /^\s*\?\((.*)\)\s*$/s.exec(text)
  if (filter) return parseFilter(filter[1] ?? '')
  const parts = text.split(',')
  if (parts.length > 1) {
    return { kind: 'union', parts: parts.map((part) => [parseBracket(part.trim())]) }
  }
  // Inside quotes a dot still separates fields unless it is escaped.
  const quoted = /^\s*(['"])(.*)\1\s*$/s.exec(text)
  if (quoted) return { kind: 'union', parts: [parseSteps(`.${quoted[2]}`)] }
  if (text.trim() === '*') return { kind: 'wildcard' }
  const slice = /^\s*(-?\d*)\s*(:)?\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?$/.exec(text)
  const [, from = '', colon, to = '', step] = slice ?? []
  if (!slice || (!colon && from === '')) throw new Error(`invalid array index ${text}`)
  if (!colon) {
    const at = Number(from)
    return { kind: 'slice', bounds: { from: at, to: at + 1, step: 1, single: true } }
  }
  const bound = (part: string) => (part === '' ? null : Number(part))
  return {
    kind: 'slice',
    bounds: { from: bound(from), to: bound(to), step: Number(step || 1), single: false },
  }
}

function parseFilter(text: string): Step {
  const compared = /^(.*?)(==|!=|<=|>=|<|>)(.*)$/s.exec(text)
  if (!compared) return { kind: 'exists', path: parseSteps(text.trim()) }
  const [, left = '', operator = '', right = ''] = compared
  return {
    kind: 'compare',
    left: parseSteps(left.trim()),
    operator,
    right: parseSteps(right.trim()),
  }
}

/**
 * The first value of the template; `found: false` when nothing was selected. The whole template is evaluated, so that
 * an error anywhere in it is thrown, as upstream does: `x is not found`, `array index out of bounds: ...`.
 */
export function selectFirst(
  path: JsonPath,
  document: unknown,
): { readonly found: boolean; readonly value: unknown } {
  const values = evaluate(path, document)
  return { found: values.length > 0, value: values[0] ?? null }
}

function evaluate(path: JsonPath, document: unknown): readonly unknown[] {
  return path.flatMap((node) => {
    switch (node.kind) {
      case 'text':
        return [node.text]
      case 'path':
        return walk(node.steps, [document])
      case 'range':
        return walk(node.steps, [document]).flatMap((value) => evaluate(node.body, value))
      default:
        throw new TypeError(`unknown node: ${JSON.stringify(node satisfies never)}`)
    }
  })
}

function walk(steps: readonly Step[], input: readonly unknown[]): readonly unknown[] {
  return steps.reduce((values, step) => take(step, values), input)
}

function take(step: Step, values: readonly unknown[]): readonly unknown[] {
  switch (step.kind) {
    case 'literal':
      return [step.value]
    case 'field':
      return fieldOf(step.name, values)
    case 'wildcard':
      return values.flatMap(children)
    case 'recursive':
      return values.flatMap(descendants)
    case 'union':
      return step.parts.flatMap((part) => walk(part, values))
    case 'slice':
      return values.filter((value) => value !== null).flatMap((value) => slice(step.bounds, value))
    case 'exists':
      return filtered(values, (child) => exists(step.path, child))
    case 'compare':
      return filtered(values, (child) => compares(step, child))
    default:
      throw new TypeError(`unknown step: ${JSON.stringify(step satisfies never)}`)
  }
}

/** Values that lack the field are passed over as long as one has it. */
function fieldOf(name: string, values: readonly unknown[]): readonly unknown[] {
  const found = values.filter((value) => isFields(value) && Object.hasOwn(value, name))
  if (values.length > 0 && found.length === 0) throw new Error(`${name} is not found`)
  return found.map((value) => (value as Readonly<Record<string, unknown>>)[name])
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function children(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return isFields(value) ? Object.values(value) : []
}

/** The value and everything below it that has parts. */
function descendants(value: unknown): readonly unknown[] {
  const parts = children(value)
  return parts.length === 0 ? [] : [value, ...parts.flatMap(descendants)]
}

function slice(bounds: Bounds, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${goType(value)} is not array or slice`)
  const { length } = value
  const from = (bounds.from ?? 0) < 0 ? (bounds.from ?? 0) + length : (bounds.from ?? 0)
  let to = bounds.to ?? length
  if (to < 0 || (to === 0 && bounds.single)) to += length
  if (from === to) return []
  const outside = [from >= length || from < 0 ? from : null, to > length || to < 0 ? to - 1 : null]
  const index = outside.find((one) => one !== null)
  if (index !== undefined)
    throw new Error(`array index out of bounds: index ${index}, length ${length}`)
  if (from > to) throw new Error(`starting index ${from} is greater than ending index ${to}`)
  if (bounds.step <= 0) throw new Error('step must be > 0')
  return value.slice(from, to).filter((_, at) => at % bounds.step === 0)
}

function filtered(
  values: readonly unknown[],
  passes: (child: unknown) => boolean,
): readonly unknown[] {
  return values.flatMap((value) => {
    if (!Array.isArray(value))
      throw new Error(`${JSON.stringify(value)} is not array or slice and cannot be filtered`)
    return value.filter(passes)
  })
}

function exists(path: readonly Step[], child: unknown): boolean {
  try {
    return walk(path, [child]).length > 0
  } catch {
    return false
  }
}

function compares(filter: Extract<Step, { kind: 'compare' }>, child: unknown): boolean {
  const sides = [walk(filter.left, [child]), walk(filter.right, [child])]
  if (sides.some((side) => side.length > 1))
    throw new Error('can only compare one element at a time')
  if (sides.some((side) => side.length === 0)) return false
  const [left, right] = sides.map(([value]) => value)
  const ordered = !['==', '!='].includes(filter.operator)
  for (const value of [left, right]) {
    const comparable = ['number', 'string', ...(ordered ? [] : ['boolean'])]
    if (!comparable.includes(typeof value)) throw new Error('invalid type for comparison')
  }
  if (typeof left !== typeof right) throw new Error('incompatible types for comparison')
  return decide(filter.operator, left as string, right as string)
}

function decide(operator: string, left: string, right: string): boolean {
  switch (operator) {
    case '==':
      return left === right
    case '!=':
      return left !== right
    case '<':
      return left < right
    case '<=':
      return left <= right
    case '>':
      return left > right
    default:
      return left >= right
  }
}

/** As Go prints the type of a decoded JSON value. */
function goType(value: unknown): string {
  if (isFields(value)) return 'map[string]interface {}'
  if (typeof value === 'number') return 'float64'
  return typeof value === 'boolean' ? 'bool' : typeof value
}
