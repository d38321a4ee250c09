import { ApiError, keyOf, type Resource, resources } from '@serinus/kube'
import { conditionOf, type Pod, timestamp } from '../pods/pod.ts'
import {
  type Context,
  ignoreNotFound,
  objectKey,
  onEachChange,
  startController,
} from './controller.ts'
import { isCovered, judgeEviction, planBudgetStatus } from './disruption.ts'
import type { DisruptionBudget } from './objects.ts'

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

/** As often as kube-apiserver tries when others change the budget at the same time (EvictionsRetry). */
const evictionTries = 20

/** Answers `POST pods/<name>/eviction`: deletes the pod, or refuses with 429 while a budget protects it. */
export async function answerEviction(
  context: Pick<Context, 'client' | 'clock'>,
  call: { readonly request: Request; readonly pod: Pod },
): Promise<Response> {
  const { client, clock } = context
  const body = (await call.request.json().catch(() => ({}))) as {
    readonly deleteOptions?: {
      readonly gracePeriodSeconds?: number
      readonly dryRun?: readonly string[]
    }
  }
  const dryRun = (body.deleteOptions?.dryRun?.length ?? 0) > 0
  const { namespace = '' } = call.pod.metadata
  for (let tries = 0; ; tries++) {
    // Read anew each time: a cache could grant the same disruption twice.
    const { items } = await client.list<DisruptionBudget>(disruptionBudgets, { namespace })
    const verdict = judgeEviction(call.pod, items)
    if (verdict.kind === 'refuse') return refusal(verdict)
    try {
      if (verdict.kind === 'charge' && !dryRun) await charge(verdict.budget, call.pod)
      break
    } catch (error) {
      const conflict = error instanceof ApiError && error.code === 409
      if (!conflict || tries === evictionTries) throw error
    }
  }
  if (!dryRun) await evict(call.pod, body.deleteOptions?.gracePeriodSeconds)
  return Response.json(
    { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 },
    { status: 201 },
  )

  async function charge(budget: DisruptionBudget, pod: Pod): Promise<void> {
    const { disruptionsAllowed = 0, disruptedPods } = budget.status ?? {}
    const status = {
      ...budget.status,
      disruptionsAllowed: disruptionsAllowed - 1,
      disruptedPods: { ...disruptedPods, [pod.metadata.name]: timestamp(clock.now()) },
    }
    await client.update(disruptionBudgets, { ...budget, status }, { subresource: 'status' })
  }

  async function evict(pod: Pod, gracePeriodSeconds: number | undefined): Promise<void> {
    if (conditionOf(pod, 'DisruptionTarget')?.status !== 'True') {
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'EvictionByEvictionAPI',
        message: 'Eviction API: evicting',
        lastTransitionTime: timestamp(clock.now()),
      }
      await client.patch(
        resources.pods,
        objectKey(pod),
        { kind: 'strategic', body: { status: { conditions: [condition] } } },
        { subresource: 'status' },
      )
    }
    await client.delete(resources.pods, objectKey(pod), {
      ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
      ...(pod.metadata.uid && { preconditions: { uid: pod.metadata.uid } }),
    })
  }
}

function refusal(verdict: {
  readonly code: 429 | 500
  readonly message: string
  readonly cause?: string
  readonly retryAfterSeconds?: number
}): Response {
  const { code, message, cause, retryAfterSeconds } = verdict
  const details = {
    ...(cause && { causes: [{ reason: 'DisruptionBudget', message: cause }] }),
    ...(retryAfterSeconds && { retryAfterSeconds }),
  }
  return Response.json(
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      ...(code === 429 && { reason: 'TooManyRequests', details }),
      code,
    },
    {
      status: code,
      headers: retryAfterSeconds ? { 'retry-after': String(retryAfterSeconds) } : {},
    },
  )
}
