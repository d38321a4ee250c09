import { matchesLabelSelector } from '../apiserver/selectors.ts'
import {
  type Condition,
  conditionOf,
  isActive,
  isReady,
  type Pod,
  type PodTemplate,
  timestamp,
} from '../pods/pod.ts'
import type { Job, JobStatus, PodFailureRule } from './objects.ts'
import { rankForDeletion } from './replica-set.ts'

/** Keeps a pod's object until its end has been counted. */
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
const indexAnnotation = 'batch.kubernetes.io/job-completion-index'

/** What one pass over a Job wants to happen. Status and finalizers come last, in this order. */
interface JobPlan {
  readonly creates: readonly PodTemplate[]
  readonly deletes: readonly Pod[]
  /** Deleted without being counted as failed: their finalizers go first. */
  readonly discards: readonly Pod[]
  /** Null: the stored one is right. */
  readonly status: JobStatus | null
  /** Pods whose end the status has counted once it is written. */
  readonly release: readonly Pod[]
  readonly events: readonly {
    readonly type: 'Normal' | 'Warning'
    readonly reason: string
    readonly message: string
  }[]
  readonly backoff: Backoff
  /** Epoch milliseconds; null: only a change wakes it. */
  readonly checkAt: number | null
  /** `ttlSecondsAfterFinished` has run out. */
  readonly expired: boolean
}

/** Failures since the last success: 10 s, 20 s, 40 s, ... 10 min between the last failure and the next pod. */
export interface Backoff {
  readonly failures: number
  readonly lastFailureAt: number | null
}

interface JobFacts {
  readonly job: Job
  /** Owned pods, also finished ones. */
  readonly pods: readonly Pod[]
  readonly backoff: Backoff
  /** False while the cache lags behind our own writes: then nothing is created or deleted. */
  readonly settled: boolean
  readonly now: number
}

const firstBackoffMs = 10_000
const longestBackoffMs = 600_000
const mostPerPass = 500

/** The rules of kubernetes: pkg/controller/job (1.34). */
export function planJob(facts: JobFacts): JobPlan {
  const { job, now } = facts
  if (finishedCondition(job)) return planFinished(job, facts)
  const status: Draft = { ...job.status, conditions: [...(job.status?.conditions ?? [])] }
  const suspended = job.spec.suspend === true
  if (!status.startTime && !suspended) status.startTime = timestamp(now)

  const counted = count(facts, status)
  const backoff = nextBackoff(facts.backoff, counted)
  const events: JobPlan['events'][number][] = []
  let verdict = standingVerdict(status) ?? failureVerdict(facts, counted)
  const deadlineAt = deadlineOf(job, status)

  let creates: readonly PodTemplate[] = []
  let deletes: readonly Pod[] = []
  let discards: readonly Pod[] = []
  let checkAt: number | null = verdict ? null : deadlineAt
  if (verdict) {
    deletes = counted.active
    if (!facts.settled) verdict = { ...verdict, waits: true }
  } else if (facts.settled && !job.metadata.deletionTimestamp) {
    const managed = manage(facts, counted, backoff)
    creates = managed.creates
    discards = managed.discards
    checkAt = earliest(checkAt, managed.checkAt)
    const active = counted.active.length + creates.length - discards.length
    if (isComplete(job, counted.succeeded, active)) verdict = success
    else events.push(...noteSuspension(status, suspended, now))
  }
  const leaving = [...deletes, ...discards]
  const terminating = counted.terminating + leaving.length
  status.active = counted.active.length + creates.length - leaving.length
  status.ready = counted.active.filter((pod) => isReady(pod) && !leaving.includes(pod)).length
  status.terminating = terminating
  const release = settle(facts, status, { counted, failing: verdict?.kind === 'failure' })
  if (verdict) {
    addCondition(status, verdict.kind === 'success' ? 'SuccessCriteriaMet' : 'FailureTarget', {
      ...verdict,
      now,
    })
    const unsettled =
      verdict.waits || terminating > 0 || release.length > 0 || uncounted(status) > 0
    if (!unsettled) events.push(finish(status, verdict, now))
  }
  return {
    creates,
    deletes,
    discards,
    status: sameStatus(status, job.status ?? {}) ? null : tidy(status),
    release,
    events,
    backoff,
    checkAt,
    expired: false,
  }
}

type Draft = { -readonly [Key in keyof JobStatus]: JobStatus[Key] } & { conditions: Condition[] }

