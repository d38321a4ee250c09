import { keyOf, type Resource } from '@serinus/kube'
import { type Context, ignoreNotFound, onEachChange, startController } from './controller.ts'
import { isCovered, planBudgetStatus } from './disruption.ts'

export const disruptionBudgets: Resource = {
  group: 'policy',
  version: 'v1',
  plural: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
}

/** Keeps the status of PodDisruptionBudgets (kubernetes: pkg/controller/disruption). */
export function startDisruptionController(context: Context): void {
  const { client, clock, caches } = context
  const { pods, replicaSets, deployments, disruptionBudgets: budgets } = caches
  const { queue } = startController(context, { component: 'controllermanager', sync })

  onEachChange(budgets, (key) => queue.add(key))
  pods.subscribe((change) => {
    for (const budget of budgets.list(change.object.metadata.namespace)) {
      if (isCovered(budget, change.object)) queue.add(keyOf(budget))
    }
  })
  // The wanted replicas of a controller decide what percentages mean.
  replicaSets.subscribe((change) => {
    const before = change.type === 'modified' ? change.previous.spec.replicas : undefined
    if (before === change.object.spec.replicas) return
    for (const budget of budgets.list(change.object.metadata.namespace)) queue.add(keyOf(budget))
  })

  async function sync(key: string): Promise<void> {
    const budget = budgets.get(key)
    if (!budget || budget.metadata.deletionTimestamp) return
    const { namespace = '' } = budget.metadata
    const wanted = new Map<string, number>()
    for (const set of replicaSets.list(namespace)) {
      const owner = set.metadata.ownerReferences?.find(({ controller }) => controller)
      const deployment = owner && deployments.get(`${namespace}/${owner.name}`)
      // Pods of a Deployment are expected as often as it says, whatever its ReplicaSets hold.
      const replicas = deployment ? (deployment.spec.replicas ?? 1) : (set.spec.replicas ?? 1)
      wanted.set(set.metadata.uid ?? '', replicas)
    }
    const { status, checkAt } = planBudgetStatus({
      budget,
      pods: pods.list(namespace),
      replicasOf: (uid) => wanted.get(uid),
      now: clock.now(),
    })
    if (status) {
      await client
        .update(disruptionBudgets, { ...budget, status }, { subresource: 'status' })
        .catch(ignoreNotFound)
    }
    if (checkAt !== null) queue.addAt(key, checkAt)
  }
}
