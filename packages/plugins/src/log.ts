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

const levels: Readonly<Record<string, PluginLogEntry['level']>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
}

/** A line as a plugin printed it; go-plugin's own are JSON with `@level` and `@message`. */
export function parseLine(line: string): Pick<PluginLogEntry, 'level' | 'message'> {
  try {
    const { '@level': level, '@message': message, ...rest } = JSON.parse(line)
    if (typeof message === 'string') {
      const { '@timestamp': _, ...fields } = rest
      const more = Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : ''
      return { level: levels[String(level)] ?? 'info', message: `${message}${more}` }
    }
  } catch {
    // Not JSON: any text.
  }
  return { level: 'info', message: line }
}
