import type { KubeClient } from './client.ts'
import { wrapClient } from './wrap-client.ts'

/** A write that was not sent, because this process may not be the one to write at present. */
export class Fenced extends Error {
  override readonly name = 'Fenced'
}

/**
 * A client whose writes are sent only while `mayWrite` says so; otherwise they reject with `Fenced`. Reads always go.
 * Lies inside a rate limit, so that the question is asked after the wait for a token and not before it.
 */
export function fenceWrites(client: KubeClient, mayWrite: () => boolean): KubeClient {
  return wrapClient(client, ({ verb }) => {
    const isRead = verb === 'get' || verb === 'list' || verb === 'watch' || verb === 'raw'
    if (!isRead && !mayWrite()) {
      throw new Fenced('not sent: this process does not hold the lease at present')
    }
    return undefined
  })
}
