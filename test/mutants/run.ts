import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Mutant, mutants } from './mutants.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'mutants-'))

/** How one test ended: null when it did not run. */
interface Outcome {
  readonly title: string
  readonly passed: boolean
  readonly message: string
}

/** Runs the tests of mutants, with the fault of `mutated` where one is given. */
async function runTests(of: readonly Mutant[], mutated?: Mutant): Promise<readonly Outcome[]> {
  const files = new Set(of.flatMap(({ tests }) => Object.keys(tests)))
  const titles = of.flatMap(({ tests }) => Object.values(tests).flat())
  const report = join(folder, `${mutated?.issue ?? 'sound'}.json`)
  const child = spawn(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--config',
      'test/mutants/vitest.config.ts',
      '--reporter=json',
      `--outputFile.json=${report}`,
      '-t',
      titles.map((title) => title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'),
      ...files,
    ],
    {
      cwd: root,
      env: { ...process.env, MUTANT: mutated ? String(mutated.issue) : '' },
      stdio: 'ignore',
    },
  )
  await new Promise((done) => child.once('close', done))
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
    readonly testResults: readonly {
      readonly assertionResults: readonly {
        readonly fullName: string
        readonly status: string
        readonly failureMessages?: readonly string[]
      }[]
    }[]
  }
  const ran = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'passed' || status === 'failed')
  return ran.map(({ fullName, status, failureMessages = [] }) => ({
    title: fullName,
    passed: status === 'passed',
    message: failureMessages[0] ?? '',
  }))
}

/** What the tests see is the fault, and not that the sources are broken by it. */
function isCaught({ passed, message }: Outcome): boolean {
  return !passed && /^(AssertionError|Error: the planner does not come to rest)/.test(message)
}

function stale({ issue, edits }: Mutant): string | null {
  for (const { file, find } of edits) {
    const count = readFileSync(join(root, file), 'utf8').split(find).length - 1
    if (count !== 1) return `mutant ${issue} is stale: its text occurs ${count} times in ${file}`
  }
  return null
}

/** Why a mutant does not count as caught; null: it does. */
async function judge(mutant: Mutant, sound: readonly Outcome[]): Promise<string | null> {
  const titles = Object.values(mutant.tests).flat()
  for (const title of titles) {
    const outcome = sound.find((one) => one.title.includes(title))
    if (!outcome) return `no test says: ${title}`
    if (!outcome.passed) return `without the fault this fails as well: ${title}`
  }
  const outcomes = await runTests([mutant], mutant)
  if (outcomes.some(isCaught)) return null
  const failed = outcomes.find(({ passed }) => !passed)
  return failed ? `breaks the sources: ${failed.message.split('\n')[0]}` : 'no test fails'
}

const problems = mutants.flatMap((mutant) => stale(mutant) ?? [])
for (const problem of problems) process.stdout.write(`${problem}\n`)
let caught = 0
if (problems.length === 0) {
  const sound = await runTests(mutants)
  const waiting = [...mutants]
  const work = async () => {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const problem = await judge(mutant, sound)
      if (problem === null) caught++
      const verdict = problem === null ? 'caught' : `NOT CAUGHT, ${problem}`
      process.stdout.write(`${mutant.issue}, ${mutant.fault}: ${verdict}\n`)
    }
  }
  await Promise.all([work(), work()])
}
rmSync(folder, { recursive: true })
process.stdout.write(`mutants caught: ${caught}/${mutants.length}\n`)
process.exitCode = caught === mutants.length ? 0 : 1
