import { expect, test } from 'vitest'
import { playedAnswer } from './played-answer.ts'
import type { Pod } from './pod.ts'

function pod(wishes: Readonly<Record<string, string>>): Pod {
  const annotations = Object.entries(wishes).map(([wish, text]) => [
    `sim.serinus.dev/${wish}`,
    text,
  ])
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'datadog-1', annotations: Object.fromEntries(annotations) },
    spec: { containers: [{ name: 'app', image: 'stand-in' }] },
  }
}

test('a pod that nobody gave an answer says its own', () => {
  expect(playedAnswer(pod({}), '/')).toBeNull()
})

test('a pod plays an API by the one answer that its manifest gives it', () => {
  expect(playedAnswer(pod({ answer: '{"series":[]}' }), '/api/v1/query?from=1')).toEqual({
    contentType: 'application/json',
    body: '{"series":[]}',
  })
  expect(playedAnswer(pod({ answer: 'up 1', 'answer-type': 'text/plain' }), '/')).toEqual({
    contentType: 'text/plain',
    body: 'up 1',
  })
})

test.each([
  ['/canaryConfig?application=shop', '[]'],
  ['/canary/c1', '{"canaryExecutionId":"x"}'],
  ['/canary/x', '{"complete":true}'],
  ['/credentials', '{}'],
])('of several answers the longest path that the request begins with counts: %s', (path, body) => {
  const answers =
    '/canary/: \'{"canaryExecutionId":"x"}\'\n/canary/x: \'{"complete":true}\'\n/canaryConfig: \'[]\''
  expect(playedAnswer(pod({ answers, answer: '{}' }), path)?.body).toBe(body)
})

test.each([
  ['- a', 'it is none'],
  ['/a: {b: 1}', 'the answer to /a is no text, quote it'],
  ['{', 'Flow map'],
])('answers that cannot be read are told to whoever asks: %s', (answers, detail) => {
  const body = playedAnswer(pod({ answers }), '/')?.body
  expect(body).toContain('sim.serinus.dev/answers must be a YAML map from path to text: ')
  expect(body).toContain(detail)
})
