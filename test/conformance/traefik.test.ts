import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { KubeObject, Resource } from '@serinus/kube'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { clusterUnderTest } from '../cluster-under-test.ts'
import { isDone, isPausedAt, patchStatus, rollout, setImage } from './web-rollout.ts'

const file = fileURLToPath(
  new URL('../../../shared/corpus/crds/traefik/kubernetes-crd-definition-v1.yml', import.meta.url),
)

const traefikServices: Resource = {
  group: 'traefik.io',
  version: 'v1alpha1',
  plural: 'traefikservices',
  kind: 'TraefikService',
  namespaced: true,
}

interface TraefikService extends KubeObject {
  readonly spec: { readonly weighted: { readonly services: readonly object[] } }
}

const service = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
})

test.skipIf(!existsSync(file))(
  "the controller shifts the weights of a TraefikService under Traefik's own definition and the shipped role",
  async () => {
    await using world = await clusterUnderTest()
    const definition = parseAllDocuments(readFileSync(file, 'utf8'))
      .map((document) => document.toJS() as KubeObject)
      .find(({ metadata }) => metadata.name === 'traefikservices.traefik.io')
    const { status } = await world.call(
      'POST',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      definition,
    )
    expect([201, 409]).toContain(status)
    await world.until(traefikServices, () => true)
    await world.startController()
    const canary = {
      stableService: 'web-stable',
      canaryService: 'web-canary',
      trafficRouting: { traefik: { weightedTraefikServiceName: 'web' } },
      steps: [{ setWeight: 30 }, { pause: {} }],
    }
    await world.apply(service('web-stable'), service('web-canary'), {
      apiVersion: 'traefik.io/v1alpha1',
      kind: 'TraefikService',
      metadata: { name: 'web' },
      spec: {
        weighted: {
          services: [
            { name: 'web-stable', port: 80 },
            { name: 'web-canary', port: 80 },
          ],
        },
      },
    })
    await world.apply(rollout('web', {}, canary))
    const split = (stable: number, share: number) =>
      world.until<TraefikService, true>(traefikServices, ([object]) =>
        JSON.stringify(object?.spec.weighted.services) ===
        JSON.stringify([
          { name: 'web-stable', port: 80, weight: stable },
          { name: 'web-canary', port: 80, weight: share },
        ])
          ? true
          : undefined,
      )
    await world.untilRollout('web', isDone)
    await split(100, 0)
    await setImage(world, 'web', 'web:v2')
    await world.untilRollout('web', isPausedAt(1))
    await split(70, 30)
    await patchStatus(world, 'web', { pauseConditions: null })
    await world.untilRollout('web', isDone)
    await split(100, 0)
    expect(world.errors).toEqual([])
  },
)
