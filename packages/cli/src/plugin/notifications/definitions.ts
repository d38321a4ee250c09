import { type NotificationConfig, parseConfig } from '@serinus/notifications'
import { parse, stringify } from 'yaml'
import { alignColumns } from '../../view/table.ts'
import { readConfiguration, type Source } from './source.ts'

interface Wanted {
  /** Absent: all. */
  readonly name: string | undefined
  readonly output: string
}

interface Definition {
  readonly name: string
  /** As it is written in the ConfigMap. */
  readonly written: unknown
}

/** The text of `notifications template get`. */
export async function templates(source: Source, wanted: Wanted): Promise<string> {
  const { definitions } = await readDefinitions(source, { ...wanted, kind: 'template' })
  return textOf(definitions, wanted.output, () =>
    table([
      ['NAME', 'PREVIEW'],
      ...definitions.map(({ name, written }) => [name, preview(written)]),
    ]),
  )
}

/** The text of `notifications trigger get`. */
export async function triggers(source: Source, wanted: Wanted): Promise<string> {
  const { config, definitions } = await readDefinitions(source, { ...wanted, kind: 'trigger' })
  const rows = definitions.flatMap(({ name }) =>
    (config.triggers.get(name) ?? []).map(({ send, when }, index) => [
      index === 0 ? name : '',
      send.join(', '),
      when?.source ?? '',
    ]),
  )
  return textOf(definitions, wanted.output, () =>
    table([['NAME', 'TEMPLATE', 'CONDITION'], ...rows]),
  )
}

async function readDefinitions(
  source: Source,
  wanted: Wanted & { readonly kind: 'template' | 'trigger' },
): Promise<{ config: NotificationConfig; definitions: readonly Definition[] }> {
  if (!['wide', 'name', 'json', 'yaml'].includes(wanted.output)) {
    throw new Error(`output '${wanted.output}' is not supported`)
  }
  const { configMap } = await readConfiguration(source).catch((error: Error) => {
    throw new Error(`failed to get api: ${error.message}`, { cause: error })
  })
  const { config } = parseConfig(configMap, undefined)
  const known = wanted.kind === 'template' ? config.templates : config.triggers
  const names = [...known.keys()].filter((name) => !wanted.name || name === wanted.name).sort()
  return {
    config,
    definitions: names.map((name) => ({
      name,
      written: parse(configMap.data?.[`${wanted.kind}.${name}`] ?? ''),
    })),
  }
}

function textOf(definitions: readonly Definition[], output: string, wide: () => string): string {
  const map = () => Object.fromEntries(definitions.map(({ name, written }) => [name, written]))
  switch (output) {
    case 'name':
      return definitions.map(({ name }) => `${name}\n`).join('')
    case 'json':
      return `${JSON.stringify(map(), null, 2)}\n`
    case 'yaml':
      return stringify(map())
    default:
      return wide()
  }
}

function table(rows: readonly (readonly string[])[]): string {
  return `${alignColumns(rows).join('\n')}\n`
}

/** The first line of what it says, or its JSON where it has no message (spec cli 10). */
function preview(written: unknown): string {
  const { message } = (written ?? {}) as { readonly message?: unknown }
  const text = typeof message === 'string' && message !== '' ? message : JSON.stringify(written)
  const [line = ''] = text.split('\n')
  return line.length > 100 ? `${line.slice(0, 99)}...` : line
}
