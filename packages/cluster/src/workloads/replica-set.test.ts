import { expect, test } from 'vitest'
import { type Pod, timestamp } from '../pods/pod.ts'
import type { ReplicaSet } from './objects.ts'
import { claimPods, planScaling, planStatus, rankForDeletion } from './replica-set.ts'

const now = Date.parse('2026-01-01T12:00:00Z')
const ago = (seconds: number) => timestamp(now - seconds * 1000)

function pod(
  name: string,
  facts: {
    node?: string | null
    phase?: 'Pending' | 'Running' | 'Unknown' | 'Succeeded'
    /** Seconds since it became ready; null: it is not. */
    ready?: number | null
    restarts?: number
    age?: number
    cost?: string
    owner?: string | null
    labels?: Record<string, string>
    leaving?: boolean
  } = {},
): Pod {
  const { node = 'node-1', phase = 'Running', ready = 60, age = 120, owner = 'rs-uid' } = facts
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      uid: name,
      namespace: 'default',
      creationTimestamp: ago(age),
      labels: facts.labels ?? { app: 'web', tier: 'front' },
      ...(facts.leaving && { deletionTimestamp: ago(0) }),
      ...(facts.cost && {
        annotations: { 'controller.kubernetes.io/pod-deletion-cost': facts.cost },
      }),
      ...(owner && {
        ownerReferences: [
          { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: owner, controller: true },
        ],
      }),
    },
    spec: { ...(node && { nodeName: node }), containers: [{ name: 'app' }] },
    status: {
      phase,
      conditions: [
        ready === null
          ? { type: 'Ready', status: 'False', lastTransitionTime: ago(age) }
          : { type: 'Ready', status: 'True', lastTransitionTime: ago(ready) },
      ],
      containerStatuses: [
        {
          name: 'app',
          ready: ready !== null,
          restartCount: facts.restarts ?? 0,
          image: 'web',
          imageID: '',
          state: {},
          lastState: {},
        },
      ],
    },
  }
}

function set(replicas: number, status: ReplicaSet['status'] = {}): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', uid: 'rs-uid', namespace: 'default', generation: 2 },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web', tier: 'front' } },
        spec: { containers: [{ name: 'app' }] },
      },
    },
    status,
  }
}

const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name)

test.each<[string, Pod, Pod]>([
  ['an unassigned pod', pod('first', { node: null }), pod('second', { phase: 'Pending' })],
  ['a pending pod', pod('first', { phase: 'Pending' }), pod('second')],
  ['an unready pod', pod('first', { ready: null, age: 9_000 }), pod('second', { ready: 1 })],
  [
    'a pod of lower deletion cost',
    pod('first', { cost: '-5', ready: 900, age: 999 }),
    pod('second', { cost: '3' }),
  ],
  ['the pod that became ready last', pod('first', { ready: 10 }), pod('second', { ready: 60 })],
  [
    'a pod that restarted more often',
    pod('first', { restarts: 4 }),
    pod('second', { restarts: 1 }),
  ],
  ['a younger pod', pod('first', { age: 61 }), pod('second', { age: 3_600 })],
  [
    'of pods of about the same age the one with the lower uid',
    pod('first', { age: 100 }),
    pod('second', { age: 101 }),
  ],
])('a scale-down takes %s before another', (_title, first, second) => {
  expect(names(rankForDeletion([second, first], [], now))).toEqual(['first', 'second'])
})

test('a scale-down takes pods from the node that holds most of their siblings', () => {
  const crowded = [pod('a', { node: 'node-2' }), pod('b', { node: 'node-2' })]
  const lonely = pod('c', { node: 'node-1', ready: 1 })
  const ranked = rankForDeletion([lonely, ...crowded], [lonely, ...crowded], now)
  expect(names(ranked)).toEqual(['a', 'b', 'c'])
})

test('from ten to three the unready and the youngest pods go', () => {
  const old = [1, 2, 3].map((index) => pod(`old-${index}`, { ready: 7_000, age: 7_200 }))
  const young = [1, 2, 3, 4].map((index) => pod(`young-${index}`, { ready: 20, age: 60 }))
  const unready = [1, 2, 3].map((index) => pod(`unready-${index}`, { ready: null, age: 9_000 }))
  const active = [...old, ...young, ...unready]
  const plan = planScaling(set(3), active, { related: [], now })
  expect(plan.kind === 'delete' && names(plan.pods).sort()).toEqual(
    names([...unready, ...young]).sort(),
  )
})

test('pods of others are left alone, orphans that match are adopted, own ones that do not are released', () => {
  const claim = claimPods(set(3), [
    pod('mine'),
    pod('mine-leaving', { leaving: true }),
    pod('mine-done', { phase: 'Succeeded' }),
    pod('relabelled', { labels: { app: 'debug' } }),
    pod('orphan', { owner: null }),
    pod('stranger', { owner: null, labels: { app: 'other' } }),
    pod('theirs', { owner: 'another' }),
  ])
  expect(names(claim.active)).toEqual(['mine', 'orphan'])
  expect(names(claim.terminating)).toEqual(['mine-leaving'])
  expect(names(claim.adopt)).toEqual(['orphan'])
  expect(names(claim.release)).toEqual(['relabelled'])
})

test('the status counts pods, and the same counts again are no write', () => {
  const active = [pod('a'), pod('b', { ready: null }), pod('c', { labels: { app: 'web' } })]
  const claim = { active, terminating: [pod('d', { leaving: true })], adopt: [], release: [] }
  const status = planStatus(set(3), claim, { now, failure: null })
  expect(status).toEqual({
    replicas: 3,
    fullyLabeledReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 2,
    terminatingReplicas: 1,
    observedGeneration: 2,
  })
  expect(planStatus(set(3, status ?? {}), claim, { now, failure: null })).toBeNull()
})

test('a refused creation shows as ReplicaFailure and vanishes with the next success', () => {
  const claim = { active: [], terminating: [], adopt: [], release: [] }
  const failed = planStatus(set(3), claim, { now, failure: 'pods "web-" is forbidden: quota' })
  expect(failed?.conditions).toEqual([
    {
      type: 'ReplicaFailure',
      status: 'True',
      lastTransitionTime: timestamp(now),
      reason: 'FailedCreate',
      message: 'pods "web-" is forbidden: quota',
    },
  ])
  const healed = planStatus(set(3, failed ?? {}), claim, { now, failure: null })
  expect(healed).not.toBeNull()
  expect(healed?.conditions).toBeUndefined()
})
