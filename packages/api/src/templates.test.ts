import { expect, test } from 'vitest'
import {
  analysisRunSpecFor,
  argumentsOf,
  argumentTags,
  flattenTemplates,
  mergeArguments,
  type ResolvedTemplate,
  resolveTemplates,
  substitute,
} from './templates.ts'
import { myApp } from './test-rollout.ts'
import type { AnalysisTemplate, AnalysisTemplateSpec, Metric } from './types.ts'

const metric = (name: string): Metric => ({ name, provider: { prometheus: { query: 'up' } } })
const template = (name: string, spec: AnalysisTemplateSpec): AnalysisTemplate => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'AnalysisTemplate',
  metadata: { name, namespace: 'default' },
  spec,
})
const nesting = (name: string, ...templates: string[]) =>
  template(name, {
    metrics: [metric(name)],
    templates: templates.map((templateName) => ({ templateName })),
  })
const resolve = (names: string[], analysisTemplates: AnalysisTemplate[]) =>
  resolveTemplates(
    names.map((templateName) => ({ templateName })),
    { namespace: 'default', analysisTemplates, clusterAnalysisTemplates: [] },
  )

test('nested templates come after the one that names them, each once', () => {
  const all = [nesting('a', 'b', 'c'), nesting('b', 'c'), nesting('c')]
  const { templates, problems } = resolve(['a', 'c'], all)
  expect(templates.map((each) => each.name)).toEqual(['a', 'b', 'c'])
  expect(problems).toEqual([])
})

test('cycles of any length and bottomless nesting end in a problem', () => {
  const details = (...args: Parameters<typeof resolve>) =>
    resolve(...args).problems.map((problem) => problem.detail)
  expect(details(['a'], [nesting('a', 'a')])).toEqual(['templates a -> a form a cycle'])
  expect(details(['x'], [nesting('x', 'a'), nesting('a', 'b'), nesting('b', 'a')])).toEqual([
    'templates a -> b -> a form a cycle',
  ])
  const chain = Array.from({ length: 30 }, (_, i) =>
    nesting(`t${i}`, ...(i < 29 ? [`t${i + 1}`] : [])),
  )
  expect(details(['t0'], chain)[0]).toMatch(/^templates t0 -> .* nest deeper than 20$/)
})

const resolved = (...specs: AnalysisTemplateSpec[]): ResolvedTemplate[] =>
  specs.map((spec, index) => ({ scope: 'namespace', name: `t${index}`, spec }))

test.each([
  [
    [{ args: [{ name: 'a', value: '1' }] }, { args: [{ name: 'a', value: '2' }] }],
    "Argument `a` specified multiple times with different values: '1', '2'",
  ],
  [
    [{ dryRun: [{ metricName: 'm' }] }, { dryRun: [{ metricName: 'm' }] }],
    "two Dry-Run metric rules have the same name 'm'",
  ],
  [
    [
      { measurementRetention: [{ metricName: 'm', limit: 1 }] },
      { measurementRetention: [{ metricName: 'm', limit: 2 }] },
    ],
    "two Measurement Retention metric rules have the same name 'm'",
  ],
  [[{ metrics: [metric('m')] }, { metrics: [metric('m')] }], "two metrics have the same name 'm'"],
])('%j do not go together', (specs, detail) => {
  expect(flattenTemplates(resolved(...specs))).toMatchObject({ ok: false, problems: [{ detail }] })
})

test('a value fills an absent one and equal values agree', () => {
  const flat = flattenTemplates(
    resolved(
      { args: [{ name: 'a' }, { name: 'b', value: '1' }] },
      {
        args: [
          { name: 'a', value: 'x' },
          { name: 'b', value: '1' },
        ],
      },
    ),
  )
  expect(flat.ok && flat.value.args).toEqual([
    { name: 'a', value: 'x' },
    { name: 'b', value: '1' },
  ])
})