interface Verdict {
  readonly kind: 'success' | 'failure'
  readonly reason: string
  readonly message: string
  /** Decided, but the cache may hide pods that still have to go. */
  readonly waits?: boolean
}

const success: Verdict = {
  kind: 'success',
  reason: 'CompletionsReached',
  message: 'Reached expected number of succeeded pods',
}

function finishedCondition(job: Job): Condition | undefined {
  return job.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  )
}

function planFinished(job: Job, facts: JobFacts): JobPlan {
  const finishedAt = Date.parse(finishedCondition(job)?.lastTransitionTime ?? '')
  const ttl = job.spec.ttlSecondsAfterFinished
  const expiresAt =
    ttl === undefined || job.metadata.deletionTimestamp ? null : finishedAt + ttl * 1000
  const expired = expiresAt !== null && expiresAt <= facts.now
  return {
    creates: [],
    deletes: [],
    discards: [],
    status: null,
    release: facts.pods.filter(isTracked),
    events: [],
    backoff: noBackoff,
    checkAt: expired ? null : expiresAt,
    expired,
  }
}

export const noBackoff: Backoff = { failures: 0, lastFailureAt: null }

interface Counted {
  readonly active: readonly Pod[]
  readonly terminating: number
  readonly succeeded: number
  readonly failed: number
  readonly newSucceeded: readonly Pod[]
  readonly newFailed: readonly Pod[]
}

function count(facts: JobFacts, status: JobStatus): Counted {
  const { job, pods } = facts
  const known = new Set([
    ...(status.uncountedTerminatedPods?.succeeded ?? []),
    ...(status.uncountedTerminatedPods?.failed ?? []),
  ])
  const fresh = pods.filter((pod) => isTracked(pod) && !known.has(pod.metadata.uid ?? ''))
  const newSucceeded = fresh.filter(hasSucceeded)
  const newFailed = fresh.filter((pod) => hasFailed(pod, job))
  const charged = newFailed.filter((pod) => matchRule(job, pod)?.rule.action !== 'Ignore')
  const succeeded = isIndexed(job)
    ? succeededIndexes(job, pods).length
    : (status.succeeded ?? 0) +
      newSucceeded.length +
      (status.uncountedTerminatedPods?.succeeded?.length ?? 0)
  return {
    active: pods.filter(isActive),
    terminating: pods.filter(
      (pod) =>
        pod.metadata.deletionTimestamp && !hasSucceeded(pod) && pod.status?.phase !== 'Failed',
    ).length,
    succeeded,
    failed:
      (status.failed ?? 0) + charged.length + (status.uncountedTerminatedPods?.failed?.length ?? 0),
    newSucceeded,
    newFailed,
  }
}

function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(trackingFinalizer) ?? false
}

function hasSucceeded(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded'
}

/** A pod that is being deleted counts as failed at once, unless replacements have to wait for its end. */
function hasFailed(pod: Pod, job: Job): boolean {
  if (pod.status?.phase === 'Failed') return true
  if (job.spec.podReplacementPolicy === 'Failed' || job.spec.podFailurePolicy) return false
  return Boolean(pod.metadata.deletionTimestamp) && !hasSucceeded(pod)
}

function nextBackoff(before: Backoff, counted: Counted): Backoff {
  const { newSucceeded, newFailed } = counted
  if (newSucceeded.length === 0) {
    if (newFailed.length === 0) return before
    return {
      failures: before.failures + newFailed.length,
      lastFailureAt: Math.max(...newFailed.map(finishedAt)),
    }
  }
  const lastSuccessAt = Math.max(...newSucceeded.map(finishedAt))
  const later = newFailed.map(finishedAt).filter((at) => at > lastSuccessAt)
  return later.length === 0
    ? noBackoff
    : { failures: later.length, lastFailureAt: Math.max(...later) }
}

function finishedAt(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map((status) =>
    Date.parse(status.state.terminated?.finishedAt ?? ''),
  )
  if (ends.length > 0 && !ends.some(Number.isNaN)) return Math.max(...ends)
  const ready = conditionOf(pod, 'Ready')
  if (ready?.status === 'False' && ready.lastTransitionTime) {
    return Date.parse(ready.lastTransitionTime)
  }
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp } = pod.metadata
  return deletionTimestamp
    ? Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000
    : Date.parse(creationTimestamp ?? '')
}

