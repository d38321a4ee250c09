import { expect, test } from 'vitest'
import { names } from './names.ts'

const update = { rollout: 'my-app', hash: '86f8669b94', revision: 3 }

test('runs and experiments of revision 3 are named after it, repeated ones are counted [api 33]', () => {
  expect(names.analysisRun({ ...update, infix: '2' })).toBe('my-app-86f8669b94-3-2')
  expect(names.analysisRun(update)).toBe('my-app-86f8669b94-3')
  expect(names.analysisRun({ ...update, infix: 'pre' })).toBe('my-app-86f8669b94-3-pre')
  expect(names.analysisRun({ ...update, infix: 'post' })).toBe('my-app-86f8669b94-3-post')
  expect(names.experiment({ ...update, step: 0 })).toBe('my-app-86f8669b94-3-0')
  expect(names.analysisRun({ ...update, infix: '2', attempt: 1 })).toBe('my-app-86f8669b94-3-2.1')
  expect(names.experiment({ ...update, step: 0, attempt: 1 })).toBe('my-app-86f8669b94-3-0-1')
})

test('parts of an experiment carry its name', () => {
  expect(names.experimentReplicaSet('exp', 'baseline')).toBe('exp-baseline')
  expect(names.experimentAnalysisRun('exp', 'compare')).toBe('exp-compare')
  expect(names.experimentAnalysisRun('exp', 'compare', 2)).toBe('exp-compare.2')
})

test('a Job’s name has 63 characters at most, cut in the name of the metric', () => {
  const runUid = '0b8f9b8e-0b8f-4b8e-8b8e-0b8f9b8e0b8f'
  const name = names.analysisJob({ runUid, metric: 'm'.repeat(50), measurement: 12 })
  expect(name).toHaveLength(63)
  expect(name).toMatch(/^0b8f9b8e.*\.m+\.12$/)
})

test('a canary Ingress has 253 characters at most and still ends in -canary', () => {
  expect(names.canaryIngress('my-app', 'web')).toBe('my-app-web-canary')
  const long = names.canaryIngress('a'.repeat(200), 'b'.repeat(200))
  expect(long).toHaveLength(253)
  expect(long.endsWith('b-canary')).toBe(true)
})
