import type { Span } from './ast.ts'

/** Where a problem is, counted in characters as upstream counts them. */
export interface Position {
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
  /** From the beginning of the source, from 0. */
  readonly offset: number
}

/** Why an expression could not be compiled or evaluated. */
export interface ExprProblem {
  /** `compile`: no value can make the expression work; `run`: this value did not. */
  readonly kind: 'compile' | 'run'
  /** What upstream prints, without its position. */
  readonly message: string
  readonly position: Position
  /** For a wrong name: the nearest name that exists. */
  readonly suggestion?: string
}

/** Thrown inside the compiler and turned into an `ExprProblem` at its door. */
export class CompileError extends Error {
  override readonly name = 'CompileError'
  readonly at: Span
  readonly suggestion: string | undefined
  constructor(at: Span, message: string, suggestion?: string) {
    super(message)
    this.at = at
    this.suggestion = suggestion
  }
}

export function positionOf(source: string, offset: number): Position {
  let line = 1
  let column = 1
  let count = 0
  for (const char of source) {
    if (count === offset) break
    if (char === '\n') {
      line++
      column = 1
    } else column++
    count++
  }
  return { line, column, offset }
}

/**
 * The problem as upstream prints it in full: message, position, the line and a mark below it, for example
 * `unexpected token EOF (1:4)` with two more lines. A problem on an empty line has the message alone.
 */
export function describeProblem(source: string, problem: ExprProblem): string {
  const { line, column } = problem.position
  const text = source.split('\n')[line - 1] ?? ''
  if (text === '') return problem.message
  const mark = `${'.'.repeat(column - 1)}^`
  return `${problem.message} (${line}:${column})\n | ${text.replaceAll('\t', ' ')}\n | ${mark}`
}
