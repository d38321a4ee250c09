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
export { resources } from './resources.ts'
