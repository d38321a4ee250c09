import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { TestCluster } from './test-cluster.ts'

const hour = 3_600_000

test('an Event is gone an hour after it was last written', async () => {
  using cluster = await TestCluster.start()
  const { client } = cluster
  const key = { namespace: 'default', name: 'told' }
  await client.create(resources.events, {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: key,
    involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
    reason: 'Told',
    message: 'once',
  } as KubeObject)
  await cluster.clock.advance(hour - 60_000)
  await client.patch(resources.events, key, { kind: 'merge', body: { message: 'again' } })
  await cluster.clock.advance(hour - 60_000)
  expect(await client.get(resources.events, key)).toMatchObject({ message: 'again' })
  await cluster.clock.advance(120_000)
  await expect(client.get(resources.events, key)).rejects.toMatchObject({ code: 404 })
  expect(cluster.errors).toEqual([])
})
