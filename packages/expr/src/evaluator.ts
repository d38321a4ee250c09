import { childrenOf, NOWHERE, type Node, type Span } from './ast.ts'
import { Budget } from './budget.ts'
import type { Context } from './builtin.ts'
import { BUILTINS } from './builtins.ts'
import { type Environment, lookUp } from './environment.ts'
import { byteLength, fromBytes, toBytes } from './go-text.ts'
import { GROUP_MAP, INT_SLICE } from './go-type.ts'
import {
  add,
  asserted,
  assertedBool,
  assertedString,
  callFunction,
  compare,
  divide,
  equal,
  fetch,
  isIn,
  keyMismatch,
  mapKey,
  multiply,
  negate,
  power,
  remainder,
  slice,
  subtract,
  toInt,
} from './operators.ts'
import { CompileError } from './problem.ts'
import { compilePattern, matches, type Pattern } from './regexp.ts'
import { sorted } from './sorting.ts'
import {
  AnyMap,
  byteValue,
  Int,
  isMap,
  isNil,
  itemsOf,
  Panic,
  Slice,
  typeName,
  typeOf,
  type Value,
  wrapInt,
} from './value.ts'

/** One evaluation. `at` is where it is, for the position of a problem. */
interface Run {
  readonly env: Environment
  readonly context: Context
  readonly variables: Value[]
  scope: Scope | null
  at: Span
}

/** The loop of a predicate builtin. */
interface Scope {
  readonly source: Value
  /** `null` for what has a length but no elements. */
  readonly items: readonly Value[] | null
  readonly length: number
  readonly outer: Scope | null
  index: number
  accumulator: Value
}

export type Step = (run: Run) => Value

/** Ends the rest of a chain `a?.b.c` where a is nil. */
const SKIP = Symbol('skip')

export function startRun(env: Environment, variables: number): Run {
  return {
    env,
    context: { budget: new Budget(), now: env.now },
    variables: new Array<Value>(variables).fill(null),
    scope: null,
    at: NOWHERE,
  }
}

/** Turns a checked and optimized tree into a function. Throws `CompileError`. */
export function compileTree(tree: Node): { step: Step; variables: number } {
  const compiler = new Compiler()
  return { step: compiler.compile(tree), variables: compiler.variables }
}

class Compiler {
  variables = 0
  readonly #scopes: { name: string; index: number }[] = []

  compile(node: Node): Step {
    switch (node.kind) {
      case 'nil':
        return () => null
      case 'integer': {
        const { type } = node.nature
        const value = type === null || type.kind === 'int' ? node.value : new Int(type, node.value)
        return () => value
      }
      case 'float':
      case 'bool':
      case 'string':
      case 'bytes':
      case 'constant': {
        const { value } = node
        return () => value
      }
      case 'set':
        throw new TypeError('a set is only the right side of `in`')
      case 'identifier':
        return this.#identifier(node.name)
      case 'unary':
        return this.#unary(node)
      case 'binary':
        return this.#binary(node)
      case 'chain': {
        const spine = this.#spine(node.node)
        return (run) => {
          const value = spine(run)
          return typeof value === 'symbol' || isNil(value) ? null : value
        }
      }
      case 'member':
      case 'call': {
        const spine = this.#spine(node)
        return (run) => {
          const value = spine(run)
          return typeof value === 'symbol' ? null : value
        }
      }
      case 'slice':
        return this.#slice(node)
      case 'builtin':
        return this.#builtin(node)
      case 'predicate':
        return this.compile(node.node)
      case 'pointer':
        return pointer(node.name, node.at)
      case 'let': {
        const value = this.compile(node.value)
        const index = this.variables++
        this.#scopes.push({ name: node.name, index })
        const body = this.compile(node.body)
        this.#scopes.pop()
        return (run) => {
          run.variables[index] = value(run)
          return body(run)
        }
      }
      case 'sequence': {
        const steps = node.nodes.map((child) => this.compile(child))
        return (run) => {
          let last: Value = null
          for (const step of steps) last = step(run)
          return last
        }
      }
      case 'conditional': {
        const condition = this.compile(node.condition)
        const then = this.compile(node.whenTrue)
        const otherwise = this.compile(node.whenFalse)
        return (run) => {
          const value = condition(run)
          run.at = node.at
          return assertedBool(value) ? then(run) : otherwise(run)
        }
      }
      case 'array': {
        const steps = node.nodes.map((child) => this.compile(child))
        return (run) => {
          const items = steps.map((step) => step(run))
          run.at = node.at
          run.context.budget.grow(items.length)
          return items
        }
      }
      case 'map':
        return this.#map(node)
      case 'pair':
        throw new TypeError('a pair is only part of a map')
      default:
        throw new TypeError(`unknown node: ${JSON.stringify(node satisfies never)}`)
    }
  }

