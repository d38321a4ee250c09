import { spawn } from 'node:child_process'
import { sleep } from '@serinus/kube'
import { lineSplitter } from './lines.ts'
import type { PluginStart } from './plugin-process.ts'

/** A process of the plugin's own. */
export interface Child {
  write(text: string): void
  /** Ends its standard input, at which most programs end. */
  close(): void
  /** Ends it and what it has started; `why` is told with its end, unless it ended by itself. */
  kill(why?: Error): void
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
    /** Its standard output has ended; `over` aborts once the process has, too. */
    readonly onEnd?: (over: AbortSignal) => void
  },
): Promise<Child> {
  const { target, args, env, log, clock } = start
  const child = spawn(target, args, {
    env: { ...env, ...facts.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own, so that what it starts ends with it.
    detached: true,
  })
  const group = trackGroup(child.pid)
  const lastWords: string[] = []
  const errors = lineSplitter((line) => {
    // go-plugin's own chatter tells nobody why a plugin died.
    if (!line.startsWith('{"@level"')) lastWords.push(line)
    if (lastWords.length > lastWordsKept) lastWords.shift()
    log(line)
  })
  let fault: Error | null = null
  let killedFor: Error | undefined
  const closeOutput = () => {
    child.stdout.destroy()
    child.stderr.destroy()
  }
  const kill = (why?: Error) => {
    killedFor ??= why
    if (!group.end()) closeOutput()
  }
  const answers = lineSplitter(facts.onLine, {
    longest: longestAnswer,
    onLong() {
      fault ??= new Error(`the plugin wrote a line of more than ${longestAnswer} characters`)
      kill()
      closeOutput()
    },
  })
  child.stdout.on('data', (bytes: Buffer) => answers.push(bytes))
  child.stderr.on('data', (bytes: Buffer) => errors.push(bytes))
  // A plugin that has closed its input will be seen to end; the write itself is no news.
  for (const stream of child.stdio) stream?.on('error', () => {})
  const over = new AbortController()
  child.stdout.on('end', () => facts.onEnd?.(over.signal))
  const ended = new Promise<Error>((resolve) => {
    child.once('exit', () => {
      group.end()
      group.forget()
      // What left the group may hold its output open for ever.
      sleep(clock, lingerMs, over.signal).then(closeOutput, () => {})
    })
    child.once('close', (code, signal) => {
      over.abort()
      answers.end()
      errors.end()
      const end = endOf({ code, signal, lastWords })
      // Who else may have killed it cannot be told from here.
      const why = signal === 'SIGKILL' && killedFor ? `${killedFor.message}; ` : ''
      resolve(fault ?? new Error(`${why}${end}`))
    })
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.once('spawn', () =>
      resolve({
        write: (text) => void child.stdin.write(text),
        close: () => void child.stdin.end(),
        kill,
        ended,
      }),
    )
  })
}

/** The groups that are at work: whatever ends this process but SIGKILL, they do not outlive it. */
const groups = new Set<number>()

function endGroups(): void {
  for (const pid of groups) endGroup(pid)
}

/** `end` returns false where the group is gone or was never there. */
function trackGroup(pid: number | undefined): { end(): boolean; forget(): void } {
  if (pid === undefined) return { end: () => false, forget: () => {} }
  if (groups.size === 0) process.on('exit', endGroups)
  groups.add(pid)
  return {
    // The number may soon be that of somebody else.
    end: () => groups.has(pid) && endGroup(pid),
    forget() {
      groups.delete(pid)
      if (groups.size === 0) process.off('exit', endGroups)
    },
  }
}

function endGroup(pid: number): boolean {
  try {
    return process.kill(-pid, 'SIGKILL')
  } catch {
    return false
  }
}

function endOf(facts: {
  code: number | null
  signal: string | null
  lastWords: readonly string[]
}): string {
  const how = facts.signal ? `signal ${facts.signal}` : `exit status ${facts.code}`
  const words = facts.lastWords.length > 0 ? `: ${facts.lastWords.join(' | ')}` : ''
  return `the plugin process ended (${how})${words}`
}