/** What earlier passes decided and wrote down holds. */
function standingVerdict(status: JobStatus): Verdict | null {
  const decided = status.conditions?.find(
    ({ type, status: is }) =>
      (type === 'SuccessCriteriaMet' || type === 'FailureTarget') && is === 'True',
  )
  if (!decided) return null
  return {
    kind: decided.type === 'FailureTarget' ? 'failure' : 'success',
    reason: decided.reason ?? '',
    message: decided.message ?? '',
  }
}

function failureVerdict(facts: JobFacts, counted: Counted): Verdict | null {
  const { job, pods, now } = facts
  for (const pod of pods) {
    const match = hasFailed(pod, job) ? matchRule(job, pod) : undefined
    if (match?.rule.action !== 'FailJob') continue
    return { kind: 'failure', reason: 'PodFailurePolicy', message: match.message }
  }
  const limit = job.spec.backoffLimit ?? 6
  if (counted.failed > limit || restartsExceed(job, pods, limit)) {
    const message = 'Job has reached the specified backoff limit'
    return { kind: 'failure', reason: 'BackoffLimitExceeded', message }
  }
  const deadlineAt = deadlineOf(job, job.status ?? {})
  if (deadlineAt === null || now < deadlineAt) return null
  const message = 'Job was active longer than specified deadline'
  return { kind: 'failure', reason: 'DeadlineExceeded', message }
}

function deadlineOf(job: Job, status: JobStatus): number | null {
  const seconds = job.spec.activeDeadlineSeconds
  if (seconds === undefined || job.spec.suspend || !status.startTime) return null
  return Date.parse(status.startTime) + seconds * 1000
}

/** With `restartPolicy: OnFailure` the kubelet restarts in place, and those restarts count. */
function restartsExceed(job: Job, pods: readonly Pod[], limit: number): boolean {
  if (job.spec.template.spec.restartPolicy !== 'OnFailure') return false
  let restarts = 0
  for (const pod of pods) {
    if (pod.status?.phase !== 'Running' && pod.status?.phase !== 'Pending') continue
    const { initContainerStatuses = [], containerStatuses = [] } = pod.status
    for (const status of [...initContainerStatuses, ...containerStatuses]) {
      restarts += status.restartCount
    }
  }
  return limit === 0 ? restarts > 0 : restarts >= limit
}

function matchRule(
  job: Job,
  pod: Pod,
): { readonly rule: PodFailureRule; readonly message: string } | undefined {
  const rules = job.spec.podFailurePolicy?.rules ?? []
  for (const [index, rule] of rules.entries()) {
    const { namespace, name } = pod.metadata
    if (rule.onExitCodes) {
      const status = exitMatching(pod, rule.onExitCodes)
      if (!status) continue
      const code = status.state.terminated?.exitCode
      const message = `Container ${status.name} for pod ${namespace}/${name} failed with exit code ${code} matching ${rule.action} rule at index ${index}`
      return { rule, message }
    }
    const condition = pod.status?.conditions?.find(({ type, status }) =>
      rule.onPodConditions?.some(
        (pattern) => pattern.type === type && (pattern.status ?? 'True') === status,
      ),
    )
    if (!condition) continue
    const message = `Pod ${namespace}/${name} has condition ${condition.type} matching ${rule.action} rule at index ${index}`
    return { rule, message }
  }
  return undefined
}

function exitMatching(pod: Pod, rule: NonNullable<PodFailureRule['onExitCodes']>) {
  const statuses = [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []),
  ]
  return statuses.find(({ name, state }) => {
    const code = state.terminated?.exitCode ?? 0
    if (code === 0 || (rule.containerName !== undefined && rule.containerName !== name))
      return false
    return rule.values.includes(code) === (rule.operator === 'In')
  })
}

function isComplete(job: Job, succeeded: number, active: number): boolean {
  if (active > 0) return false
  const { completions } = job.spec
  return completions === undefined ? succeeded > 0 : succeeded >= completions
}

