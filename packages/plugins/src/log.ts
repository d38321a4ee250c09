import { type Clock, sleep } from '@serinus/kube'
import type { PluginKind } from './plugin-process.ts'

/** Something that is worth a line: of a plugin, or what it printed itself. Secrets of its declaration are masked. */
export interface PluginLogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  /** Absent: it is about the configuration as a whole. */
  readonly plugin?: string
  readonly kind?: PluginKind
}

export type PluginLog = (entry: PluginLogEntry) => void

const levels: ReadonlyMap<unknown, PluginLogEntry['level']> = new Map([
  ['trace', 'debug'],
  ['debug', 'debug'],
  ['info', 'info'],
  ['warn', 'warn'],
  ['error', 'error'],
])

/** A line as a plugin printed it; go-plugin's own are JSON with `@level` and `@message`. */
export function parseLine(line: string): Pick<PluginLogEntry, 'level' | 'message'> {
  try {
    const { '@level': level, '@message': message, ...rest } = JSON.parse(line)
    if (typeof message === 'string') {
      const { '@timestamp': _, ...fields } = rest
      const more = Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : ''
      return { level: levels.get(level) ?? 'info', message: `${message}${more}` }
    }
  } catch {
    // Not JSON: any text.
  }
  return { level: 'info', message: line }
}

/** Without what could write over other lines of a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ')
}

/** So many lines of one plugin are passed on in so long a time. */
const limit = { lines: 1_000, ms: 10_000 }

/** Passes on the lines of one plugin; of one that floods, what is left out is counted, and told. */
export function limitLines({
  clock,
  signal,
  onLine,
  onLeftOut,
}: {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onLine: (line: string) => void
  readonly onLeftOut: (message: string) => void
}): (line: string) => void {
  let since = Number.NEGATIVE_INFINITY
  let passed = 0
  let leftOut = 0
  const tell = () => {
    onLeftOut(
      `${leftOut} lines of the plugin are left out: more than ${limit.lines} came within ${limit.ms / 1000}s`,
    )
    leftOut = 0
  }
  return (line) => {
    const now = clock.now()
    if (now >= since + limit.ms) {
      since = now
      passed = 0
    }
    if (passed++ < limit.lines) return onLine(line)
    if (leftOut++ > 0 || signal.aborted) return
    sleep(clock, since + limit.ms - now, signal).then(tell, tell)
  }
}
