import fc from 'fast-check'
import { test } from 'vitest'
import { doDeed, stories, worldOf } from './testing/stories.ts'

test('stats', () => {
  const n: Record<string, number> = {}
  const c = (k: string) => {
    n[k] = (n[k] ?? 0) + 1
  }
  fc.assert(
    fc.property(stories('any'), (story) => {
      const w = worldOf(story.rollout)
      for (const d of story.deeds) {
        doDeed(w, d)
        c('phase ' + w.status.phase + ' ' + (w.status.message ?? '').slice(0, 130))
      }
      for (const r of new Set(w.reasons())) c('reason ' + r)
    }),
    { seed: 1, numRuns: 200 },
  )
  console.log(JSON.stringify(n, null, 1))
})
