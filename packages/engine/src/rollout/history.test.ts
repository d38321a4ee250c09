import { expect, test } from 'vitest'
import { worldOf } from '../testing/stories.ts'
import { canaryRollout, type World } from '../testing/world.ts'

/** Revisions h1 to h5 with an analysis each; h5 is stable. */
function fiveRevisions(): World {
  const analysis = { templates: [{ templateName: 'watch' }] }
  const world = worldOf(canaryRollout({ analysis }, { replicas: 2 }))
  for (const image of ['h2', 'h3', 'h4', 'h5']) {
    world.setImage(image)
    world.pass(60_000)
  }
  world.forget()
  return world
}

const imagesOf = (world: World) =>
  world.replicaSets.map((set) => set.spec.template.spec?.containers?.[0]?.image)

test('history beyond its limit goes, oldest first, together with its analyses [rollout-controller 24]', () => {
  const world = fiveRevisions()
  const { name } = world.setOf('h2').metadata
  expect(world.analysisRuns.filter((run) => run.metadata.name.startsWith(name))).toHaveLength(1)
  world.edit((spec) => ({ ...spec, revisionHistoryLimit: 2 }))
  expect(imagesOf(world)).toEqual(['h3', 'h4', 'h5'])
  expect(world.analysisRuns.filter((run) => run.metadata.name.startsWith(name))).toEqual([])
  expect(world.analysisRuns).toHaveLength(3)
})

test('an old version that still has pods does not count against the limit [rollout-controller 25]', () => {
  const world = worldOf(canaryRollout({}, { replicas: 2 }))
  for (const image of ['h2', 'h3']) {
    world.setImage(image)
    world.pass(60_000)
  }
  world.fails = (id) => id.startsWith('scale/')
  world.replicaSets = world.replicaSets.map((set) =>
    set === world.setOf('h1') ? { ...set, spec: { ...set.spec, replicas: 1 } } : set,
  )
  world.edit((spec) => ({ ...spec, revisionHistoryLimit: 1 }))
  expect(imagesOf(world)).toEqual(['h1', 'h2', 'h3'])
})

test('an old version that still has pods keeps no other from being removed', () => {
  const world = fiveRevisions()
  world.fails = (id) => id.startsWith('scale/')
  world.replicaSets = world.replicaSets.map((set) =>
    set === world.setOf('h1') ? { ...set, spec: { ...set.spec, replicas: 1 } } : set,
  )
  world.edit((spec) => ({ ...spec, revisionHistoryLimit: 1 }))
  expect(imagesOf(world)).toEqual(['h1', 'h4', 'h5'])
})
