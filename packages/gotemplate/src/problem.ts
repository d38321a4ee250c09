import { byteLength } from './go-string.ts'

/**
 * What is wrong with a template, in Go's words. `message` is the whole line Go would log
 * (`template: NAME:LINE:COL: …`), `line` counts from 1, `column` is Go's: bytes from the start of the line.
 */
export interface TemplateProblem {
  readonly message: string
  readonly line: number
  readonly column?: number
}

export function positionOf(source: string, at: number): { line: number; column: number } {
  const before = source.slice(0, at)
  const lineStart = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: byteLength(before.slice(lineStart)) }
}