  #identifier(name: string): Step {
    const variable = this.#scopes.findLast((scope) => scope.name === name)
    if (variable !== undefined) {
      const { index } = variable
      return ({ variables }) => variables[index] ?? null
    }
    if (name === '$env') return ({ env }) => env.values
    return ({ env }) => lookUp(env, name)
  }

  #unary(node: Node & { kind: 'unary' }): Step {
    const operand = this.compile(node.operand)
    switch (node.operator) {
      case '+':
        return operand
      case '-':
        return (run) => {
          const value = operand(run)
          run.at = node.at
          return negate(value)
        }
      default:
        return (run) => {
          const value = operand(run)
          run.at = node.at
          return !assertedBool(value)
        }
    }
  }

  #binary(node: Node & { kind: 'binary' }): Step {
    const { operator, at } = node
    const left = this.compile(node.left)
    if (operator === 'in' && node.right.kind === 'set') {
      const { members, type } = node.right
      return (run) => {
        const value = left(run)
        run.at = at
        return isMember(value, members, type.name)
      }
    }
    if (operator === 'matches' && node.right.kind === 'string') {
      const pattern = constantPattern(node.right)
      return (run) => {
        const value = left(run)
        run.at = at
        if (isNil(value)) return false
        return matches(pattern, matchedText(value), run.context.budget)
      }
    }
    const right = this.compile(node.right)
    switch (operator) {
      case 'and':
      case '&&':
        return (run) => {
          const value = left(run)
          run.at = at
          return assertedBool(value) ? right(run) : value
        }
      case 'or':
      case '||':
        return (run) => {
          const value = left(run)
          run.at = at
          return assertedBool(value) ? value : right(run)
        }
      case '??':
        return (run) => {
          const value = left(run)
          return isNil(value) ? right(run) : value
        }
      default: {
        const apply = binaryOperation(node)
        return (run) => {
          const a = left(run)
          const b = right(run)
          run.at = at
          return apply(a, b, run.context.budget)
        }
      }
    }
  }

  /** Member accesses and calls, which an optional access before them may skip. */
  #spine(node: Node): (run: Run) => Value | typeof SKIP {
    if (node.kind === 'member') {
      const base = this.#spine(node.node)
      const property = this.compile(node.property)
      const { at, optional } = node
      return (run) => {
        const from = base(run)
        if (typeof from === 'symbol' || (optional && isNil(from))) return SKIP
        const key = property(run)
        run.at = at
        return fetch(from, key, run.context.budget)
      }
    }
    if (node.kind === 'call') {
      const callee = this.#spine(node.callee)
      const args = node.args.map((arg) => this.compile(arg))
      const { at } = node
      const { type } = node.callee.nature
      return (run) => {
        const values = args.map((arg) => arg(run))
        const fn = callee(run)
        if (typeof fn === 'symbol') return SKIP
        run.at = at
        run.context.budget.spend(1)
        return callFunction(fn, values, type)
      }
    }
    return this.compile(node)
  }

  #slice(node: Node & { kind: 'slice' }): Step {
    const base = this.#spine(node.node)
    const end = node.end === null ? null : this.compile(node.end)
    const start = node.start === null ? null : this.compile(node.start)
    return (run) => {
      const value = base(run)
      if (typeof value === 'symbol') return null
      const to = end?.(run)
      const from = start === null ? 0n : start(run)
      run.at = node.at
      return slice(value, from, to, run.context.budget)
    }
  }

  #map(node: Node & { kind: 'map' }): Step {
    const pairs = node.pairs.map((pair) => {
      if (pair.kind !== 'pair') throw new TypeError('a map consists of pairs')
      return { key: this.compile(pair.key), value: this.compile(pair.value) }
    })
    return (run) => {
      const values = pairs.map((pair) => ({ key: pair.key(run), value: pair.value(run) }))
      run.at = node.at
      run.context.budget.grow(values.length)
      // Upstream fills the map from the last pair to the first: the first value of a key stays.
      const named = values.reverse().map(({ key, value }) => [assertedString(key), value] as const)
      const map: Record<string, Value> = Object.create(null)
      for (const [key, value] of named.reverse())
        map[key] = Object.hasOwn(map, key) ? (map[key] ?? null) : value
      return map
    }
  }

  #builtin(node: Node & { kind: 'builtin' }): Step {
    const loop = this.#loop(node)
    if (loop !== null) return loop
    const builtin = BUILTINS.get(node.name)
    if (builtin === undefined) throw new CompileError(node.at, `unknown builtin ${node.name}`)
    const args = node.args.map((arg) => this.compile(arg))
    return (run) => {
      const values = args.map((arg) => arg(run))
      run.at = node.at
      run.context.budget.spend(1)
      return builtin.run(values, run.context)
    }
  }

  /** A builtin that goes through an array with a predicate; `null` if this is none. */
  #loop(node: Node & { kind: 'builtin' }): Step | null {
    const make = LOOPS.get(node.name)
    const [array, predicate, extra] = node.args
    if (make === undefined || array === undefined) return null
    const source = this.compile(array)
    const ask = predicate === undefined ? pointer('', node.at) : this.compile(predicate)
    const parts: LoopParts = {
      node,
      ask,
      mapped: node.mapped === undefined ? pointer('', node.at) : this.compile(node.mapped),
      extra: extra === undefined ? null : this.compile(extra),
      weight:
        1 +
        (predicate === undefined ? 0 : size(predicate)) +
        (node.mapped === undefined ? 0 : size(node.mapped)),
    }
    const body = make(parts)
    return (run) => {
      const value = source(run)
      run.at = node.at
      const outer = run.scope
      const scope = scopeOf(value, outer)
      run.scope = scope
      const result = body(run, scope)
      run.scope = outer
      return result
    }
  }
}

