import type { AnalysisRun } from '@serinus/api'
import { type KubeClient, VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { KeptReads, RunReads } from './kept-reads.ts'

const start = Date.parse('2026-08-17T10:41:11.000Z')
const login = { namespace: 'shop', name: 'login' }
const secret = { kind: 'secret', ...login } as const

/** An API with one Secret, which counts what it is asked. */
function world() {
  const clock = new VirtualClock(start)
  const state = { password: 'old', asked: 0, isGone: false }
  const client = {
    async get() {
      state.asked++
      const { password } = state
      await Promise.resolve()
      if (state.isGone) throw new Error('secrets "login" not found')
      return { data: { password: Buffer.from(password).toString('base64') } }
    },
  } as unknown as KubeClient
  return { clock, state, kept: new KeptReads(client, clock) }
}

const runAt = (creationTimestamp: string | undefined) =>
  ({ metadata: { name: 'web', namespace: 'shop', creationTimestamp } }) as AnalysisRun

test('a Secret is read once in 30 s, however many ask for it', async () => {
  const { clock, state, kept } = world()
  const together = await Promise.all([kept.read(secret), kept.read(secret)])
  expect(together).toEqual([{ password: 'old' }, { password: 'old' }])
  await clock.advance(29_000)
  await kept.read(secret)
  expect(state.asked).toBe(1)
  state.password = 'new'
  await clock.advance(1_000)
  expect(await kept.read(secret)).toEqual({ password: 'new' })
  expect(state.asked).toBe(2)
})

test('a Secret and a ConfigMap of one name are two things', async () => {
  const { state, kept } = world()
  await kept.read(secret)
  await kept.read({ ...secret, kind: 'configMap' })
  await kept.read({ ...secret, namespace: 'other' })
  expect(state.asked).toBe(3)
})

test('a Secret that is not there is looked for again at once', async () => {
  const { state, kept } = world()
  state.isGone = true
  await expect(kept.read(secret)).rejects.toThrow('secrets "login" not found')
  state.isGone = false
  expect(await kept.read(secret)).toEqual({ password: 'old' })
})

test('no run gets what was read before it was created', async () => {
  const { clock, state, kept } = world()
  await kept.read(secret)
  state.password = 'new'
  await clock.advance(5_000)
  const earlier = new RunReads(kept, runAt('2026-08-17T10:41:09Z'))
  expect(await earlier.readSecret(login)).toEqual({ password: 'old' })
  const later = new RunReads(kept, runAt('2026-08-17T10:41:15Z'))
  expect(await later.readSecret(login)).toEqual({ password: 'new' })
})

test('a run knows when what it has read says something else by now, at one reading a second', async () => {
  const { clock, state, kept } = world()
  const reads = new RunReads(kept, runAt(undefined))
  await reads.readSecret(login)
  state.password = 'new'
  expect(await reads.areOutdated()).toBe(false)
  expect(state.asked).toBe(1)
  await clock.advance(1_000)
  expect(await reads.fork().areOutdated()).toBe(true)
  expect(state.asked).toBe(2)
  // Of several that ask, one has read it.
  expect(await reads.areOutdated()).toBe(true)
  expect(state.asked).toBe(2)
  state.isGone = true
  await clock.advance(1_000)
  expect(await new RunReads(kept, runAt(undefined)).areOutdated()).toBe(false)
})
