import { annotationKeys } from '@serinus/api'
import { expect, test } from 'vitest'
import {
  asksAfter,
  asksBefore,
  blueGreenWorld,
  deadlineOf,
  servedBy,
} from '../testing/blue-green.ts'
import type { World } from '../testing/world.ts'

const careful = { autoPromotionEnabled: false, ...asksBefore, ...asksAfter }

/** h2 was promoted, h1 waits for its deadline. */
function promotedWorld(
  spec: NonNullable<Parameters<typeof blueGreenWorld>[1]>['spec'] = {},
): World {
  const world = blueGreenWorld(careful, { spec })
  world.setImage('h2')
  world.patchStatus({ promoteFull: true })
  world.pass(10_000)
  expect([servedBy(world, 'active'), world.status.phase]).toEqual(['h2', 'Healthy'])
  expect(deadlineOf(world, 'h1')).toBeDefined()
  world.forget()
  return world
}

test('a return to pods that have not gone yet is immediate, without analysis and pause [rollout-controller 44]', () => {
  const world = promotedWorld()
  world.setImage('h1')
  expect(servedBy(world, 'active')).toBe('h1')
  expect(world.status.stableRS).toBe(world.status.currentPodHash)
  expect(world.analysisRuns).toEqual([])
  expect(world.status.pauseConditions).toBeUndefined()
  expect(deadlineOf(world, 'h1')).toBeUndefined()
  expect(deadlineOf(world, 'h2')).toBeDefined()
  expect(world.transitions.find((t) => t.reason === 'RolloutCompleted')?.message).toMatch(
    /: Fast rollback$/,
  )
  expect(world.setOf('h1').metadata.annotations).toMatchObject({
    [annotationKeys.revision]: '3',
    [annotationKeys.revisionHistory]: '1',
  })
  expect(world.setOf('h1').metadata.annotations).not.toHaveProperty([annotationKeys.fastRollback])
  world.pass(31_000)
  expect([world.size('h1'), world.size('h2'), world.status.phase]).toEqual([5, 0, 'Healthy'])
})

test('a return that begins while a pod is unready stays an immediate one [rollout-controller 44]', () => {
  const world = promotedWorld()
  world.mostReady.set('h1', 4)
  world.settle()
  world.setImage('h1')
  expect(servedBy(world, 'active')).toBe('h2')
  // Its deadline would have passed long ago.
  world.pass(300_000)
  expect([servedBy(world, 'active'), world.size('h1')]).toEqual(['h2', 5])
  world.mostReady.delete('h1')
  world.settle()
  expect([servedBy(world, 'active'), world.status.phase]).toEqual(['h1', 'Healthy'])
  expect(world.analysisRuns).toEqual([])
})

test('a return that was aborted is no immediate one when it is tried again', () => {
  const world = promotedWorld()
  world.mostReady.set('h1', 4)
  world.settle()
  world.setImage('h1')
  world.patchStatus({ abort: true })
  world.mostReady.delete('h1')
  world.settle()
  world.patchStatus({ abort: false })
  world.pass(10_000)
  expect(servedBy(world, 'active')).toBe('h2')
  expect(world.analysisRuns).toHaveLength(1)
})

test('a return after the deadline is an update like any other', () => {
  const world = promotedWorld()
  world.pass(31_000)
  world.setImage('h1')
  world.pass(10_000)
  expect(servedBy(world, 'active')).toBe('h2')
  expect(world.analysisRuns).toHaveLength(1)
})

test('within the rollback window a return asks nothing although the pods have gone', () => {
  const world = promotedWorld({ rollbackWindow: { revisions: 2 } })
  world.pass(31_000)
  world.setImage('h1')
  expect(servedBy(world, 'active')).toBe('h2')
  world.pass(5_000)
  expect([servedBy(world, 'active'), world.analysisRuns]).toEqual(['h1', []])
  expect(world.transitions.findLast((t) => t.reason === 'RolloutCompleted')?.message).toMatch(
    /: Rollback within window$/,
  )
})

test('an abort within the rollback window holds', () => {
  const world = promotedWorld({ rollbackWindow: { revisions: 2 } })
  world.pass(31_000)
  world.setImage('h1')
  world.patchStatus({ abort: true })
  world.pass(60_000)
  expect([servedBy(world, 'active'), world.status.phase]).toEqual(['h2', 'Degraded'])
})

test('a return to the stable version in mid-update needs no more than its pods', () => {
  const world = blueGreenWorld(careful)
  world.setImage('h2')
  world.pass(10_000)
  world.forget()
  world.setImage('h1')
  expect([servedBy(world, 'active'), servedBy(world, 'preview')]).toEqual(['h1', 'h1'])
  expect(world.status.phase).toBe('Healthy')
  expect(world.analysisRuns.every((run) => run.spec.terminate)).toBe(true)
  world.pass(31_000)
  expect([world.size('h1'), world.size('h2')]).toEqual([5, 0])
})

test('a return to the stable version while the new one already serves switches back at once', () => {
  const world = blueGreenWorld(asksAfter)
  world.setImage('h2')
  world.pass(10_000)
  expect(servedBy(world, 'active')).toBe('h2')
  world.setImage('h1')
  expect([servedBy(world, 'active'), world.status.phase]).toEqual(['h1', 'Healthy'])
})

test('a return beyond the stable version is told as a fast one where its pods had not gone yet', () => {
  const world = blueGreenWorld({ scaleDownDelaySeconds: 600 })
  world.setImage('h2')
  world.pass(10_000)
  world.broken.add('h3')
  world.setImage('h3')
  world.pass(10_000)
  world.setImage('h1')
  expect([servedBy(world, 'active'), world.status.phase]).toEqual(['h1', 'Healthy'])
  expect(world.status.duration?.completionStatus).toBe('FastRolledBack')
})
