import { CommanderError } from 'commander'
import { Exit, pluginProgram, type Terminal } from './program.ts'

/** Runs one command line; returns the exit code. Errors are one line on stderr (spec cli 1.1). */
export async function runPlugin(args: readonly string[], terminal: Terminal): Promise<number> {
  const program = pluginProgram(terminal)
  // Wrong usage prints the usage text alone; everything else prints `Error: …`, never both.
  silence(program)
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof Exit) return error.code
    if (error instanceof CommanderError) return usageError(error, { program, args, terminal })
    terminal.err(`Error: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

function silence(command: ReturnType<typeof pluginProgram>): void {
  command.exitOverride().configureOutput({ outputError: () => {} })
  for (const child of command.commands) silence(child as ReturnType<typeof pluginProgram>)
}

interface Usage {
  readonly program: ReturnType<typeof pluginProgram>
  readonly args: readonly string[]
  readonly terminal: Terminal
}

function usageError(error: CommanderError, usage: Usage): number {
  const { program, args, terminal } = usage
  if (error.code === 'commander.helpDisplayed' || error.code === 'commander.version') return 0
  if (error.code === 'commander.help') return 1
  if (error.code === 'commander.unknownOption') {
    const flag = /'([^']+)'/.exec(error.message)?.[1] ?? ''
    terminal.err(`Error: unknown flag: ${flag.split(/[ ,]/)[0]}\n`)
    return 1
  }
  const word = args.find((arg) => !arg.startsWith('-')) ?? ''
  const command = program.commands.find((c) => c.name() === word || c.aliases().includes(word))
  if (!command) {
    terminal.err(
      `Error: unknown command "${word}" for "kubectl-argo-rollouts"\nRun 'kubectl-argo-rollouts --help' for usage.\n`,
    )
    return 1
  }
  const sub = command.commands.find(
    (c) => args.includes(c.name()) || c.aliases().some((alias) => args.includes(alias)),
  )
  if (
    error.code === 'commander.missingArgument' ||
    error.code === 'commander.excessArguments' ||
    error.code === 'commander.unknownCommand'
  ) {
    terminal.err((sub ?? command).helpInformation())
    return 1
  }
  terminal.err(`${error.message.replace(/^error: /, 'Error: ')}\n`)
  return 1
}
