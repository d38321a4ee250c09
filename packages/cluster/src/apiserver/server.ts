import type { Clock, KubeClient, SeededRandom } from '@serinus/kube'
import type { Journal } from './journal.ts'
import { Store } from './store.ts'

export class ApiServer {
  readonly store: Store
  /** The whole HTTP API incl. authentication, fetch-standard. */
  readonly handle: (request: Request) => Promise<Response>
  /** The same as cluster admin without authentication, for use in this process. */
  readonly handleTrusted: (request: Request) => Promise<Response>
  readonly client: KubeClient
  constructor(options: { clock: Clock; random: SeededRandom; serverUrl?: string; journal?: Journal })
  setSubresourceHandler(resource: 'pods/log' | 'pods/portforward' | 'pods/exec' | 'pods/attach' | 'pods/proxy' | 'services/proxy' | 'pods/eviction', handler: SubresourceHandler): Disposable
}
