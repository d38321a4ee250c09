import { describe, expect, test } from 'vitest'
import { analysisEnvironment, evaluateCondition, evaluateTime, judge } from './conditions.ts'
import { compile, evaluate } from './expr.ts'
import { defineFunction, floats, int64, structs, uint64 } from './host-values.ts'
import { fromJson, Panic, Time, type Value } from './value.ts'

describe('the phase of a measurement', () => {
  test.each<[success: string | null, failure: string | null, phase: string]>([
    [null, null, 'Successful'],
    ['true', null, 'Successful'],
    ['false', null, 'Failed'],
    [null, 'true', 'Failed'],
    [null, 'false', 'Successful'],
    ['true', 'false', 'Successful'],
    ['true', 'true', 'Failed'],
    ['false', 'true', 'Failed'],
    ['false', 'false', 'Inconclusive'],
    ['1', 'true', 'Error'],
    ['true', '1', 'Error'],
    ['', '', 'Successful'],
  ])('is decided by success %s and failure %s: %s', (success, failure, phase) => {
    const conditions = {
      ...(success === null ? {} : { successCondition: success }),
      ...(failure === null ? {} : { failureCondition: failure }),
    }
    expect(judge(conditions, 1).phase).toBe(phase)
  })

  test('lies between the two thresholds for 0.015: Inconclusive [analysis-and-experiments 40]', () => {
    const conditions = {
      successCondition: 'result[0] < 0.01',
      failureCondition: 'result[0] >= 0.02',
    }
    expect(judge(conditions, floats([0.015]))).toEqual({ phase: 'Inconclusive' })
    expect(judge(conditions, floats([0.009]))).toEqual({ phase: 'Successful' })
    expect(judge(conditions, floats([0.02]))).toEqual({ phase: 'Failed' })
  })

  test('of NaN is Failed with a success condition and Inconclusive with both [analysis-and-experiments 41]', () => {
    expect(judge({ successCondition: 'result >= 0.95' }, Number.NaN)).toEqual({ phase: 'Failed' })
    expect(judge({ failureCondition: 'result < 0.95' }, Number.NaN)).toEqual({
      phase: 'Successful',
    })
    expect(
      judge({ successCondition: 'result >= 0.95', failureCondition: 'result < 0.95' }, Number.NaN),
    ).toEqual({ phase: 'Inconclusive' })
  })

  test.each([
    ['an empty vector', floats([]), 'result[0] >= 0.95'],
    ['nil', null, 'result >= 0.95'],
    ['an empty array and a syntax error', [], 'result[0] >='],
  ])(
    'of %s is an Error that blames the missing data [analysis-and-experiments 42]',
    (_, result: Value, source) => {
      expect(judge({ successCondition: source }, result)).toMatchObject({
        phase: 'Error',
        message: `could not evaluate successCondition "${source}": metric result is nil or empty: no data returned from the metric provider`,
      })
    },
  )

  test('of nil is Successful where a default is small enough [analysis-and-experiments 43]', () => {
    expect(judge({ successCondition: 'default(result, 0) < 0.05' }, null)).toEqual({
      phase: 'Successful',
    })
    expect(judge({ successCondition: 'default(result, 1) < 0.05' }, null)).toEqual({
      phase: 'Failed',
    })
  })

  // default() looks at the whole result, as upstream's does (the verified rows): this is how to ask for one number of it.
  test.each([
    ['(get(result, 0) ?? 0) < 0.05', floats([]), floats([0.01])],
    ['(first(result) ?? 0) < 0.05', floats([]), floats([0.01])],
    ['(result.x ?? 0) < 0.05', fromJson({ y: 1 }), fromJson({ x: 0.01 })],
  ])('%s takes what is missing for 0, and what is there as it is', (source, missing, there) => {
    // Of an empty list, too, a condition that can be decided is decided.
    expect(evaluateCondition(source, missing)).toEqual({ ok: true, value: true })
    expect(evaluateCondition(source, there)).toEqual({ ok: true, value: true })
    expect(judge({ successCondition: source }, missing)).toEqual({ phase: 'Successful' })
  })

  test('of a JSON number needs int() before % [analysis-and-experiments 44]', () => {
    const result = fromJson({ ok: true, n: 7 })
    expect(judge({ successCondition: 'int(result.n) % 2 == 1' }, result)).toEqual({
      phase: 'Successful',
    })
    expect(judge({ successCondition: 'result.n % 2 == 1' }, result)).toMatchObject({
      phase: 'Error',
      message:
        'could not evaluate successCondition "result.n % 2 == 1": invalid operation: float64 % int',
    })
  })

  test('is an Error where the condition is no boolean [analysis-and-experiments 45]', () => {
    expect(judge({ failureCondition: 'result' }, 1)).toMatchObject({
      phase: 'Error',
      message: 'could not evaluate failureCondition "result": expected bool, but got float64',
    })
    expect(judge({ successCondition: 'result.a' }, fromJson({ a: 'x' }))).toMatchObject({
      message: expect.stringMatching(/expected bool, but got string$/),
    })
    expect(judge({ successCondition: 'result.a' }, fromJson({ b: 'x' }))).toMatchObject({
      message: expect.stringMatching(/expected bool, but got <nil>$/),
    })
  })

  test('is Error for a bad success condition without asking the failure condition', () => {
    expect(judge({ successCondition: 'resul', failureCondition: '1 ==' }, 1)).toMatchObject({
      message: 'could not evaluate successCondition "resul": unknown name resul',
    })
  })
})

