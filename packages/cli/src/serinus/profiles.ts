import { createServer } from 'node:http'
import { Session } from 'node:inspector/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { getHeapSnapshot } from 'node:v8'

const index = `profiles of this process, for Chrome's developer tools:
/debug/pprof/profile?seconds=30  CPU profile (save as *.cpuprofile)
/debug/pprof/heap                heap snapshot (save as *.heapsnapshot)
/debug/pprof/cmdline             command line
`

/**
 * Where upstream serves Go profiles, the profiles that Node.js has, in V8's formats (`--enable-pprof-address`).
 * `symbol` and `trace` have no counterpart.
 */
export function serveProfiles(at: {
  readonly host: string
  readonly port: number
}): Promise<{ close(): void }> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    switch (url.pathname) {
      case '/debug/pprof/':
        return response.end(index)
      case '/debug/pprof/cmdline':
        return response.end(process.argv.join('\0'))
      case '/debug/pprof/heap':
        return getHeapSnapshot().pipe(response)
      case '/debug/pprof/profile': {
        const seconds = Number(url.searchParams.get('seconds') ?? 30)
        if (!(seconds > 0 && seconds <= 600)) {
          return response.writeHead(400).end('seconds: a number above 0, at most 600\n')
        }
        return cpuProfile(seconds).then(
          (profile) => response.end(profile),
          (error: Error) => response.writeHead(500).end(error.message),
        )
      }
      default:
        return response.writeHead(404).end(index)
    }
  })
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new Error(`--enable-pprof-address: ${error.message}; name another address`)),
    )
    server.listen({ port: at.port, ...(at.host === '' ? {} : { host: at.host }) }, () =>
      resolve({
        close: () => {
          server.close()
          server.closeAllConnections()
        },
      }),
    )
  })
}

async function cpuProfile(seconds: number): Promise<string> {
  const session = new Session()
  session.connect()
  try {
    await session.post('Profiler.enable')
    await session.post('Profiler.start')
    await wait(seconds * 1000)
    const { profile } = await session.post('Profiler.stop')
    return JSON.stringify(profile)
  } finally {
    session.disconnect()
  }
}
