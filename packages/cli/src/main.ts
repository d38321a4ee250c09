import { runSerinus } from './serinus/program.ts'

const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

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
  // A terminal that is closed takes plugins with it only if we end them; with nohup there is none.
  const names = process.stdin.isTTY ? endings : endings.filter((name) => name !== 'SIGHUP')
  for (const name of names) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(1)
      controller.abort(new Error(`ended by ${name}`))
    })
  }
  return controller.signal
}
