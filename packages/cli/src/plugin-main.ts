import { RealClock } from '@serinus/kube'
import { runPlugin } from './plugin/run.ts'

process.exitCode = await runPlugin(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  clock: new RealClock(),
  env: process.env,
  signal: interrupted(),
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
