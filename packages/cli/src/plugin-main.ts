import { RealClock } from '@serinus/kube'
import { runPlugin } from './plugin/run.ts'

let interruption: AbortSignal | undefined

// `list | head` closes our stdout early: nobody reads on, so there is nothing to report.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

process.exitCode = await runPlugin(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  clock: new RealClock(),
  env: process.env,
  // Made when a watch asks for it: all other commands die by a signal at once, as processes do.
  get signal() {
    interruption ??= interrupted()
    return interruption
  },
})

/** The first signal ends a watch in an orderly way, the second at once (spec cli 1.1). */
function interrupted(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(1)
      controller.abort()
    })
  }
  return controller.signal
}