function size(node: Node): number {
  return childrenOf(node).reduce((sum, child) => sum + size(child), 1)
}

function pointer(name: string, at: Span): Step {
  if (name === 'index') return ({ scope }) => BigInt(scope?.index ?? 0)
  if (name === 'acc') return ({ scope }) => scope?.accumulator ?? null
  return (run) => {
    if (run.scope === null) return null
    run.at = at
    return itemAt(run.scope, run.scope.index)
  }
}

function scopeOf(source: Value, outer: Scope | null): Scope {
  const scope = { source, outer, index: 0, accumulator: null }
  if (typeof source === 'string') {
    const items = Array.from(toBytes(source), byteValue)
    return { ...scope, items, length: byteLength(source) }
  }
  const items = itemsOf(source)
  if (items !== null) return { ...scope, items, length: items.length }
  if (source instanceof AnyMap) return { ...scope, items: null, length: source.entries.size }
  if (isMap(source)) return { ...scope, items: null, length: Object.keys(source).length }
  throw new Panic(`reflect: call of reflect.Value.Len on ${reflectText(source)} Value`)
}

function itemAt(scope: Scope, index: number): Value {
  if (scope.items === null)
    throw new Panic(`reflect: call of reflect.Value.Index on ${reflectText(scope.source)} Value`)
  return scope.items[index] ?? null
}

function reflectText(value: Value): string {
  return typeOf(value)?.kind ?? 'zero'
}

interface LoopParts {
  readonly node: Node & { kind: 'builtin' }
  readonly ask: Step
  readonly mapped: Step
  readonly extra: Step | null
  /** Work of one round. */
  readonly weight: number
}

type Loop = (run: Run, scope: Scope) => Value

/** Goes through the elements in order until `visit` gives a value. */
function each(
  parts: LoopParts,
  run: Run,
  scope: Scope,
  visit: (answer: Value) => Value | undefined,
): Value | undefined {
  for (; scope.index < scope.length; scope.index++) {
    run.context.budget.spend(parts.weight)
    const answer = parts.ask(run)
    run.at = parts.node.at
    const result = visit(answer)
    if (result !== undefined) return result
  }
  return undefined
}