function manage(
  facts: JobFacts,
  counted: Counted,
  backoff: Backoff,
): { creates: readonly PodTemplate[]; discards: readonly Pod[]; checkAt: number | null } {
  const { job, now } = facts
  const { active, succeeded } = counted
  const none = { creates: [], discards: [], checkAt: null }
  if (job.spec.suspend) return { ...none, discards: active }

  const parallelism = job.spec.parallelism ?? 1
  const { completions } = job.spec
  const wanted =
    completions === undefined
      ? succeeded > 0
        ? active.length
        : parallelism
      : Math.max(0, Math.min(completions - succeeded, parallelism))
  if (active.length > wanted) {
    const ranked = rankForDeletion(active, [], now)
    return { ...none, discards: ranked.slice(0, Math.min(active.length - wanted, mostPerPass)) }
  }
  const waitsForEnd = job.spec.podReplacementPolicy === 'Failed' || job.spec.podFailurePolicy
  const missing = wanted - active.length - (waitsForEnd ? counted.terminating : 0)
  if (missing <= 0) return none
  const mayCreateAt = backoffEnd(backoff)
  if (mayCreateAt !== null && now < mayCreateAt) return { ...none, checkAt: mayCreateAt }
  const number = Math.min(missing, mostPerPass)
  return { ...none, creates: podsToCreate(job, facts.pods, number) }
}

function backoffEnd(backoff: Backoff): number | null {
  if (backoff.failures === 0 || backoff.lastFailureAt === null) return null
  const waitMs = Math.min(firstBackoffMs * 2 ** (backoff.failures - 1), longestBackoffMs)
  return backoff.lastFailureAt + waitMs
}

function podsToCreate(job: Job, pods: readonly Pod[], number: number): readonly PodTemplate[] {
  const { template } = job.spec
  const finalizers = [...new Set([...(template.metadata?.finalizers ?? []), trackingFinalizer])]
  const base: PodTemplate = { ...template, metadata: { ...template.metadata, finalizers } }
  if (!isIndexed(job)) return Array.from({ length: number }, () => base)
  const taken = new Set([...succeededIndexes(job, pods), ...pods.filter(isActive).map(indexOf)])
  const creates: PodTemplate[] = []
  for (let index = 0; index < (job.spec.completions ?? 0) && creates.length < number; index++) {
    if (!taken.has(index)) creates.push(indexed(job, base, index))
  }
  return creates
}

function indexed(job: Job, base: PodTemplate, index: number): PodTemplate {
  const environment = { name: 'JOB_COMPLETION_INDEX', value: String(index) }
  const withIndex = (container: PodTemplate['spec']['containers'][number]) => ({
    ...container,
    env: [...(container.env ?? []), environment],
  })
  return {
    metadata: {
      ...base.metadata,
      generateName: `${job.metadata.name}-${index}-`,
      labels: { ...base.metadata?.labels, [indexAnnotation]: String(index) },
      annotations: { ...base.metadata?.annotations, [indexAnnotation]: String(index) },
    },
    spec: {
      ...base.spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: base.spec.containers.map(withIndex),
      ...(base.spec.initContainers && {
        initContainers: base.spec.initContainers.map(withIndex),
      }),
    },
  }
}

function isIndexed(job: Job): boolean {
  return job.spec.completionMode === 'Indexed'
}

function indexOf(pod: Pod): number {
  return Number(pod.metadata.annotations?.[indexAnnotation] ?? -1)
}

/** Those in the status and those of pods that have succeeded since, ascending. */
function succeededIndexes(job: Job, pods: readonly Pod[]): readonly number[] {
  const indexes = new Set<number>()
  for (const range of (job.status?.completedIndexes ?? '').split(',').filter(Boolean)) {
    const [first = '', last = first] = range.split('-')
    for (let index = Number(first); index <= Number(last); index++) indexes.add(index)
  }
  for (const pod of pods) {
    const index = indexOf(pod)
    if (hasSucceeded(pod) && index >= 0 && index < (job.spec.completions ?? 0)) indexes.add(index)
  }
  return [...indexes].sort((a, b) => a - b)
}

/** `1,3-5,7` */
function rangesOf(indexes: readonly number[]): string {
  const ranges: string[] = []
  for (let from = 0; from < indexes.length; ) {
    let to = from
    while (indexes[to + 1] === (indexes[to] ?? 0) + 1) to++
    ranges.push(from === to ? `${indexes[from]}` : `${indexes[from]}-${indexes[to]}`)
    from = to + 1
  }
  return ranges.join(',')
}

/**
 * Books ended pods: first their uids go into the status, then their finalizers go, then the counters rise. A crash
 * between two of these steps counts nothing twice.
 */
