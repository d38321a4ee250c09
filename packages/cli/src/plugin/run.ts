import type { Command, CommanderError } from 'commander'
import { executable, type PluginCommand, WrongUsage } from './command.ts'
import { complete, completionWords } from './complete.ts'
import { pluginParts, pluginProgram } from './program.ts'
import type { Terminal } from './terminal.ts'

/** Runs one command line; returns the exit code. Errors are one line on stderr (spec cli 1.1). */
export async function runPlugin(args: readonly string[], terminal: Terminal): Promise<number> {
  const program = pluginProgram(terminal)
  try {
    if (completionWords.has(args[0] ?? '')) {
      await complete(program, args, pluginParts(program, terminal))
      return 0
    }
    failWithTheCommand(program, terminal)
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof HelpShown) return 0
    terminal.err(textOf(error))
    return 1
  }
}

/** Help was asked for and is on stdout. */
class HelpShown extends Error {
  override readonly name = 'HelpShown'
}

/** Turns what commander finds wrong into our errors; only here it is known which command was wrong. */
function failWithTheCommand(command: Command, terminal: Terminal): void {
  command
    .configureOutput({ writeOut: terminal.out, writeErr: () => {}, outputError: () => {} })
    .exitOverride((error) => {
      throw failureOf(error, command)
    })
  for (const child of command.commands) failWithTheCommand(child, terminal)
}

function failureOf(error: CommanderError, command: Command): Error {
  const quoted = /'([^']*)'/.exec(error.message)?.[1] ?? ''
  switch (error.code) {
    case 'commander.helpDisplayed':
      return new HelpShown()
    case 'commander.unknownOption':
      return new Error(unknownFlag(quoted))
    case 'commander.optionMissingArgument':
      return new Error(`flag needs an argument: ${/--[\w-]+/.exec(quoted)?.[0] ?? quoted}`)
    case 'commander.unknownCommand':
      return command.parent ? new WrongUsage(command) : new UnknownCommand(quoted)
    default:
      return new WrongUsage(command)
  }
}

function unknownFlag(flag: string): string {
  const [name = ''] = flag.split('=')
  return name.startsWith('--')
    ? `unknown flag: ${name}`
    : `unknown shorthand flag: '${name.charAt(1)}' in ${name}`
}

class UnknownCommand extends Error {
  override readonly name = 'UnknownCommand'
  constructor(word: string) {
    super(
      `unknown command ${JSON.stringify(word)} for "${executable}"\nRun '${executable} --help' for usage.`,
    )
  }
}

function textOf(error: unknown): string {
  if (error instanceof WrongUsage) return (error.command as PluginCommand).usageText()
  return `Error: ${error instanceof Error ? error.message : String(error)}\n`
}
