import { defaults, hashLabel } from '@serinus/api'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import type { ReplicaSet, RolloutSnapshot } from '../snapshot.ts'
import { asksAfter, asksBefore } from '../testing/blue-green.ts'
import { doDeed, type Story, stories, worldOf } from '../testing/stories.ts'
import { effects, hindered, sizesAfter, tell } from '../testing/telling.ts'
import type { Pass, World } from '../testing/world.ts'

vi.setConfig({ testTimeout: 30_000 })

const runs = { seed: 20260101, numRuns: 400 }

/** The story played while one kind of effect never succeeds, each pass seen. */
function tellHindered(story: Story, effect: string, pass: (seen: Pass) => void): World {
  const world = worldOf(story.rollout, pass)
  world.fails = (id) => id === effect || id.startsWith(`${effect}/`)
  for (const deed of story.deeds) doDeed(world, deed)
  return world
}

function selectedBy({ services }: RolloutSnapshot): string | undefined {
  return services.find(({ metadata }) => metadata.name === 'active')?.spec?.selector?.[hashLabel]
}

/** Names of the ReplicaSets that the active Service leads to, by its selector or by what still follows it. */
function served(snapshot: RolloutSnapshot): ReadonlySet<string> {
  const hash = selectedBy(snapshot)
  const behind = snapshot.endpoints?.find(({ service }) => service === 'active')?.replicaSets ?? []
  const selected = snapshot.replicaSets.filter((set) => set.metadata.labels?.[hashLabel] === hash)
  return new Set([...behind, ...selected.map((set) => set.metadata.name)])
}

/** The hash that a plan points the active Service to; undefined: it leaves it alone. */
function switchedTo({ plan }: Pass): string | undefined {
  const write = plan.writes.find(({ id }) => id === 'service/active')
  if (write?.kind !== 'patch') return undefined
  return (write.patch.body as { spec: { selector: Record<string, string> } }).spec.selector[
    hashLabel
  ]
}

const availableOf = (set: ReplicaSet | undefined) => set?.status?.availableReplicas ?? 0

function byHash(
  { replicaSets }: RolloutSnapshot,
  hash: string | undefined,
): ReplicaSet | undefined {
  return replicaSets.find((set) => set.metadata.labels?.[hashLabel] === hash)
}

const anyEffect = fc.constantFrom('nothing', 'status', ...effects)

test('no ReplicaSet that the active Service leads to is ever drained, whatever fails', () => {
  let lagging = 0
  fc.assert(
    fc.property(stories('blue-green'), anyEffect, (story, effect) => {
      tellHindered(story, effect, (seen) => {
        const { snapshot, plan } = seen
        const wanted = defaults.replicas(snapshot.rollout)
        const after = sizesAfter(seen)
        const target = byHash(snapshot, switchedTo(seen))?.metadata.name
        const names = served(snapshot)
        if (names.size > 1) lagging++
        // Nobody asks for pods: then none has to stay.
        if (wanted === 0) return
        const ids = plan.writes.map(({ id }) => id)
        for (const name of [...names, ...(target ? [target] : [])]) {
          const size = snapshot.replicaSets.find((one) => one.metadata.name === name)?.spec.replicas
          expect(after.get(name), name).toBeGreaterThanOrEqual(Math.min(size ?? 0, wanted))
          // A deadline announces that a ReplicaSet goes.
          expect(ids).not.toContain(`deadline/${name}`)
          if (size) expect(ids).not.toContain(`delete/${name}`)
        }
      })
    }),
    runs,
  )
  expect(lagging).toBeGreaterThan(100)
})

test('the active Service is only ever moved to as many available pods as it led to, or to all of them', () => {
  let switches = 0
  fc.assert(
    fc.property(stories('blue-green'), (story) => {
      tell(story, {
        pass: (seen) => {
          const hash = switchedTo(seen)
          if (hash === undefined) return
          const { snapshot } = seen
          const replicas = defaults.replicas(snapshot.rollout)
          const from = selectedBy(snapshot)
          const had = from === undefined ? replicas : availableOf(byHash(snapshot, from))
          const least = Math.min(had, replicas)
          expect(availableOf(byHash(snapshot, hash))).toBeGreaterThanOrEqual(least)
          switches++
        },
      })
    }),
    runs,
  )
  expect(switches).toBeGreaterThan(200)
})

test('nothing but an abort takes the active Service away from the new version', () => {
  fc.assert(
    fc.property(stories('blue-green'), (story) => {
      tell(story, {
        pass: (seen) => {
          const { snapshot } = seen
          const hash = switchedTo(seen)
          const { currentPodHash, abort } = snapshot.rollout.status ?? {}
          if (hash === undefined || selectedBy(snapshot) !== currentPodHash || abort) return
          const isAborted = JSON.stringify(seen.plan.writes).includes('"abort":true')
          const isNew = hash !== currentPodHash && seen.plan.writes.length > 0
          expect(isAborted || (isNew && isReset(seen))).toBe(true)
        },
      })
    }),
    runs,
  )
})

/** Whether the plan begins another update. */
function isReset({ plan }: Pass): boolean {
  const write = plan.writes.find(({ id }) => id === 'status')
  return write?.kind === 'patch' && JSON.stringify(write.patch.body).includes('currentPodHash')
}

test('an aborted version that is not active never grows', () => {
  fc.assert(
    fc.property(stories('blue-green'), (story) => {
      tell(story, {
        pass: (seen) => {
          const { status } = seen.snapshot.rollout
          const current = byHash(seen.snapshot, status?.currentPodHash)
          if (!status?.abort || !current || isReset(seen)) return
          if (selectedBy(seen.snapshot) === status.currentPodHash) return
          if (status.stableRS === status.currentPodHash) return
          const { name } = current.metadata
          expect(sizesAfter(seen).get(name)).toBeLessThanOrEqual(current.spec.replicas ?? 1)
        },
      })
    }),
    runs,
  )
})

test('a failed analysis aborts a blue-green update whatever fails for ever', () => {
  let decided = 0
  const asked = (story: Story): Story => {
    const strategy = {
      blueGreen: { ...story.rollout.spec.strategy?.blueGreen, ...asksBefore, ...asksAfter },
    }
    return {
      ...story,
      rollout: { ...story.rollout, spec: { ...story.rollout.spec, strategy } } as Story['rollout'],
    }
  }
  fc.assert(
    fc.property(stories('blue-green'), fc.constantFrom(...effects), (story, effect) => {
      const world = hindered(asked(story), effect)
      const { blueGreen, promoteFull, abort, stableRS, currentPodHash } = world.status
      const open = [
        blueGreen?.prePromotionAnalysisRunStatus,
        blueGreen?.postPromotionAnalysisRunStatus,
      ]
        .flatMap((one) => world.analysisRuns.find((run) => run.metadata.name === one?.name) ?? [])
        .find((run) => !run.status?.phase || run.status.phase === 'Running')
      if (!open || promoteFull || abort || stableRS === currentPodHash) return
      world.analysisRuns = world.analysisRuns.map((run) =>
        run === open ? ({ ...run, status: { phase: 'Failed', message: 'no' } } as typeof run) : run,
      )
      world.settle()
      expect(world.status.message).toMatch(
        /^RolloutAborted: .*: Blue\/green (pre|post)-promotion analysis phase error\/failed: no$/,
      )
      decided++
    }),
    runs,
  )
  expect(decided).toBeGreaterThan(20)
})
