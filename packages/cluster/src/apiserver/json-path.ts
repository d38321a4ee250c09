import { isObject } from './values.ts'

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'all' }
  | {
      readonly kind: 'filter'
      readonly path: readonly Step[]
      readonly operator: string
      readonly value: unknown
    }

/**
 * The JSONPath of printer columns: fields, indexes, `[*]` and one comparison in a filter, such as
 * `.status.conditions[?(@.type=="Ready")].status`. Returns every value found.
 */
export function findByJsonPath(object: unknown, path: string): readonly unknown[] {
  return walk([object], parse(path))
}

function parse(path: string): readonly Step[] {
  const steps: Step[] = []
  let rest = path
    .trim()
    .replace(/^\{|\}$/g, '')
    .replace(/^\$/, '')
  while (rest !== '') {
    const field = /^\.?((?:[^.[\]\\]|\\.)+)/.exec(rest)
    const quoted = /^\[(?:'([^']*)'|"([^"]*)")\]/.exec(rest)
    const index = /^\[(-?\d+)\]/.exec(rest)
    const filter = /^\[\?\(\s*@([^=!<>]*?)\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*\)\]/.exec(rest)
    if (quoted) steps.push({ kind: 'field', name: quoted[1] ?? quoted[2] ?? '' })
    else if (index) steps.push({ kind: 'index', index: Number(index[1]) })
    else if (/^(\.?\[\*\]|\.\*)/.test(rest)) steps.push({ kind: 'all' })
    else if (filter) {
      steps.push({
        kind: 'filter',
        path: parse(filter[1] ?? ''),
        operator: filter[2] ?? '==',
        value: literal(filter[3] ?? ''),
      })
    } else if (field) steps.push({ kind: 'field', name: (field[1] ?? '').replace(/\\(.)/g, '$1') })
    const taken = quoted ?? index ?? /^(\.?\[\*\]|\.\*)/.exec(rest) ?? filter ?? field
    if (!taken) break
    rest = rest.slice(taken[0].length)
  }
  return steps
}

function literal(text: string): unknown {
  const quoted = /^(['"])(.*)\1$/.exec(text)
  if (quoted) return quoted[2]
  if (text === 'true' || text === 'false') return text === 'true'
  const number = Number(text)
  return Number.isNaN(number) ? text : number
}

function walk(values: readonly unknown[], steps: readonly Step[]): readonly unknown[] {
  let found = values
  for (const step of steps) {
    found = found.flatMap((value) => apply(value, step))
    if (found.length === 0) break
  }
  return found.filter((value) => value !== undefined && value !== null)
}

function apply(value: unknown, step: Step): readonly unknown[] {
  switch (step.kind) {
    case 'field':
      return isObject(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : []
    case 'index':
      return Array.isArray(value) && step.index < value.length ? [value.at(step.index)] : []
    case 'all':
      return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []
    case 'filter':
      if (!Array.isArray(value)) return []
      return value.filter((item) => holds(walk([item], step.path)[0], step.operator, step.value))
    default:
      throw new TypeError(`unknown step: ${JSON.stringify(step satisfies never)}`)
  }
}

function holds(left: unknown, operator: string, right: unknown): boolean {
  switch (operator) {
    case '==':
      return left === right
    case '!=':
      return left !== right
    case '<':
      return Number(left) < Number(right)
    case '>':
      return Number(left) > Number(right)
    case '<=':
      return Number(left) <= Number(right)
    default:
      return Number(left) >= Number(right)
  }
}
