export {
  type Addresses,
  type Cluster,
  type ClusterOptions,
  openCluster,
  startCluster,
} from './cluster.ts'
export { Inbox, type Received } from './inbox/inbox.ts'
export type { GroundTruth } from './traffic/ground-truth.ts'
