import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { clusterUnderTest } from '../cluster-under-test.ts'
import { testWithKubectl } from '../kubectl.ts'

/** The example with a gate, healthy, and the plugin at hand. */
async function gate() {
  const world = await clusterUnderTest({ kubectl: true })
  await world.startController()
  const plugin = (...args: readonly string[]) => world.kubectl('argo', 'rollouts', ...args)
  const untilPhase = (phase: string) =>
    world.kubectl(
      'wait',
      'rollout/gate',
      `--for=jsonpath={.status.phase}=${phase}`,
      '--timeout=30s',
    )
  await world.kubectl('apply', '-f', 'examples/gate.yaml')
  await untilPhase('Healthy')
  return {
    ...world,
    plugin,
    untilPhase,
    async release(image: string) {
      await plugin('set', 'image', 'gate', `app=${image}`)
      await untilPhase('Paused')
    },
    images: async () => {
      const path = 'jsonpath={range .items[*]}{.spec.containers[0].image}{"\\n"}{end}'
      return (await world.kubectl('get', 'pods', '-o', path)).trim().split('\n').sort()
    },
    [Symbol.asyncDispose]: world[Symbol.asyncDispose],
  }
}

testWithKubectl(
  'set image, get, promote and status see a release through',
  { timeout: 90_000 },
  async () => {
    await using world = await gate()
    const { plugin } = world
    expect(await plugin('set', 'image', 'gate', 'app=gate:v2')).toBe(
      'rollout "gate" image updated\n',
    )
    await world.untilPhase('Paused')
    const page = await plugin('get', 'rollout', 'gate')
    expect(page).toContain('Status:          ॥ Paused')
    expect(page).toContain('Message:         CanaryPauseStep')
    expect(page).toContain('  Step:          1/3')
    expect(page).toMatch(/⧉ gate-\w+ +ReplicaSet +✔ Healthy +\S+ +canary/)
    expect(await plugin('list', 'rollouts')).toMatch(/^NAME +STRATEGY.*\ngate +Canary +Paused/)
    expect(await plugin('promote', 'gate')).toBe("rollout 'gate' promoted\n")
    expect(await plugin('status', 'gate', '--timeout', '60s')).toMatch(/Healthy\n$/)
    expect(await world.kubectl('describe', 'rollout', 'gate')).toContain(
      'Completed all 3 canary steps',
    )
  },
)

testWithKubectl(
  'abort gives the pods back, and retry starts the release again',
  { timeout: 90_000 },
  async () => {
    await using world = await gate()
    const { plugin } = world
    await world.release('gate:v2')
    expect(await plugin('abort', 'gate')).toBe("rollout 'gate' aborted\n")
    await world.untilPhase('Degraded')
    expect(await plugin('get', 'rollout', 'gate')).toMatch(/RolloutAborted/)
    expect(await plugin('retry', 'rollout', 'gate')).toBe("rollout 'gate' retried\n")
    await world.untilPhase('Paused')
    expect(world.errors).toEqual([])
  },
)

testWithKubectl('undo goes back to the revision before', { timeout: 90_000 }, async () => {
  await using world = await gate()
  const { plugin } = world
  await world.release('gate:v2')
  await plugin('promote', 'gate')
  await world.untilPhase('Healthy')
  expect(await plugin('undo', 'gate')).toBe("rollout 'gate' undo\n")
  const image = 'jsonpath={.spec.template.spec.containers[0].image}'
  expect(await world.kubectl('get', 'rollout', 'gate', '-o', image)).toBe('gate:v1')
  await world.untilPhase('Paused')
})

testWithKubectl('a person pauses a Rollout and lets it go on', { timeout: 90_000 }, async () => {
  await using world = await gate()
  const { plugin } = world
  expect(await plugin('pause', 'gate')).toBe("rollout 'gate' paused\n")
  await world.untilPhase('Paused')
  expect(await plugin('get', 'rollout', 'gate')).toContain('manually paused')
  await plugin('promote', 'gate')
  await world.untilPhase('Healthy')
})

testWithKubectl('restart asks for new pods from now on', { timeout: 90_000 }, async () => {
  await using world = await gate()
  expect(await world.plugin('restart', 'gate')).toMatch(/^rollout 'gate' restarts in /)
  const restartAt = await world.kubectl(
    'get',
    'rollout',
    'gate',
    '-o',
    'jsonpath={.spec.restartAt}',
  )
  expect(restartAt).toMatch(/^\d{4}-\d\d-\d\dT/)
})

testWithKubectl(
  'create makes templates, and a run of one with all that it refers to',
  { timeout: 90_000 },
  async () => {
    await using world = await gate()
    const { plugin } = world
    const folder = mkdtempSync(join(tmpdir(), 'create-'))
    const file = join(folder, 'templates.yaml')
    writeFileSync(file, templates)
    expect(await plugin('create', '-f', file)).toBe(
      'analysistemplate.argoproj.io/base created\nanalysistemplate.argoproj.io/all created\n',
    )
    rmSync(folder, { recursive: true })
    const created = await plugin('create', 'analysisrun', '--from', 'all', '-a', 'host=gate')
    const [, name = ''] = /^analysisrun\.argoproj\.io\/(all-\w+) created\n$/.exec(created) ?? []
    const path = 'jsonpath={.spec.metrics[*].name} {.spec.args[0].value}'
    expect(await world.kubectl('get', 'analysisrun', name, '-o', path)).toBe('base gate')
    await world.kubectl('wait', `analysisrun/${name}`, '--for=jsonpath={.status.startedAt}')
    expect(world.errors).toEqual([])
  },
)

const templates = `
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: base}
spec:
  args: [{name: host}]
  metrics:
  - name: base
    interval: 1m
    provider: {web: {url: 'http://{{args.host}}'}}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: all}
spec:
  templates: [{templateName: base}]
`
