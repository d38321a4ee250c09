import type { Finding, Rollout } from '@serinus/api'
import { defaults } from '@serinus/api'
import { resources } from '@serinus/kube'
import { parseInstant } from '../instant.ts'
import type { Pod } from '../snapshot.ts'
import { checkAt, type Draft } from './draft.ts'
import type { RolloutFacts } from './facts.ts'
import type { Sized } from './replica-sets.ts'
import { keyOfSet } from './resize.ts'

/** After this long, what a disruption budget forbade is tried again. */
const retryMs = 30_000

/**
 * Evicts the pods that are older than `spec.restartAt`, a few at a time: stable, then new, then the others
 * (spec rollout-controller 7.2). Goes on through pauses and aborts. `restartedAt` is set when no older pod is left.
 */
export function restartPods(facts: RolloutFacts, draft: Draft): void {
  const { rollout, pods } = facts.snapshot
  const restartAt = pendingRestart(rollout, draft)
  if (restartAt === null) return
  if (restartAt > facts.now) {
    checkAt(draft, restartAt)
    return
  }
  // No pod is older than its ReplicaSet: one that was applied with the time in it has nothing to restart.
  const running = inOrder(facts).filter((set) => set.spec > 0 || set.pods > 0)
  if (running.every(({ createdAt }) => createdAt >= restartAt)) {
    draft.status.restartedAt = rollout.spec.restartAt
    return
  }
  draft.needsPods = true
  if (pods === null) return
  const owned = inOrder(facts).flatMap((set) => podsOf(set, pods))
  const older = owned.filter(({ createdAt }) => createdAt < restartAt)
  if (older.length === 0) {
    draft.status.restartedAt = rollout.spec.restartAt
    return
  }
  draft.waits.push({ kind: 'restart', left: older.length, restartAt })
  checkAt(draft, facts.now + retryMs)
  // Sizes that change now count on pods that an eviction would take away; it waits for its turn.
  if (draft.writes.some(({ id }) => id.startsWith('scale/'))) return
  evict(facts, draft, { owned, older })
}

function evict(
  facts: RolloutFacts,
  draft: Draft,
  { owned, older }: { readonly owned: readonly Pod[]; readonly older: readonly Pod[] },
): void {
  const denied: Pod[] = []
  let budget = roomFor(facts, draft, owned)
  for (const pod of older) {
    if (pod.isTerminating) continue
    const { evictionDenied } = pod
    if (evictionDenied && evictionDenied.at + retryMs > facts.now) {
      denied.push(pod)
      continue
    }
    // A pod that serves nobody takes nothing away; else one that never gets ready could not be replaced.
    const serves = isAvailable(facts, pod)
    if (serves && budget <= 0) continue
    if (serves) budget--
    draft.writes.push({
      kind: 'evict',
      id: `evict/${pod.name}`,
      resource: resources.pods,
      key: { ...keyOfSet(facts, facts.newSet), name: pod.name },
      uid: pod.uid,
    })
  }
  const [first] = denied
  if (!first?.evictionDenied) return
  const until = Math.min(...denied.map((pod) => (pod.evictionDenied?.at ?? 0) + retryMs))
  checkAt(draft, until)
  const { message } = first.evictionDenied
  draft.waits.push({
    kind: 'disruption-budget',
    pods: denied.map(({ name }) => name),
    message,
    until,
  })
}

/**
 * How many pods may go now: those available beyond what must stay, at least one of which may always be missing.
 * 10 pods, all available, 2 may be missing: 10 − (10 − 2) = 2.
 */
function roomFor(facts: RolloutFacts, draft: Draft, owned: readonly Pod[]): number {
  const available = owned.filter((pod) => isAvailable(facts, pod))
  for (const pod of owned) {
    const at = availableAt(facts, pod)
    if (at !== null && at > facts.now) checkAt(draft, at)
  }
  const wanted = facts.all.reduce((sum, set) => sum + set.spec, 0)
  const missing = Math.max(1, facts.unavailable)
  return available.length - (Math.max(facts.replicas, wanted) - missing)
}

function isAvailable(facts: RolloutFacts, pod: Pod): boolean {
  const at = availableAt(facts, pod)
  return at !== null && at <= facts.now
}

/** Null: it is not ready, or going. */
function availableAt({ snapshot }: RolloutFacts, { readySince, isTerminating }: Pod) {
  if (readySince === null || isTerminating) return null
  return readySince + defaults.minReadySeconds(snapshot.rollout) * 1000
}

/** Epoch milliseconds of a restart that is asked for and not done; null: none. */
function pendingRestart(rollout: Rollout, draft: Draft): number | null {
  const at = parseInstant(rollout.spec.restartAt)
  return at === null || at === parseInstant(draft.status.restartedAt) ? null : at
}

/** The order that upstream documents and does not keep (falls short 32). */
function inOrder({ all, newSet, stable }: RolloutFacts): readonly Sized[] {
  const others = all.filter((set) => set !== newSet && set !== stable)
  return [...new Set([...(stable ? [stable] : []), newSet, ...others])]
}

function podsOf(set: Sized, pods: readonly Pod[]): readonly Pod[] {
  return pods
    .filter(({ owner }) => owner === set.object?.metadata.uid)
    .sort((a, b) => a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1))
}

/** A restart that nobody can bridge is worth a word (falls short 33). */
export function restartFindings(rollout: Rollout): readonly Finding[] {
  const { restartAt } = rollout.spec
  const isDone = parseInstant(restartAt) === parseInstant(rollout.status?.restartedAt)
  if (!restartAt || isDone || defaults.replicas(rollout) !== 1) return []
  const message =
    'the only pod is taken away before its replacement is available; set spec.replicas to 2 for a restart without an interruption'
  return [{ reason: 'RestartInterrupts', path: 'spec.restartAt', message }]
}
