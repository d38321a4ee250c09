import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { run, TestCluster } from '../test-cluster.ts'

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** Lints files, each a list of documents or the text itself. The folder is left out of what is printed. */
async function lint(files: Readonly<Record<string, readonly object[] | string>>, flags = '') {
  const folder = mkdtempSync(join(tmpdir(), 'lint-'))
  folders.push(folder)
  for (const [name, content] of Object.entries(files)) {
    const text =
      typeof content === 'string' ? content : content.map((each) => stringify(each)).join('---\n')
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const cluster = new TestCluster()
  const names = Object.keys(files)
  const path = names.length === 1 ? join(folder, names[0] ?? '') : folder
  const words = ['lint', '-f', path, ...flags.split(' ').filter(Boolean)]
  const { code, out, err } = await run(cluster, words)
  expect(cluster.requests).toEqual([])
  return { code, lines: out.replaceAll(`${folder}/`, '').split('\n').slice(0, -1), err }
}

const rollout = (name: string, canary: object, more: object = {}) => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'app', image: 'app:1' }] },
    },
    strategy: { canary },
    ...more,
  },
})

const service = (name: string, app: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app }, ports: [{ port: 80 }] },
})

const template = (metric: object, args: readonly string[] = ['service']) => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'AnalysisTemplate',
  metadata: { name: 'error-rate' },
  spec: { args: args.map((name) => ({ name })), metrics: [{ name: 'errors', ...metric }] },
})

const errorRate = (more: object = {}) => ({
  successCondition: 'result[0] < 0.01',
  provider: {
    prometheus: {
      query:
        'sum(rate(errors_total{service="{{args.service}}"}[1m])) / sum(rate(requests_total{service="{{args.service}}"}[1m]))',
    },
  },
  ...more,
})

const analysis = (value: string) => ({
  templates: [{ templateName: 'error-rate' }],
  args: [{ name: 'service', value }],
})

test('the first error is told in the words of upstream [cli 40]', async () => {
  const { code, lines, err } = await lint({
    'web.yaml': [rollout('web', { maxSurge: 0, maxUnavailable: 0 })],
  })
  expect(err).toBe(
    'Error: spec.strategy.maxSurge: Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero\n',
  )
  expect(code).toBe(1)
  expect(lines).toEqual([
    'web.yaml, document 1, Rollout web: error: spec.strategy.canary.maxSurge: Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero',
  ])
})

test('a Rollout without selector is told so [cli 41]', async () => {
  const { code, err } = await lint({ 'web.yaml': [rollout('web', {}, { selector: undefined })] })
  expect(err).toBe(
    "Error: spec.selector: Required value: Rollout has missing field '.spec.selector'\n",
  )
  expect(code).toBe(1)
})

test('the Ingress of a later Rollout is looked at too [cli 42]', async () => {
  const nginx = {
    stableService: 'shop-stable',
    canaryService: 'shop-canary',
    trafficRouting: { nginx: { stableIngress: 'shop' } },
  }
  const ingress = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'shop' },
    spec: { rules: [{ http: { paths: [{ backend: { service: { name: 'other' } } }] } }] },
  }
  const { code, lines } = await lint({
    'all.yaml': [rollout('web', {}), rollout('shop', nginx), ingress],
  })
  expect(code).toBe(1)
  expect(lines).toEqual([
    'all.yaml, document 2, Rollout shop: error: spec.strategy.canary.trafficRouting.nginx.stableIngress: Invalid value: "shop": ingress `shop` has no rules using service shop-stable backend',
  ])
})

test('a Service that selects other pods is told [cli 43]', async () => {
  const canary = { stableService: 'web', canaryService: 'web-canary' }
  const { err } = await lint({
    'all.yaml': [rollout('web', canary), service('web', 'other'), service('web-canary', 'web')],
  })
  expect(err).toBe(
    'Error: spec.strategy.canary.stableService: Invalid value: "web": Service "web" has unmatch label "app" in rollout\n',
  )
})

