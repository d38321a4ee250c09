import { kinds, type PodTemplateSpec } from '@serinus/api'
import { ApiError, type KubeObject, type Resource } from '@serinus/kube'
import { type Access, readRollout, type StoredRollout } from './access.ts'
import { type Workload, workloadKind } from './workload.ts'

const attempts = 5

interface Change {
  readonly container: string
  readonly image: string
}

/** Reads, changes the named containers, writes back; again when somebody was faster (spec cli 8.2). Returns the line to print. */
export async function setImage(access: Access, name: string, change: Change): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const rollout = await readRollout(access, name)
    const target = await targetOf(access, rollout)
    const changed = target.withTemplate(withImage(target.template, change))
    try {
      await access.client.update(target.resource, changed)
      const { kind } = target.resource
      return `${kind.toLowerCase()} "${changed.metadata.name}" image updated`
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 409 || attempt === attempts) throw error
    }
  }
}

interface Target {
  readonly resource: Resource
  readonly template: PodTemplateSpec | undefined
  withTemplate(template: PodTemplateSpec): KubeObject
}

/** The object whose template makes the pods. Upstream takes any reference for one to a Deployment. */
async function targetOf({ client, namespace }: Access, rollout: StoredRollout): Promise<Target> {
  const { workloadRef } = rollout.spec
  if (!workloadRef) {
    return {
      resource: kinds.rollouts,
      template: rollout.spec.template,
      withTemplate: (template) => ({ ...rollout, spec: { ...rollout.spec, template } }),
    }
  }
  const kind = workloadKind(workloadRef)
  if (!kind) throw new Error(`workload of type ${workloadRef.kind} is not supported`)
  const { resource, templatePath } = kind
  const key = { namespace, name: workloadRef.name ?? '' }
  const workload = await client.get<Workload>(resource, key)
  return templatePath === '/template'
    ? {
        resource,
        template: workload.template,
        withTemplate: (template) => ({ ...workload, template }),
      }
    : {
        resource,
        template: workload.spec?.template,
        withTemplate: (template) => ({ ...workload, spec: { ...workload.spec, template } }),
      }
}

const containerLists = ['initContainers', 'containers', 'ephemeralContainers'] as const

function withImage(template: PodTemplateSpec | undefined, change: Change): PodTemplateSpec {
  const { container, image } = change
  const isMeant = (name: string) => container === '*' || name === container
  let found = false
  const spec: Record<string, unknown> = { ...template?.spec }
  for (const key of containerLists) {
    const list = spec[key] as readonly { readonly name: string }[] | undefined
    if (!list?.some(({ name }) => isMeant(name))) continue
    found = true
    spec[key] = list.map((entry) => (isMeant(entry.name) ? { ...entry, image } : entry))
  }
  if (!found) throw new Error(`unable to find container named "${container}"`)
  return { ...template, spec: spec as unknown as NonNullable<PodTemplateSpec['spec']> }
}
