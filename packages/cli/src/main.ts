import { runSerinus } from './serinus/program.ts'

// `serinus demo | head` closes our stdout early: nobody reads on, so there is nothing to report.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

process.exitCode = await runSerinus(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
  signal: interrupted(),
})
// Servers and watches of a finished command must not keep the process.
process.exit()

function interrupted(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(1)
      controller.abort(new Error(`ended by ${name}`))
    })
  }
  return controller.signal
}
