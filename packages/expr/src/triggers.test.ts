import { describe, expect, test } from 'vitest'
import { compile, evaluate } from './expr.ts'
import { formatText } from './go-format.ts'
import { stringsNamespace, timeNamespace } from './namespaces.ts'
import { describeProblem } from './problem.ts'
import { fromJson, type Value } from './value.ts'

const now = (): number => Date.UTC(2026, 7, 17, 10, 5)

const rollout = {
  metadata: { name: 'my-app', namespace: 'prod', labels: { 'tier.io/x': 'gold' } },
  spec: {
    replicas: 10,
    template: { spec: { containers: [{ image: 'my-app:v2' }, { image: 'sidecar:1' }] } },
  },
  status: { abort: true, startedAt: '2026-08-17T10:00:00Z', observedGeneration: 1234567 },
}
const values = {
  rollout: fromJson(rollout, { integers: 'int64' }),
  analysisRuns: fromJson([{ status: { phase: 'Failed' } }]),
  time: timeNamespace(now),
  strings: stringsNamespace,
}

function outcome(source: string): Value | string {
  const compiled = compile(source)
  if (!compiled.ok) return `compile: ${compiled.problem.message}`
  const evaluated = evaluate(compiled.program, { values, now })
  return evaluated.ok ? evaluated.value : `run: ${evaluated.problem.message}`
}

describe('a trigger condition, compiled without knowing what it will see', () => {
  test.each<[string, Value]>([
    ['rollout.status.abort', true],
    ['rollout.spec.replicas == 10', true],
    ["rollout.spec.template.spec.containers[0].image == 'my-app:v2'", true],
    [
      "rollout.spec.template.spec.containers[5].image == 'x'",
      'run: index out of range: 5 (array length is 2)',
    ],
    ['rollout.status.nosuch == nil', true],
    ['rollout.status.nosuch.x == 1', 'run: cannot fetch x from <nil>'],
    ['rollout.status.nosuch?.x == 1', false],
    ['nosuch == nil', true],
    ["analysisRuns[0].status.phase in ['Failed', 'Error']", true],
    ["any(analysisRuns, {.status.phase == 'Failed'})", true],
    ['time.Now().Sub(time.Parse(rollout.status.startedAt)).Minutes() > 1', true],
    ["time.Now() - time.Parse(rollout.status.startedAt) > duration('1m')", true],
    [
      "time.Parse('bad').Year() > 1",
      'run: parsing time "bad" as "2006-01-02T15:04:05Z07:00": cannot parse "bad" as "2006"',
    ],
    ['rollout.metadata.labels["tier.io/x"] matches \'^go\'', true],
    ["rollout.metadata.namespace != 'staging' && rollout.metadata.name startsWith 'my'", true],
    ["'yes'", 'yes'],
    ['rollout.metadata.name', 'my-app'],
    ['1 ==', 'compile: unexpected token EOF'],
    ["nostrings.ToUpper('a') == 'A'", 'run: cannot fetch ToUpper from <nil>'],
    ["strings.ToUpper('a') == 'A'", true],
    ["strings.ReplaceAll('a-b-c', '-', '.')", 'a.b.c'],
    ["strings.ToLower('ÀB')", 'àb'],
    ['time.Now() - time.Parse(rollout.status.startedAt) == 5 * time.Minute', true],
    ['rollout.spec.replicas % 3 == 1', true],
  ])('%s is %j', (source, expected) => {
    expect(outcome(source)).toEqual(expected)
  })

  test('has its whole numbers printed in full for oncePer where they are Kubernetes integers', () => {
    const generation = outcome('rollout.status.observedGeneration')
    expect(formatText(generation)).toBe('1234567')
    expect(formatText(fromJson(1234567))).toBe('1.234567e+06')
  })

  test('is told with its place where it cannot be compiled', () => {
    const compiled = compile('1 ==')
    if (compiled.ok) throw new Error('compiled')
    expect(describeProblem('1 ==', compiled.problem)).toBe(
      'unexpected token EOF (1:4)\n | 1 ==\n | ...^',
    )
  })

  test('is told with line and column in text of several lines', () => {
    const source = 'true and\n  nope(1)\t@'
    const compiled = compile(source)
    if (compiled.ok) throw new Error('compiled')
    expect(compiled.problem.position).toEqual({ line: 2, column: 11, offset: 19 })
    expect(describeProblem(source, compiled.problem)).toBe(
      "unrecognized character: U+0040 '@' (2:11)\n |   nope(1) @\n | ..........^",
    )
  })
})

describe('compiling with an expected type', () => {
  test('refuses what can give no boolean', () => {
    expect(compile('1 + 1', { expect: 'bool' })).toMatchObject({
      ok: false,
      problem: { message: 'expected bool, but got int' },
    })
  })

  test('takes nil for false and fails for any other value', () => {
    const results = ['nosuch', 'rollout.status.abort', 'rollout.metadata.name'].map((source) => {
      const compiled = compile(source, { expect: 'bool' })
      if (!compiled.ok) throw new Error(compiled.problem.message)
      const evaluated = evaluate(compiled.program, { values })
      return evaluated.ok ? evaluated.value : evaluated.problem.message
    })
    expect(results).toEqual([false, true, 'invalid operation: bool(string)'])
  })
})
