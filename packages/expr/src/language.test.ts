import { describe, expect, test } from 'vitest'
import { analysisEnvironment } from './conditions.ts'
import { compile, evaluate } from './expr.ts'
import { formatText } from './go-format.ts'
import { fromJson, typeName } from './value.ts'

/** What Go prints for the value and its type, or the problem; all checked against expr v1.17.8. */
function shown(source: string, data: unknown = null): string {
  const env = analysisEnvironment(fromJson(data))
  const compiled = compile(source, { env })
  if (!compiled.ok) return `compile error: ${compiled.problem.message}`
  const evaluated = evaluate(compiled.program, env)
  if (!evaluated.ok) return `run error: ${evaluated.problem.message}`
  return `${formatText(evaluated.value)} ${typeName(evaluated.value)}`
}

describe('values beyond the table of the specification agree with upstream', () => {
  test.each([
    ['groupBy([1,2,3], # > 1)', 'map[false:[1] true:[2 3]] map[interface {}][]interface {}'],
    ['groupBy([1], #)[9] == nil', 'true bool'],
    ['groupBy([1], [#])', 'run error: hash of unhashable type: []interface {}'],
    ['findIndex([1], # > 5) == 1', 'run error: interface conversion: interface {} is nil, not int'],
    [
      'result.a in ["x", "y"]',
      'run error: reflect.Value.MapIndex: value of type float64 is not assignable to type string',
      { a: 1 },
    ],
    ['result.zz in ["x", ""]', 'true bool', {}],
    ['result.a in [1, 2]', 'true bool', { a: 1 }],
    ['sum(1..1000000)', '500000500000 int'],
    ['reduce(1..10, #acc + #, 5)', '60 int'],
    ['sum(1..10, # * 3)', '165 int'],
    ['sum(["a", "b", upper("c")])', 'abC string'],
    ['map(filter(1..5, # > 3), # * 2)', '[8 10] []interface {}'],
    ['first(filter([1], # > 5))', '<nil> <nil>'],
    ['all(result, # > 0) and all(result, # < 5)', 'true bool', [1, 2]],
    [
      'any(result.a, true)',
      'run error: reflect: call of reflect.Value.Len on float64 Value',
      { a: 5 },
    ],
    ['duration("1h") * 2.5', '9e+12 float64'],
    ['string(duration("90m"))', '1h30m0s string'],
    ['duration("1.5h").Round(duration("1h")).String()', '2h0m0s string'],
    ['date("2023-08-14T12:00:00+02:00").UTC()', '2023-08-14 10:00:00 +0000 UTC time.Time'],
    [
      'date("2023-08-14 12:00", "2006-01-02 15:04", "America/New_York")',
      '2023-08-14 12:00:00 -0400 EDT time.Time',
    ],
    [
      'date("2023-08-14").In(timezone("Europe/Berlin")).Format("Mon Jan _2 15:04 MST 2006")',
      'Mon Aug 14 02:00 CEST 2023 string',
    ],
    ['date("2024-01-31").AddDate(0, 1, 0)', '2024-03-02 00:00:00 +0000 UTC time.Time'],
    ['date("2024-01-31").Month()', 'January time.Month'],
    ['date("2024-01-31").Weekday()', 'Wednesday time.Weekday'],
    ['timezone("Mars/Olympus")', 'run error: unknown time zone Mars/Olympus'],
    ['duration("1x")', 'run error: time: unknown unit "x" in duration "1x"'],
    ['date("2023-02-30", "2006-01-02")', 'run error: parsing time "2023-02-30": day out of range'],
    ['fromJSON("[1,]")', "run error: invalid character ']' looking for beginning of value"],
    [
      'fromJSON("1e999")',
      'run error: json: cannot unmarshal number 1e999 into Go value of type float64',
    ],
    ['toJSON(1.0)', '1 string'],
    ['toJSON(0/0)', 'run error: json: unsupported value: NaN'],
    ['toJSON(duration("1s"))', '1000000000 string'],
    ['toJSON(date("2023-08-14"))', '"2023-08-14T00:00:00Z" string'],
    ['b"ab\\xff"', '[97 98 255] []uint8'],
    ['int(result.zz)', 'run error: reflect: call of reflect.Value.Type on zero Value', {}],
    ['"a" matches ("(" + "")', 'compile error: error parsing regexp: missing closing ): `(`'],
    ['result matches "(?P<x>é+)\\\\z"', 'true bool', 'aéé'],
    ['result matches "[[:upper:]]\\\\d{2,3}$"', 'true bool', 'xA12'],
    ['result matches "(?i)straSSe"', 'true bool', 'Straſſe'],
    [
      '"a" matches "a**"',
      'compile error: error parsing regexp: invalid nested repetition operator: `**`',
    ],
    [
      '"a" matches "(?<=a)"',
      'compile error: error parsing regexp: invalid named capture: `(?<=a)`',
    ],
    ['"a" matches "\\\\Qa.b"', 'false bool'],
    ['lower("ÀÉ") | upper()', 'ÀÉ string'],
    ['"b" > "a" > "c"', 'false bool'],
    ['1 < "a"', 'compile error: invalid operation: < (mismatched types int and string)'],
    ['[1, 2, 3] | map({# * 2}) | sum()', '12 int'],
    ['take(1..5, 2)', '[1 2] []int'],
    ['split("a,b", ",")', '[a b] []string'],
    ['uniq([1, 1.0, "1", nil, nil])', '[1 1 <nil>] []interface {}'],
    ['-asInt(5)', '-5 int64'],
    ['asInt(5) + 1', '6 int'],
    ['#', 'compile error: unexpected token Operator("#")'],
    ['map([1], #acc)', 'compile error: unknown pointer #acc'],
    ['let result = 1; result', 'compile error: cannot redeclare result'],
    ['let x = 1; let x = 2; x', 'compile error: cannot redeclare variable x'],
    ['isNaN(1)', 'false bool'],
    ['isNaN("a")', 'compile error: cannot use string as argument (type float64) to call isNaN'],
    ['isNaN()', 'compile error: not enough arguments to call isNaN'],
    ['result?.a?.b.c', '<nil> <nil>', { b: 1 }],
    ['result.in', 'word string', { in: 'word' }],
    ['1 in nil', 'compile error: invalid operation: in (mismatched types int and unknown)'],
  ] as [string, string, unknown?][])('%s is %s', (source, expected, data) => {
    expect(shown(source, data)).toBe(expected)
  })

  test('a map has a length but no elements for a predicate', () => {
    expect(shown('all(result.m, true)', { m: { a: 1 } })).toBe('true bool')
    expect(shown('all(result.m, # > 1)', { m: { a: 1 } })).toBe(
      'run error: reflect: call of reflect.Value.Index on map Value',
    )
  })

  test('a builtin without a call is nil', () => {
    expect(shown('len')).toBe('<nil> <nil>')
    expect(shown('len == nil')).toBe('true bool')
  })

  test('the last match is found from the end', () => {
    expect(shown('filter([1,2,3], # > 1)[-1]')).toBe('3 int')
    expect(shown('filter([1], # > 1)[-1]')).toBe('run error: reflect: slice index out of range')
  })
})

describe('a problem at run time has the place of what failed', () => {
  test.each([
    ['1 + result.a.b', 14],
    ['result.a > 1', 10],
    ['all([1, "a"], # > 0)', 17],
    ['  first([1]) + result.a', 14],
  ])('in %s at column %i', (source, column) => {
    const env = analysisEnvironment(fromJson({}))
    const compiled = compile(source)
    if (!compiled.ok) throw new Error(compiled.problem.message)
    expect(evaluate(compiled.program, env)).toMatchObject({
      problem: { kind: 'run', position: { line: 1, column } },
    })
  })
})