test('every finding is told with its place, those of all kinds and files', async () => {
  const { lines, err } = await lint({
    'a/web.yaml': [
      rollout('web', { steps: [{ setWeight: 200 }, { pause: { duration: 'soon' } }] }),
      {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'Experiment',
        metadata: { name: 'try' },
        spec: { duration: 'long', templates: [] },
      },
    ],
    'b.yml': [
      template({ ...errorRate(), succesCondition: 'x' }),
      {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'AnalysisRun',
        metadata: { name: 'now' },
        spec: {
          metrics: [{ name: 'a', interval: 'often', provider: { web: { url: 'http://a' } } }],
          dryRun: [{ metricName: 'b' }],
        },
      },
    ],
  })
  expect(lines).toEqual([
    'a/web.yaml, document 1, Rollout web: error: spec.strategy.canary.steps[0].setWeight: Invalid value: 200: SetWeight needs to be between 0 and 100',
    'a/web.yaml, document 1, Rollout web: error: spec.strategy.canary.steps[1].pause.duration: Invalid value: "soon": not a duration; use seconds or a number with s, m, h (for example "24h")',
    'a/web.yaml, document 2, Experiment try: error: spec.templates: Required value: an experiment needs at least one template',
    'a/web.yaml, document 2, Experiment try: error: spec.duration: Invalid value: "long": not a duration; use a number with s, m, h (for example "30m")',
    'b.yml, document 1, AnalysisTemplate error-rate: error: spec.metrics[0].succesCondition: Unknown field: did you mean "successCondition"?',
    'b.yml, document 2, AnalysisRun now: error: spec.dryRun[0]: Invalid value: "b": Rule didn\'t match any metric name(s)',
    'b.yml, document 2, AnalysisRun now: error: spec.metrics[0]: invalid interval string: time: invalid duration "often"',
    'b.yml, document 2, AnalysisRun now: warning ConditionMissing: spec.metrics[0].successCondition: neither successCondition nor failureCondition: every answer counts as a success, whatever its value; add a successCondition such as result[0] < 0.01',
  ])
  expect(err).toBe(
    'Error: spec.strategy.steps[0].setWeight: Invalid value: 200: SetWeight needs to be between 0 and 100\n',
  )
})

test('an unknown field is what upstream says of it, first of all', async () => {
  const { err } = await lint({ 'web.yaml': [rollout('web', {}, { 'unknown-strategy': {} })] })
  expect(err).toBe(
    'Error: error unmarshaling JSON: while decoding JSON: json: unknown field "unknown-strategy"\n',
  )
})

test('a Rollout is seen together with its templates', async () => {
  const steps = [{ setWeight: 10 }, { pause: { duration: '5m' } }, { analysis: analysis('web') }]
  const { code, lines } = await lint({
    'rollout.yaml': [rollout('web', { stableService: 'web', canaryService: 'web-canary', steps })],
    'template.yaml': [template(errorRate())],
  })
  expect(lines).toEqual([
    expect.stringContaining(
      'rollout.yaml, document 1, Rollout web: warning QueryDiluted: spec.strategy.canary.steps[2].analysis: metric errors of error-rate: ',
    ),
  ])
  expect(lines[0]).toContain('at 10 % weight a new version that fails 9.9 % of its requests')
  expect(code).toBe(0)
})

test('what is wrong between a Rollout and its template is an error', async () => {
  const args = [{ name: 'servce', value: 'web-canary' }]
  const step = { analysis: { templates: [{ templateName: 'error-rate' }], args } }
  const { code, lines } = await lint({
    'all.yaml': [rollout('web', { steps: [step] }), template(errorRate())],
  })
  expect(code).toBe(1)
  expect(lines).toEqual([
    expect.stringContaining('error: spec.strategy.canary.steps[0].analysis.templates: '),
    expect.stringContaining(
      "warning UnknownArgument: spec.strategy.canary.steps[0].analysis.args[0].name: no template declares an argument 'servce', so it is ignored; did you mean 'service'?",
    ),
  ])
  expect(lines[0]).toContain('args.service was not resolved')
})

test('of several templates of one name that of the same file counts, else none', async () => {
  const uses = (name: string) =>
    rollout(name, {
      canaryService: `${name}-canary`,
      stableService: name,
      analysis: analysis(`${name}-canary`),
    })
  const needsMore = template(errorRate(), ['service', 'more'])
  const { lines } = await lint({
    'a.yaml': [uses('a'), template(errorRate())],
    'b.yaml': [uses('b'), needsMore],
    'c.yaml': [uses('c')],
  })
  expect(lines).toEqual([
    expect.stringMatching(/^b\.yaml, document 1, Rollout b: error: .*args\.more was not resolved/),
  ])
})

test('what is not among the manifests may be in the cluster', async () => {
  const canary = {
    stableService: 'web',
    canaryService: 'web-canary',
    trafficRouting: { nginx: { stableIngress: 'web' } },
    analysis: analysis('web-canary'),
  }
  expect(await lint({ 'web.yaml': [rollout('web', canary)] })).toEqual({
    code: 0,
    lines: [],
    err: '',
  })
})

test('warnings alone are no failure, unless asked for', async () => {
  const files = { 'all.yaml': [template({ ...errorRate(), successCondition: undefined })] }
  expect(await lint(files)).toMatchObject({ code: 0, err: '' })
  expect(await lint(files, '--strict')).toMatchObject({
    code: 1,
    err: 'Error: 1 warning, and --strict fails at warnings\n',
  })
  const hint = { 'all.yaml': [template({ ...errorRate(), failureCondition: 'result[0] > 0.02' })] }
  expect(await lint(hint, '--strict')).toMatchObject({
    code: 0,
    lines: [expect.stringContaining('hint')],
  })
})

