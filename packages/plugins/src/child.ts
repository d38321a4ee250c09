import { type ChildProcess, spawn } from 'node:child_process'
import { sleep } from '@serinus/kube'
import { lineSplitter } from './lines.ts'
import type { PluginStart } from './plugin-process.ts'

/** A process of the plugin's own. */
export interface Child {
  write(text: string): void
  /** Ends its standard input, at which most programs end. */
  close(): void
  kill(): void
  /** Resolves with the reason once it has ended and all that it printed has been read. */
  readonly ended: Promise<Error>
}

/** How many of the last lines on standard error are told with an unexpected end. */
const lastWordsKept = 3

/** How long the output of a process is read after its end. */
const lingerMs = 1_000

/** Longest line on standard output: an answer, characters. */
const longestAnswer = 10 * 2 ** 20

/** Starts the file of a plugin; what it prints on standard error goes to the log. Rejects when it cannot be run. */
export function startChild(
  start: Pick<PluginStart, 'target' | 'args' | 'env' | 'log' | 'clock'>,
  facts: {
    readonly env: Readonly<Record<string, string>>
    readonly onLine: (line: string) => void
  },
): Promise<Child> {
  const { target, args, env, log, clock } = start
  const child = spawn(target, args, {
    env: { ...env, ...facts.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const lastWords: string[] = []
  const errors = lineSplitter((line) => {
    // go-plugin's own chatter tells nobody why a plugin died.
    if (!line.startsWith('{"@level"')) lastWords.push(line)
    if (lastWords.length > lastWordsKept) lastWords.shift()
    log(line)
  })
  let fault: Error | null = null
  const answers = lineSplitter(facts.onLine, {
    longest: longestAnswer,
    onLong() {
      fault ??= new Error(`the plugin wrote a line of more than ${longestAnswer} characters`)
      kill(child)
    },
  })
  child.stdout.on('data', (bytes: Buffer) => answers.push(bytes))
  child.stderr.on('data', (bytes: Buffer) => errors.push(bytes))
  // A plugin that has closed its input will be seen to end; the write itself is no news.
  child.stdin.on('error', () => {})
  const ended = new Promise<Error>((resolve) => {
    const over = new AbortController()
    child.once('exit', () => {
      // What it has started may hold its output open for ever.
      sleep(clock, lingerMs, over.signal).then(
        () => kill(child),
        () => {},
      )
    })
    child.once('close', (code, signal) => {
      over.abort()
      answers.end()
      errors.end()
      resolve(fault ?? endOf({ code, signal, lastWords }))
    })
  })
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(error))
    child.once('spawn', () =>
      resolve({
        write: (text) => void child.stdin.write(text),
        close: () => void child.stdin.end(),
        kill: () => kill(child),
        ended,
      }),
    )
  })
}

function kill(child: ChildProcess): void {
  child.kill('SIGKILL')
  // What it started itself may hold our pipes open for ever.
  child.stdout?.destroy()
  child.stderr?.destroy()
}

function endOf(facts: {
  code: number | null
  signal: string | null
  lastWords: readonly string[]
}): Error {
  const how = facts.signal ? `signal ${facts.signal}` : `exit status ${facts.code}`
  const words = facts.lastWords.length > 0 ? `: ${facts.lastWords.join(' | ')}` : ''
  return new Error(`the plugin process ended (${how})${words}`)
}
