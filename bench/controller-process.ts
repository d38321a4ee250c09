import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The controller as it is released: a process of its own, against the cluster of a kubeconfig. */
export interface ControllerProcess extends AsyncDisposable {
  /** Processor time so far, user and system, in milliseconds. */
  cpuMs(): number
  /** Memory that is resident now, in MiB. */
  rssMiB(): number
  /** Resolves when it has begun to work; for a standby that is when it leads. */
  readonly works: Promise<void>
  /** Resolves when its caches are filled, whether it leads or not. */
  ready(): Promise<void>
  readonly metricsUrl: string
  /** Leaves it no time to release its lease. */
  kill(): void
}

/** Two ports that are free now. */
async function freePorts(): Promise<readonly [number, number]> {
  const servers = [createServer(), createServer()]
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) =>
          server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
        ),
    ),
  )
  for (const server of servers) server.close()
  return ports as [number, number]
}

/** Starts `serinus controller`, unless told otherwise without client limits: what is measured is the controller, not its tokens. */
export async function startControllerProcess(
  kubeconfig: string,
  { limits = 'none' }: { readonly limits?: 'none' | 'default' } = {},
): Promise<ControllerProcess> {
  const [metricsPort, healthzPort] = await freePorts()
  const child = spawn(
    process.execPath,
    [
      ...[release(), 'controller', '--kubeconfig', kubeconfig, '--logformat', 'json'],
      ...(limits === 'none' ? ['--qps', '100000', '--burst', '100000'] : []),
      ...['--metricsPort', String(metricsPort), '--healthzPort', String(healthzPort)],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const works = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.includes('"the controller works"')) resolve()
      else if (!line.includes('"level":"info"')) process.stderr.write(`    controller: ${line}\n`)
    })
    child.on('close', (code) => reject(new Error(`the controller ended with ${code}`)))
  })
  works.catch(() => {}) // not everybody waits for it
  const factsOf = (name: string) => readFileSync(`/proc/${child.pid}/${name}`, 'utf8')
  return {
    works,
    metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
    async ready() {
      for (;;) {
        const answer = await fetch(`http://127.0.0.1:${healthzPort}/readyz`).catch(() => null)
        if (answer?.ok) return
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
    cpuMs() {
      // Fields 14 and 15 in clock ticks of 10 ms; field 2 is the command in parentheses (proc_pid_stat(5)).
      const [, rest = ''] = factsOf('stat').split(') ')
      const fields = rest.split(' ')
      return (Number(fields[11]) + Number(fields[12])) * 10
    },
    rssMiB: () => Number(/^VmRSS:\s+(\d+) kB/m.exec(factsOf('status'))?.[1]) / 1024,
    kill: () => void child.kill('SIGKILL'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

let built: string | undefined

/** The bundle of the present sources: running the sources themselves costs the memory of a compiler. */
function release(): string {
  if (built === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'serinus-release-'))
    execFileSync(process.execPath, ['node_modules/rolldown/bin/cli.mjs', '-c', '-d', folder], {
      stdio: 'ignore',
    })
    built = join(folder, 'serinus.mjs')
  }
  return built
}
