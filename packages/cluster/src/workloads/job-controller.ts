import { keyOf, resources } from '@serinus/kube'
import { isActive, isFinished, type Pod } from '../pods/pod.ts'
import {
  byController,
  type Context,
  ignoreNotFound,
  objectKey,
  onEachChange,
  orphans,
  startController,
} from './controller.ts'
import { Expectations } from './expectations.ts'
import { type Backoff, belongs, noBackoff, planJob, trackingFinalizer } from './job.ts'
import { controllerOf, controllerReference, type Job } from './objects.ts'
import { podControl } from './pod-control.ts'

/** Status changes of pods are gathered this long, as kube-controller-manager does, so that counters rise in blocks. */
const gatherMs = 1_000

/** Runs Jobs to their end, and removes them after their time to live (kubernetes: pkg/controller/job, ttlafterfinished). */
export function startJobController(context: Context): void {
  const { client, clock, caches } = context
  const { jobs, pods } = caches
  const expectations = new Expectations(clock, pods)
  /** By uid; an entry goes when its Job has ended or gone. */
  const backoffs = new Map<string, Backoff>()
  const { queue, recorder } = startController(context, { component: 'job-controller', sync })
  const control = podControl({ client, recorder: () => recorder, expectations })

  onEachChange(jobs, (key) => queue.add(key))
  jobs.subscribe((change) => {
    if (change.type === 'deleted') backoffs.delete(change.object.metadata.uid ?? '')
  })
  pods.subscribe((change) => {
    const pod = change.object
    const owner = controllerOf(pod)
    if (owner?.kind === 'Job') {
      const key = `${pod.metadata.namespace}/${owner.name}`
      const ended = change.type === 'modified' && isFinished(pod) && !isFinished(change.previous)
      if (ended) queue.addAt(key, clock.now() + gatherMs)
      else queue.add(key)
      if (pod.metadata.deletionTimestamp) void releaseOrphan(pod)
    } else if (!owner) {
      for (const job of jobs.list(pod.metadata.namespace)) {
        if (belongs(job, pod)) queue.add(keyOf(job))
      }
    }
  })

  async function sync(key: string): Promise<void> {
    const job = jobs.get(key)
    if (!job) return expectations.forget(key)
    if (job.spec.managedBy && job.spec.managedBy !== 'kubernetes.io/job-controller') return
    const uid = job.metadata.uid ?? ''
    const settled = expectations.satisfied(key)
    const owned = await claim(job)
    const backoff = backoffs.get(uid) ?? noBackoff
    const plan = planJob({ job, pods: owned, backoff, settled, now: clock.now() })

    if (plan.expired) {
      const uidIs = { preconditions: { uid } }
      await client
        .delete(resources.jobs, objectKey(job), { propagationPolicy: 'Foreground', ...uidIs })
        .catch(ignoreNotFound)
      return
    }
    for (const pod of plan.discards) await releasePod(pod)
    const leaving = [...plan.deletes, ...plan.discards]
    const deleted = await control.delete(job, key, leaving)
    const created = await control.create(job, key, plan.creates)
    const error = deleted.error ?? created.error
    if (plan.status) {
      // What was refused is neither active nor on its way out.
      const missed = plan.creates.length - created.created
      const kept = leaving.length - deleted.deleted.length
      const active = (plan.status.active ?? 0) - missed + kept
      const status = { ...plan.status, active }
      await client.update(resources.jobs, { ...job, status }, { subresource: 'status' })
    }
    if (plan.backoff === noBackoff) backoffs.delete(uid)
    else backoffs.set(uid, plan.backoff)
    for (const event of plan.events) recorder.record(job, event)
    for (const pod of plan.release) await releasePod(pod)
    if (error !== null) throw error
    if (plan.checkAt !== null) queue.addAt(key, plan.checkAt)
  }

  async function claim(job: Job): Promise<readonly Pod[]> {
    const owned = pods.byIndex(byController, job.metadata.uid ?? '')
    if (job.metadata.deletionTimestamp) return owned
    const adopted: Pod[] = []
    for (const pod of pods.byIndex(orphans, job.metadata.namespace ?? '')) {
      if (!belongs(job, pod) || !isActive(pod)) continue
      const { uid, resourceVersion, finalizers = [] } = pod.metadata
      const ownerReferences = [...(pod.metadata.ownerReferences ?? []), controllerReference(job)]
      const metadata = {
        uid,
        resourceVersion,
        ownerReferences,
        finalizers: [...new Set([...finalizers, trackingFinalizer])],
      }
      adopted.push(
        await client.patch<Pod>(resources.pods, objectKey(pod), {
          kind: 'merge',
          body: { metadata },
        }),
      )
    }
    return [...owned, ...adopted]
  }

  /** A pod whose Job is gone would keep its finalizer, and thus stay, for ever. */
  async function releaseOrphan(pod: Pod): Promise<void> {
    const owner = controllerOf(pod)
    const job = jobs.get(`${pod.metadata.namespace}/${owner?.name}`)
    if (job?.metadata.uid === owner?.uid) return
    await releasePod(pod).catch((error) => context.onError?.(error))
  }

  async function releasePod(pod: Pod): Promise<void> {
    const finalizers = pod.metadata.finalizers ?? []
    if (!finalizers.includes(trackingFinalizer)) return
    const kept = finalizers.filter((finalizer) => finalizer !== trackingFinalizer)
    const metadata = {
      uid: pod.metadata.uid,
      finalizers: kept.length > 0 ? kept : null,
    }
    await client
      .patch(resources.pods, objectKey(pod), { kind: 'merge', body: { metadata } })
      .catch(ignoreNotFound)
  }
}
