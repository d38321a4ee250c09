import {
  annotationKeys,
  defaults,
  experimentEvents,
  hashLabel,
  labelKeys,
  names,
  type PodTemplateSpec,
  podTemplateHash,
} from '@serinus/api'
import { resources } from '@serinus/kube'
import { formatInstant, parseInstant } from '../instant.ts'
import type { ReplicaSet } from '../snapshot.ts'
import {
  type ExperimentDraft,
  failureOf,
  isTaken,
  keyIn,
  lookAt,
  mustWait,
  namespaceOf,
  ownerReferencesOf,
  refusalOf,
} from './draft.ts'
import type { Part } from './parts.ts'

/** The ReplicaSet of a template as it is created: at its full size, in one write. */
export function newReplicaSet(draft: ExperimentDraft, part: Part): ReplicaSet {
  const { template, name } = part
  const { metadata } = draft.snapshot.experiment
  const own = {
    [labelKeys.experimentTemplate]: names.experimentTemplateLabel(metadata.name, template.name),
  }
  const written = withoutHash(template.template)
  const unhashed = {
    ...written,
    metadata: { ...written.metadata, labels: { ...written.metadata?.labels, ...own } },
  }
  const hash = podTemplateHash(unhashed, { collisionCount: part.before?.collisionCount })
  const labels = { ...unhashed.metadata.labels, [hashLabel]: hash }
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      namespace: namespaceOf(draft),
      labels,
      annotations: markOf(draft, part),
      ownerReferences: ownerReferencesOf(draft),
    },
    spec: {
      replicas: part.desired,
      ...(template.minReadySeconds ? { minReadySeconds: template.minReadySeconds } : {}),
      selector: {
        ...template.selector,
        matchLabels: { ...template.selector.matchLabels, ...own, [hashLabel]: hash },
      },
      template: { ...unhashed, metadata: { ...unhashed.metadata, labels } },
    },
  }
}

/** What says on an object which template it belongs to. */
export function markOf({ snapshot }: ExperimentDraft, { template }: Part): Record<string, string> {
  return {
    [annotationKeys.experimentName]: snapshot.experiment.metadata.name,
    [annotationKeys.experimentTemplateName]: template.name,
  }
}

/** The template of a step is copied from a ReplicaSet, whose hash is not its own. */
function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const { [hashLabel]: _, ...labels } = template.metadata?.labels ?? {}
  return { ...template, metadata: { ...template.metadata, labels } }
}

/** Creates or resizes the ReplicaSet of a template. @returns what the API refused for good; null: nothing */
export function arrangeSet(
  draft: ExperimentDraft,
  part: Part,
  requires: readonly string[],
): string | null {
  if (part.set) return resize(draft, { ...part, set: part.set }, requires)
  if (part.desired === 0) return null
  const id = `create/${part.name}`
  if (mustWait(draft, id)) return null
  const refusal = isTaken(draft, id)
    ? `replicasets.apps "${part.name}" already exists and is not controlled by this Experiment; rename the Experiment or the template, or delete that ReplicaSet`
    : refusalOf(draft, id)
  if (refusal !== null) {
    const event = experimentEvents.replicaSetCreateError(part.name, refusal)
    draft.transitions.push({ ...event, after: 'status' })
    return `Failed to create ReplicaSet for template '${part.template.name}': ${refusal}`
  }
  const object = newReplicaSet(draft, part)
  draft.writes.push({
    kind: 'create',
    id,
    resource: resources.replicaSets,
    object,
    ...(requires.length > 0 ? { requires } : {}),
  })
  const created = experimentEvents.newReplicaSetCreated(part.name, part.desired)
  const doubts = warnings(draft, part, object, id)
  draft.transitions.push({ ...created, after: id }, ...doubts)
  draft.ownerTransitions.push(...doubts)
  return null
}

