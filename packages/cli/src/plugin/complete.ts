import { kinds } from '@serinus/api'
import type { Command, Option } from 'commander'
import { isShown, type PluginCommand } from './command.ts'
import type { CommandParts } from './terminal.ts'

/** Words that ask for candidates; kubectl and the completion scripts send them first (spec cli 1.2). */
export const completionWords: ReadonlySet<string> = new Set(['__complete', '__completeNoDesc'])

const directives = {
  default: [0, 'ShellCompDirectiveDefault'],
  error: [1, 'ShellCompDirectiveError'],
  noFileComp: [4, 'ShellCompDirectiveNoFileComp'],
} as const

interface Candidates {
  /** `value` or `value<TAB>description`. */
  readonly lines: readonly string[]
  readonly directive: keyof typeof directives
}

/** Answers the completion protocol of cobra: candidates and directive on stdout. */
export async function complete(
  program: PluginCommand,
  request: readonly string[],
  { terminal, connect }: CommandParts,
): Promise<void> {
  const [kind, ...words] = request
  const { lines, directive } = await candidates(program, words, connect)
  const [code, label] = directives[directive]
  const shown = kind === '__completeNoDesc' ? lines.map((line) => line.split('\t')[0]) : lines
  terminal.out(`${[...shown, `:${code}`].join('\n')}\n`)
  terminal.err(`Completion ended with directive: ${label}\n`)
}

async function candidates(
  program: PluginCommand,
  words: readonly string[],
  connect: CommandParts['connect'],
): Promise<Candidates> {
  const typed = words.at(-1) ?? ''
  const line = readLine(program, words.slice(0, -1))
  if (line.openFlag) return { lines: [], directive: 'default' }
  const { command, operands } = line
  if (typed.startsWith('-')) {
    return { lines: flagCandidates(program, command, typed), directive: 'noFileComp' }
  }
  const resource = operands === 0 ? namedResource(command) : undefined
  if (resource) return names(connect, { resource, prefix: typed })
  const subcommands = operands === 0 ? command.commands : []
  return {
    lines: subcommands
      .filter((child) => isShown(child) && child.name().startsWith(typed))
      .map((child) => `${child.name()}\t${child.description()}`)
      .sort(),
    directive: 'noFileComp',
  }
}

interface Line {
  readonly command: Command
  /** Number of arguments after the command's own words. */
  readonly operands: number
  /** Whether the last word is a flag that waits for its value. */
  readonly openFlag: boolean
}

function readLine(program: PluginCommand, words: readonly string[]): Line {
  let command: Command = program
  let operands = 0
  let open: Option | undefined
  for (const word of words) {
    if (open) {
      setGlobal(program, open, word)
      open = undefined
      continue
    }
    if (word.startsWith('-')) {
      const [name, value] = splitFlag(word)
      const option = [...command.options, ...program.options].find(
        ({ long, short }) => name === long || name === short,
      )
      if (option?.required && value === undefined) open = option
      else if (option?.required && value !== undefined) setGlobal(program, option, value)
      continue
    }
    const child = command.commands.find((c) => c.name() === word || c.aliases().includes(word))
    if (child && operands === 0) command = child
    else operands++
  }
  return { command, operands, openFlag: open !== undefined }
}

function splitFlag(word: string): [name: string, value: string | undefined] {
  const at = word.indexOf('=')
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)]
}

/** Names are read from the cluster and namespace that the line names. */
function setGlobal(program: PluginCommand, option: Option, value: string): void {
  if (!program.options.includes(option) || option.parseArg) return
  program.setOptionValue(option.attributeName(), value)
}

function flagCandidates(program: PluginCommand, command: Command, typed: string): string[] {
  return [...new Set([...command.options, ...program.options])]
    .filter(({ hidden, long }) => !hidden && long?.startsWith(typed))
    .map(({ long, description }) => `${long}\t${description}`)
    .sort()
}

/** The kind that a command's first argument names. */
function namedResource(command: Command) {
  switch (command.registeredArguments[0]?.name()) {
    case 'ROLLOUT_NAME':
      return kinds.rollouts
    case 'EXPERIMENT_NAME':
      return kinds.experiments
    case 'ANALYSISRUN_NAME':
      return kinds.analysisRuns
    default:
      return undefined
  }
}

async function names(
  connect: CommandParts['connect'],
  wanted: { readonly resource: (typeof kinds)[keyof typeof kinds]; readonly prefix: string },
): Promise<Candidates> {
  try {
    const { client, namespace } = connect()
    const { items } = await client.list(wanted.resource, { namespace })
    const lines = items.map(({ metadata }) => metadata.name)
    return {
      lines: lines.filter((name) => name.startsWith(wanted.prefix)),
      directive: 'noFileComp',
    }
  } catch {
    // The protocol has no room for a message: the directive tells that there was a failure.
    return { lines: [], directive: 'error' }
  }
}
