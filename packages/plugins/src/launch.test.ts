import { VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { launch } from './launch.ts'

test('an API that does not give the Secrets costs five minutes, not for ever', async () => {
  const clock = new VirtualClock(0)
  const launched = launch({
    declaration: {
      kind: 'metric',
      name: 'org/x',
      location: { kind: 'file', text: 'file:///x', path: '/x' },
      args: [],
      headersFrom: ['token'],
      protocol: 'auto',
      timeoutMs: 30_000,
    },
    clock,
    signal: new AbortController().signal,
    folder: '/none',
    env: {},
    fetch,
    readHeaders: () => new Promise(() => {}),
    isFetched: false,
    onSecrets: () => {},
    onLine: () => {},
  }).catch((error: Error) => error.message)
  await clock.advance(300_000)
  expect(await launched).toBe('unable to find plugin (org/x): file:///x did not come within 300s')
})
