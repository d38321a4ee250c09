import { resources } from '@serinus/kube'
import { expect } from 'vitest'
import { type ClusterUnderTest, clusterUnderTest } from '../cluster-under-test.ts'
import { published, renew, testWithCorpus, untilSaid } from './published-example.ts'
import { isDone, isPausedAt, patchStatus } from './web-rollout.ts'

/** Waits until the action of the only Ingress has these target groups. */
const untilShared = (world: ClusterUnderTest, root: string, groups: Record<string, number>) =>
  untilSaid(world, resources.ingresses, {
    read: ([ingress]) =>
      ingress?.metadata.annotations?.[`alb.ingress.kubernetes.io/actions.${root}`],
    expected: JSON.stringify({
      Type: 'forward',
      ForwardConfig: {
        TargetGroups: Object.entries(groups).map(([ServiceName, Weight]) => ({
          ServiceName,
          ServicePort: '80',
          Weight,
        })),
      },
    }),
  })

testWithCorpus(
  "Argo Rollouts' quick start with AWS ALB runs unchanged under the shipped role",
  async () => {
    await using world = await clusterUnderTest()
    await world.startController()
    const folder = 'upstream/docs/getting-started/alb'
    await world.apply(
      ...['services', 'ingress', 'rollout'].flatMap((name) => published(`${folder}/${name}.yaml`)),
    )
    const split = (canary: number, stable: number) =>
      untilShared(world, 'rollouts-demo-root', {
        'rollouts-demo-canary': canary,
        'rollouts-demo-stable': stable,
      })
    await world.untilRollout('rollouts-demo', isDone)
    await split(0, 100)
    await renew(world, 'rollouts-demo', 'argoproj/rollouts-demo:yellow')
    await world.untilRollout('rollouts-demo', isPausedAt(1))
    await split(5, 95)
    await untilSaid(world, resources.ingresses, {
      read: ([ingress]) =>
        ingress?.metadata.annotations?.['rollouts.argoproj.io/managed-alb-annotations'],
      expected: '{"rollouts-demo":["alb.ingress.kubernetes.io/actions.rollouts-demo-root"]}',
    })
    await patchStatus(world, 'rollouts-demo', { pauseConditions: null })
    await world.untilRollout('rollouts-demo', isDone)
    await split(0, 100)
    expect(world.errors).toEqual([])
  },
)

testWithCorpus(
  "the template of an Experiment has its target group, as Argo Rollouts' example for AWS ALB asks for",
  async () => {
    await using world = await clusterUnderTest()
    await world.startController()
    const folder = 'upstream/examples/traffic-routing-experiment-step'
    await world.apply(...published(`${folder}/rollout-alb-experiment-step.yaml`))
    await world.untilRollout('alb-rollout', isDone)
    await renew(world, 'alb-rollout', 'argoproj/rollouts-demo:yellow')
    await untilSaid(world, resources.ingresses, {
      read: ([ingress]) => {
        const key = 'alb.ingress.kubernetes.io/actions.alb-rollout-root'
        const action = ingress?.metadata.annotations?.[key] ?? ''
        return [...action.matchAll(/"Weight":(\d+)/g)].map(([, weight]) => Number(weight))
      },
      expected: [10, 20, 70],
    })
    expect(world.errors).toEqual([])
  },
)
