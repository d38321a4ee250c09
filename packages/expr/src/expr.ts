import type { Node } from './ast.ts'
import { BUILTINS } from './builtins.ts'
import { check } from './checker.ts'
import { type Environment, namesOf } from './environment.ts'
import { compileTree, type Step, startRun } from './evaluator.ts'
import { isUnknown, natureText } from './nature.ts'
import { optimize } from './optimizer.ts'
import { parse } from './parser.ts'
import { CompileError, type ExprProblem, positionOf } from './problem.ts'
import { isNil, Panic, typeName, type Value } from './value.ts'

/** A compiled expression: evaluated as often as one likes, from as many places at once. */
export interface Program {
  readonly source: string
  /** The tree after checking and optimizing. */
  readonly tree: Node
  readonly step: Step
  readonly variables: number
  readonly expect: 'bool' | 'any'
}

/** A program, or why there is none. */
export type Compiled = { ok: true; program: Program } | { ok: false; problem: ExprProblem }

/** What an evaluation came to. */
export type Evaluated = { ok: true; value: Value } | { ok: false; problem: ExprProblem }

/**
 * Compiles an expression; never throws. With `env`, names are checked and operands typed by the values
 * it holds now, as upstream does; without it any name may be used and is nil unless it is given later.
 * `expect: 'bool'` refuses what is known to give no boolean and makes `evaluate` give booleans only.
 * Source: spec analysis-and-experiments 3.5 to 3.9, notifications 4.2.
 */
export function compile(
  source: string,
  options: { env?: Environment; expect?: 'bool' | 'any' } = {},
): Compiled {
  const text = source.toWellFormed()
  const expect = options.expect ?? 'any'
  return compiling(text, () => {
    const names = namesOf(options.env)
    const parsed = parseWith(text, options.env)
    const nature = check(parsed, names)
    if (expect === 'bool' && !isUnknown(nature) && nature.type?.kind !== 'bool') {
      throw new CompileError({ from: 0, to: 0 }, `expected bool, but got ${natureText(nature)}`)
    }
    const tree = optimize(parsed)
    return { ok: true, program: { source: text, tree, expect, ...compileTree(tree) } }
  })
}

/** The tree as written, names resolved against an environment; throws `CompileError`. */
export function parseWith(source: string, env?: Environment): Node {
  return parse(source, {
    isBuiltin: (name) => BUILTINS.has(name),
    isOverridden: (name) => env !== undefined && Object.hasOwn(env.values, name),
  })
}

/** Runs a step of compilation and turns what it throws into a problem. */
export function compiling<T extends { ok: true }>(
  source: string,
  work: () => T,
): T | { ok: false; problem: ExprProblem } {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof CompileError) && !(error instanceof RangeError)) throw error
    // The only RangeError here is a full stack: our depth is bounded by it, upstream's by memory.
    const message = error instanceof CompileError ? error.message : 'expression nests too deeply'
    const at = error instanceof CompileError ? error.at.from : 0
    const suggestion = error instanceof CompileError ? error.suggestion : undefined
    return {
      ok: false,
      problem: {
        kind: 'compile',
        message,
        position: positionOf(source, at),
        ...(suggestion === undefined ? {} : { suggestion }),
      },
    }
  }
}

/**
 * Evaluates a program; never throws and always ends: beside upstream's memory budget there is one for
 * work (`evaluation budget exceeded`). Source: spec analysis-and-experiments 3.9.
 */
export function evaluate(program: Program, env: Environment): Evaluated {
  const run = startRun(env, program.variables)
  try {
    const value = program.step(run)
    return { ok: true, value: program.expect === 'bool' ? castToBool(value) : value }
  } catch (error) {
    if (!(error instanceof Panic) && !(error instanceof RangeError)) throw error
    const message = error instanceof Panic ? error.message : 'evaluation budget exceeded'
    return {
      ok: false,
      problem: { kind: 'run', message, position: positionOf(program.source, run.at.from) },
    }
  }
}

/** Upstream's cast: nil counts as false. */
function castToBool(value: Value): boolean {
  if (typeof value === 'boolean') return value
  if (isNil(value)) return false
  throw new Panic(`invalid operation: bool(${typeName(value)})`)
}
