import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ControllerMetrics } from '@serinus/controller'
import type { Replica } from './replica.ts'

/** A path's answer: status, type and text. */
export interface Page {
  readonly status: number
  readonly contentType: string
  readonly text: string
}

/** What stands on the health port (spec operations 1.3); both answer on a standby too. */
export function healthPage(
  replica: Pick<Replica, 'unhealthy' | 'unready'>,
  path: string,
): Page | null {
  if (path !== '/healthz' && path !== '/readyz') return null
  const problem = path === '/healthz' ? replica.unhealthy() : replica.unready()
  return {
    status: problem === null ? 200 : 503,
    contentType: 'text/plain; charset=utf-8',
    text: problem ?? 'ok',
  }
}

/** What stands on the metrics port. */
export async function metricsPage(metrics: ControllerMetrics, path: string): Promise<Page | null> {
  if (path !== '/metrics') return null
  return {
    status: 200,
    contentType: metrics.registry.contentType,
    text: await metrics.text(),
  }
}

/**
 * Serves pages on all interfaces until closed. Rejects, naming the flag, where the port cannot be had.
 *
 * @param flag as `--healthzPort`
 */
export async function servePages(
  flag: string,
  at: { readonly host?: string; readonly port: number },
  pageOf: (path: string) => Page | null | Promise<Page | null>,
): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    Promise.resolve()
      .then(() => pageOf(path))
      .then(
        (page) => {
          if (page === null) return response.writeHead(404).end('not found\n')
          response.writeHead(page.status, { 'content-type': page.contentType }).end(page.text)
        },
        (error: Error) => response.writeHead(500).end(error.message),
      )
  })
  await listening(server, at).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'EADDRINUSE' ? 'is taken' : `cannot be used (${error.message})`
    throw new Error(`${flag}: port ${at.port} ${why}; name another one, or 0 for any`)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

function listening(
  server: Server,
  at: { readonly host?: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: at.port, ...(at.host ? { host: at.host } : {}) }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
