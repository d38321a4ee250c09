import { hashLabel, type Rollout } from '@serinus/api'
import { expect, test } from 'vitest'
import type { ReplicaSet } from '../snapshot.ts'
import { canaryRollout, healthyWorld, World } from '../testing/world.ts'

/** The first golden vector of the pod template hash (spec api 8.5). */
function vectorRollout(): Rollout {
  const rollout = canaryRollout({ steps: [{ setWeight: 20 }, { pause: {} }] }, { replicas: 2 })
  const template = {
    metadata: { labels: { app: 'my-app' } },
    spec: {
      containers: [
        {
          name: 'app',
          image: 'my-app:v1',
          ports: [{ containerPort: 8080, protocol: 'TCP' }],
          resources: {},
        },
      ],
    },
  }
  return {
    ...rollout,
    metadata: { ...rollout.metadata, name: 'my-app' },
    spec: { ...rollout.spec, selector: { matchLabels: { app: 'my-app' } }, template },
  } as Rollout
}

test('a ReplicaSet under any label is taken over when its template means the same [api 30]', () => {
  const world = healthyWorld({ steps: [{ setWeight: 20 }, { pause: {} }] })
  const hash = world.status.currentPodHash
  const relabelled = JSON.parse(
    JSON.stringify([world.replicaSets, world.rollout]).replaceAll(`"${hash}"`, '"abc"'),
  ) as [ReplicaSet[], Rollout]
  const [[set], rollout] = relabelled
  if (!set) throw new Error('no ReplicaSet')
  const spec = set.spec.template.spec ?? { containers: [] }
  const defaulted = {
    ...spec,
    containers: spec.containers?.map((one) => ({
      ...one,
      imagePullPolicy: 'Always',
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
    })),
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
  }
  world.replicaSets = [
    {
      ...set,
      spec: { ...set.spec, template: { ...set.spec.template, spec: defaulted } },
    },
  ] as ReplicaSet[]
  world.rollout = rollout
  world.forget()
  world.settle()
  world.pass(60_000)
  expect(world.replicaSets[0]?.metadata.labels?.[hashLabel]).toBe('abc')
  expect(world.replicaSets).toHaveLength(1)
  expect([world.writes, world.transitions]).toEqual([[], []])
})

test('a name that another object has is passed by with the salted hash [api 32]', () => {
  const world = new World(vectorRollout(), { takenNames: ['my-app-7fd9d6f5cf'] })
  expect(world.status.collisionCount).toBe(1)
  expect(world.replicaSets.map((set) => set.metadata.name)).toEqual(['my-app-89657fb86'])
})
