import type { DeleteOptions, UnknownObject } from '@serinus/kube'
import type { Catalog } from './catalog.ts'
import type { Registry } from './registry.ts'
import { matchesLabelSelector } from './selectors.ts'
import type { ServedResource } from './served.ts'
import { conflict, forbidden, internalError, StatusError, tooManyRequests } from './status-error.ts'
import { renderTime } from './timestamps.ts'
import { at, isObject, type JsonObject, listAt, textAt } from './values.ts'
import type { WriteContext } from './write-context.ts'

const bindings = { group: '', plural: 'pods/binding' }
const budgets = { group: 'policy', plural: 'poddisruptionbudgets' }

/** `pods/binding`: the scheduler's decision. A pod that has a node keeps it. */
export function bindPod(
  registry: Registry,
  target: { readonly served: ServedResource; readonly namespace: string; readonly name: string },
  body: JsonObject,
  context: WriteContext,
): void {
  const pod = registry.get(target)
  const node = textAt(body, 'target', 'name')
  const present = textAt(pod, 'spec', 'nodeName')
  if (present !== '') {
    throw conflict(
      bindings,
      target.name,
      `pod ${target.name} is already assigned to node ${JSON.stringify(present)}`,
    )
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw conflict(
      bindings,
      target.name,
      `pod ${target.name} is being deleted, cannot be assigned to a host`,
    )
  }
  const now = renderTime(registry.store.clock.now())
  const others = listAt(pod, 'status', 'conditions').filter(
    (condition) => textAt(condition, 'type') !== 'PodScheduled',
  )
  const bound = { ...pod, spec: { ...(pod['spec'] as object), nodeName: node } }
  const scheduled = {
    type: 'PodScheduled',
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: now,
  }
  const written = registry.update({ ...target, subresource: 'binding' }, bound, context)
  registry.update(
    { ...target, subresource: 'status' },
    {
      ...written,
      status: { ...(written['status'] as object), conditions: [...others, scheduled] },
    },
    context,
  )
}

/** `pods/eviction`: a deletion that disruption budgets may refuse with 429. */
export function evictPod(
  registry: Registry,
  catalog: Catalog,
  target: { readonly served: ServedResource; readonly namespace: string; readonly name: string },
  options: DeleteOptions & { readonly dryRun: boolean },
  context: WriteContext,
): void {
  const pod = registry.get(target)
  const phase = textAt(pod, 'status', 'phase')
  const free =
    phase === 'Succeeded' ||
    phase === 'Failed' ||
    phase === 'Pending' ||
    pod.metadata.deletionTimestamp !== undefined
  const matching = free ? [] : budgetsOf(registry, pod)
  if (matching.length > 1) {
    throw new StatusError({
      code: 500,
      reason: 'InternalError',
      message:
        'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    })
  }
  const budget = matching[0]
  if (budget && !isOutsideBudget(pod, budget)) {
    spendBudget(registry, catalog, { budget, pod, dryRun: options.dryRun, context })
  }
  if (!options.dryRun) tellOfEviction(registry, target, context)
  registry.delete(target, options)
}

/** A pod that is not ready disrupts nobody by going, where its application is healthy without it. */
function isOutsideBudget(pod: UnknownObject, budget: UnknownObject): boolean {
  const ready = listAt(pod, 'status', 'conditions').find((one) => textAt(one, 'type') === 'Ready')
  if (textAt(ready, 'status') === 'True') return false
  if (textAt(budget, 'spec', 'unhealthyPodEvictionPolicy') === 'AlwaysAllow') return true
  const current = Number(at(budget, 'status', 'currentHealthy') ?? 0)
  const desired = Number(at(budget, 'status', 'desiredHealthy') ?? 0)
  return desired > 0 && current >= desired
}

/** The condition by which controllers know an eviction from a failure. */
function tellOfEviction(
  registry: Registry,
  target: { readonly served: ServedResource; readonly namespace: string; readonly name: string },
  context: WriteContext,
): void {
  const pod = registry.get(target)
  const others = listAt(pod, 'status', 'conditions').filter(
    (condition) => textAt(condition, 'type') !== 'DisruptionTarget',
  )
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: renderTime(registry.store.clock.now()),
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
  }
  const status = { ...(pod['status'] as object), conditions: [...others, condition] }
  registry.update({ ...target, subresource: 'status' }, { ...pod, status }, context)
}

function budgetsOf(registry: Registry, pod: UnknownObject): readonly UnknownObject[] {
  return registry.store
    .list(budgets, pod.metadata.namespace)
    .filter((budget) =>
      matchesLabelSelector(at(budget, 'spec', 'selector'), pod.metadata.labels ?? {}),
    )
}

function spendBudget(
  registry: Registry,
  catalog: Catalog,
  options: {
    readonly budget: UnknownObject
    readonly pod: UnknownObject
    readonly dryRun: boolean
    readonly context: WriteContext
  },
): void {
  const { budget, pod, context } = options
  const { name, namespace = '', generation = 0 } = budget.metadata
  const message = "Cannot evict pod as it would violate the pod's disruption budget."
  if (Number(at(budget, 'status', 'observedGeneration') ?? 0) < generation) {
    throw tooManyRequests(message, 10, [
      {
        reason: 'DisruptionBudget',
        message: `The disruption budget ${name} is still being processed by the server.`,
      },
    ])
  }
  const allowed = Number(at(budget, 'status', 'disruptionsAllowed') ?? 0)
  if (allowed < 0) {
    throw forbidden(budgets, name, 'pdb disruptions allowed is negative')
  }
  if (allowed === 0) {
    throw tooManyRequests(message, 0, [
      {
        reason: 'DisruptionBudget',
        message: `The disruption budget ${name} needs ${at(budget, 'status', 'desiredHealthy') ?? 0} healthy pods and has ${at(budget, 'status', 'currentHealthy') ?? 0} currently`,
      },
    ])
  }
  if (options.dryRun) return
  const served = catalog.find('policy', 'v1', 'poddisruptionbudgets')
  if (!served) throw internalError('poddisruptionbudgets are not served')
  const status = isObject(budget['status']) ? budget['status'] : {}
  const disrupted = isObject(status['disruptedPods']) ? status['disruptedPods'] : {}
  const now = renderTime(registry.store.clock.now())
  registry.update(
    { served, namespace, name, subresource: 'status' },
    {
      ...budget,
      status: {
        ...status,
        disruptionsAllowed: allowed - 1,
        disruptedPods: { ...disrupted, [pod.metadata.name]: now },
      },
    },
    context,
  )
}
