import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** The controller as people run it: a process of its own, against the cluster of a kubeconfig. */
export interface ControllerProcess extends AsyncDisposable {
  /** Processor time so far, user and system, in milliseconds. */
  cpuMs(): number
  /** Memory that is resident now, in MiB. */
  rssMiB(): number
  /** Resolves when it says that it works; a standby does so when it leads. */
  readonly started: Promise<void>
  readonly metricsUrl: string
  /** Ends it without leaving it the time to release its lease. */
  kill(): void
}

/** The port of the first controller's `/metrics`; each further one takes the next. */
let nextPort = 18_090

/** Starts `serinus controller` without client limits: what is measured is the controller, not its tokens. */
export function startControllerProcess(kubeconfig: string): ControllerProcess {
  const port = nextPort++
  const command = ['packages/cli/bin/serinus.mjs', 'controller', '--kubeconfig', kubeconfig]
  const flags = ['--qps', '100000', '--burst', '100000', '--metricsport', String(port)]
  const child = spawn(process.execPath, [...command, ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const procFile = (name: string) => readFileSync(`/proc/${child.pid}/${name}`, 'utf8')
  return {
    started: saying(child, 'controller started'),
    metricsUrl: `http://127.0.0.1:${port}/metrics`,
    cpuMs() {
      // Fields 14 and 15 in clock ticks of 10 ms; field 2 is the command in parentheses (proc_pid_stat(5)).
      const [, rest = ''] = procFile('stat').split(') ')
      const fields = rest.split(' ')
      return (Number(fields[11]) + Number(fields[12])) * 10
    },
    rssMiB: () => Number(/^VmRSS:\s+(\d+) kB/m.exec(procFile('status'))?.[1]) / 1024,
    kill: () => void child.kill('SIGKILL'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function saying(child: ChildProcess, line: string): Promise<void> {
  const said = new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (text: Buffer) => {
      if (text.toString().includes(line)) resolve()
    })
    child.on('error', reject)
    child.on('close', (code) => reject(new Error(`the controller ended with ${code}`)))
  })
  said.catch(() => {}) // not everybody waits for it
  return said
}
