import { compileWhole } from './regexp.ts'

/** How a label is compared in a selector; regular expressions are RE2 and match the whole value. */
export type MatchOperator = '=' | '!=' | '=~' | '!~'

/** One condition of a selector. */
export interface Matcher {
  readonly name: string
  readonly op: MatchOperator
  readonly value: string
  /** Whether a label value fits; an absent label is the empty string. */
  matches(value: string): boolean
}

/** Throws `RegexpError` for a pattern that RE2 refuses. */
export function createMatcher(name: string, op: MatchOperator, value: string): Matcher {
  switch (op) {
    case '=':
      return { name, op, value, matches: (other) => other === value }
    case '!=':
      return { name, op, value, matches: (other) => other !== value }
    case '=~':
    case '!~': {
      const pattern = compileWhole(value)
      const wanted = op === '=~'
      return { name, op, value, matches: (other) => pattern.matches(other) === wanted }
    }
    default:
      throw new TypeError(`unknown match operator: ${op satisfies never}`)
  }
}