describe('a condition', () => {
  test('with a wrong name says so and names the nearest right one', () => {
    expect(evaluateCondition('resul > 1', 1)).toEqual({
      ok: false,
      problem: {
        kind: 'compile',
        message: 'unknown name resul',
        position: { line: 1, column: 1, offset: 0 },
        suggestion: 'result',
      },
    })
    expect(evaluateCondition('isNan(result)', 1)).toMatchObject({
      problem: { message: 'unknown name isNan', suggestion: 'isNaN' },
    })
  })

  test('with a name like no other gets no suggestion', () => {
    const outcome = evaluateCondition('zzzzzzzz', 1)
    expect(outcome).toMatchObject({ problem: { message: 'unknown name zzzzzzzz' } })
    expect(outcome).not.toHaveProperty('problem.suggestion')
  })

  test('cannot name what is not evaluated either', () => {
    expect(evaluateCondition('true || nope', 1)).toMatchObject({
      problem: { message: 'unknown name nope' },
    })
  })

  test('sees everything through $env', () => {
    expect(evaluateCondition("'result' in $env and $env.result == 2", 2)).toEqual({
      ok: true,
      value: true,
    })
    expect(evaluateCondition('$env.resul == 2', 2)).toMatchObject({
      problem: { message: 'unknown name resul', suggestion: 'result' },
    })
  })

  test('may call now() only with a clock', () => {
    const source = 'now() > date("2026-08-17")'
    expect(evaluateCondition(source, 1, { now: () => Date.UTC(2026, 7, 18) })).toEqual({
      ok: true,
      value: true,
    })
    expect(evaluateCondition(source, 1, { now: () => Date.UTC(2026, 7, 16) })).toEqual({
      ok: true,
      value: false,
    })
    expect(evaluateCondition(source, 1)).toMatchObject({
      problem: { kind: 'run', message: 'now() is not available here: no clock was given' },
    })
  })

  test('of the same text may be a compile error for one value and fine for the next', () => {
    expect(evaluateCondition("result == 'true'", 'true')).toEqual({ ok: true, value: true })
    expect(evaluateCondition("result == 'true'", true)).toMatchObject({
      problem: { kind: 'compile' },
    })
  })

  test('reads the fields of a struct by their Go names', () => {
    const result = structs('types.MetricDataResult', [{ Id: 'm1', Values: floats([1, 2]) }])
    expect(evaluateCondition('result[0].Values[0] == 1 and result[0].Id == "m1"', result)).toEqual({
      ok: true,
      value: true,
    })
    expect(evaluateCondition('result[0].values[0] == 1', result)).toMatchObject({
      problem: {
        kind: 'compile',
        message: 'type types.MetricDataResult has no field values',
        suggestion: 'Values',
      },
    })
  })

  test('may call a function of its own environment with the right types only', () => {
    const env = {
      values: {
        double: defineFunction({ params: ['float64'], result: 'float64' }, ([x]) => Number(x) * 2),
        explode: defineFunction({ params: [], result: 'any' }, () => {
          throw new Panic('boom')
        }),
        broken: defineFunction({ params: [], result: 'any' }, () => {
          throw new Error('disk full')
        }),
        big: uint64(2n ** 64n - 1n),
        small: int64(-5n),
      },
    }
    const outcome = (source: string): unknown => {
      const compiled = compile(source, { env })
      if (!compiled.ok) return compiled.problem.message
      const evaluated = evaluate(compiled.program, env)
      return evaluated.ok ? evaluated.value : evaluated.problem.message
    }
    expect(outcome('double(2) == 4.0 and double(-1.5) == -3')).toBe(true)
    expect(outcome('double("2")')).toBe(
      'cannot use string as argument (type float64) to call double',
    )
    expect(outcome('explode()')).toBe('boom')
    expect(outcome('broken()')).toBe('disk full')
    expect(outcome('string(big) + string(small)')).toBe('18446744073709551615-5')
    expect(outcome('type(big) + type(small)')).toBe('uintint')
  })
})

describe('the start or end of a range query', () => {
  const now = (): number => Date.UTC(2026, 7, 17, 10)

  test('is a time reckoned from now', () => {
    const outcome = evaluateTime('now() - duration("5m")', { now })
    expect(outcome.ok && outcome.value.epochMs).toBe(now() - 300_000)
  })

  test('knows neither result nor its conversions', () => {
    expect(evaluateTime('result', { now })).toMatchObject({
      problem: { message: 'unknown name result' },
    })
    expect(evaluateTime('asInt("1")', { now })).toMatchObject({
      problem: { message: 'unknown name asInt' },
    })
  })

  test('is a problem where it is no time', () => {
    expect(evaluateTime('"now"', { now })).toMatchObject({
      problem: { message: 'expected time.Time, but got string' },
    })
  })
})

test('one program serves many values and many evaluations at once', () => {
  const first = analysisEnvironment(floats([0.5]))
  const compiled = compile('let limit = 0.9; all(result, # < limit) && len(result) > 0', {
    env: first,
  })
  if (!compiled.ok) throw new Error(compiled.problem.message)
  expect(evaluate(compiled.program, first)).toEqual({ ok: true, value: true })
  expect(evaluate(compiled.program, analysisEnvironment(floats([0.5, 0.95])))).toEqual({
    ok: true,
    value: false,
  })
  expect(evaluate(compiled.program, first)).toEqual({ ok: true, value: true })
})

test('an instant before 1970 has its milliseconds rounded down', () => {
  expect(new Time(-1n).epochMs).toBe(-1)
  expect(new Time(1_999_999n).epochMs).toBe(1)
})
