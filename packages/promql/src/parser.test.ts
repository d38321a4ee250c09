import { expect, test } from 'vitest'
import type { Expr } from './ast.ts'
import { parseQuery } from './parser.ts'

/** The expression with all parentheses that its structure implies. */
function shape(query: string): string {
  const parsed = parseQuery(query)
  return parsed.ok ? show(parsed.ast) : parsed.error
}

function show(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return String(expr.value)
    case 'string':
      return JSON.stringify(expr.value)
    case 'selector': {
      const at = expr.at?.kind === 'time' ? ` @ ${expr.at.at}` : expr.at ? ` @ ${expr.at.kind}` : ''
      return `${expr.metric ?? '{}'}${expr.offsetMs === 0 ? '' : ` offset ${expr.offsetMs}`}${at}`
    }
    case 'range':
      return `${show(expr.selector)}[${expr.rangeMs}]`
    case 'subquery':
      return `${show(expr.expr)}[${expr.rangeMs}:${expr.stepMs ?? ''}]${expr.offsetMs === 0 ? '' : ` offset ${expr.offsetMs}`}`
    case 'call':
      return `${expr.name}(${expr.args.map(show).join(', ')})`
    case 'aggregation':
      return `${expr.op}(${show(expr.expr)})`
    case 'binary':
      return `(${show(expr.left)} ${expr.op} ${show(expr.right)})`
    case 'unary':
      return `(${expr.op}${show(expr.expr)})`
    case 'paren':
      return show(expr.expr)
  }
}

test.each([
  ['a + b * c', '(a + (b * c))'],
  ['a * b + c', '((a * b) + c)'],
  ['a - b - c', '((a - b) - c)'],
  ['2 ^ 3 ^ 2', '(2 ^ (3 ^ 2))'],
  ['-1 ^ 2', '(-(1 ^ 2))'],
  ['2 ^ -1', '(2 ^ -1)'],
  ['-a * b', '((-a) * b)'],
  ['a * -b ^ c', '(a * (-(b ^ c)))'],
  ['- - a', '(-(-a))'],
  ['a -1', '(a - 1)'],
  ['a == b + c', '(a == (b + c))'],
  ['a or b and c', '(a or (b and c))'],
  ['a unless b and c', '((a unless b) and c)'],
  ['a atan2 b + c', '((a atan2 b) + c)'],
  ['a + b offset 5m * c', '(a + (b offset 300000 * c))'],
  ['-a offset 5m', '(-a offset 300000)'],
  [
    'x == 1 or x[5m:1m] @ 5 ^ 2',
    '1:11: parse error: binary expression must contain only scalar and instant vector types',
  ],
  ['a @ 1.5 offset -1h', 'a offset -3600000 @ 1500'],
  ['a offset 1h30m @ end()', 'a offset 5400000 @ end'],
  [
    'max_over_time((a > 1)[1d:5m] offset 1w)',
    'max_over_time((a > 1)[86400000:300000] offset 604800000)',
  ],
  ['rate(a[300])', 'rate(a[300000])'],
  ['1_000 + 0x10 + 1e3 + .5', '(((1000 + 16) + 1000) + 0.5)'],
  ['5m', '300'],
  ['1./4. + 2.', '((1 / 4) + 2)'],
  ['INF', 'Infinity'],
  ['"\\u00e4\\t" ', '"ä\\t"'],
  ['sum + by', '(sum + by)'],
  ['SUM(a) BY (b)', 'sum(a)'],
  ['a # comment\n  + b', '(a + b)'],
])('%j reads as %s', (query, expected) => {
  expect(shape(query)).toBe(expected)
})

test.each([
  ['', 'unknown position: parse error: no expression found in input'],
  ['foo bar', '1:5: parse error: unexpected identifier "bar"'],
  ['a\n  + ) b', "2:6: parse error: unexpected right parenthesis ')'"],
  ['ä', "1:1: parse error: unexpected character: 'ä'"],
  ['a{b="ä"} c', '1:11: parse error: unexpected identifier "c"'],
  ['a[5m', '1:5: parse error: unexpected end of input in duration expression'],
  ['a[', '1:3: parse error: unexpected end of input in duration expression'],
  ['a[:5m]', '1:4: parse error: unexpected colon before duration in duration expression'],
  ['a[5m:1m:1m]', '1:9: parse error: unexpected repeated colon in duration expression'],
  ['a[-5m]', '1:3: parse error: duration must be greater than 0'],
  ['a[1m+1m]', '1:3: parse error: experimental duration expression is not enabled'],
  [
    'a offset',
    '1:9: parse error: unexpected end of input in offset, expected number, duration, step(), or range()',
  ],
  ['a anchored', '1:1: parse error: anchored modifier is experimental and not enabled'],
  ['a + fill(0) b', '1:1: parse error: binop fill modifiers are experimental and not enabled'],
  ['info(a)', '1:1: parse error: function "info" is not enabled'],
  ['max_of(1, 2)', '1:1: parse error: function "max_of" is not enabled'],
  ['holt_winters(a[5m], 0.5, 0.5)', '1:1: parse error: unknown function with name "holt_winters"'],
  ['sum(1 2)', '1:7: parse error: unexpected number "2" in aggregation'],
  ['a{b=~"("}', '1:3: parse error: error parsing regexp: missing closing ): `^(?s:()$`'],
  ['a @ Inf', '1:1: parse error: timestamp out of bounds for @ modifier: +Inf'],
])('the mistake in %j is told with its place: %s', (query, expected) => {
  expect(parseQuery(query)).toEqual({ ok: false, error: expected })
})

test('lint can ask which series a query reads and which windows its functions look through', () => {
  const parsed = parseQuery(
    'sum(rate(http_requests_total{status=~"5.."}[5m])) / max_over_time(up{job="web"} [1h:1m])',
  )
  if (!parsed.ok) throw new Error(parsed.error)
  expect(
    parsed.selectors.map(({ metric, matchers, rangeMs, from }) => ({
      metric,
      labels: matchers.map(({ name, op, value }) => `${name}${op}${value}`),
      rangeMs,
      from,
    })),
  ).toEqual([
    {
      metric: 'http_requests_total',
      labels: ['status=~5..', '__name__=http_requests_total'],
      rangeMs: 300_000,
      from: 9,
    },
    { metric: 'up', labels: ['job=web', '__name__=up'], rangeMs: undefined, from: 66 },
  ])
  expect(parsed.functions).toEqual([
    { name: 'rate', rangeMs: 300_000, from: 4 },
    { name: 'max_over_time', rangeMs: 3_600_000, from: 52 },
  ])
})

test('nesting beyond any sense is refused instead of overflowing the stack', () => {
  for (const query of [
    `${'('.repeat(20_000)}1${')'.repeat(20_000)}`,
    `${'-'.repeat(20_000)}a`,
    `a${' + a'.repeat(20_000)}`,
    `1${' ^ 1'.repeat(20_000)}`,
    `${'abs('.repeat(5000)}a${')'.repeat(5000)}`,
  ]) {
    const parsed = parseQuery(query)
    expect(parsed).toEqual({
      ok: false,
      error: '1:1: parse error: expression is nested too deeply',
    })
  }
})
