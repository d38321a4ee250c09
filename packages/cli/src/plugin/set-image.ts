import { kinds } from '@serinus/api'
import { ApiError } from '@serinus/kube'
import { type Access, readRollout } from './access.ts'

const attempts = 5

/** Spec cli 8.2: reads, changes the named containers, writes back; repeated when somebody was faster. */
export async function setImage(
  access: Access,
  name: string,
  change: { container: string; image: string },
): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const rollout = await readRollout(access, name)
    const template = rollout.spec.template
    let found = false
    const replaced = <T extends { readonly name: string }>(containers: readonly T[] | undefined) =>
      containers?.map((container) => {
        if (change.container !== '*' && container.name !== change.container) return container
        found = true
        return { ...container, image: change.image }
      })
    const spec: Record<string, unknown> = { ...template?.spec }
    for (const key of ['initContainers', 'containers', 'ephemeralContainers']) {
      const list = replaced(spec[key] as { name: string }[] | undefined)
      if (list) spec[key] = list
    }
    if (!found) throw new Error(`unable to find container named "${change.container}"`)
    try {
      await access.client.update(kinds.rollouts, {
        ...rollout,
        spec: { ...rollout.spec, template: { ...template, spec } },
      } as typeof rollout)
      return `rollout "${name}" image updated`
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 409 || attempt >= attempts) throw error
    }
  }
}
