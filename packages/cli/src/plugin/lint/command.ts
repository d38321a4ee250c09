import { collect, type PluginCommand, WrongUsage } from '../command.ts'
import type { CommandParts } from '../terminal.ts'

interface Flags {
  readonly filename: readonly string[]
  readonly output: string
  readonly strict: boolean
  readonly requestsPerSecond?: number
}

/**
 * `lint` (spec cli 9). It asks no cluster. What it checks with takes longer to load than other commands to run, so
 * this command alone loads it.
 */
export function addLint(program: PluginCommand, { terminal }: CommandParts): void {
  const lint = program
    .command('lint')
    .description('Lint and validate manifests')
    .examples(
      ['Lint a rollout', 'lint -f my-rollout.yaml'],
      ['Lint a folder, so that rollouts are seen together with their templates', 'lint -f deploy/'],
      ['Lint what another program writes', 'lint -f -'],
    )
    .option('-f, --filename <string>', 'File, folder or - for stdin, can be repeated', collect, [])
    .option('-o, --output <string>', 'Output format: json')
    .option(
      '--requests-per-second <float>',
      'Expected requests of both versions together: says which analyses get too few of them',
      positiveNumber,
    )
    .option('--strict', 'Fail at warnings too', false)
    .action(async ({ filename, output, strict, requestsPerSecond }: Flags) => {
      if (filename.length === 0) throw new WrongUsage(lint)
      if (output !== undefined && output !== 'json') {
        throw new Error(`unknown output format ${JSON.stringify(output)}; only json is known`)
      }
      const [{ readDocuments }, { checkManifests }, { reportJson, reportText, verdict }] =
        await Promise.all([import('./documents.ts'), import('./check.ts'), import('./report.ts')])
      const { documents, unreadable } = readDocuments(filename)
      const findings = [
        ...unreadable,
        ...checkManifests(documents, requestsPerSecond === undefined ? {} : { requestsPerSecond }),
      ]
      terminal.out(output === 'json' ? reportJson(findings) : reportText(findings))
      const failure = verdict(findings, { strict })
      if (failure !== null) throw new Error(failure)
    })
}

function positiveNumber(text: string): number {
  const number = Number(text)
  if (number > 0 && Number.isFinite(number)) return number
  throw new Error(
    `invalid argument ${JSON.stringify(text)} for "--requests-per-second" flag: must be a number above 0`,
  )
}
