export type {
  AdmissionHook,
  AdmissionRequest,
  HandledSubresource,
  PortForward,
  SubresourceCall,
  SubresourceHandler,
  UserInfo,
} from './apiserver/hooks.ts'
export type { Journal, JournalEntry, JournalWrite } from './apiserver/journal.ts'
export { type Listening, type ListenOptions, listen } from './apiserver/listen.ts'
export { ApiServer, type ApiServerOptions } from './apiserver/server.ts'
export { SqliteJournal } from './apiserver/sqlite-journal.ts'
export { type FailureStatus, failureStatus, StatusError } from './apiserver/status-error.ts'
export { Store, type StoredResource, type StoreEvent, type StoreSink } from './apiserver/store.ts'
export {
  type Addresses,
  type Cluster,
  type ClusterOptions,
  openCluster,
  type Surroundings,
  startCluster,
  startSurroundings,
} from './cluster.ts'
export { type Fault, Inbox, type Received } from './inbox/inbox.ts'
export type { GroundTruth } from './traffic/ground-truth.ts'
export { routerKinds } from './traffic/router-kinds.ts'
export {
  type SimulatedNodes,
  type SimulatedNodesOptions,
  startSimulatedNodes,
} from './workloads/simulated-nodes.ts'
