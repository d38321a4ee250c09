import type { Clock, KubeClient, SeededRandom } from '@serinus/kube'
import type { AdmissionHook, HandledSubresource, PortForward, SubresourceHandler } from './hooks.ts'
import type { Journal } from './journal.ts'
import { Store } from './store.ts'

/** The API server of the embedded cluster (spec embedded-cluster 2). */
export class ApiServer {
  readonly store: Store
  /** The whole HTTP API incl. authentication, fetch-standard. */
  readonly handle: (request: Request) => Promise<Response>
  /** The same as cluster admin and without authentication, for use in this process. */
  readonly handleTrusted: (request: Request) => Promise<Response>
  /** Speaks to the server without HTTP; objects are frozen and shared with the store. */
  readonly client: KubeClient

  constructor(options: {
    clock: Clock
    random: SeededRandom
    serverUrl?: string
    journal?: Journal
    historyLimit?: number
  }) {
    this.store = new Store(options)
    throw new Error('not yet')
  }

  /** Serves `pods/log`, a proxy, ...; the last one set answers until it is disposed. */
  setSubresourceHandler(_name: HandledSubresource, _handler: SubresourceHandler): Disposable {
    throw new Error('not yet')
  }
  setPortForward(_dial: PortForward): Disposable {
    throw new Error('not yet')
  }
  addAdmission(_hook: AdmissionHook): Disposable {
    throw new Error('not yet')
  }
}
