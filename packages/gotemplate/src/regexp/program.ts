import type { Assertion, RegexNode } from './syntax.ts'

/** One instruction of the matcher; `next` and `other` are indexes, `next` is tried first. */
type Instruction =
  | { readonly kind: 'one'; readonly test: (code: number) => boolean; readonly next: number }
  | { readonly kind: 'assert'; readonly assertion: Assertion; readonly next: number }
  | { readonly kind: 'save'; readonly slot: number; readonly next: number }
  | { readonly kind: 'split'; readonly next: number; readonly other: number }
  | { readonly kind: 'match' }

export interface Program {
  readonly instructions: readonly Instruction[]
  readonly start: number
}

/** Counted repetition is written out, so `(a{1000}){1000}` must not come through. */
const MAX_INSTRUCTIONS = 50_000

/** undefined: the expression is too large. */
export function compileRegex(node: RegexNode): Program | undefined {
  const instructions: Instruction[] = [{ kind: 'match' }]
  const add = (instruction: Instruction): number => {
    if (instructions.length >= MAX_INSTRUCTIONS) throw new TooLarge()
    return instructions.push(instruction) - 1
  }

  // Built from the end to the start: each part knows where to go on.
  const build = (part: RegexNode, next: number): number => {
    switch (part.kind) {
      case 'empty':
        return next
      case 'one':
        return add({ kind: 'one', test: part.test, next })
      case 'assert':
        return add({ kind: 'assert', assertion: part.assertion, next })
      case 'concat':
        return part.nodes.reduceRight((after, child) => build(child, after), next)
      case 'alternate':
        return part.nodes
          .slice(0, -1)
          .reduceRight(
            (other, child) => add({ kind: 'split', next: build(child, next), other }),
            build(part.nodes.at(-1) ?? { kind: 'empty' }, next),
          )
      case 'capture': {
        const close = add({ kind: 'save', slot: part.index * 2 + 1, next })
        return add({ kind: 'save', slot: part.index * 2, next: build(part.node, close) })
      }
      case 'repeat':
        return buildRepeat(part, next)
    }
  }

  const split = (greedy: boolean, into: number, past: number): number =>
    add(
      greedy
        ? { kind: 'split', next: into, other: past }
        : { kind: 'split', next: past, other: into },
    )

  const buildRepeat = (part: RegexNode & { kind: 'repeat' }, next: number): number => {
    const { node: child, min, max, greedy } = part
    let entry = next
    if (max === Infinity) {
      // The loop x+ : body, then a split back to the body or on. Its index is needed before its body.
      const loop = add({ kind: 'match' })
      const body = build(child, loop)
      const jump = greedy
        ? ({ kind: 'split', next: body, other: next } as const)
        : ({ kind: 'split', next, other: body } as const)
      instructions[loop] = jump
      // x* is (x+)?, which tells apart an empty round from none, as Go does.
      entry = min === 0 ? split(greedy, body, next) : body
    } else {
      for (let i = min; i < max; i++) entry = split(greedy, build(child, entry), next)
    }
    const required = max === Infinity ? Math.max(min - 1, 0) : min
    for (let i = 0; i < required; i++) entry = build(child, entry)
    return entry
  }

  try {
    const start = add({
      kind: 'save',
      slot: 0,
      next: build(node, add({ kind: 'save', slot: 1, next: 0 })),
    })
    return { instructions, start }
  } catch (error) {
    if (error instanceof TooLarge) return undefined
    throw error
  }
}

class TooLarge extends Error {
  override readonly name = 'TooLarge'
}
