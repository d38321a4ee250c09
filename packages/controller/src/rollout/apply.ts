import { finalPhases, kinds } from '@serinus/api'
import type { Plan, Transition, Write } from '@serinus/engine'
import { ApiError, deepEqual, type KubeClient, type KubeObject } from '@serinus/kube'
import { patchOrUpdate } from './patch.ts'
import { isMoot } from './pods.ts'

/** How one write ended. */
export type Outcome =
  | {
      readonly id: string
      readonly kind: 'done'
      readonly write: Write
      readonly object: KubeObject | null
    }
  | {
      readonly id: string
      readonly kind: 'failed'
      readonly write: Write
      readonly reason: string
      readonly message: string
      readonly error: unknown
    }
  | { readonly id: string; readonly kind: 'skipped'; readonly write: Write }
  /** A disruption budget does not allow it now. */
  | {
      readonly id: string
      readonly kind: 'denied'
      readonly write: Write
      readonly message: string
    }

/**
 * Sends the writes of a plan in order. A write that fails is told in its outcome and ends nothing but the writes that
 * require it (design 1.2).
 */
export async function applyWrites(
  client: KubeClient,
  writes: readonly Write[],
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  const failed = new Set<string>()
  const done = new Set<string>()
  const versions = new Map<string, string>()
  for (const planned of writes) {
    const write = afterOwnWrites(planned, versions)
    const isUntrue = write.unless !== undefined && done.has(write.unless)
    if (isUntrue || write.requires?.some((id) => failed.has(id))) {
      failed.add(write.id)
      outcomes.push({ id: write.id, kind: 'skipped', write })
      continue
    }
    try {
      const object = await send(client, write)
      if (object) versions.set(targetOf(write), object.metadata.resourceVersion ?? '')
      done.add(write.id)
      outcomes.push({ id: write.id, kind: 'done', write, object })
    } catch (error) {
      failed.add(write.id)
      if (write.kind === 'evict' && error instanceof ApiError && error.code === 429) {
        outcomes.push({ id: write.id, kind: 'denied', write, message: error.message })
        continue
      }
      const reason = error instanceof ApiError ? error.reason : 'Unreachable'
      const message = error instanceof Error ? error.message : String(error)
      outcomes.push({ id: write.id, kind: 'failed', write, reason, message, error })
    }
  }
  return outcomes
}

/** The first failure as an error for the queue, which heeds how long the API asks to be left alone; null: none failed. */
export function errorOf(outcomes: readonly Outcome[]): Error | null {
  const failure = outcomes.find((outcome) => outcome.kind === 'failed')
  if (failure?.kind !== 'failed') return null
  const { id, error } = failure
  const message = `${id}: ${failure.message}`
  if (!(error instanceof ApiError)) return new Error(message, { cause: error })
  const { code, reason, object, retryAfterMs } = error
  return new ApiError({ code, reason, message, object, retryAfterMs })
}

function targetOf(write: Write): string {
  const { namespace, name } = write.kind === 'create' ? write.object.metadata : write.key
  return `${write.resource.group}/${write.resource.plural}/${namespace}/${name}`
}

/** A precondition guards against the writes of others; an earlier write of the same pass must not fail it. */
function afterOwnWrites(write: Write, versions: ReadonlyMap<string, string>): Write {
  if (write.kind !== 'patch') return write
  const own = versions.get(targetOf(write))
  const body = write.patch.body as { readonly metadata?: { readonly resourceVersion?: string } }
  if (own === undefined || body.metadata?.resourceVersion === undefined) return write
  const metadata = { ...body.metadata, resourceVersion: own }
  return { ...write, patch: { ...write.patch, body: { ...body, metadata } } }
}

async function send(client: KubeClient, write: Write): Promise<KubeObject | null> {
  const fieldManager = 'rollouts-controller'
  switch (write.kind) {
    case 'create':
      return client
        .create(write.resource, write.object as KubeObject, { fieldManager })
        .catch((error) => createdBefore(client, write, error))
    case 'patch':
      return patchOrUpdate(client, write).catch((error) => {
        if (error instanceof ApiError && isMoot(write, error.code)) return null
        throw error
      })
    case 'evict':
      await client
        .create(write.resource, evictionOf(write), { fieldManager, subresource: 'eviction' })
        .catch((error) => {
          if (!(error instanceof ApiError) || !isMoot(write, error.code)) throw error
        })
      return null
    case 'delete':
      try {
        await client.delete(write.resource, write.key, {
          propagationPolicy: 'Background',
          ...(write.uid ? { preconditions: { uid: write.uid } } : {}),
        })
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== 404) throw error
      }
      return null
    default:
      throw new TypeError(`unknown write: ${JSON.stringify(write satisfies never)}`)
  }
}

/** policy/v1 Eviction; a pod of the same name that came later is none of its business. */
function evictionOf({ key, uid }: Write & { readonly kind: 'evict' }): KubeObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { ...key },
    deleteOptions: { preconditions: { uid } },
  } as KubeObject
}

/**
 * What an earlier try made whose answer was lost, while the cache does not show it yet. Taken for somebody else's, the
 * same revision would get a second ReplicaSet under another name.
 */
async function createdBefore(
  client: KubeClient,
  write: Write & { readonly kind: 'create' },
  error: unknown,
): Promise<KubeObject> {
  if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
  const wanted = write.object as KubeObject
  const { namespace, name } = wanted.metadata
  const present = await client.get<KubeObject>(write.resource, {
    name,
    ...(namespace === undefined ? {} : { namespace }),
  })
  const owner = controllerOf(wanted)
  if (owner === undefined || controllerOf(present) !== owner) throw error
  if (asksQuestions.has(write.resource.plural) && !asksTheSame(present, wanted)) throw error
  return present
}

const asksQuestions: ReadonlySet<string> = new Set([
  kinds.analysisRuns.plural,
  kinds.experiments.plural,
])

/** Whether a run is under way that asks what is wanted; one that has its verdict answers an earlier question (spec analysis-and-experiments 1.8). */
function asksTheSame(present: KubeObject, wanted: KubeObject): boolean {
  const { status, spec } = present as { status?: { phase?: string }; spec?: object }
  if (finalPhases.has(status?.phase ?? '')) return false
  const { spec: question } = wanted as { spec?: object }
  return deepEqual(withoutEnd(spec), withoutEnd(question))
}

function withoutEnd(spec: object | undefined): object {
  const { terminate: _, ...question } = (spec ?? {}) as { terminate?: boolean }
  return question
}

function controllerOf(object: KubeObject): string | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller)?.uid
}

/** The transitions that have come true: those of writes that succeeded, and those that were true already. */
export function trueTransitions(
  plan: Pick<Plan, 'transitions'>,
  outcomes: readonly Outcome[],
): readonly Transition[] {
  const done = new Set(
    outcomes.filter((outcome) => outcome.kind === 'done').map((outcome) => outcome.id),
  )
  return plan.transitions.filter(
    (transition) => transition.after === undefined || done.has(transition.after),
  )
}