test('expected requests say which analysis gets too few of them', async () => {
  const canary = {
    stableService: 'web',
    canaryService: 'web-canary',
    steps: [{ setWeight: 10 }, { pause: { duration: '2m' } }],
    analysis: analysis('web-canary'),
  }
  const files = {
    'all.yaml': [rollout('web', canary), template({ ...errorRate(), interval: '10s' })],
  }
  expect(await lint(files)).toMatchObject({ lines: [] })
  expect(await lint(files, '--requests-per-second 10')).toMatchObject({
    code: 0,
    lines: [expect.stringContaining('warning TrafficTooSmall: spec.strategy.canary.analysis: ')],
  })
  expect(await lint(files, '--requests-per-second 500')).toMatchObject({ lines: [] })
  expect(await lint(files, '--requests-per-second none')).toMatchObject({
    code: 1,
    err: 'Error: invalid argument "none" for "--requests-per-second" flag: must be a number above 0\n',
  })
})

test('as JSON', async () => {
  const { code, lines } = await lint(
    { 'web.yaml': [rollout('web', { maxSurge: 0, maxUnavailable: 0 })] },
    '-o json',
  )
  expect(JSON.parse(lines.join('\n'))).toEqual({
    findings: [
      {
        file: 'web.yaml',
        document: 1,
        kind: 'Rollout',
        name: 'web',
        severity: 'error',
        reason: 'InvalidValue',
        path: 'spec.strategy.canary.maxSurge',
        message: 'Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero',
      },
    ],
  })
  expect(code).toBe(1)
  const none = await lint({ 'web.yaml': [rollout('web', {})] }, '-o json')
  expect([none.code, JSON.parse(none.lines.join('\n'))]).toEqual([0, { findings: [] }])
})

test('a document that is no YAML is told with its line and hides no other', async () => {
  const bad = 'apiVersion: v1\nkind: Service\nmetadata: {name: [a\n'
  const good = rollout('web', { maxSurge: 0, maxUnavailable: 0 })
  const { code, lines } = await lint({ 'all.yaml': `${stringify(good)}---\n${bad}` })
  expect(code).toBe(1)
  expect(lines).toEqual([
    expect.stringMatching(/^all\.yaml, document 2: error: no YAML, at line \d+, column \d+: /),
    expect.stringContaining('all.yaml, document 1, Rollout web: error: '),
  ])
})

test('documents that are none of ours, empty ones and lists are no trouble', async () => {
  const list = {
    apiVersion: 'v1',
    kind: 'List',
    items: [rollout('web', { maxSurge: 0, maxUnavailable: 0 }), service('web', 'web')],
  }
  const { lines } = await lint({
    'all.yaml': `---\n---\n# nothing\n---\n${stringify(list)}---\nreplicas: 3\n---\n- 1\n`,
  })
  expect(lines).toEqual([expect.stringMatching(/^all\.yaml, document \d, Rollout web: error: /)])
  expect(await lint({ 'empty.yaml': '' })).toEqual({ code: 0, lines: [], err: '' })
})

test('mistakes of the notification configuration are among the findings', async () => {
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'argo-rollouts-notification-configmap' },
    data: { 'service.slack': 'token: $slack-token', 'trigger.on-done': '- send: [gone]' },
  }
  const { lines } = await lint({ 'all.yaml': [configMap] })
  expect(lines).toEqual([
    expect.stringContaining(
      'ConfigMap argo-rollouts-notification-configmap: error: data["trigger.on-done"]',
    ),
  ])
})

test.each([
  ['lint', /^Usage:\n {2}kubectl-argo-rollouts lint \[flags\]\n/],
  ['lint -f no-such-file.yaml', /^Error: open no-such-file\.yaml: no such file or directory\n$/],
  ['lint -f - -o yaml', /^Error: unknown output format "yaml"; only json is known\n$/],
])('%s fails', async (words, text) => {
  const { code, err } = await run(new TestCluster(), words)
  expect(code).toBe(1)
  expect(err).toMatch(text)
})

test('its name and flags are completed', async () => {
  const words = await run(new TestCluster(), ['__complete', 'li'])
  expect(words.out).toContain('lint\tLint and validate manifests\n')
  const flags = await run(new TestCluster(), ['__complete', 'lint', '--st'])
  expect(flags.out).toBe('--strict\tFail at warnings too\n:4\n')
  const files = await run(new TestCluster(), ['__complete', 'lint', '-f', ''])
  expect(files.out).toBe(':0\n')
})
