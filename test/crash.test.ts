import { expect, test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { type StoredRollout, virtualCluster } from './virtual-cluster.ts'

interface End {
  readonly phase: string | undefined
  readonly message: string | undefined
  readonly step: number | undefined
  readonly weight: number | undefined
  readonly sizes: readonly string[]
  /** Incidents that were opened: equal keys are one. */
  readonly paged: readonly unknown[]
  /** Texts that Slack got at least once. */
  readonly told: readonly string[]
}

function paging<T extends { readonly metadata: { readonly annotations?: object } }>(object: T): T {
  const annotations = {
    ...object.metadata.annotations,
    'notifications.argoproj.io/subscribe.on-rollout-aborted.pagerduty-v2': 'production',
  }
  return { ...object, metadata: { ...object.metadata, annotations } }
}

/** A release that is analysed, fails, is aborted and gives its traffic back. */
async function story(
  crashAtWrite?: number,
): Promise<{ readonly end: End; readonly writes: number }> {
  await using world = await virtualCluster(crashAtWrite === undefined ? {} : { crashAtWrite })
  await world.apply(...readManifests('examples/articles/production/surroundings.yaml'))
  const notifications = 'examples/articles/notifications/argo-rollouts-notification'
  await world.apply(
    ...readManifests(`${notifications}-configmap.yaml`),
    ...readManifests(`${notifications}-secret.yaml`),
  )
  await world.apply(
    ...readManifests('examples/articles/production/complete.yaml').map((object) =>
      object.kind === 'Rollout' ? paging(object) : object,
    ),
  )
  await world.until('my-app', (rollout) => rollout.status?.phase === 'Healthy')
  await world.setImage('my-app', 'my-app:v3', { 'sim.serinus.dev/error-rate': '1' })
  await world.until('my-app', (rollout) => rollout.status?.abort === true)
  await world.pass(120_000)
  const rollout: StoredRollout = await world.rollout('my-app')
  const sets = await world.client.list<never>({
    group: 'apps',
    version: 'v1',
    plural: 'replicasets',
    kind: 'ReplicaSet',
    namespaced: true,
  })
  const sizes = (
    sets.items as unknown as { metadata: { name: string }; spec: { replicas: number } }[]
  ).map((set) => `${set.metadata.name}=${set.spec.replicas}`)
  return {
    end: {
      phase: rollout.status?.phase,
      message: rollout.status?.message,
      step: rollout.status?.currentStepIndex,
      weight: rollout.status?.canary?.weights?.canary?.weight,
      sizes: sizes.sort(),
      paged: [
        ...new Set(
          world.cluster.inbox.received
            .filter((one) => one.service === 'pagerduty')
            .map((one) => (one.body as { dedup_key?: string }).dedup_key),
        ),
      ],
      told: [
        ...new Set(
          world.cluster.inbox.received
            .filter((one) => one.service === 'slack')
            .map((one) => `${one.to} ${one.text}`),
        ),
      ].sort(),
    },
    writes: world.requests.counts().writes,
  }
}

test('a controller that dies after any write of a story leaves the same end as one that lives', {
  timeout: 300_000,
}, async () => {
  const undisturbed = await story()
  expect(undisturbed.end).toMatchObject({ phase: 'Degraded', weight: 0 })
  expect(undisturbed.end.paged).toHaveLength(1)
  expect(undisturbed.end.told.length).toBeGreaterThan(1)
  expect(undisturbed.writes).toBeGreaterThan(20)
  for (let at = 1; at <= undisturbed.writes; at += 1) {
    expect({ at, ...(await story(at)).end }).toEqual({ at, ...undisturbed.end })
  }
})
