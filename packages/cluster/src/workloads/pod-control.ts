import {
  type EventRecorder,
  isNamespaceTerminating,
  type KubeClient,
  type KubeObject,
  resources,
} from '@serinus/kube'
import type { Pod, PodTemplate } from '../pods/pod.ts'
import { ignoreNotFound, objectKey } from './controller.ts'
import type { Expectations } from './expectations.ts'
import { controllerReference } from './objects.ts'

/** Creates and deletes the pods of one controller, with its events (kubernetes: RealPodControl). */
interface PodControl {
  /** Creates up to `count` pods in growing batches, so that a refusal is met once and not `count` times. */
  create(
    owner: KubeObject,
    ownerKey: string,
    pods: readonly PodTemplate[],
  ): Promise<{ readonly created: number; readonly error: unknown }>
  /** Resolves to the pods that were deleted, and the first failure. */
  delete(
    owner: KubeObject,
    ownerKey: string,
    pods: readonly Pod[],
  ): Promise<{ readonly deleted: readonly Pod[]; readonly error: unknown }>
}

export function podControl(options: {
  readonly client: KubeClient
  readonly recorder: () => EventRecorder
  readonly expectations: Expectations
}): PodControl {
  const { client, recorder, expectations } = options

  async function createOne(
    owner: KubeObject,
    ownerKey: string,
    template: PodTemplate,
  ): Promise<void> {
    try {
      const pod = await client.create(resources.pods, podFrom(template, owner))
      expectations.created(ownerKey, pod)
      recorder().record(owner, {
        type: 'Normal',
        reason: 'SuccessfulCreate',
        message: `Created pod: ${pod.metadata.name}`,
      })
    } catch (error) {
      // Any creation in a namespace that is going away fails, and that is no failure of the owner.
      if (isNamespaceTerminating(error)) return
      recorder().record(owner, {
        type: 'Warning',
        reason: 'FailedCreate',
        message: `Error creating: ${text(error)}`,
      })
      throw error
    }
  }

  async function deleteOne(owner: KubeObject, ownerKey: string, pod: Pod): Promise<void> {
    try {
      await client.delete(resources.pods, objectKey(pod)).catch(ignoreNotFound)
      expectations.deleted(ownerKey, pod)
      recorder().record(owner, {
        type: 'Normal',
        reason: 'SuccessfulDelete',
        message: `Deleted pod: ${pod.metadata.name}`,
      })
    } catch (error) {
      recorder().record(owner, {
        type: 'Warning',
        reason: 'FailedDelete',
        message: `Error deleting: ${text(error)}`,
      })
      throw error
    }
  }

  return {
    async create(owner, ownerKey, pods) {
      let created = 0
      for (let batch = 1; created < pods.length; batch *= 2) {
        const results = await Promise.allSettled(
          pods
            .slice(created, created + batch)
            .map((template) => createOne(owner, ownerKey, template)),
        )
        const failure = results.find((result) => result.status === 'rejected')
        created += results.filter((result) => result.status === 'fulfilled').length
        if (failure) return { created, error: failure.reason }
      }
      return { created, error: null }
    },

    async delete(owner, ownerKey, pods) {
      const results = await Promise.allSettled(pods.map((pod) => deleteOne(owner, ownerKey, pod)))
      const failure = results.find((result) => result.status === 'rejected')
      return {
        deleted: pods.filter((_pod, index) => results[index]?.status === 'fulfilled'),
        error: failure?.reason ?? null,
      }
    },
  }
}

export function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The name ends in five characters that the API server draws. */
function podFrom(template: PodTemplate, owner: KubeObject): Pod {
  const { labels, annotations, finalizers, generateName } = template.metadata ?? {}
  const { namespace, name } = owner.metadata
  const metadata: Omit<Pod['metadata'], 'name'> = {
    generateName: generateName ?? `${name}-`,
    ...(namespace && { namespace }),
    ...(labels && { labels }),
    ...(annotations && { annotations }),
    ...(finalizers && { finalizers }),
    ownerReferences: [controllerReference(owner)],
  }
  // Only the server can give it a name.
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadata as Pod['metadata'],
    spec: template.spec,
  }
}