test('given arguments go over declared ones, and names nobody declares are left out', () => {
  const declared = [{ name: 'a', value: '1' }, { name: 'b' }]
  const given = [
    { name: 'a', value: '' },
    { name: 'b', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
    { name: 'c', value: 'x' },
  ]
  expect(mergeArguments(declared, given)).toEqual([
    { name: 'a', value: '' },
    { name: 'b', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
  ])
})

test('the spec of a run has the caller’s rules before the templates’', () => {
  const spec = analysisRunSpecFor({
    namespace: 'default',
    templates: [{ templateName: 't' }],
    args: [{ name: 'service', value: 'web' }],
    dryRun: [{ metricName: 'a' }],
    analysisTemplates: [
      template('t', {
        metrics: [metric('m')],
        args: [{ name: 'service' }],
        dryRun: [{ metricName: 'b' }],
      }),
    ],
    clusterAnalysisTemplates: [],
  })
  expect(spec).toEqual({
    ok: true,
    value: {
      metrics: [metric('m')],
      args: [{ name: 'service', value: 'web' }],
      dryRun: [{ metricName: 'a' }, { metricName: 'b' }],
    },
  })
})

const rollout = {
  ...myApp({ replicas: 1234567 }),
  metadata: { name: 'my-app', namespace: 'default', uid: 'u', labels: { env: 'prod', a: 'b' } },
}
const hashes = { latestHash: 'new', stableHash: 'old' }
const fromField = (fieldPath: string) => [{ name: 'x', valueFrom: { fieldRef: { fieldPath } } }]

test.each([
  ['metadata.name', 'my-app'],
  ['metadata.uid', 'u'],
  ["metadata.labels['env']", 'prod'],
  ["metadata.annotations['none']", ''],
  ['metadata.labels', 'a="b"\nenv="prod"'],
  ['spec.template.spec.containers[0].image', 'my-app:v1'],
  ['spec.replicas', '1234567'],
])('the field %s is %j', (path, value) => {
  expect(argumentsOf(rollout, fromField(path), hashes)).toEqual({
    ok: true,
    value: [{ name: 'x', value }],
  })
})

test.each([
  ['metadata.labels.env', 'unsupported fieldPath: metadata.labels.env'],
  ['spec.nothing.here', 'invalid path spec.nothing.here in rollout'],
  ['spec.template.spec.containers[9].image', 'index 9 out of range'],
  ['spec.template.spec.containers.x', "invalid index 'x'"],
  ['spec.template', 'path spec.template in rollout must terminate in a primitive value'],
])('the field %s is refused: %s', (path, detail) => {
  expect(argumentsOf(rollout, fromField(path), hashes)).toMatchObject({
    ok: false,
    problems: [{ path: 'args[0].valueFrom.fieldRef.fieldPath', value: path, detail }],
  })
})

test('hashes come from the ReplicaSets, and an argument without source leaves the default of the template', () => {
  const args = argumentsOf(
    rollout,
    [
      { name: 'l', valueFrom: { podTemplateHashValue: 'Latest' } },
      { name: 's', valueFrom: { podTemplateHashValue: 'Stable' } },
      { name: 'n' },
    ],
    hashes,
  )
  expect(args.ok && args.value.map((arg) => arg.value)).toEqual(['new', 'old'])
})

test('tags are replaced in every text and key, whatever the value contains', () => {
  const tags = argumentTags([{ name: 'a', value: 'say "hi"\n' }])
  const body = { '{{args.a}}': ['{{ args.a }}!', 7, null, { deep: '{{args.a}}{{args.a}}' }] }
  expect(tags.ok && substitute(body, tags.value)).toEqual({
    ok: true,
    value: { 'say "hi"\n': ['say "hi"\n!', 7, null, { deep: 'say "hi"\nsay "hi"\n' }] },
  })
})

test('braces that are meant as such are written {{"{{"}}', () => {
  const script = 'kubectl get pods -o go-template={{"{{"}}.metadata.name}} {{args.a}}'
  expect(substitute(script, { 'args.a': 'x' })).toEqual({
    ok: true,
    value: 'kubectl get pods -o go-template={{.metadata.name}} x',
  })
})

test('a value that looks like a tag is not replaced again', () => {
  expect(substitute('{{args.a}}', { 'args.a': '{{args.b}}', 'args.b': 'x' })).toEqual({
    ok: true,
    value: '{{args.b}}',
  })
})

test('unknown tags and open braces are problems, the last unknown one being named', () => {
  expect(substitute('{{args.x}} {{ inputs.y }}', {})).toMatchObject({
    problems: [{ detail: 'failed to resolve {{ inputs.y }}' }],
  })
  expect(substitute('a {{args.x', {})).toMatchObject({
    problems: [
      {
        detail: 'Cannot find end tag="}}" in the template="a {{args.x" starting from "args.x"',
      },
    ],
  })
})

test('an argument without value is a problem even where nothing uses it', () => {
  const secret = { name: 's', valueFrom: { secretKeyRef: { name: 'n', key: 'k' } } }
  expect(argumentTags([{ name: 'a' }, secret])).toMatchObject({
    ok: false,
    problems: [
      { detail: 'argument "a" was not supplied' },
      { detail: 'argument "s" was not supplied' },
    ],
  })
  expect(argumentTags([secret], () => 'hush')).toEqual({ ok: true, value: { 'args.s': 'hush' } })
})

test('an argument keeps the source that one template gives it, whatever another merely declares', () => {
  const secretKeyRef = { name: 's', key: 'k' }
  const bare = { args: [{ name: 'a' }] }
  const sourced = { args: [{ name: 'a', valueFrom: { secretKeyRef } }] }
  for (const specs of [
    [bare, sourced],
    [sourced, bare],
  ]) {
    const flat = flattenTemplates(resolved(...specs))
    expect(flat.ok && flat.value.args).toEqual(sourced.args)
  }
})
