import { type Clock, unlessAborted } from '@serinus/kube'
import { withDeadline } from './deadline.ts'
import type { Declaration } from './declarations.ts'
import { obtainFile } from './files.ts'
import { type PluginProcess, StartFailure, textOf } from './plugin-process.ts'
import { protocolOf, starters } from './protocols.ts'

/** What it takes to get a plugin to work. */
export interface LaunchOptions {
  readonly declaration: Declaration
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Where `plugin-bin` is. */
  readonly folder: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly fetch: (request: Request) => Promise<Response>
  readonly readHeaders: (secrets: readonly string[]) => Promise<Readonly<Record<string, string>>>
  /** Its file was fetched before. */
  readonly isFetched: boolean
  /** Told the values of the headers, which must not be told to anybody else. */
  readonly onSecrets: (values: readonly string[]) => void
  /** A line that the plugin printed. */
  readonly onLine: (line: string) => void
}

/** How long the file of a plugin may take. */
const downloadTimeoutMs = 300_000

/** How long a plugin may take until it can be asked, as with go-plugin. */
const startTimeoutMs = 60_000

/** Gets the file of a plugin, starts and initialises it; rejects with upstream's chain from `unable to …` on. */
export async function launch(options: LaunchOptions): Promise<PluginProcess> {
  const { declaration, clock, signal, env, fetch } = options
  const { name, kind, args, location } = declaration
  const common = { clock, signals: [signal] }
  const prepared = await withDeadline(
    { ...common, ms: downloadTimeoutMs, otherwise: `${location.text} did not come` },
    (over) => prepare(options, over),
  ).catch((error: unknown) => {
    throw new Error(`unable to find plugin (${name}): ${textOf(error)}`, { cause: error })
  })
  const start = await starters[protocolOf(declaration)]()
  return withDeadline({ ...common, ms: startTimeoutMs, otherwise: 'it did not start' }, (over) =>
    start({ kind, name, args, env, clock, fetch, ...prepared, signal: over, log: options.onLine }),
  ).catch((error: unknown) => {
    const stage = error instanceof StartFailure ? error.stage : 'get plugin client'
    throw new Error(`unable to ${stage} (${name}): ${textOf(error)}`, { cause: error })
  })
}

async function prepare(
  options: LaunchOptions,
  signal: AbortSignal,
): Promise<{ readonly target: string; readonly headers: Readonly<Record<string, string>> }> {
  const { declaration, folder, fetch, isFetched } = options
  const headers = await unlessAborted(options.readHeaders(declaration.headersFrom), signal)
  options.onSecrets(Object.values(headers).flatMap(secretsIn))
  const { location } = declaration
  if (location.kind === 'service') return { headers, target: location.url }
  const file = { folder, fetch, headers, signal, isFetched }
  return { headers, target: await obtainFile(declaration, file) }
}

/** Shorter texts are no secrets, and masking them would make a riddle of every message. */
const shortestSecret = 4

/**
 * The value of a header, and without it the word that counts: `Bearer TOKEN` is told by TOKEN alone. Each also as JSON
 * writes it, since messages quote.
 */
function secretsIn(value: string): readonly string[] {
  const words = value.split(/\s+/).slice(1)
  return [value, ...words]
    .filter((text) => text.length >= shortestSecret)
    .flatMap((text) => [text, JSON.stringify(text).slice(1, -1)])
}
