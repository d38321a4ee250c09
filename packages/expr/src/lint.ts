import { childrenOf, type Node } from './ast.ts'
import { BUILTINS } from './builtins.ts'
import { compile, compiling, evaluate, parseWith } from './expr.ts'
import { print } from './print.ts'
import type { ExprProblem } from './problem.ts'

/**
 * The names that an expression takes from its environment, each once, in the order they appear: neither
 * builtins that it calls nor its own `let` variables.
 */
export function identifiersOf(
  source: string,
): { ok: true; names: readonly string[] } | { ok: false; problem: ExprProblem } {
  return compiling(source, () => {
    const names = new Set<string>()
    collect(parseWith(source.toWellFormed()), new Set(), names)
    return { ok: true as const, names: [...names] }
  })
}

function collect(node: Node, own: ReadonlySet<string>, names: Set<string>): void {
  if (node.kind === 'identifier') {
    if (!own.has(node.name) && !BUILTINS.has(node.name)) names.add(node.name)
  } else if (node.kind === 'let') {
    collect(node.value, own, names)
    collect(node.body, new Set([...own, node.name]), names)
  } else {
    for (const child of childrenOf(node)) collect(child, own, names)
  }
}

/** `true`: the condition can never be false; `false`: it can never be true; `null`: it depends. */
export type Constancy = boolean | null

/** What is known of the numbers that `result` and `result[0]`, `result[1]`, ... can be. */
export interface NumberRange {
  /** No number is smaller than 0, and NaN does not count. */
  readonly fromZero?: boolean
}

/**
 * Is the condition the same whatever is measured, wherever it can be evaluated at all? It compares one
 * thing with several numbers (`result < 1 || result >= 0`), looks at combinations by `and`, `or`, `not`
 * and takes everything else to be true or false freely. A NaN, for which every comparison is false,
 * counts: `result < 1 || result >= 1` is no constant. `null` too for what does not compile.
 */
export function constancyOf(source: string, range: NumberRange = {}): Constancy {
  const compiled = compile(source)
  if (!compiled.ok) return null
  const { tree } = compiled.program
  if (tree.kind === 'bool') return tree.value
  if (!reads(tree)) {
    const outcome = evaluate(compiled.program, { values: {} })
    return outcome.ok && typeof outcome.value === 'boolean' ? outcome.value : null
  }
  const atoms = new Map<string, Set<number>>()
  const formula = formulaOf(tree, atoms)
  const situations = situationsOf(atoms, range)
  if (situations === null) return null
  const outcomes = new Set<boolean>()
  for (const assignment of situations) {
    outcomes.add(formula(assignment))
    if (outcomes.size === 2) return null
  }
  return outcomes.has(true)
}

/** Values for which two conditions are both true, or neither; each as text, such as `result[0] = 0.015`. */
export interface Division {
  /** Null: they are never true together. */
  readonly both: string | null
  /** Null: one of them is always true. NaN, of which no comparison is true, does not count. */
  readonly neither: string | null
}

/**
 * How two conditions divide what can be measured. Null where they look at more than one number, or at
 * anything but comparisons with constants, and where one does not compile.
 * `result < 0.01` and `result >= 0.02`: never both, neither at `result = 0.015`.
 */
export function divisionOf(
  first: string,
  second: string,
  range: NumberRange = {},
): Division | null {
  const one = compile(first)
  const two = compile(second)
  if (!one.ok || !two.ok) return null
  const atoms = new Map<string, Set<number>>()
  const isFirst = formulaOf(one.program.tree, atoms)
  const isSecond = formulaOf(two.program.tree, atoms)
  const [subject] = atoms.keys()
  const situations = situationsOf(atoms, range)
  if (atoms.size !== 1 || !subject?.startsWith(NUMBER) || situations === null) return null
  let both: string | null = null
  let neither: string | null = null
  for (const assignment of situations) {
    const value = assignment.get(subject)
    if (value === undefined || !Number.isFinite(value)) continue
    const text = `${subject.slice(NUMBER.length)} = ${Number(value.toPrecision(6))}`
    const holds = [isFirst(assignment), isSecond(assignment)]
    if (holds.every(Boolean)) both ??= text
    else if (!holds.some(Boolean)) neither ??= text
  }
  return { both, neither }
}

/** A comparison of something with a constant, the constant on the right. */
export interface NumberComparison {
  /** What is compared, as text: `result[0]`. */
  readonly subject: string
  readonly operator: '<' | '>' | '<=' | '>=' | '==' | '!='
  readonly constant: number
}

/** The comparisons with constants that a condition makes, negated ones left out. Empty for what does not compile. */
export function comparisonsOf(source: string): readonly NumberComparison[] {
  const compiled = compile(source)
  if (!compiled.ok) return []
  const found: NumberComparison[] = []
  const visit = (node: Node): void => {
    if (node.kind === 'unary') return
    if (node.kind === 'binary') {
      const sides = numberComparison(node)
      if (sides) found.push({ ...sides, subject: print(sides.subject) })
    }
    for (const child of childrenOf(node)) visit(child)
  }
  visit(compiled.program.tree)
  return found
}

/** Calls of a function of the environment, in the order of the text, with the arguments as text. */
export function callsOf(
  source: string,
): readonly { readonly name: string; readonly args: readonly string[] }[] {
  const found: { name: string; args: readonly string[] }[] = []
  const visit = (node: Node): void => {
    if (node.kind === 'call' && node.callee.kind === 'identifier') {
      found.push({ name: node.callee.name, args: node.args.map(print) })
    }
    for (const child of childrenOf(node)) visit(child)
  }
  compiling(source, () => {
    visit(parseWith(source.toWellFormed()))
    return { ok: true as const }
  })
  return found
}

