import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { analysisEnvironment } from './conditions.ts'
import { compile, evaluate } from './expr.ts'
import { formatFloat } from './go-text.ts'
import { floats } from './host-values.ts'
import { AnyMap, fromJson, Int, isMap, itemsOf, type Value } from './value.ts'

interface Row {
  readonly expression: string
  /** As the table writes it; `null` where it gives none. */
  readonly result: string | null
  readonly outcome: string
}

const NOW = Date.UTC(2026, 7, 17, 10)

const rows = readRows()

describe('every verified value of upstream holds [analysis-and-experiments 46]', () => {
  test.each(rows)('$expression with $result gives $outcome', ({ expression, result, outcome }) => {
    expect(actual(expression, result)).toBe(outcome)
  })

  test('the table is read as a whole', () => {
    expect(rows.filter(({ result }) => result === null)).toHaveLength(216)
    expect(rows.filter(({ result }) => result !== null)).toHaveLength(74)
  })
})

/** Rows of both tables: pairs of expression and outcome, then expression, result and outcome. */
function readRows(): Row[] {
  const text = readFileSync(new URL('./fixtures/verified-values.md', import.meta.url), 'utf8')
  const rows: Row[] = []
  let withResult = false
  for (const line of text.split('\n')) {
    if (!line.startsWith('|') || line.startsWith('| ---')) continue
    const cells = cellsOf(line)
    if (cells[0] === 'Expression') {
      withResult = cells[1] === '`result`'
      continue
    }
    const [first = '', second = '', third = '', fourth = ''] = cells
    if (withResult) rows.push({ expression: code(first), result: code(second), outcome: third })
    else {
      rows.push({ expression: code(first), result: null, outcome: second })
      rows.push({ expression: code(third), result: null, outcome: fourth })
    }
  }
  return rows
}

/** A pipe separates cells unless it is escaped. */
function cellsOf(line: string): string[] {
  return line
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'))
}

/** The text in a code span, whose fence may be one or two backticks. */
function code(cell: string): string {
  return /^``\s?(.*?)\s?``$/.exec(cell)?.[1] ?? /^`(.*)`$/.exec(cell)?.[1] ?? cell
}

/** The outcome in the words of the table. */
function actual(expression: string, result: string | null): string {
  const env = analysisEnvironment(resultOf(result), { now: () => NOW })
  const compiled = compile(expression, { env })
  if (!compiled.ok) return `compile error: ${fenced(compiled.problem.message)}`
  const evaluated = evaluate(compiled.program, env)
  if (!evaluated.ok) return `run error: ${fenced(evaluated.problem.message)}`
  const { value } = evaluated
  if (typeof value === 'number') return `\`${formatFloat(value)}\` float`
  if (typeof value === 'bigint') return `\`${value}\` int`
  if (value instanceof Int)
    return `\`${value.value}\` ${value.type.name.replace('time.Duration', 'duration')}`
  return fenced(shown(value))
}

function fenced(text: string): string {
  return text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``
}

function shown(value: Value): string {
  if (value === null) return 'nil'
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') return formatFloat(value)
  const items = itemsOf(value)
  if (items !== null) return `[${items.map(shown).join(',')}]`
  if (isMap(value)) {
    const members = Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${shown(value[key] ?? null)}`)
    return `{${members.join(',')}}`
  }
  if (value instanceof AnyMap) return 'a map'
  return String(value)
}

/** As the second table says: `[...]` of plain numbers is a []float64, objects are decoded JSON. */
function resultOf(text: string | null): Value {
  if (text === null || text === '' || text === 'nil') return null
  const special: Readonly<Record<string, number>> = {
    NaN: Number.NaN,
    '-Inf': Number.NEGATIVE_INFINITY,
  }
  const named = special[text]
  if (named !== undefined) return named
  if (/^\[[^"{]*\]$/.test(text)) {
    const parts = text.slice(1, -1).split(',')
    return floats(parts.filter((part) => part !== '').map((part) => special[part] ?? Number(part)))
  }
  // The string `{"a":2}` stands in the table with its inner quotes unescaped.
  const inner = /^"(\{.*\})"$/.exec(text)?.[1]
  return fromJson(inner ?? JSON.parse(text))
}