function eachBackwards(
  parts: LoopParts,
  run: Run,
  scope: Scope,
  visit: (answer: Value) => Value | undefined,
): Value | undefined {
  for (scope.index = scope.length - 1; scope.index >= 0; scope.index--) {
    run.context.budget.spend(parts.weight)
    const answer = parts.ask(run)
    run.at = parts.node.at
    const result = visit(answer)
    if (result !== undefined) return result
  }
  return undefined
}

function finder(
  walk: typeof each,
  give: (parts: LoopParts, run: Run, scope: Scope) => Value,
): (parts: LoopParts) => Loop {
  return (parts) => (run, scope) => {
    const found = walk(parts, run, scope, (answer) =>
      assertedBool(answer) ? give(parts, run, scope) : undefined,
    )
    if (found === undefined && parts.node.throws)
      throw new Panic('reflect: slice index out of range')
    return found ?? null
  }
}

const giveMapped = (parts: LoopParts, run: Run): Value => parts.mapped(run)
const giveIndex = (_parts: LoopParts, _run: Run, scope: Scope): Value => BigInt(scope.index)

const LOOPS = new Map<string, (parts: LoopParts) => Loop>([
  [
    'all',
    (parts) => (run, scope) =>
      each(parts, run, scope, (answer) => (assertedBool(answer) ? undefined : false)) ?? true,
  ],
  [
    'none',
    (parts) => (run, scope) =>
      each(parts, run, scope, (answer) => (assertedBool(answer) ? false : undefined)) ?? true,
  ],
  [
    'any',
    (parts) => (run, scope) =>
      each(parts, run, scope, (answer) => (assertedBool(answer) ? true : undefined)) ?? false,
  ],
  [
    'one',
    (parts) => (run, scope) => {
      let count = 0
      each(parts, run, scope, (answer) => {
        if (assertedBool(answer)) count++
        return undefined
      })
      return count === 1
    },
  ],
  [
    'filter',
    (parts) => (run, scope) => {
      const kept: Value[] = []
      each(parts, run, scope, (answer) => {
        if (assertedBool(answer)) kept.push(parts.mapped(run))
        return undefined
      })
      run.context.budget.grow(kept.length)
      return kept
    },
  ],
  [
    'map',
    (parts) => (run, scope) => {
      const made: Value[] = []
      each(parts, run, scope, (answer) => {
        made.push(answer)
        return undefined
      })
      run.context.budget.grow(made.length)
      return made
    },
  ],
  [
    'count',
    (parts) => (run, scope) => {
      const { threshold } = parts.node
      let count = 0n
      each(parts, run, scope, (answer) => {
        if (assertedBool(answer)) count++
        return threshold !== undefined && count >= threshold ? true : undefined
      })
      return count
    },
  ],
  [
    'sum',
    (parts) => (run, scope) => {
      let sum: Value = 0n
      each(parts, run, scope, (answer) => {
        sum = add(answer, sum, run.context.budget)
        return undefined
      })
      return sum
    },
  ],
  ['find', finder(each, giveMapped)],
  ['findLast', finder(eachBackwards, giveMapped)],
  ['findIndex', finder(each, giveIndex)],
  ['findLastIndex', finder(eachBackwards, giveIndex)],
  [
    'groupBy',
    (parts) => (run, scope) => {
      const groups = new Map<string, readonly [Value, Value[]]>()
      each(parts, run, scope, (key) => {
        const name = mapKey(key)
        const group = groups.get(name) ?? [key, []]
        group[1].push(itemAt(scope, scope.index))
        groups.set(name, group)
        return undefined
      })
      return new AnyMap(GROUP_MAP, groups)
    },
  ],
  [
    'sortBy',
    (parts) => (run, scope) => {
      const order = parts.extra === null ? 'asc' : parts.extra(run)
      run.at = parts.node.at
      if (typeof order !== 'string') throw new Panic('sortBy order argument must be a string')
      if (order !== 'asc' && order !== 'desc') throw new Panic('unknown order, use asc or desc')
      const keys: Value[] = []
      const items: Value[] = []
      each(parts, run, scope, (key) => {
        keys.push(key)
        items.push(itemAt(scope, scope.index))
        return undefined
      })
      const result = sorted({
        items,
        keys,
        descending: order === 'desc',
        budget: run.context.budget,
      })
      run.context.budget.grow(result.length)
      return result
    },
  ],
  [
    'reduce',
    (parts) => (run, scope) => {
      if (parts.extra !== null) scope.accumulator = parts.extra(run)
      else if (scope.length === 0) throw new Panic('reduce of empty array with no initial value')
      else {
        scope.accumulator = itemAt(scope, 0)
        scope.index = 1
      }
      each(parts, run, scope, (answer) => {
        scope.accumulator = answer
        return undefined
      })
      return scope.accumulator
    },
  ],
])

