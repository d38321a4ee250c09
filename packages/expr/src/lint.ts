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

/**
 * Is the condition the same whatever is measured, wherever it can be evaluated at all? It compares one
 * thing with several numbers (`result < 1 || result >= 0`), looks at combinations by `and`, `or`, `not`
 * and takes everything else to be true or false freely. A NaN, for which every comparison is false,
 * counts: `result < 1 || result >= 1` is no constant. `null` too for what does not compile.
 */
export function constancyOf(source: string): Constancy {
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
  const subjects = [...atoms].map(([subject, constants]) => ({
    subject,
    samples: samplesOf(subject, constants),
  }))
  const combinations = subjects.reduce((product, { samples }) => product * samples.length, 1)
  if (combinations > MAX_COMBINATIONS) return null
  const outcomes = new Set<boolean>()
  for (const assignment of assignments(subjects)) {
    outcomes.add(formula(assignment))
    if (outcomes.size === 2) return null
  }
  return outcomes.has(true)
}

const MAX_COMBINATIONS = 50_000

/** Does it depend on anything but itself: the environment or the clock? */
function reads(node: Node): boolean {
  if (node.kind === 'identifier' || node.kind === 'call') return true
  if (node.kind === 'builtin' && node.name === 'now') return true
  return childrenOf(node).some(reads)
}

type Assignment = ReadonlyMap<string, number>
type Formula = (assignment: Assignment) => boolean

const MIRRORED: Readonly<Record<string, string>> = {
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
    const mirrored = MIRRORED[operator]
    const leftNumber = numberOf(node.left)
    const rightNumber = numberOf(node.right)
    if (mirrored !== undefined && leftNumber === null && rightNumber !== null) {
      return comparison({ subject: node.left, operator, constant: rightNumber }, atoms)
    }
    if (mirrored !== undefined && leftNumber !== null && rightNumber === null) {
      return comparison({ subject: node.right, operator: mirrored, constant: leftNumber }, atoms)
    }
  }
  const subject = `truth of ${print(node)}`
  atoms.set(subject, new Set())
  return (assignment) => assignment.get(subject) === 1
}

function comparison(
  { subject, operator, constant }: { subject: Node; operator: string; constant: number },
  atoms: Map<string, Set<number>>,
): Formula {
  // A length is a whole number from 0 on, and never NaN.
  const counts = subject.kind === 'builtin' && (subject.name === 'len' || subject.name === 'count')
  const key = `${counts ? 'count' : 'number'} of ${print(subject)}`
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

/** One number of every stretch between the constants, the constants themselves and NaN. */
function samplesOf(subject: string, constants: ReadonlySet<number>): readonly number[] {
  if (subject.startsWith('truth')) return [0, 1]
  const sorted = [...constants].sort((a, b) => a - b)
  const between = sorted.slice(1).map((constant, i) => (constant + (sorted[i] ?? 0)) / 2)
  const ends = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN]
  if (!subject.startsWith('count')) return [...sorted, ...between, ...ends]
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
