import { hashLabel, podTemplateHash, type Rollout, stepsHash } from '@serinus/api'
import { type KubeObject, keyOf } from '@serinus/kube'
import { describe, expect, test } from 'vitest'
import { type Recording, readRecording } from './in-flight/recording.ts'
import { inFlightStates } from './in-flight/states.ts'
import { type TakenOver, takeOver, takeOverFrom } from './in-flight/take-over.ts'
import type { StoredRollout } from './virtual-cluster.ts'

const minute = 60_000
const releases: readonly string[] = ['1.8', '1.9', '1.10']

describe.each(releases)('what upstream %s left in flight', (release) => {
  test.each(inFlightStates.map(({ name }) => name))('%s: its hashes are ours', (state) => {
    const { objects } = readRecording(release, state)
    const rollout = objects.find(({ kind }) => kind === 'Rollout') as unknown as Rollout
    const deployment = objects.find(({ kind }) => kind === 'Deployment') as unknown as Rollout
    const template = rollout.spec.template ?? deployment.spec.template ?? {}
    const creationTimestampNull = release === '1.8'
    expect(podTemplateHash(template, { creationTimestampNull })).toBe(
      rollout.status?.currentPodHash,
    )
    expect(stepsHash(rollout.spec.strategy)).toBe(rollout.status?.currentStepHash)
  })

  test('a Rollout at rest is not written, and nobody is told anything', async () => {
    await using taken = await takeOver(release, 'idle')
    await taken.world.pass(60 * minute)
    expect(taken.world.requests.counts().writes).toBe(0)
    expect((await taken.rollout()).status?.phase).toBe('Healthy')
    await taken.expectNothingAnew()
  })

  test('a Rollout at a pause step waits on, and goes on from there when it is promoted', async () => {
    await using taken = await takeOver(release, 'paused-step')
    await taken.world.pass(30 * minute)
    expect(taken.world.requests.counts().writes).toBe(0)
    expect((await taken.rollout()).status).toMatchObject({ phase: 'Paused', currentStepIndex: 1 })
    await taken.promote()
    const paused = await taken.until(({ status }) => status?.currentStepIndex === 3)
    expect(sizes(await taken.sets())).toEqual([2, 3])
    await taken.expectNothingAnew()
    expect(paused.status?.phase).toBe('Paused')
    const done = await taken.until(({ status }) => status?.phase === 'Healthy')
    expect(done.status?.stableRS).toBe(done.status?.currentPodHash)
    await taken.expectNothingAnew()
  })

  test.each([
    ['paused-step', { phase: 'Paused', currentStepIndex: 1 }],
    ['inline-analysis', { phase: 'Progressing', currentStepIndex: 2 }],
  ])(
    '%s: its manifest, applied anew as its author wrote it, is no update',
    async (state, there) => {
      await using taken = await takeOver(release, state)
      const { metadata, spec } = await taken.rollout()
      const text = metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'] ?? ''
      const written = withImageOf(JSON.parse(text) as StoredRollout, spec)
      expect(written.spec).not.toEqual(spec)
      await taken.world.apply(written)
      await taken.world.pass(10 * minute)
      const after = await taken.rollout()
      expect(after.metadata.generation).toBe((metadata.generation ?? 0) + 1)
      expect(after.spec.strategy?.canary?.steps).toEqual(written.spec.strategy?.canary?.steps)
      expect(resourcesOf(after.spec)).toEqual(resourcesOf(written.spec))
      expect(after.status).toMatchObject(there)
      await taken.expectNothingAnew()
    },
  )

  test('revisions are known by their templates where nobody knows their hashes [api 30]', async () => {
    const recording = readRecording(release, 'paused-step')
    const hashes = recording.objects
      .filter(({ kind }) => kind === 'ReplicaSet')
      .map(({ metadata }) => metadata.labels?.[hashLabel] ?? '')
    expect(hashes).toHaveLength(2)
    const renamed = hashes.reduce(
      (text, hash, index) => text.replaceAll(hash, `unheard-of-${index}`),
      JSON.stringify(recording),
    )
    await using taken = await takeOverFrom(JSON.parse(renamed) as Recording)
    await taken.world.pass(10 * minute)
    expect(taken.world.requests.counts().writes).toBe(0)
    expect((await taken.rollout()).status?.currentPodHash).toMatch(/^unheard-of-/)
    await taken.expectNothingAnew()
  })

  test('a background analysis keeps its run, its count and its next measurement', async () => {
    await using taken = await takeOver(release, 'paused-step')
    const [before] = await taken.runs()
    const measured = before?.status?.metricResults?.[0]?.measurements?.[0]?.finishedAt ?? ''
    const next = Date.parse(measured) + 60 * minute
    await taken.world.clock.advanceTo(next - 1_000)
    expect(counts(await taken.runs())).toEqual([1])
    expect(taken.world.requests.counts().writes).toBe(0)
    await taken.world.pass(30_000)
    const runs = await taken.runs()
    expect(counts(runs)).toEqual([2])
    expect(runs.map(({ metadata }) => metadata.uid)).toEqual([before?.metadata.uid])
    await taken.expectNothingAnew()
  })

  test('a timed pause ends when it would have ended', async () => {
    await using taken = await takeOver(release, 'timed-pause')
    const { pauseConditions } = (await taken.rollout()).status ?? {}
    const end = Date.parse(pauseConditions?.[0]?.startTime ?? '') + 10 * minute
    await taken.world.clock.advanceTo(end - 1_000)
    expect((await taken.rollout()).status).toMatchObject({ phase: 'Paused', currentStepIndex: 1 })
    expect(taken.world.requests.counts().writes).toBe(0)
    await taken.world.pass(2_000)
    expect((await taken.rollout()).status?.currentStepIndex).toBe(2)
    await taken.until(({ status }) => status?.currentStepIndex === 3)
    expect(sizes(await taken.sets())).toEqual([2, 2])
    await taken.expectNothingAnew()
  })

  test('a canary between two sizes grows on from the pods that it has', async () => {
    await using taken = await takeOver(release, 'mid-scale')
    expect(sizes(await taken.sets())).toEqual([4, 2])
    const seen: (readonly number[])[] = [[4, 2]]
    const paused = await taken.until(
      ({ status }) => {
        return status?.phase === 'Paused'
      },
      async () => {
        const now = await taken.sets()
        if (String(seen.at(-1)) !== String(sizes(now))) seen.push(sizes(now))
        const available = now.reduce((sum, { status }) => sum + (status?.availableReplicas ?? 0), 0)
        expect(available).toBeGreaterThanOrEqual(5)
      },
    )
    expect(seen).toEqual([
      [4, 2],
      [3, 3],
      [2, 3],
    ])
    expect(paused.status?.currentStepIndex).toBe(1)
    await taken.expectNothingAnew()
  })

  test('an analysis step goes on with its run, and with the Job that is running', async () => {
    await using taken = await takeOver(release, 'inline-analysis')
    const before = await taken.runs()
    const jobs = await taken.jobs()
    await taken.world.pass(10 * minute)
    expect((await taken.rollout()).status).toMatchObject({ currentStepIndex: 2 })
    const paused = await taken.until(({ status }) => status?.phase === 'Paused')
    expect(paused.status?.currentStepIndex).toBe(4)
    expect(sizes(await taken.sets())).toEqual([2, 3])
    const runs = await taken.runs()
    expect(runs.map(keyOf)).toEqual(before.map(keyOf))
    expect(runs.map(({ status }) => status?.phase)).toEqual(['Successful'])
    expect(counts(runs)).toEqual([1])
    expect(await taken.jobs()).toEqual(jobs)
    await taken.expectNothingAnew()
  })

  test('an aborted update gives its pods back, and a retry begins with the ReplicaSet that is there', async () => {
    await using taken = await takeOver(release, 'aborted')
    const { abortedAt } = (await taken.rollout()).status ?? {}
    await taken.world.pass(2 * minute)
    expect(sizes(await taken.sets())).toEqual([5, 0])
    expect((await taken.rollout()).status).toMatchObject({
      abort: true,
      abortedAt,
      phase: 'Degraded',
      message: 'RolloutAborted: Rollout aborted update to revision 2',
      currentStepIndex: 0,
    })
    expect(await taken.world.events('RolloutAborted')).toEqual([])
    await taken.expectNothingAnew()
    await taken.patchStatus({ abort: false })
    await taken.until(({ status }) => status?.phase === 'Paused')
    expect(sizes(await taken.sets())).toEqual([2, 3])
    await taken.expectSameRevisions()
  })

  test('a share of the requests stays what it is, and grows on from there', async () => {
    await using taken = await takeOver(release, 'traffic-routed')
    await taken.world.pass(30 * minute)
    expect(taken.world.requests.counts().writes).toBe(0)
    expect(await taken.canaryWeights()).toEqual(['25'])
    expect((await taken.rollout()).status).toMatchObject({ phase: 'Paused', currentStepIndex: 1 })
    await taken.promote()
    const paused = await taken.until(({ status }) => status?.currentStepIndex === 3)
    expect(await taken.canaryWeights()).toEqual(['50'])
    expect(sizes(await taken.sets())).toEqual([4, 2])
    expect(paused.status?.canary?.weights?.canary?.weight).toBe(50)
    await taken.until(({ status }) => status?.phase === 'Healthy')
    expect(await taken.canaryWeights()).toEqual(['0'])
    await taken.expectNothingAnew()
  })

  test('a blue-green update waits on for its promotion, and then switches to the pods that wait', async () => {
    await using taken = await takeOver(release, 'blue-green-paused')
    const [stable, preview] = hashesOf(await taken.sets())
    await taken.world.pass(60 * minute)
    expect(taken.world.requests.counts().writes).toBe(0)
    expect((await taken.rollout()).status).toMatchObject({ phase: 'Paused', stableRS: stable })
    expect(await taken.selected('web-active')).toBe(stable)
    expect(await taken.selected('web-preview')).toBe(preview)
    await taken.promote()
    await taken.world.pass(5_000)
    expect(await taken.selected('web-active')).toBe(preview)
    expect((await taken.rollout()).status).toMatchObject({ phase: 'Healthy', stableRS: preview })
    expect(sizes(await taken.sets())).toEqual([4, 4])
    await taken.world.pass(60_000)
    expect(sizes(await taken.sets())).toEqual([0, 4])
    await taken.expectNothingAnew()
  })

  test('old pods of a blue-green update live as long as they were promised', async () => {
    await using taken = await takeOver(release, 'blue-green-scale-down-delay')
    const deadline = deadlineOf((await taken.sets())[0])
    expect(deadline).toBeGreaterThan(taken.world.clock.now() + 10 * minute)
    await taken.world.clock.advanceTo(deadline - 1_000)
    expect(taken.world.requests.counts().writes).toBe(0)
    expect(sizes(await taken.sets())).toEqual([4, 4])
    await taken.world.pass(5_000)
    expect(sizes(await taken.sets())).toEqual([0, 4])
    expect((await taken.rollout()).status?.phase).toBe('Healthy')
    await taken.expectNothingAnew()
  })

  test('until then they take the requests back at once', async () => {
    await using taken = await takeOver(release, 'blue-green-scale-down-delay')
    const [old] = hashesOf(await taken.sets())
    await taken.world.setImage('api', 'registry.example.com/api:v1')
    await taken.world.pass(2_000)
    expect(await taken.selected('api-active')).toBe(old)
    await taken.world.pass(10 * minute)
    expect(hashesOf(await taken.sets()).at(-1)).toBe(old)
    expect((await taken.rollout()).status).toMatchObject({ phase: 'Healthy', stableRS: old })
    await taken.expectSamePods()
  })

  test('a Rollout of a Deployment’s template waits on, and leaves the Deployment at nothing', async () => {
    await using taken = await takeOver(release, 'workload-ref')
    await taken.world.pass(30 * minute)
    expect(taken.world.requests.counts().writes).toBe(0)
    expect((await taken.rollout()).status).toMatchObject({ phase: 'Paused', currentStepIndex: 1 })
    await taken.promote()
    await taken.until(({ status }) => status?.currentStepIndex === 3)
    expect(sizes(await taken.sets())).toEqual([1, 3])
    await taken.until(({ status }) => status?.phase === 'Healthy')
    expect(sizes(await taken.sets())).toEqual([0, 4])
    expect(await taken.deploymentSize()).toBe(0)
    await taken.expectNothingAnew()
  })
})