/** Says which Services would send requests of users to the new pods (falls short 36). */
function warnings(draft: ExperimentDraft, part: Part, set: ReplicaSet, after: string) {
  const labels = set.spec.template.metadata?.labels ?? {}
  return draft.snapshot.services
    .filter(({ metadata, spec }) => {
      const selector = Object.entries(spec?.selector ?? {})
      const isIts = part.wantsService && metadata.name === part.serviceName
      return (
        !isIts && selector.length > 0 && selector.every(([key, value]) => labels[key] === value)
      )
    })
    .map(({ metadata }) => ({
      ...experimentEvents.podsSelected(part.template.name, metadata.name),
      after,
    }))
}

function resize(
  draft: ExperimentDraft,
  part: Part & { readonly set: ReplicaSet },
  requires: readonly string[],
): string | null {
  const { set, desired } = part
  const size = set.spec.replicas ?? 1
  if (desired === 0) {
    shrink(draft, set)
    return null
  }
  const isKept = set.metadata.annotations?.[annotationKeys.scaleDownDeadline] !== undefined
  if (size === desired && !isKept) return null
  const id = `scale/${set.metadata.name}`
  const refusal = refusalOf(draft, id)
  if (refusal !== null) {
    const direction = desired > size ? 'up' : 'down'
    const { name } = set.metadata
    const event = experimentEvents.replicaSetUpdateError(name, direction, refusal)
    draft.transitions.push({ ...event, after: 'status' })
    return `Unable to scale ReplicaSet for template '${part.template.name}' to desired replica count '${desired}': ${refusal}`
  }
  scale(draft, { set, to: desired, requires })
  return null
}

/** Lets a ReplicaSet go to nothing once its delay is over, which it says itself (spec analysis-and-experiments 5.3). */
export function shrink(draft: ExperimentDraft, set: ReplicaSet): void {
  const { experiment } = draft.snapshot
  const { name, annotations } = set.metadata
  if ((set.spec.replicas ?? 1) === 0) return
  const delaySeconds = defaults.experimentScaleDownDelaySeconds(experiment)
  const noted = parseInstant(annotations?.[annotationKeys.scaleDownDeadline])
  if (noted === null && delaySeconds > 0) {
    const until = Math.ceil(draft.now / 1000 + delaySeconds) * 1000
    wait(draft, name, until)
    draft.writes.push({
      kind: 'patch',
      id: `deadline/${name}`,
      resource: resources.replicaSets,
      key: keyIn(draft, name),
      patch: {
        kind: 'merge',
        body: {
          metadata: { annotations: { [annotationKeys.scaleDownDeadline]: formatInstant(until) } },
        },
      },
    })
  } else if (noted !== null && delaySeconds > 0 && noted > draft.now) wait(draft, name, noted)
  else scale(draft, { set, to: 0, requires: [] })
}

function wait(draft: ExperimentDraft, replicaSet: string, until: number): void {
  lookAt(draft, until)
  draft.waits.push({ kind: 'scale-down-delay', replicaSet, until })
}

function scale(
  draft: ExperimentDraft,
  change: { readonly set: ReplicaSet; readonly to: number; readonly requires: readonly string[] },
): void {
  const { set, to, requires } = change
  const { name, annotations } = set.metadata
  const id = `scale/${name}`
  const from = set.spec.replicas ?? 1
  const dropsDeadline = to > 0 && annotations?.[annotationKeys.scaleDownDeadline] !== undefined
  draft.writes.push({
    kind: 'patch',
    id,
    resource: resources.replicaSets,
    key: keyIn(draft, name),
    ...(requires.length > 0 ? { requires } : {}),
    patch: {
      kind: 'merge',
      body: {
        ...(dropsDeadline
          ? { metadata: { annotations: { [annotationKeys.scaleDownDeadline]: null } } }
          : {}),
        spec: { replicas: to },
      },
    },
  })
  if (from !== to) {
    const event = experimentEvents.scalingReplicaSet({ replicaSet: name, from, to })
    draft.transitions.push({ ...event, after: id })
  }
}

/** Whether this pass asks for another size for the first time, so that the time to reach it begins. */
export function isResizing(draft: ExperimentDraft, { set, desired }: Part): boolean {
  if (desired === 0 || !set || (set.spec.replicas ?? 1) === desired) return false
  return failureOf(draft, `scale/${set.metadata.name}`) === undefined
}
