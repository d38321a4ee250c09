import { expect, test } from 'vitest'
import { catalogue } from './catalogue.ts'
import { type ParsedConfig, parseConfig, withAlias } from './config.ts'
import { findingText } from './finding.ts'
import { resolveReferences } from './secret-references.ts'
import { configMap, manifests, secret } from './test-world.ts'

function parse(
  data: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>> = {},
): ParsedConfig {
  return parseConfig(configMap(data), secret('argo-rollouts-notification-secret', secrets))
}

test('a missing ConfigMap and Secret are an empty configuration without findings', () => {
  const { config, findings } = parseConfig(undefined, undefined)
  expect(config.services.size + config.templates.size + config.triggers.size).toBe(0)
  expect(findings).toEqual([])
})

test('the configuration of article 1 has no finding at all', () => {
  const [map, itsSecret] = manifests('article-1.yaml')
  const { config, findings } = parseConfig(map, itsSecret)
  expect(findings).toEqual([])
  expect([...config.services.keys()].sort()).toEqual(['pagerduty-v2', 'slack'])
  expect(config.services.get('pagerduty-v2')).toMatchObject({
    kind: 'ready',
    type: { type: 'pagerdutyv2' },
  })
})

test('a template that does not parse costs itself alone and is named with key and line [notifications 8]', () => {
  const data: Record<string, string> = { 'service.slack': 'token: t' }
  for (let n = 1; n <= 8; n++) data[`template.good-${n}`] = 'message: fine'
  data['template.bad'] = 'message: fine\nslack:\n  blocks: |\n    [{\n    "text": "{{.x"\n    }]'
  const { config, findings } = parse(data)
  expect(config.templates.size).toBe(9)
  expect(findings).toMatchObject([
    { code: 'TemplateParse', path: 'data["template.bad"].slack.blocks', value: '"text": "{{.x"' },
  ])
  expect(findings[0]?.message).toContain('line 5: ')
})

test('an unknown service type costs itself alone and names the nearest [notifications 9]', () => {
  const { config, findings } = parse({
    'service.foo': '{}',
    'service.slak.ops': 'token: t',
    'service.slack': 'token: t',
  })
  expect(config.services.get('slack')?.kind).toBe('ready')
  expect(findings.map(findingText)).toEqual([
    `data["service.foo"]: service type 'foo' is not supported`,
    `data["service.slak.ops"]: service type 'slak' is not supported; did you mean "slack"?`,
  ])
})

test('a reference to a missing key of the Secret names it and the keys that exist', () => {
  const { config, findings } = parse(
    { 'service.slack': 'token: $slack-tokn' },
    { 'slack-token': 'xoxb' },
  )
  expect(config.services.get('slack')?.kind).toBe('broken')
  expect(findings).toMatchObject([
    { code: 'SecretKeyMissing', value: '$slack-tokn', suggestion: 'slack-token' },
  ])
  expect(findings[0]?.message).toBe(
    'the Secret argo-rollouts-notification-secret has no key slack-tokn; it has slack-token',
  )
})

test('references are matched greedily, hyphens included [notifications 7]', () => {
  const data = {
    'service.webhook': 'url: https://h.example\nheaders: [{name: A, value: Bearer $tok-en/$b}]',
  }
  expect(parse(data, { 'tok-en': '1', b: '2' }).findings).toEqual([])
  const known = new Map([
    ['tok-en', '1'],
    ['b', '2'],
  ])
  expect(resolveReferences('Bearer $tok-en/$b', known)).toEqual({
    value: 'Bearer 1/2',
    missing: [],
  })
  const { findings } = parse(data, { tok: '1', b: '2' })
  expect(findings).toMatchObject([{ code: 'SecretKeyMissing', value: '$tok-en' }])
})

test.each([
  ['trigger.x', '- when: 1 ==\n  send: [a]', 'ExprCompile', 'data["trigger.x"][0].when'],
  ['trigger.x', '- send: a', 'TriggerParse', 'data["trigger.x"][0].send'],
  ['trigger.x', 'send: [a]', 'TriggerParse', 'data["trigger.x"]'],
  [
    'trigger.x',
    '- send: [rollout-abortd]',
    'TriggerSendsUnknownTemplate',
    'data["trigger.x"][0].send',
  ],
  ['service.slack.a.b', 'token: t', 'ServiceKeyInvalid', 'data["service.slack.a.b"]'],
  ['service.slack', 'token: [', 'ServiceOptionsInvalid', 'data["service.slack"]'],
  [
    'template.x',
    'slack: {atachments: a}',
    'TemplateFieldUnknown',
    'data["template.x"].slack.atachments',
  ],
  ['templates.x', 'message: a', 'KeyUnknown', 'data["templates.x"]'],
  [
    'subscriptions',
    '- recipients: [slack:a]\n  selector: "a b"',
    'ConfigUnparsable',
    'data["subscriptions"][0].selector',
  ],
])('%s: %j is found as %s and leaves the rest alone', (key, text, code, path) => {
  const { config, findings } = parse({ [key]: text, 'trigger.good': '- send: [rollout-aborted]' })
  expect(findings).toContainEqual(expect.objectContaining({ code, path }))
  expect(config.triggers.has('good')).toBe(true)
})

test('field names match in any case and numbers stand for text', () => {
  const { config, findings } = parse({
    'template.x': 'message: 5\npagerdutyV2: {Summary: s, DEDUPKEY: 7}',
  })
  expect(findings).toEqual([])
  expect([...(config.templates.get('x')?.blocks.get('pagerdutyv2')?.keys() ?? [])]).toEqual([
    'summary',
    'dedupKey',
  ])
})

test('a dollar can be written twice and names with dots stand in braces', () => {
  const known = new Map([['a.b', 'x']])
  expect(resolveReferences({ $$: ['$$5 ${a.b}', '${c}'] }, known)).toEqual({
    value: { $: ['$5 x', '${c}'] },
    missing: ['c'],
  })
})

test('a newline at the end of a secret is left out and mentioned', () => {
  const { config, findings } = parse({}, { token: 'abc\n' })
  expect(config.secrets.get('token')).toBe('abc')
  expect(findings).toMatchObject([{ code: 'SecretTrailingNewline', severity: 'info' }])
})

test('keys of the proper ConfigMap win over those of the alias, which fill the gaps', () => {
  const proper = configMap({ a: '1' })
  const alias = configMap({ a: '2', b: '3' }, { name: 'argo-rollouts-notification-cm' })
  expect(withAlias(proper, alias)?.data).toEqual({ a: '1', b: '3' })
  expect(withAlias(undefined, alias)?.data).toEqual({ a: '2', b: '3' })
})

test('the built-in catalogue has the nine names of upstream and no finding', () => {
  const { config, findings } = parse(catalogue)
  expect(findings).toEqual([])
  for (const name of [
    'on-rollout-updated',
    'on-rollout-step-completed',
    'on-rollout-paused',
    'on-rollout-completed',
    'on-rollout-aborted',
    'on-analysis-run-running',
    'on-analysis-run-failed',
    'on-analysis-run-error',
    'on-scaling-replica-set',
  ]) {
    expect(config.triggers.has(name), name).toBe(true)
  }
})