function hashesOf(sets: Awaited<ReturnType<TakenOver['sets']>>): readonly string[] {
  return sets.map(({ metadata }) => metadata.labels?.[hashLabel] ?? '')
}

function deadlineOf(set: KubeObject | undefined): number {
  return Date.parse(set?.metadata.annotations?.['scale-down-deadline'] ?? '')
}

const sizes = (sets: Awaited<ReturnType<TakenOver['sets']>>): readonly number[] =>
  sets.map(({ spec }) => spec.replicas)

/** Measurements of the only metric, by run. */
const counts = (runs: Awaited<ReturnType<TakenOver['runs']>>): readonly (number | undefined)[] =>
  runs.map(({ status }) => status?.metricResults?.[0]?.measurements?.length)

function withImageOf(written: StoredRollout, { template }: Rollout['spec']): StoredRollout {
  const image = template?.spec?.containers?.[0]?.image
  const [first, ...rest] = written.spec.template?.spec?.containers ?? []
  const containers = [{ ...first, image }, ...rest]
  const pod = { ...written.spec.template?.spec, containers }
  const spec = { ...written.spec, template: { ...written.spec.template, spec: pod } }
  return { ...written, spec } as StoredRollout
}

function resourcesOf({ template }: Rollout['spec']): unknown {
  return template?.spec?.containers?.map((container) => container.resources)
}
