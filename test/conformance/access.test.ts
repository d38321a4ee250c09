import { kinds } from '@serinus/api'
import { ApiError, type KubeClient, type Resource, resources } from '@serinus/kube'
import { expect, test, vi } from 'vitest'
import { clusterUnderTest } from '../cluster-under-test.ts'

const account = { namespace: 'argo-rollouts', name: 'argo-rollouts' }

/** Code of the answer, 200 where it was allowed. */
async function codeOf(asked: Promise<unknown>): Promise<number> {
  try {
    await asked
    return 200
  } catch (error) {
    if (error instanceof ApiError) return error.code
    throw error
  }
}

const list = (client: KubeClient, resource: Resource, namespace?: string) =>
  codeOf(client.list(resource, namespace === undefined ? {} : { namespace }))

test('the shipped role reads what the controller watches, and nothing that it does not', async () => {
  await using world = await clusterUnderTest()
  const client = world.clientWith(await world.tokenOf(account))
  await vi.waitFor(async () => expect(await list(client, kinds.rollouts)).toBe(200), 10_000)
  for (const resource of [
    kinds.analysisRuns,
    kinds.analysisTemplates,
    kinds.clusterAnalysisTemplates,
    resources.replicaSets,
    resources.services,
    resources.pods,
    resources.jobs,
    resources.ingresses,
  ]) {
    expect([resource.plural, await list(client, resource)]).toEqual([resource.plural, 200])
  }
  for (const resource of [resources.nodes, resources.serviceAccounts]) {
    expect([resource.plural, await list(client, resource)]).toEqual([resource.plural, 403])
  }
})

test('the shipped role writes leases and ConfigMaps in its own namespace alone', async () => {
  await using world = await clusterUnderTest()
  const client = world.clientWith(await world.tokenOf(account))
  const name = `mine-${world.namespace}`
  const configMap = (namespace: string) =>
    codeOf(
      client.create(resources.configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace },
      }),
    )
  await vi.waitFor(async () => expect(await list(client, kinds.rollouts)).toBe(200), 10_000)
  expect(await configMap('argo-rollouts')).toBe(200)
  expect(await configMap(world.namespace)).toBe(403)
  await world.client.delete(resources.configMaps, { namespace: 'argo-rollouts', name })
})

test('a request without credentials and one with a wrong token are refused', async () => {
  await using world = await clusterUnderTest()
  expect(await list(world.clientWith('wrong'), resources.pods)).toBe(401)
})
