import { annotationKeys, type RolloutStatus } from '@serinus/api'
import type { UnknownObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { run, startAt, TestCluster } from '../plugin/test-cluster.ts'
import { analysisRun, canary, pod, replicaSet, rollout } from '../plugin/test-objects.ts'

/** The page of `get rollout x`, without colours and trailing blanks. */
async function page(...objects: readonly UnknownObject[]): Promise<string> {
  const { out } = await run(new TestCluster().put(...objects), 'get rollout x --no-color')
  return out.replaceAll(/ +$/gm, '')
}

async function weights(facts: {
  readonly spec: object
  readonly status: RolloutStatus
  readonly sets?: readonly UnknownObject[]
}): Promise<{ step: string; set: string; actual: string }> {
  const text = await page(rollout('x', facts), ...(facts.sets ?? []))
  const value = (label: string) => new RegExp(`^ {2}${label}: *(.*)$`, 'm').exec(text)?.[1] ?? ''
  return { step: value('Step'), set: value('SetWeight'), actual: value('ActualWeight') }
}

/** INFO of the row whose name ends so. */
function infoOf(text: string, name: string): string | undefined {
  return text
    .split('\n')
    .find((line) => line.includes(`${name} `))
    ?.split(/ {2,}/)
    .at(-1)
}

const halfWay = [{ setWeight: 40 }, { pause: {} }]
const hashes = { currentPodHash: 'new', stableRS: 'old' }

test('the actual weight is what the pods make of the wanted one [cli 28]', async () => {
  const seen = await weights({
    spec: canary(halfWay),
    status: { ...hashes, currentStepIndex: 1, availableReplicas: 4 },
    sets: [
      replicaSet('x', { hash: 'new', revision: 2, replicas: 2 }),
      replicaSet('x', { hash: 'old', revision: 1, replicas: 2 }),
    ],
  })
  expect(seen).toEqual({ step: '1/2', set: '40', actual: '50' })
})

test('after an abort the wanted weight is 0 [cli 29]', async () => {
  const seen = await weights({
    spec: canary(halfWay),
    status: { ...hashes, abort: true, currentStepIndex: 1, availableReplicas: 4 },
  })
  expect(seen).toMatchObject({ set: '0', actual: '0' })
})

test('at the end both weights are the largest there is [cli 30]', async () => {
  const trafficRouting = { maxTrafficWeight: 1000, nginx: { stableIngress: 'i' } }
  const seen = await weights({
    spec: canary(halfWay, { trafficRouting }),
    status: { ...hashes, currentStepIndex: 2, availableReplicas: 4 },
  })
  expect(seen).toEqual({ step: '2/2', set: '1000', actual: '1000' })
})

test('with traffic routing the actual weight is what the router was told', async () => {
  const trafficRouting = { nginx: { stableIngress: 'i' } }
  const spec = canary(halfWay, { trafficRouting })
  const status = { ...hashes, currentStepIndex: 1, availableReplicas: 4 }
  const told = { canary: { weight: 30 }, stable: { weight: 70 } } as never
  expect(await weights({ spec, status: { ...status, canary: { weights: told } } })).toMatchObject({
    actual: '30',
  })
  expect(await weights({ spec, status })).toMatchObject({ actual: '40' })
})

test('before the first setWeight step the wanted weight is 0', async () => {
  const spec = canary([{ pause: {} }, { setWeight: 40 }])
  expect(await weights({ spec, status: { currentStepIndex: 0 } })).toMatchObject({ set: '0' })
})

test('a set that waits for its scale-down shows how long [cli 31]', async () => {
  const deadline = (ms: number | string) => ({
    annotations: {
      [annotationKeys.scaleDownDeadline]:
        typeof ms === 'string' ? ms : new Date(startAt + ms).toISOString(),
    },
  })
  const hour = 3_600_000
  const text = await page(
    rollout('x'),
    replicaSet('x', { hash: 'later', revision: 3, ...deadline(4 * hour - 1) }),
    replicaSet('x', { hash: 'past', revision: 2, ...deadline(-hour) }),
    replicaSet('x', { hash: 'bad', revision: 1, ...deadline('tomorrow') }),
  )
  expect(infoOf(text, 'x-later')).toBe('delay:3h59m')
  expect(infoOf(text, 'x-past')).toBe('delay:passed')
  expect(infoOf(text, 'x-bad')).toBe('delay:')
})

test('with ping-pong the stable and the canary set say whose service they serve [cli 32]', async () => {
  const pingPong = { pingService: 'ping', pongService: 'pong' }
  const text = await page(
    rollout('x', {
      spec: canary(halfWay, { pingPong }),
      status: { ...hashes, canary: { stablePingPong: 'pong' } },
    }),
    replicaSet('x', { hash: 'new', revision: 2, replicas: 1 }),
    replicaSet('x', { hash: 'old', revision: 1, replicas: 1 }),
  )
  expect(infoOf(text, 'x-old')).toBe('stable,pong')
  expect(infoOf(text, 'x-new')).toBe('canary,ping')
})

test('a run counts its measurements by what became of them [cli 33]', async () => {
  const text = await page(
    rollout('x'),
    replicaSet('x', { hash: 'h', revision: 1 }),
    analysisRun('x', {
      name: 'check',
      hash: 'h',
      revision: 1,
      phase: 'Running',
      results: [
        { name: 'a', successful: 3, failed: 4, inconclusive: 1 },
        { name: 'b', successful: 1, error: 1 },
      ],
    }),
  )
  expect(infoOf(text, 'check')).toBe('✔ 4,✖ 4,? 1,⚠ 1')
})

test('a blue-green before its promotion shows active and preview, and what still drains', async () => {
  const minute = 60
  const day = 24 * 60 * minute
  const preview = replicaSet('x', {
    hash: '79d5c6fd8c',
    revision: 7,
    image: 'shop/x:4.3',
    replicas: 2,
    age: 4 * minute + 10,
  })
  const active = replicaSet('x', {
    hash: '5b9f7dcc64',
    revision: 6,
    image: 'shop/x:4.2',
    replicas: 2,
    age: 5 * day + 120 * minute,
  })
  const old = replicaSet('x', {
    hash: '86c4b9d7f5',
    revision: 5,
    image: 'shop/x:4.1',
    replicas: 1,
    age: 12 * day,
    annotations: {
      [annotationKeys.scaleDownDeadline]: new Date(startAt + 17_000).toISOString(),
    },
  })
  const text = await page(
    rollout('x', {
      age: 40 * day,
      spec: { replicas: 2, strategy: { blueGreen: { activeService: 'x' } } },
      status: {
        phase: 'Paused',
        message: 'BlueGreenPause',
        currentPodHash: '79d5c6fd8c',
        stableRS: '5b9f7dcc64',
        blueGreen: { activeSelector: '5b9f7dcc64', previewSelector: '79d5c6fd8c' },
        replicas: 5,
        updatedReplicas: 2,
        readyReplicas: 5,
        availableReplicas: 2,
      },
    }),
    preview,
    active,
    old,
    pod(preview, '6dx5m', { age: 4 * minute + 9 }),
    pod(active, 'k8w2n', { age: 5 * day + 120 * minute }),
    pod(old, '9zr6c', { age: 12 * day }),
    analysisRun('x', {
      name: 'x-79d5c6fd8c-7-pre',
      hash: '79d5c6fd8c',
      revision: 7,
      phase: 'Successful',
      age: 3 * minute + 40,
      results: [{ name: 'm', successful: 3 }],
    }),
  )
  expect(text).toBe(`Name:            x
Namespace:       shop
Status:          ॥ Paused
Message:         BlueGreenPause
Strategy:        BlueGreen
Images:          shop/x:4.1
                 shop/x:4.2 (stable, active)
                 shop/x:4.3 (preview)
Replicas:
  Desired:       2
  Current:       5
  Updated:       2
  Ready:         5
  Available:     2

NAME                           KIND         STATUS        AGE    INFO
⟳ x                            Rollout      ॥ Paused      40d
├──# revision:7
│  ├──⧉ x-79d5c6fd8c           ReplicaSet   ✔ Healthy     4m10s  preview
│  │  └──□ x-79d5c6fd8c-6dx5m  Pod          ✔ Running     4m9s   ready:1/1
│  └──α x-79d5c6fd8c-7-pre     AnalysisRun  ✔ Successful  3m40s  ✔ 3
├──# revision:6
│  └──⧉ x-5b9f7dcc64           ReplicaSet   ✔ Healthy     5d2h   stable,active
│     └──□ x-5b9f7dcc64-k8w2n  Pod          ✔ Running     5d2h   ready:1/1
└──# revision:5
   └──⧉ x-86c4b9d7f5           ReplicaSet   ✔ Healthy     12d    delay:17s
      └──□ x-86c4b9d7f5-9zr6c  Pod          ✔ Running     12d    ready:1/1
`)
})

test('one image in two sets has the tags of both', async () => {
  const text = await page(
    rollout('x', { spec: canary(halfWay), status: hashes }),
    replicaSet('x', { hash: 'old', revision: 1, replicas: 1, image: 'same:1' }),
    replicaSet('x', { hash: 'new', revision: 2, replicas: 1, image: 'same:1' }),
    replicaSet('x', { hash: 'gone', revision: 0, replicas: 0, image: 'gone:1' }),
  )
  expect(text).toContain('\nImages:          same:1 (canary, stable)\nReplicas:\n')
})

test('a set is Progressing until it is observed and available, and says when it cannot make pods', async () => {
  const set = replicaSet('x', { hash: 'h', revision: 1, replicas: 2 })
  const statusOf = async (change: object) => {
    const text = await page(rollout('x'), { ...set, ...change } as UnknownObject)
    return /x-h +ReplicaSet {2}(.*?) {2}/.exec(text)?.[1]
  }
  const status = { replicas: 2, availableReplicas: 2, observedGeneration: 1 }
  const failing = [{ type: 'ReplicaFailure', status: 'True' }]
  expect(await statusOf({})).toBe('✔ Healthy')
  expect(await statusOf({ status: { ...status, observedGeneration: 0 } })).toBe('◌ Progressing')
  expect(await statusOf({ status: { ...status, availableReplicas: 1 } })).toBe('◌ Progressing')
  expect(await statusOf({ status: { ...status, conditions: failing } })).toBe('✖ ReplicaFailure')
})
