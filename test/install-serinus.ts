import { crd, kinds } from '@serinus/api'
import {
  ApiError,
  type KubeClient,
  type KubeObject,
  RealClock,
  resources,
  sleep,
} from '@serinus/kube'
import { applyManifests, readManifests } from '../packages/cli/src/serinus/manifests.ts'

/** Our kinds, and the account and roles that the controller is shipped with; what is there already stays. */
export async function installSerinus(client: KubeClient): Promise<void> {
  for (const kind of Object.values(kinds)) {
    try {
      await client.create(resources.customResourceDefinitions, crd(kind) as unknown as KubeObject)
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
    }
  }
  for (const { group, version, plural } of Object.values(kinds)) {
    await untilServed(client, `/apis/${group}/${version}/${plural}?limit=1`)
  }
  await applyManifests(client, readManifests('deploy/controller-rbac.yaml'), 'argo-rollouts')
}

/** A server takes a moment to serve a new kind, and tells nobody when it does. */
async function untilServed(client: KubeClient, path: string): Promise<void> {
  const clock = new RealClock()
  for (;;) {
    try {
      await client.raw(path)
      return
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 404)) throw error
    }
    await sleep(clock, 20)
  }
}