function binaryOperation(
  node: Node & { kind: 'binary' },
): (a: Value, b: Value, budget: Budget) => Value {
  const { operator } = node
  switch (operator) {
    case '==':
      return equality(node)
    case '!=': {
      const same = equality(node)
      return (a, b, budget) => !same(a, b, budget)
    }
    case '<':
    case '>':
    case '<=':
    case '>=':
      return (a, b) => compare(operator, a, b)
    case '+':
      return add
    case '-':
      return subtract
    case '*':
      return multiply
    case '/':
      return divide
    case '%':
      return remainder
    case '**':
    case '^':
      return power
    case 'in':
      return isIn
    case 'contains':
      return (a, b, budget) => textTest(a, b, budget, (text, part) => text.includes(part))
    case 'startsWith':
      return (a, b, budget) => textTest(a, b, budget, (text, part) => text.startsWith(part))
    case 'endsWith':
      return (a, b, budget) => textTest(a, b, budget, (text, part) => text.endsWith(part))
    case 'matches':
      return dynamicMatch
    case '..':
      return range
    default:
      throw new CompileError(node.at, `unknown operator (${operator})`)
  }
}

/** Two operands known as int or as string are compared as such, so nil among them is an error. */
function equality(
  node: Node & { kind: 'binary' },
): (a: Value, b: Value, budget: Budget) => boolean {
  const left = node.left.nature.type
  const right = node.right.nature.type
  for (const name of ['int', 'string']) {
    if (left?.name === name && right?.name === name) {
      return (a, b) => asserted(a, name) === asserted(b, name)
    }
  }
  return equal
}

function textTest(
  a: Value,
  b: Value,
  budget: Budget,
  test: (text: string, part: string) => boolean,
): boolean {
  if (isNil(a) || isNil(b)) return false
  const text = assertedString(a)
  const part = assertedString(b)
  budget.spendText(text.length)
  return test(text, part)
}

function isMember(value: Value, members: ReadonlySet<string | bigint>, type: string): boolean {
  // Go looks nil up as the zero value of the key.
  if (value === null) return members.has(type === 'int' ? 0n : '')
  if (typeName(value) !== type) throw keyMismatch(typeName(value), type)
  return (typeof value === 'string' || typeof value === 'bigint') && members.has(value)
}

function range(a: Value, b: Value, budget: Budget): Value {
  const from = toInt(a)
  const to = toInt(b)
  const count = wrapInt(to - from + 1n)
  if (count <= 0n) return new Slice(INT_SLICE, [])
  budget.grow(Number(count))
  return new Slice(
    INT_SLICE,
    Array.from({ length: Number(count) }, (_, i) => from + BigInt(i)),
  )
}

function constantPattern(node: Node & { kind: 'string' }): Pattern {
  try {
    return compilePattern(node.value)
  } catch (error) {
    if (error instanceof Panic) throw new CompileError(node.at, error.message)
    throw error
  }
}

function dynamicMatch(a: Value, b: Value, budget: Budget): boolean {
  if (isNil(a) || isNil(b)) return false
  const source = assertedString(b)
  const text = matchedText(a)
  budget.spend(source.length)
  const pattern = compilePattern(source)
  budget.spend(pattern.program.length / 4)
  return matches(pattern, text, budget)
}

function matchedText(value: Value): string {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return fromBytes(value)
  return asserted(value, '[]uint8') as string
}
