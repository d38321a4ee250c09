import { Command, type Option } from 'commander'

/** The name in `Usage:` lines; examples use the words that kubectl maps to it (spec cli 1). */
export const executable = 'kubectl-argo-rollouts'

/** The arguments do not fit the command: its usage text is printed, and no `Error:` line (spec cli 1.1). */
export class WrongUsage extends Error {
  override readonly name = 'WrongUsage'
  readonly command: Command
  constructor(command: Command) {
    super(`wrong usage of ${pathOf(command)}`)
    this.command = command
  }
}

/** A command whose flags and help texts read as those of upstream, which are made by Go's cobra and pflag. */
export class PluginCommand extends Command {
  #examples: readonly string[] = []

  override createCommand(name?: string): PluginCommand {
    return new PluginCommand(name)
  }

  /** Pairs of a comment and what follows `kubectl argo rollouts`. */
  examples(...examples: readonly (readonly [comment: string, words: string])[]): this {
    this.#examples = examples.map(
      ([comment, words]) => `  # ${comment}\n  kubectl argo rollouts ${words}\n`,
    )
    return this
  }

  /** pflag takes `--watch=false` and never `--watch false`; commander takes neither for a boolean. */
  override parseOptions(args: string[]): ReturnType<Command['parseOptions']> {
    const end = args.indexOf('--')
    const flags = end < 0 ? args : args.slice(0, end)
    const rest = end < 0 ? [] : args.slice(end)
    return super.parseOptions([...flags.flatMap((arg) => this.#plainFlag(arg)), ...rest])
  }

  override helpInformation(): string {
    return `${this.description()}\n\n${this.usageText()}`
  }

  usageText(): string {
    const shown = this.commands.filter((command) => isShown(command))
    const own = flagLines([...this.options, helpFlag])
    const inherited = this.parent ? flagLines(rootOf(this).options) : []
    const usage = [pathOf(this), ...this.registeredArguments.map(argumentText)].join(' ')
    const blocks = [
      `Usage:\n  ${shown.length > 0 ? `${pathOf(this)} [command]` : `${usage} [flags]`}\n`,
      this.aliases().length > 0
        ? `Aliases:\n  ${[this.name(), ...this.aliases()].join(', ')}\n`
        : '',
      this.#examples.length > 0 ? `Examples:\n${this.#examples.join('\n')}` : '',
      shown.length > 0 ? `Available Commands:\n${commandLines(shown).join('\n')}\n` : '',
      `Flags:\n${own.join('\n')}\n`,
      inherited.length > 0 ? `Global Flags:\n${inherited.join('\n')}\n` : '',
      shown.length > 0
        ? `Use "${pathOf(this)} [command] --help" for more information about a command.\n`
        : '',
    ]
    return blocks.filter((block) => block !== '').join('\n')
  }

  #plainFlag(arg: string): string[] {
    const [, flag, value = ''] = /^(--[\w-]+|-\w)=(.*)$/s.exec(arg) ?? []
    const option = this.options.find(
      ({ long, short }) => flag !== undefined && (long === flag || short === flag),
    )
    if (!option || option.required || option.optional) return [arg]
    if (/^(1|t|T|TRUE|true|True)$/.test(value)) return [flag ?? arg]
    if (/^(0|f|F|FALSE|false|False)$/.test(value)) {
      return option.defaultValue === true ? [`--no-${option.name()}`] : []
    }
    throw new Error(
      `invalid argument ${JSON.stringify(value)} for "${flagNames(option)}" flag: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
    )
  }
}

const helpFlag = { short: '-h', long: '--help', flags: '-h, --help', description: 'show this help' }

type Flag = Pick<Option, 'flags' | 'description'> & Partial<Option>

function flagLines(options: readonly Flag[]): string[] {
  const rows = options
    .filter((option) => !option.hidden)
    .map((option) => {
      const value = /<(.+?)>/.exec(option.flags)?.[1]
      const names = `${option.short ? `${option.short}, ` : '    '}${option.long}`
      const { defaultValue } = option
      const told = defaultValue === true && !option.negate ? 'true' : defaultValue
      const preset =
        (typeof told === 'string' || typeof told === 'number') && told && told !== '0'
          ? ` (default ${told === 'true' || typeof told === 'number' ? told : JSON.stringify(told)})`
          : ''
      return [value ? `${names} ${value}` : names, `${option.description}${preset}`] as const
    })
    .sort(([a], [b]) => (a.slice(4) < b.slice(4) ? -1 : 1))
  return aligned(rows)
}

function commandLines(commands: readonly Command[]): string[] {
  return aligned(
    commands
      .map((command) => [command.name(), command.description()] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, text]) => `  ${name.padEnd(width)}   ${text}`)
}

function argumentText(argument: { name(): string; variadic: boolean }): string {
  return `${argument.name()}${argument.variadic ? '...' : ''}`
}

/** Commands of the completion protocol and deprecated flags are for programs, not for readers. */
export function isShown(command: Command): boolean {
  return !command.name().startsWith('__')
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()
}

function rootOf(command: Command): Command {
  return command.parent ? rootOf(command.parent) : command
}

/** As pflag names a flag in its errors: `-t, --timeout`. */
function flagNames(option: Pick<Option, 'short' | 'long'>): string {
  return [option.short, option.long].filter(Boolean).join(', ')
}

/** For `.argParser`: a whole number, or the error that pflag prints. */
export function wholeNumber(flag: string): (text: string) => number {
  return (text) => {
    if (/^[+-]?\d+$/.test(text)) return Number(text)
    throw new Error(
      `invalid argument ${JSON.stringify(text)} for "${flag}" flag: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
    )
  }
}

/** For flags that can be repeated. */
export function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value]
}
