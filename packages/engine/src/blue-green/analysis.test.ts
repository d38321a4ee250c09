import { labelKeys } from '@serinus/api'
import { expect, test } from 'vitest'
import {
  asksAfter,
  asksBefore,
  blueGreenStart,
  blueGreenWorld,
  deadlineOf,
  endRun,
  servedBy,
} from '../testing/blue-green.ts'

const asks = { ...asksBefore, ...asksAfter }

test('the new version is judged before and after the switch, under names of its revision [api 33] [api 41]', () => {
  const world = blueGreenWorld(asks)
  world.setImage('h2')
  expect(world.analysisRuns).toEqual([])
  world.pass(60_000)
  const base = `app-${world.status.currentPodHash}-2`
  expect(world.analysisRuns.map((run) => run.metadata.name)).toEqual([`${base}-pre`])
  expect(world.analysisRuns[0]?.metadata.labels).toMatchObject({
    [labelKeys.rolloutType]: 'PrePromotion',
    [labelKeys.podTemplateHash]: world.status.currentPodHash,
  })
  expect(servedBy(world, 'active')).toBe('h1')
  expect(world.plans.at(-1)?.waits).toContainEqual({
    kind: 'analysis',
    run: `${base}-pre`,
    step: null,
  })
  endRun(world, `${base}-pre`, 'Successful')
  expect(servedBy(world, 'active')).toBe('h2')
  expect(world.analysisRuns.map((run) => run.metadata.name)).toEqual([
    `${base}-pre`,
    `${base}-post`,
  ])
  expect(world.analysisRuns[1]?.metadata.labels?.[labelKeys.rolloutType]).toBe('PostPromotion')
  world.pass(600_000)
  expect([world.status.phase, world.status.message]).toEqual([
    'Progressing',
    'waiting for analysis to complete',
  ])
  expect([world.size('h1'), deadlineOf(world, 'h1')]).toEqual([5, undefined])
  endRun(world, `${base}-post`, 'Successful')
  expect(world.status.phase).toBe('Healthy')
  expect(deadlineOf(world, 'h1')).toBeDefined()
  expect(world.transitions.findLast((t) => t.reason === 'RolloutCompleted')?.message).toMatch(
    /: Completed blue-green update$/,
  )
})

test('the status keeps both answers until the next version', () => {
  const world = blueGreenWorld(asks)
  world.setImage('h2')
  world.pass(10_000)
  for (const _ of ['pre', 'post'])
    endRun(world, world.analysisRuns.at(-1)?.metadata.name ?? '', 'Successful')
  world.pass(600_000)
  const { prePromotionAnalysisRunStatus: pre, postPromotionAnalysisRunStatus: post } =
    world.status.blueGreen ?? {}
  expect([pre?.status, post?.status]).toEqual(['Successful', 'Successful'])
  world.setImage('h3')
  expect(world.status.blueGreen?.prePromotionAnalysisRunStatus).toBeUndefined()
  expect(world.status.blueGreen?.postPromotionAnalysisRunStatus).toBeUndefined()
})

test('the first revision is not judged', () => {
  const world = blueGreenStart(asks)
  world.pass(60_000)
  expect([world.analysisRuns, world.status.phase]).toEqual([[], 'Healthy'])
})

test('autoPromotionSeconds begin when the analysis before the switch has succeeded [analysis-and-experiments 18]', () => {
  const world = blueGreenWorld({ ...asksBefore, autoPromotionSeconds: 10 })
  world.setImage('h2')
  world.pass(65_000)
  expect([servedBy(world, 'active'), world.status.pauseConditions]).toEqual(['h1', undefined])
  endRun(world, world.analysisRuns[0]?.metadata.name ?? '', 'Successful')
  world.pass(10_000)
  expect(servedBy(world, 'active')).toBe('h1')
  world.pass(1)
  expect(servedBy(world, 'active')).toBe('h2')
})

test('an inconclusive analysis stops the switch until somebody resumes, and is then asked anew', () => {
  const world = blueGreenWorld(asksBefore)
  world.setImage('h2')
  world.pass(10_000)
  const first = world.analysisRuns[0]?.metadata.name ?? ''
  endRun(world, first, 'Inconclusive')
  expect(world.status.message).toBe('InconclusiveAnalysisRun')
  world.pass(600_000)
  expect(servedBy(world, 'active')).toBe('h1')
  world.patchStatus({ pauseConditions: null })
  expect(servedBy(world, 'active')).toBe('h1')
  endRun(world, `${first}.1`, 'Successful')
  expect(servedBy(world, 'active')).toBe('h2')
})

test('an inconclusive analysis after the switch keeps the old version ready until somebody decides', () => {
  const world = blueGreenWorld(asksAfter)
  world.setImage('h2')
  world.pass(10_000)
  const first = world.analysisRuns[0]?.metadata.name ?? ''
  endRun(world, first, 'Inconclusive')
  world.pass(600_000)
  expect([servedBy(world, 'active'), world.size('h1'), world.status.phase]).toEqual([
    'h2',
    5,
    'Paused',
  ])
  world.patchStatus({ abort: true })
  expect(servedBy(world, 'active')).toBe('h1')
})

test('a failed analysis before the switch aborts with its message', () => {
  const world = blueGreenWorld(asksBefore)
  world.setImage('h2')
  world.pass(10_000)
  endRun(world, world.analysisRuns[0]?.metadata.name ?? '', 'Failed')
  expect(world.status.message).toBe(
    'RolloutAborted: Rollout aborted update to revision 2: Blue/green pre-promotion analysis phase error/failed',
  )
  expect([servedBy(world, 'active'), world.status.pauseConditions]).toEqual(['h1', undefined])
})

test('a long analysis exceeds no progress deadline', () => {
  const world = blueGreenWorld(asks)
  world.edit((spec) => ({ ...spec, progressDeadlineSeconds: 60, progressDeadlineAbort: true }))
  world.setImage('h2')
  world.pass(3_600_000)
  expect([world.status.phase, world.status.abort]).toEqual(['Progressing', undefined])
})