/** Every situation that comparisons can tell apart; null: too many. */
function situationsOf(
  atoms: ReadonlyMap<string, ReadonlySet<number>>,
  range: NumberRange,
): Iterable<Assignment> | null {
  const subjects = [...atoms].map(([subject, constants]) => ({
    subject,
    samples: samplesOf(subject, constants, range),
  }))
  const combinations = subjects.reduce((product, { samples }) => product * samples.length, 1)
  return combinations > MAX_COMBINATIONS ? null : assignments(subjects)
}

const NUMBER = 'number of '

const MAX_COMBINATIONS = 50_000

/** Does it depend on anything but itself: the environment or the clock? */
function reads(node: Node): boolean {
  if (node.kind === 'identifier' || node.kind === 'call') return true
  if (node.kind === 'builtin' && node.name === 'now') return true
  return childrenOf(node).some(reads)
}

type Assignment = ReadonlyMap<string, number>
type Formula = (assignment: Assignment) => boolean

const MIRRORED: Readonly<Record<string, NumberComparison['operator']>> = {
  '<': '>',
  '>': '<',
  '<=': '>=',
  '>=': '<=',
  '==': '==',
  '!=': '!=',
}

/** The truth of a condition by the numbers its subjects have; what is no comparison is 1 or 0. */
function formulaOf(node: Node, atoms: Map<string, Set<number>>): Formula {
  if (node.kind === 'bool') {
    const { value } = node
    return () => value
  }
  if (node.kind === 'unary' && (node.operator === '!' || node.operator === 'not')) {
    const operand = formulaOf(node.operand, atoms)
    return (assignment) => !operand(assignment)
  }
  if (node.kind === 'binary') {
    const { operator } = node
    if (['and', '&&', 'or', '||'].includes(operator)) {
      const left = formulaOf(node.left, atoms)
      const right = formulaOf(node.right, atoms)
      return operator === 'and' || operator === '&&'
        ? (assignment) => left(assignment) && right(assignment)
        : (assignment) => left(assignment) || right(assignment)
    }
    const sides = numberComparison(node)
    if (sides) return comparison(sides, atoms)
  }
  const subject = `truth of ${print(node)}`
  atoms.set(subject, new Set())
  return (assignment) => assignment.get(subject) === 1
}

/** The sides of a comparison with a constant, the constant on the right; null for any other node. */
function numberComparison(node: Extract<Node, { kind: 'binary' }>): {
  readonly subject: Node
  readonly operator: NumberComparison['operator']
  readonly constant: number
} | null {
  const mirrored = MIRRORED[node.operator]
  if (mirrored === undefined) return null
  const left = numberOf(node.left)
  const right = numberOf(node.right)
  if (left === null && right !== null) {
    return { subject: node.left, operator: MIRRORED[mirrored] ?? mirrored, constant: right }
  }
  if (left !== null && right === null) {
    return { subject: node.right, operator: mirrored, constant: left }
  }
  return null
}

function comparison(
  { subject, operator, constant }: { subject: Node; operator: string; constant: number },
  atoms: Map<string, Set<number>>,
): Formula {
  // A length is a whole number from 0 on, and never NaN.
  const counts = subject.kind === 'builtin' && (subject.name === 'len' || subject.name === 'count')
  const key = `${counts ? 'count of ' : NUMBER}${print(subject)}`
  const constants = atoms.get(key) ?? new Set()
  constants.add(constant)
  atoms.set(key, constants)
  return (assignment) => compareNumbers(assignment.get(key) ?? Number.NaN, operator, constant)
}

function compareNumbers(value: number, operator: string, constant: number): boolean {
  switch (operator) {
    case '<':
      return value < constant
    case '>':
      return value > constant
    case '<=':
      return value <= constant
    case '>=':
      return value >= constant
    case '==':
      return value === constant
    default:
      return value !== constant
  }
}

function numberOf(node: Node): number | null {
  return node.kind === 'integer' || node.kind === 'float' ? Number(node.value) : null
}

/** A number as it was measured, not one that is made of it. */
const MEASURED = /^number of result(\[\d+\])?$/

/** One number of every stretch between the constants, the constants themselves and NaN. */
function samplesOf(
  subject: string,
  constants: ReadonlySet<number>,
  range: NumberRange,
): readonly number[] {
  if (subject.startsWith('truth')) return [0, 1]
  const fromZero = range.fromZero === true && MEASURED.test(subject)
  const sorted = [...constants, ...(fromZero ? [0] : [])].sort((a, b) => a - b)
  const between = sorted.slice(1).map((constant, i) => (constant + (sorted[i] ?? 0)) / 2)
  const ends = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN]
  if (!subject.startsWith('count')) {
    const beyond = [(sorted[0] ?? 0) - 1, (sorted.at(-1) ?? 0) + 1]
    const samples = [...between, ...sorted, ...beyond, ...ends]
    return fromZero ? samples.filter((value) => value >= 0) : samples
  }
  const whole = sorted.flatMap((constant) => [
    Math.floor(constant),
    Math.ceil(constant),
    Math.floor(constant) - 1,
    Math.ceil(constant) + 1,
  ])
  return [...new Set([0, ...whole])].filter((value) => value >= 0)
}

function* assignments(
  subjects: readonly { subject: string; samples: readonly number[] }[],
): Generator<Assignment> {
  const [first, ...rest] = subjects
  if (first === undefined) {
    yield new Map()
    return
  }
  for (const sample of first.samples) {
    for (const others of assignments(rest)) yield new Map([...others, [first.subject, sample]])
  }
}
