import { VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { UntilExpiry } from './kept.ts'

test('a value is kept until its instant, and the oldest goes where there are more than a thousand', async () => {
  const clock = new VirtualClock(0)
  const kept = new UntilExpiry<number>(clock)
  for (let i = 0; i <= 1000; i++) kept.set(`key ${i}`, i, i < 500 ? 1000 : 2000)
  expect([0, 1, 1000].map((i) => kept.get(`key ${i}`))).toEqual([undefined, 1, 1000])
  await clock.advance(1000)
  expect([1, 499, 500].map((i) => kept.get(`key ${i}`))).toEqual([undefined, undefined, 500])
})
