import { expect, test } from 'vitest'
import { parseExperiment } from '../parse.ts'
import { validateExperiment } from './experiment.ts'

const selector = { matchLabels: { app: 'a' } }
const template = { name: 'a', selector, template: { spec: { containers: [] } } }
const problemsOf = (spec: object) =>
  validateExperiment(
    parseExperiment({ metadata: { name: 'exp' }, spec: { templates: [template], ...spec } }).value,
  ).map((problem) => [problem.path, problem.detail])

test('a plain experiment is valid', () => {
  expect(problemsOf({ duration: '5m' })).toEqual([])
})

test.each([
  [
    { selector: undefined },
    'spec.templates[0].selector',
    "Rollout has missing field '.Spec.Templates[0].Selector'",
  ],
  [
    { selector: { matchLabels: {} } },
    'spec.templates[0].selector',
    'This experiment is selecting all pods at index 0. A non-empty selector is required.',
  ],
  [
    { minReadySeconds: 601 },
    'spec.templates[0].minReadySeconds',
    'MinReadySeconds cannot be longer than ProgressDeadlineSeconds. Check template index 0',
  ],
  [{ name: '' }, 'spec.templates[0].name', 'Experiment exp has empty template name at index 0'],
])('upstream’s error about a template with %j is found', (fields, path, detail) => {
  expect(problemsOf({ templates: [{ ...template, ...fields }] })).toEqual([[path, detail]])
})

test('a repeated name is refused', () => {
  expect(problemsOf({ templates: [template, template] })).toEqual([
    ['spec.templates[1].name', "Experiment exp has repeated template name 'a' in templates"],
  ])
})

test('a duration that would never end is refused', () => {
  expect(problemsOf({ duration: '5x' })).toEqual([
    ['spec.duration', 'not a duration; use a number with s, m, h (for example "30m")'],
  ])
})
