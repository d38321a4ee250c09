import type { ReplicaSet, RolloutSnapshot } from '../snapshot.ts'
import { doDeed, type Story, worldOf } from './stories.ts'
import type { Pass, World } from './world.ts'

/** Every pass of a story, and every rest between its deeds. */
export function tell(
  story: Story,
  law: {
    readonly pass?: (seen: Pass) => void
    readonly rest?: (world: World) => void
  },
): World {
  const world = worldOf(story.rollout, law.pass)
  law.rest?.(world)
  for (const deed of story.deeds) {
    doDeed(world, deed)
    law.rest?.(world)
  }
  return world
}

/** `spec.replicas` by name. */
export function sizesBefore({ replicaSets }: RolloutSnapshot): Map<string, number> {
  return new Map(replicaSets.map((set) => [set.metadata.name, set.spec.replicas ?? 1]))
}

/** `spec.replicas` by name that a plan leaves behind. */
export function sizesAfter({
  snapshot,
  plan,
}: Pick<Pass, 'snapshot' | 'plan'>): Map<string, number> {
  const sizes = sizesBefore(snapshot)
  for (const write of plan.writes) {
    if (write.resource.plural !== 'replicasets') continue
    if (write.kind === 'create') {
      sizes.set(write.object.metadata.name, (write.object as ReplicaSet).spec.replicas ?? 1)
    }
    if (write.kind !== 'patch') continue
    const body = write.patch.body as { spec?: { replicas?: number } }
    if (body.spec?.replicas !== undefined) sizes.set(write.key.name, body.spec.replicas)
  }
  return sizes
}

/** Kinds of effects, by the beginning of their ids. */
export const effects = [
  'scale',
  'service',
  'routes',
  'deadline',
  'revision',
  'delete',
  'terminate',
  'run',
  'create',
]

/** The world after a story in which one kind of effect never succeeded. */
export function hindered(story: Story, effect: string): World {
  const world = worldOf(story.rollout)
  world.fails = (id) => id === effect || id.startsWith(`${effect}/`)
  for (const deed of story.deeds) doDeed(world, deed)
  return world
}
