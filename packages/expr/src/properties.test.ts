import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Node } from './ast.ts'
import { analysisEnvironment, evaluateCondition } from './conditions.ts'
import { compile, evaluate, parseWith } from './expr.ts'
import { compareStrings, fromBytes, toBytes } from './go-text.ts'
import { floats } from './host-values.ts'
import { tokenize } from './lexer.ts'
import { print } from './print.ts'
import { fromJson, isMap, type Value } from './value.ts'

const words = fc.constantFrom(
  ...'1 0 2.5 "a" `b` b"c" true nil result result.a [ ] ( ) { } # .x ?. ?? ? : :: , ; | || && and or not in'.split(
    ' ',
  ),
  ..."== != < <= + - * / % ** .. matches contains let x = if else all( map( filter( sum( len( $env // /* \\ @ '".split(
    ' ',
  ),
)
const wordSalad = fc.array(words, { maxLength: 14 }).map((parts) => parts.join(' '))

/** Source text that parses. */
const expression = fc.letrec<{ any: string; leaf: string }>((tie) => ({
  leaf: fc.constantFrom(
    ...['1', '0x1F', '2.5', '1e3', '.5', '"a\\n\\"é"', "'b'", '`c``d`', 'b"\\xffz"', 'true', 'nil'],
    ...[
      'result',
      'result.a',
      'result?.a.b',
      'result["a-b"]',
      '$env',
      '[1, "a"]',
      '{a: 1, ("b"): 2}',
      '[]',
    ],
  ),
  any: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    tie('leaf'),
    fc
      .tuple(
        tie('any'),
        fc.constantFrom(
          '+',
          '-',
          '*',
          '/',
          '%',
          '**',
          '==',
          '<',
          '>=',
          'in',
          'not in',
          'matches',
          'and',
          '||',
          '..',
        ),
        tie('any'),
      )
      .map(([a, operator, b]) => `(${a}) ${operator} (${b})`),
    fc
      .tuple(fc.constantFrom('-', 'not ', '!', '+'), tie('any'))
      .map(([operator, a]) => `${operator}(${a})`),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `(${a}) ?? (${b})`),
    fc.tuple(tie('any'), tie('any'), tie('any')).map(([a, b, c]) => `(${a}) ? (${b}) : (${c})`),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `if ${a} { ${b} } else { 1; 2 }`),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `(let v = (${a}); v; ${b})`),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `(${a})[${b}]`),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `(${a})?.[${b}]`),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `(${a})[(${b}):]`),
    tie('any').map((a) => `(${a})?.b.c(1).d`),
    tie('any').map((a) => `(${a})[:1]`),
    fc
      .tuple(fc.constantFrom('all', 'filter', 'map', 'sum', 'groupBy'), tie('any'))
      .map(([name, a]) => `${name}([1, 2], {# ; #.x; ${a}})`),
    tie('any').map((a) => `reduce(1..3, #acc + #index, ${a})`),
    fc
      .tuple(fc.constantFrom('len', 'string', 'type', 'foo'), tie('any'))
      .map(([name, a]) => `${name}(${a})`),
    tie('any').map((a) => `(${a}) | string()`),
  ),
})).any

const json: fc.Arbitrary<Value> = fc.oneof(
  fc.jsonValue().map((value) => fromJson(value)),
  fc.array(fc.double()).map(floats),
  fc.double(),
)

describe('whatever text comes in', () => {
  test('the lexer gives tokens and at most one mistake, and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string(), wordSalad), (source) => {
        const { tokens, mistake } = tokenize(source)
        expect(tokens.at(-1)?.kind === 'EOF').toBe(mistake === null)
      }),
    )
  })

  test('compiling gives a program or a problem with a place inside the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), wordSalad, expression), (source) => {
        const compiled = compile(source)
        if (compiled.ok) return
        expect(compiled.problem.message).not.toBe('')
        expect(compiled.problem.position.offset).toBeLessThanOrEqual(Array.from(source).length)
      }),
    )
  })

  test('a deep pile of brackets is a problem, not a crash', () => {
    for (const [open, close] of [
      ['(', ')'],
      ['[', ']'],
      ['-', ''],
      ['!', ''],
    ] as const) {
      const source = `${open.repeat(200_000)}1${close.repeat(200_000)}`
      expect(compile(source).ok).toBe(false)
    }
  })
})

describe('whatever a program meets', () => {
  test('evaluating gives a value or a problem', () => {
    fc.assert(
      fc.property(fc.oneof(expression, wordSalad), json, (source, result) => {
        const env = analysisEnvironment(result)
        for (const compiled of [compile(source), compile(source, { env })]) {
          if (!compiled.ok) continue
          const evaluated = evaluate(compiled.program, env)
          if (evaluated.ok) expect(evaluated.value).not.toBeUndefined()
          else expect(evaluated.problem.kind).toBe('run')
        }
      }),
      { numRuns: 300 },
    )
  })

  test('the same value gives the same outcome again', () => {
    fc.assert(
      fc.property(expression, json, (source, result) => {
        expect(evaluateCondition(source, result)).toEqual(evaluateCondition(source, result))
      }),
    )
  })
})

describe('a printed tree', () => {
  test('parses to the same tree', () => {
    fc.assert(
      fc.property(expression, (source) => {
        const tree = parseWith(source)
        expect(bare(parseWith(print(tree)))).toEqual(bare(tree))
      }),
      { numRuns: 500 },
    )
  })
})

describe('text as bytes', () => {
  test('comes back unchanged', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(Array.from(toBytes(fromBytes(bytes)))).toEqual(Array.from(bytes))
      }),
    )
  })

  test('cut anywhere joins to the same text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.nat(30), (text, cut) => {
        const evaluated = evaluateCondition(
          `result[:${cut}] + result[${cut}:] == result`,
          text.toWellFormed(),
        )
        expect(evaluated).toEqual({ ok: true, value: true })
      }),
    )
  })

  test('is ordered as its bytes are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        const expected = Buffer.compare(Buffer.from(a), Buffer.from(b))
        expect(Math.sign(compareStrings(a, b))).toBe(expected)
      }),
    )
  })
})

test('plain data passes into the language and keeps its members, whatever they are called', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (data) => {
      const value = fromJson(JSON.parse(JSON.stringify(data)))
      expect(JSON.parse(JSON.stringify(value))).toEqual(JSON.parse(JSON.stringify(data)))
    }),
  )
  const odd = fromJson(JSON.parse('{"__proto__": 1, "constructor": 2}'))
  expect(isMap(odd) && Object.keys(odd)).toEqual(['__proto__', 'constructor'])
  expect(evaluateCondition('result.__proto__ == 1 and result.toString == nil', odd)).toEqual({
    ok: true,
    value: true,
  })
})

/** The tree without places and types. */
function bare(node: Node): unknown {
  return JSON.parse(
    JSON.stringify(node, (key, value) =>
      key === 'at' || key === 'nature'
        ? undefined
        : typeof value === 'bigint'
          ? `${value}n`
          : value,
    ),
  )
}
