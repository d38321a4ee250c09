import { type KubeObject, type Resource, resources } from '@serinus/kube'
import { expect } from 'vitest'
import { clusterUnderTest } from '../cluster-under-test.ts'
import { install, published, renew, testWithCorpus, untilSaid } from './published-example.ts'
import { isDone, isPausedAt, patchStatus } from './web-rollout.ts'

/** The only version that the released definition serves. */
const trafficSplits: Resource = {
  group: 'split.smi-spec.io',
  version: 'v1alpha4',
  plural: 'trafficsplits',
  kind: 'TrafficSplit',
  namespaced: true,
}

interface TrafficSplit extends KubeObject {
  readonly spec: object
}

testWithCorpus(
  "Argo Rollouts' quick start with SMI runs unchanged under the released definition and the shipped role",
  async () => {
    await using world = await clusterUnderTest()
    await install(world, 'crds/smi/split.yaml', trafficSplits)
    await world.startController()
    const folder = 'upstream/docs/getting-started/smi'
    await world.apply(
      ...['services', 'ingress', 'rollout'].flatMap((name) => published(`${folder}/${name}.yaml`)),
    )
    const split = (canary: number, stable: number) =>
      untilSaid<TrafficSplit>(world, trafficSplits, {
        read: (objects) => objects.map(({ metadata: { name }, spec }) => ({ name, spec })),
        expected: [
          {
            name: 'rollouts-demo',
            spec: {
              service: 'rollouts-demo-stable',
              backends: [
                { service: 'rollouts-demo-canary', weight: canary },
                { service: 'rollouts-demo-stable', weight: stable },
              ],
            },
          },
        ],
      })
    await world.untilRollout('rollouts-demo', isDone)
    await split(0, 100)
    await renew(world, 'rollouts-demo', 'argoproj/rollouts-demo:yellow')
    await world.untilRollout('rollouts-demo', isPausedAt(1))
    await split(5, 95)
    await patchStatus(world, 'rollouts-demo', { pauseConditions: null })
    await world.untilRollout('rollouts-demo', isDone)
    await split(0, 100)
    await untilSaid(world, resources.ingresses, {
      read: (ingresses) => ingresses.map(({ metadata: { name } }) => name),
      expected: ['rollouts-demo-stable'],
    })
    expect(world.errors).toEqual([])
  },
)

testWithCorpus(
  "Argo Rollouts' quick start with nginx and SMI together has both at the same weight",
  async () => {
    await using world = await clusterUnderTest()
    await install(world, 'crds/smi/split.yaml', trafficSplits)
    await world.startController()
    const folder = 'upstream/docs/getting-started/mixed'
    await world.apply(
      ...['services', 'ingress', 'rollout'].flatMap((name) => published(`${folder}/${name}.yaml`)),
    )
    await world.untilRollout('rollouts-demo', isDone)
    await renew(world, 'rollouts-demo', 'argoproj/rollouts-demo:yellow')
    await world.untilRollout('rollouts-demo', isPausedAt(1))
    await untilSaid<TrafficSplit & { spec: { backends: object[] } }>(world, trafficSplits, {
      read: ([split]) => split?.spec.backends[0],
      expected: { service: 'rollouts-demo-canary', weight: 5 },
    })
    await untilSaid(world, resources.ingresses, {
      read: (ingresses) =>
        ingresses.map(
          ({ metadata }) => metadata.annotations?.['nginx.ingress.kubernetes.io/canary-weight'],
        ),
      expected: ['5', undefined],
    })
    await patchStatus(world, 'rollouts-demo', { pauseConditions: null })
    await world.untilRollout('rollouts-demo', isDone)
    expect(world.errors).toEqual([])
  },
)

testWithCorpus(
  "the template of an Experiment has its share of a TrafficSplit, as Argo Rollouts' example asks for",
  async () => {
    await using world = await clusterUnderTest()
    await install(world, 'crds/smi/split.yaml', trafficSplits)
    await world.startController()
    const folder = 'upstream/examples/traffic-routing-experiment-step'
    await world.apply(...published(`${folder}/rollout-smi-experiment-step.yaml`))
    const name = 'rollout-smi-experiment'
    await world.untilRollout(name, isDone)
    await renew(world, name, 'argoproj/rollouts-demo:yellow')
    await untilSaid<TrafficSplit & { spec: { backends: { weight: number }[] } }>(
      world,
      trafficSplits,
      {
        read: ([split]) => [split?.metadata.name, split?.spec.backends.map(({ weight }) => weight)],
        expected: [`${name}-trafficsplit`, [5, 5, 90]],
      },
    )
    expect(world.errors).toEqual([])
  },
)
