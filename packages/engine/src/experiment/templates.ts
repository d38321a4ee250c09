import { defaults, experimentEvents, parseDuration } from '@serinus/api'
import { formatInstant, parseInstant } from '../instant.ts'
import { type ExperimentDraft, lookAt } from './draft.ts'
import { countersOf, endedTemplates, type Part } from './parts.ts'
import { arrangeSet, isResizing } from './replica-sets.ts'
import { arrangeService, hashOf, type ServiceOutcome } from './services.ts'
import type { TemplateStatus } from './snapshot.ts'

/** Judges one template by what is seen of it, and plans its ReplicaSet and Service (spec analysis-and-experiments 5.3). */
export function planTemplate(draft: ExperimentDraft, part: Part): TemplateStatus {
  const { before, set, template } = part
  const service = arrangeService(draft, part)
  const error = arrangePods(draft, part, service)
  const counters = countersOf(set)
  const isMoved =
    !before ||
    Object.entries(counters).some(
      ([name, count]) => before[name as keyof typeof counters] !== count,
    )
  const isFresh = isMoved || isResizing(draft, part) || !before?.lastTransitionTime
  const lastTransitionTime = isFresh ? formatInstant(draft.now) : before.lastTransitionTime
  const verdict = judge(draft, part, {
    error,
    available: counters.availableReplicas,
    since: parseInstant(lastTransitionTime) ?? draft.now,
  })
  const hash = hashOf(set)
  const status: TemplateStatus = {
    name: template.name,
    ...counters,
    ...(before?.collisionCount === undefined ? {} : { collisionCount: before.collisionCount }),
    status: verdict.status,
    ...(verdict.message ? { message: verdict.message } : {}),
    ...(lastTransitionTime ? { lastTransitionTime } : {}),
    ...(part.service ? { serviceName: part.service.metadata.name } : {}),
    ...(hash ? { podTemplateHash: hash } : {}),
  }
  tell(draft, before, status)
  return status
}

/** @returns why there can be no pods; null: nothing stands in their way */
function arrangePods(draft: ExperimentDraft, part: Part, service: ServiceOutcome): string | null {
  switch (service.kind) {
    case 'ready':
      return arrangeSet(draft, part, service.requires)
    case 'waits':
      return null
    case 'refused':
      return service.message
    default:
      throw new TypeError(`unknown outcome: ${JSON.stringify(service satisfies never)}`)
  }
}

type Verdict = Required<Pick<TemplateStatus, 'status'>> & Pick<TemplateStatus, 'message'>

function judge(
  draft: ExperimentDraft,
  { before, desired, template, name }: Part,
  seen: { readonly error: string | null; readonly available: number; readonly since: number },
): Verdict {
  const { error, available, since } = seen
  if (before?.status && endedTemplates.has(before.status)) {
    return { status: before.status, ...(before.message ? { message: before.message } : {}) }
  }
  if (error !== null) return { status: 'Error', message: error }
  // Pods that stay for their delay are no failure, whenever they last changed.
  if (draft.terminating) return { status: 'Successful' }
  if (available === desired) return { status: hasPassed(draft) ? 'Successful' : 'Running' }
  const seconds = defaults.experimentProgressDeadlineSeconds(draft.snapshot.experiment)
  // Nobody moved anything while no controller ran.
  const until = Math.max(since, draft.snapshot.activeSince ?? 0) + seconds * 1000
  if (draft.now > until) {
    const message = `Template '${template.name}' exceeded its progressDeadlineSeconds (${seconds})`
    return { status: 'Failed', message }
  }
  lookAt(draft, until + 1)
  draft.waits.push({ kind: 'pods', replicaSet: name, available, wanted: desired, until })
  return { status: 'Progressing' }
}

/** Epoch milliseconds when the time of the Experiment is over; null: not yet known, or never. */
export function endsAt({ snapshot, before }: ExperimentDraft): number | null {
  const { duration } = snapshot.experiment.spec
  const availableAt = parseInstant(before.availableAt)
  if (!duration || availableAt === null) return null
  return availableAt + (parseDuration(duration) ?? 0)
}

export function hasPassed(draft: ExperimentDraft): boolean {
  const at = endsAt(draft)
  return at !== null && draft.now > at
}

function tell(
  draft: ExperimentDraft,
  before: TemplateStatus | undefined,
  after: TemplateStatus,
): void {
  if (before?.status === after.status) return
  const { name, message, status: to = '' } = after
  const event = experimentEvents.template({ name, from: before?.status ?? '', to, message })
  draft.transitions.push({ ...event, after: 'status' })
}
