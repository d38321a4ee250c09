import type { StepPluginStatus } from '@serinus/api'
import { expect, test } from 'vitest'
import { type Outcome, reply } from '../testing/plugin-host.ts'
import type { StepPluginAnswer } from './observed.ts'
import { afterEnd, afterRun } from './reply.ts'

const called = Date.parse('2026-01-01T00:01:00.700Z')
const at = '2026-01-01T00:01:00Z'

/** A plugin that was called once, keeps `{job: 7}` and is to be called again. */
const running: StepPluginStatus = {
  index: 1,
  name: 'org/gate',
  operation: 'Run',
  phase: 'Running',
  message: 'at it',
  startedAt: '2026-01-01T00:00:00Z',
  updatedAt: '2026-01-01T00:00:00Z',
  backoff: '30s',
  executions: 1,
  status: { job: 7 },
}

function answer(outcome: Outcome): StepPluginAnswer {
  return { index: 1, name: 'org/gate', method: 'run', serial: 2, at: called, outcome }
}

const state = { status: { job: 8 } }
const error: Outcome = { kind: 'error', message: 'connection is shut down' }

test.each<[string, StepPluginStatus, Outcome, Partial<StepPluginStatus>]>([
  [
    'Running is left alone as long as it asks for, if that is more than 10 s [metric-providers 61]',
    running,
    reply('Running', { requeueAfterMs: 45_000, message: 'half', ...state }),
    { phase: 'Running', backoff: '45s', message: 'half', ...state },
  ],
  [
    'Running that asks for 5 s is left alone for 30 s [metric-providers 61]',
    running,
    reply('Running', { requeueAfterMs: 5_000, ...state }),
    { phase: 'Running', backoff: '30s', ...state },
  ],
  [
    'Running that asks for 10 s is left alone for 30 s',
    running,
    reply('Running', { requeueAfterMs: 10_000, ...state }),
    { phase: 'Running', backoff: '30s', ...state },
  ],
  [
    'Running that asks for more than a minute is written as Go writes it',
    running,
    reply('Running', { requeueAfterMs: 90_000, ...state }),
    { phase: 'Running', backoff: '1m30s', ...state },
  ],
  [
    'Running that asks for ever',
    running,
    reply('Running', { requeueAfterMs: Number.POSITIVE_INFINITY, ...state }),
    { phase: 'Running', backoff: '2555555h33m20s', ...state },
  ],
  [
    'Running that keeps nothing any more',
    running,
    reply('Running'),
    { phase: 'Running', backoff: '30s' },
  ],
  [
    'no phase: it stays Running',
    running,
    reply('', state),
    { phase: 'Running', backoff: '30s', ...state },
  ],
  [
    'no phase after an error: it stays Error',
    { ...running, phase: 'Error' },
    reply('', state),
    { phase: 'Error', backoff: '30s', status: { job: 7 } },
  ],
  [
    'Successful',
    running,
    reply('Successful', { message: 'done', ...state }),
    { phase: 'Successful', finishedAt: at, message: 'done', ...state },
  ],
  [
    'Failed',
    running,
    reply('Failed', { message: 'too slow', ...state }),
    { phase: 'Failed', finishedAt: at, message: 'too slow', ...state },
  ],
  [
    'Error said by the plugin itself: it is called again, and what it kept stays',
    running,
    reply('Error', { message: 'no route', ...state }),
    { phase: 'Error', backoff: '30s', message: 'no route', status: { job: 7 } },
  ],
  [
    'an error of the call: it is called again, and what it kept stays',
    running,
    error,
    { phase: 'Error', backoff: '30s', message: 'connection is shut down', status: { job: 7 } },
  ],
  [
    'a phase that does not exist is an error',
    running,
    reply('Done', state),
    {
      phase: 'Error',
      backoff: '30s',
      message: "could not validate rpc phase: phase 'Done' is not valid",
      status: { job: 7 },
    },
  ],
  [
    'a phase of any length is an error that can be stored',
    running,
    reply('x'.repeat(100_000), state),
    {
      phase: 'Error',
      backoff: '30s',
      message: `could not validate rpc phase: phase '${'x'.repeat(100)}' is not valid`,
      status: { job: 7 },
    },
  ],
  [
    'more than can be stored is an error, so that the verdict can be',
    running,
    reply('Successful', { status: 'x'.repeat(262_143) }),
    {
      phase: 'Error',
      backoff: '30s',
      message: "the plugin's status has 262145 bytes, which is more than the 262144 that are kept",
      status: { job: 7 },
    },
  ],
  [
    'a message without end is cut',
    running,
    reply('Successful', { message: 'x'.repeat(10_000), ...state }),
    { phase: 'Successful', finishedAt: at, message: 'x'.repeat(4_096), ...state },
  ],
])('the item of a Run after %s', (_, before, outcome, expected) => {
  const { index, name, operation, startedAt } = running
  const same = { index, name, operation, startedAt, executions: 2, updatedAt: at }
  expect(afterRun(before, answer(outcome))).toEqual({ ...same, ...expected })
})

test.each<[string, Outcome, Partial<StepPluginStatus>]>([
  ['says no phase', reply('', { message: 'gone' }), { phase: 'Successful', message: 'gone' }],
  ['says Successful', reply('Successful', state), { phase: 'Successful', ...state }],
  [
    'says Running',
    reply('Running', { message: 'in a moment' }),
    { phase: 'Failed', message: 'in a moment' },
  ],
  ['says Failed', reply('Failed', { message: 'no' }), { phase: 'Failed', message: 'no' }],
  ['says Error', reply('Error', { message: 'no', ...state }), { phase: 'Error', message: 'no' }],
  ['cannot be reached', error, { phase: 'Error', message: 'connection is shut down' }],
  [
    'says what does not exist',
    reply('Done'),
    { phase: 'Error', message: "could not validate rpc phase: phase 'Done' is not valid" },
  ],
])('a plugin that %s to its only Abort or Terminate', (_, outcome, expected) => {
  for (const operation of ['Abort', 'Terminate'] as const) {
    expect(afterEnd({ run: running, operation }, answer(outcome))).toEqual({
      index: 1,
      name: 'org/gate',
      operation,
      executions: 1,
      startedAt: at,
      updatedAt: at,
      finishedAt: at,
      ...expected,
    })
  }
})
