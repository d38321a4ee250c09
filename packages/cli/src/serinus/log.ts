import type { Clock } from '@serinus/kube'
import { pino } from 'pino'

/** A log line: what happened in words, the facts as fields. */
type LogLine = (message: string, fields?: Readonly<Record<string, unknown>>) => void

/** The log of a process (spec operations 1.1: `--loglevel`, `--logformat`). */
export interface Log {
  readonly debug: LogLine
  readonly info: LogLine
  readonly warn: LogLine
  readonly error: LogLine
}

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly format: 'text' | 'json'
  readonly clock: Clock
  readonly write: (line: string) => void
}

/** One JSON object or one line of `key=value` pairs per entry, as Argo Rollouts' log reads. */
export function createLog({ level, format, clock, write }: LogOptions): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label === 'warn' ? 'warning' : label }) },
      serializers: { error: errorText },
    },
    { write: (line: string) => write(format === 'json' ? line : textOf(line)) },
  )
  const line =
    (at: 'debug' | 'info' | 'warn' | 'error'): LogLine =>
    (message, fields = {}) =>
      logger[at](fields, message)
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}

/** What an error says, with what caused it. */
function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, cause } = error
  const why = cause instanceof Error && !message.includes(cause.message) ? `: ${cause.message}` : ''
  return `${message}${why}`
}

function textOf(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json) as Record<string, unknown>
  const pairs = { time, level, msg, ...fields }
  return `${Object.entries(pairs)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${quoted(value)}`)
    .join(' ')}\n`
}

/** As logfmt has it: a word stands alone, everything else in quotes. */
function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return /^[\w.,:/@^+-]+$/.test(text) ? text : JSON.stringify(text)
}
