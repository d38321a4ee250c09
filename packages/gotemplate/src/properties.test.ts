import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatFloat } from './float.ts'
import { byteLength, bytesOf, compareStrings, quote, stringOf, unquote } from './go-string.ts'
import { execute, type Mode, parse, referencedFields } from './index.ts'
import { SPRIG_FUNCTIONS } from './sprig/registry.ts'

const pieces = [
  ...[
    '{{',
    '}}',
    '{{-',
    '-}}',
    '{{/*',
    '*/}}',
    '(',
    ')',
    '|',
    ',',
    '.',
    '$',
    '$x',
    ':=',
    '=',
    ' ',
    '\n',
  ],
  ...[
    'if',
    'else',
    'end',
    'range',
    'with',
    'define',
    'template',
    'block',
    'break',
    'continue',
    'nil',
  ],
  ...[
    '{{end}}',
    '{{else}}',
    '{{if .a}}',
    '{{range .l}}',
    '{{with .m}}',
    '{{define "t"}}',
    '{{template "t" .}}',
  ],
  ...[
    '"a"',
    '`b`',
    "'c'",
    '1',
    '-2',
    '1.5',
    '1e9',
    'true',
    '.a',
    '.l',
    '.m.k',
    '.nosuch',
    '"%v%d%s"',
    '"é"',
  ],
]

const soup = fc
  .array(
    fc.oneof(
      fc.constantFrom(...pieces),
      fc.constantFrom('printf', 'index', 'len', 'eq', 'lt', 'call'),
      fc.string(),
    ),
    {
      maxLength: 30,
    },
  )
  .map((parts) => parts.join(''))

const operand = fc.oneof(
  fc.constantFrom(
    '.',
    '.a',
    '.l',
    '.m',
    '.n',
    '.nosuch',
    '.z',
    'nil',
    'true',
    '0',
    '-1',
    '3',
    '2.5',
    '$',
  ),
  fc.constantFrom(
    '(list 1 "a")',
    '(dict "k" 1)',
    '(until 3)',
    '(now)',
    '(semver "1.2.3")',
    '(int64 5)',
    '.bytes',
  ),
  fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => JSON.stringify(text)),
)

/** Every function with arguments of every kind. */
const call = fc
  .tuple(
    fc.constantFrom(
      ...SPRIG_FUNCTIONS.keys(),
      'print',
      'printf',
      'println',
      'index',
      'len',
      'html',
      'js',
      'urlquery',
      'eq',
      'lt',
      'call',
      'not',
      'and',
    ),
    fc.array(operand, { maxLength: 4 }),
  )
  .filter(([name]) => name !== 'bcrypt' && name !== 'htpasswd')
  .map(([name, args]) => `{{${[name, ...args].join(' ')}}}`)

const data = {
  a: 'text',
  l: [3, 1, 2, null, 'x'],
  m: { k: { d: 1 }, e: '' },
  n: 1234567,
  z: null,
  bytes: new TextEncoder().encode('abc'),
}

const options = { now: 1_785_585_600_000, random: () => 0.5, budget: 20_000 }

function renderSafely(text: string, mode: Mode): void {
  const parsed = parse('p', text)
  if (!parsed.ok) {
    expect(parsed.problem.message).toMatch(/^template: p:\d+: /)
    return
  }
  const executed = execute(parsed.template, data, { ...options, mode })
  if (executed.ok) expect(executed.text.isWellFormed()).toBe(true)
  else expect(executed.problem.message).toMatch(/^template: p:\d+:\d+: executing ".*" at </)
  expect(Array.isArray(referencedFields(parsed.template))).toBe(true)
}

test('arbitrary text parses or is a problem, and what parses renders or is a problem', () => {
  fc.assert(
    fc.property(
      fc.oneof(soup, fc.string({ unit: 'binary' })),
      fc.constantFrom<Mode>('default', 'upstream'),
      renderSafely,
    ),
    { numRuns: 1500 },
  )
})

test('any function with any arguments renders or is a problem', () => {
  fc.assert(fc.property(call, fc.constantFrom<Mode>('default', 'upstream'), renderSafely), {
    numRuns: 3000,
  })
})

test('arbitrary data render or are a problem', () => {
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true, withTypedArray: true, withMap: true }),
      (anything) => {
        const parsed = parse(
          'p',
          '{{.}}{{toJson .}}{{range $k, $v := .}}{{$k}}{{$v}}{{end}}{{.a.b}}',
        )
        if (!parsed.ok) throw new Error(parsed.problem.message)
        const executed = execute(parsed.template, anything, options)
        expect(typeof (executed.ok ? executed.text : executed.partial)).toBe('string')
      },
    ),
  )
})

test('text without actions is copied', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('{{')),
      (text) => {
        const parsed = parse('p', text)
        expect(parsed.ok && execute(parsed.template, {})).toEqual({ ok: true, text })
      },
    ),
  )
})

test('toJson writes what JSON.parse reads back', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const parsed = parse('p', '{{toJson .v}}')
      const executed = parsed.ok ? execute(parsed.template, { v: value }) : undefined
      if (!executed?.ok) throw new Error('toJson failed')
      expect(JSON.parse(executed.text)).toEqual(value)
    }),
  )
})

test('both modes agree where the data hold no numbers', () => {
  const words = fc.dictionary(
    fc.constantFrom('a', 'b', 'c'),
    fc.oneof(fc.string(), fc.boolean(), fc.array(fc.string())),
  )
  fc.assert(
    fc.property(soup, words, (text, labels) => {
      const parsed = parse('p', text)
      if (!parsed.ok) return
      expect(execute(parsed.template, labels, { ...options, mode: 'default' })).toEqual(
        execute(parsed.template, labels, { ...options, mode: 'upstream' }),
      )
    }),
  )
})

test('the shortest form of a float reads back as the same float', () => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom('e', 'f', 'g'),
      (value, verb) => {
        expect(Number(formatFloat(value, verb, -1))).toBe(value)
      },
    ),
  )
})

test('a quoted text unquotes to itself, also in ASCII', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(unquote(quote(text))).toBe(text)
      expect(unquote(quote(text, { ascii: true }))).toBe(text)
    }),
  )
})

test('bytes of any kind survive being a string', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      const text = stringOf(a)
      expect(bytesOf(text)).toEqual(a)
      expect(byteLength(text)).toBe(a.length)
      expect(Math.sign(compareStrings(text, stringOf(b)))).toBe(Math.sign(Buffer.compare(a, b)))
    }),
  )
})
