export type {
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectKey,
  PatchKind,
  Transport,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './client.ts'
export { ApiError, Unreachable } from './client.ts'
export type { Clock } from './clock.ts'
export { deepEqual, mergePatch } from './equality.ts'
export type { EventDrop, EventFacts, EventRecorderOptions } from './event-recorder.ts'
export { EventRecorder } from './event-recorder.ts'
export { Fenced, fenceWrites } from './fence.ts'
export type { HttpClientOptions } from './http-client.ts'
export { httpClient } from './http-client.ts'
export type { Change, Informer, InformerOptions } from './informer.ts'
export { startInformer } from './informer.ts'
export type { KubeconfigOptions, KubeconfigTransport } from './kubeconfig.ts'
export { KubeconfigError, kubeconfigTransport } from './kubeconfig.ts'
export type { LeaseEvent, LeaseOptions, LeaseTerm, LeaseWork } from './lease.ts'
export { runWithLease } from './lease.ts'
export { isNamespaceTerminating } from './namespace-terminating.ts'
export type {
  KubeObject,
  ListOf,
  ObjectMeta,
  ObjectRef,
  OwnerReference,
  Resource,
  UnknownObject,
} from './objects.ts'
export { apiVersionOf, keyOf } from './objects.ts'
export { observeRequests, type RequestFacts } from './observe-requests.ts'
export type { RateLimitOptions } from './rate-limit.ts'
export { limitRate } from './rate-limit.ts'
export { readConfigMap, readSecret } from './read-secret.ts'
export { RealClock, ScaledClock } from './real-clock.ts'
export type { RequestCounts } from './request-count.ts'
export { countRequests } from './request-count.ts'
export { resources } from './resources.ts'
export { SeededRandom } from './seeded-random.ts'
export { sleep } from './sleep.ts'
export type { FetchOptions, TlsMaterial } from './tls-material.ts'
export { unlessAborted } from './unless-aborted.ts'
export { VirtualClock } from './virtual-clock.ts'
export { withSignal } from './with-signal.ts'
export type { WorkQueueEvent, WorkQueueOptions } from './work-queue.ts'
export { WorkQueue } from './work-queue.ts'