function settle(
  facts: JobFacts,
  status: Draft,
  context: { readonly counted: Counted; readonly failing: boolean },
): readonly Pod[] {
  const { job, pods } = facts
  const tracked = new Set(pods.filter(isTracked).map((pod) => pod.metadata.uid ?? ''))
  const before = status.uncountedTerminatedPods ?? {}
  const waiting = (uids: readonly string[] = []) => uids.filter((uid) => tracked.has(uid))
  const succeeded = waiting(before.succeeded)
  const failed = waiting(before.failed)
  status.succeeded = (status.succeeded ?? 0) + (before.succeeded?.length ?? 0) - succeeded.length
  status.failed = (status.failed ?? 0) + (before.failed?.length ?? 0) - failed.length

  const release: Pod[] = []
  for (const pod of pods) {
    const uid = pod.metadata.uid ?? ''
    if (!isTracked(pod)) continue
    if (hasSucceeded(pod)) {
      if (!isIndexed(job) && !succeeded.includes(uid)) succeeded.push(uid)
      release.push(pod)
    } else if (hasFailed(pod, job) || (context.failing && !isActive(pod))) {
      const charged = matchRule(job, pod)?.rule.action !== 'Ignore'
      if (charged && !failed.includes(uid)) failed.push(uid)
      release.push(pod)
    } else if (job.metadata.deletionTimestamp) release.push(pod)
  }
  if (isIndexed(job)) {
    const indexes = succeededIndexes(job, pods)
    status.succeeded = indexes.length
    if (indexes.length > 0) status.completedIndexes = rangesOf(indexes)
  }
  status.uncountedTerminatedPods = {
    ...(succeeded.length > 0 && { succeeded }),
    ...(failed.length > 0 && { failed }),
  }
  return release
}

function uncounted(status: JobStatus): number {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {}
  return succeeded.length + failed.length
}

function noteSuspension(
  status: Draft,
  suspended: boolean,
  now: number,
): readonly JobPlan['events'][number][] {
  const before = status.conditions.find(({ type }) => type === 'Suspended')
  const is = before?.status === 'True'
  if (suspended === is) return []
  const facts = suspended
    ? { reason: 'JobSuspended', message: 'Job suspended' }
    : { reason: 'JobResumed', message: 'Job resumed' }
  status.conditions = status.conditions.filter(({ type }) => type !== 'Suspended')
  status.conditions.push({
    type: 'Suspended',
    status: suspended ? 'True' : 'False',
    lastProbeTime: timestamp(now),
    lastTransitionTime: timestamp(now),
    ...facts,
  })
  // The time spent suspended must not count against activeDeadlineSeconds.
  if (!suspended) status.startTime = timestamp(now)
  const reason = suspended ? 'Suspended' : 'Resumed'
  return [{ type: 'Normal', reason, message: facts.message }]
}

function addCondition(
  status: Draft,
  type: string,
  facts: { readonly reason: string; readonly message: string; readonly now: number },
): void {
  if (status.conditions.some((condition) => condition.type === type)) return
  status.conditions.push({
    type,
    status: 'True',
    lastProbeTime: timestamp(facts.now),
    lastTransitionTime: timestamp(facts.now),
    reason: facts.reason,
    message: facts.message,
  })
}

function finish(status: Draft, verdict: Verdict, now: number): JobPlan['events'][number] {
  const { reason, message } = verdict
  addCondition(status, verdict.kind === 'success' ? 'Complete' : 'Failed', { ...verdict, now })
  if (verdict.kind === 'failure') return { type: 'Warning', reason, message }
  status.completionTime = timestamp(now)
  return { type: 'Normal', reason: 'Completed', message: 'Job completed' }
}

function tidy(status: Draft): JobStatus {
  const { conditions, ...rest } = status
  return { ...rest, ...(conditions.length > 0 && { conditions }) }
}

function sameStatus(a: JobStatus, b: JobStatus): boolean {
  return JSON.stringify(comparable(a)) === JSON.stringify(comparable(b))
}

/** Zeros and empty lists say the same as absence. */
function comparable(status: JobStatus): unknown {
  const { uncountedTerminatedPods: pods, conditions = [], ...rest } = status
  const entries = Object.entries(rest).filter(([, value]) => value !== 0 && value !== undefined)
  return [
    entries.sort(([a], [b]) => (a < b ? -1 : 1)),
    pods?.succeeded ?? [],
    pods?.failed ?? [],
    conditions.map(({ type, status: is, reason }) => [type, is, reason]),
  ]
}

function earliest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b
  return Math.min(a, b)
}

/** Pods that the Job owns or may take over. */
export function belongs(job: Job, pod: Pod): boolean {
  return matchesLabelSelector(job.spec.selector, pod.metadata.labels ?? {})
}
