import { globSync, readFileSync } from 'node:fs'

/** How many acceptance scenarios each part of the specification has, in the order in which the table shows them. */
const scenarioCounts = {
  api: 57,
  'rollout-controller': 60,
  'analysis-and-experiments': 60,
  'metric-providers': 64,
  'traffic-routing': 71,
  notifications: 54,
  cli: 50,
  dashboard: 45,
  'embedded-cluster': 13,
  operations: 43,
} as const

type Part = keyof typeof scenarioCounts

const parts = Object.keys(scenarioCounts) as readonly Part[]
const root = new URL('..', import.meta.url)

/** One scenario and a test that shows it. */
interface Shown {
  readonly part: Part
  readonly number: number
  /** The title without its tags. */
  readonly title: string
  /** From the root of the repository. */
  readonly file: string
}

/**
 * Markdown: which scenarios of the specification are shown by which tests, and which have none yet. Made from the tags
 * at the end of test titles, such as `[api 4]`. Throws where a tag names a scenario that does not exist.
 */
export function compatibilityTable(): string {
  const shown = testFiles().flatMap(shownIn)
  const sections = parts.map((part) =>
    section(
      part,
      shown.filter((one) => one.part === part),
    ),
  )
  return `${[introduction(shown), ...sections].join('\n\n')}\n`
}

function testFiles(): readonly string[] {
  return globSync(['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: root })
    .map((file) => file.replaceAll('\\', '/'))
    .sort()
}

const tag = /\s*\[([a-z-]+) (\d+)\]/g
/** A string literal on one line that carries a tag: titles of `test`, `describe` and `test.each` alike. */
const tagged = /(['"`])((?:\\.|(?!\1).)*?\[[a-z-]+ \d+\](?:\\.|(?!\1).)*?)\1/g

function shownIn(file: string): readonly Shown[] {
  const lines = readFileSync(new URL(file, root), 'utf8').split('\n')
  return lines.flatMap((line, index) =>
    [...line.matchAll(tagged)].flatMap(([, , written = '']) =>
      [...written.matchAll(tag)].flatMap(([, part = '', number = '']) => {
        if (!isPart(part)) return []
        if (Number(number) < 1 || Number(number) > scenarioCounts[part]) {
          throw new RangeError(
            `${file}:${index + 1}: ${part} has ${scenarioCounts[part]} scenarios, not ${number}`,
          )
        }
        const title = plain([...groupsAround(lines, index), written].join(' '))
        return [{ part, number: Number(number), title, file }]
      }),
    ),
  )
}

/** Titles of the `describe` blocks that a line stands in, outermost first; the formatter's indentation tells. */
function groupsAround(lines: readonly string[], index: number): readonly string[] {
  const groups: string[] = []
  let indent = indentOf(lines[index] ?? '')
  for (let above = index - 1; above >= 0 && indent > 0; above--) {
    const line = lines[above] ?? ''
    if (line.trim() === '' || indentOf(line) >= indent) continue
    indent = indentOf(line)
    const title = /^\s*describe(?:\.\w+)*\((['"`])((?:\\.|(?!\1).)*)\1/.exec(line)?.[2]
    if (title !== undefined) groups.unshift(title)
  }
  return groups
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length
}

function isPart(text: string): text is Part {
  return Object.hasOwn(scenarioCounts, text)
}

/** As a reader sees it: without tags and escapes; what a table fills in becomes an ellipsis. */
function plain(title: string): string {
  const text = title
    .replaceAll(tag, '')
    .replaceAll(/\\(.)/g, '$1')
    .replaceAll(/%[sdifjo]|\$\{[^}]*\}|\$[a-zA-Z]\w*/g, '…')
    .trim()
  return /^…?$/.test(text) ? 'one test for each row of a table' : text
}

function introduction(shown: readonly Shown[]): string {
  const rows = parts.map((part) => {
    const numbers = new Set(shown.filter((one) => one.part === part).map((one) => one.number))
    return `| [${part}](#${part}) | ${scenarioCounts[part]} | ${numbers.size} |`
  })
  return `# Compatibility, by scenario

Serinus is built to a specification of how Argo Rollouts behaves and of what Serinus adds. Its acceptance scenarios are numbered within each part. A test that shows
one carries its part and number at the end of its title; this page is generated from those tags (\`node test/compatibility.ts > docs/compatibility.md\`). A scenario
without a test here may work, but nothing in this repository proves it. Tests that need kubectl are skipped where it is not installed.

| Part | Scenarios | Shown by a test |
|---|---|---|
${rows.join('\n')}`
}

function section(part: Part, shown: readonly Shown[]): string {
  const count = scenarioCounts[part]
  const numbers = new Set(shown.map((one) => one.number))
  const missing = Array.from({ length: count }, (_, index) => index + 1).filter(
    (number) => !numbers.has(number),
  )
  const rows = shown
    .map(({ number, title, file }) => ({
      number,
      row: `| ${number} | ${title.replaceAll('|', '\\|')} | [${file}](../${file}) |`,
    }))
    .sort((a, b) => a.number - b.number || (a.row < b.row ? -1 : 1))
    .map(({ row }) => row)
  const lines = [`## ${part}`]
  if (rows.length > 0) {
    lines.push(['| No. | Test | File |', '|---|---|---|', ...new Set(rows)].join('\n'))
  }
  lines.push(
    missing.length === 0
      ? 'Every scenario has a test.'
      : `No test yet (${missing.length} of ${count}): ${ranges(missing)}.`,
  )
  return lines.join('\n\n')
}

/** `1, 2, 3, 7` as `1–3, 7`. */
function ranges(numbers: readonly number[]): string {
  const runs: { first: number; last: number }[] = []
  for (const number of numbers) {
    const run = runs.at(-1)
    if (run?.last === number - 1) run.last = number
    else runs.push({ first: number, last: number })
  }
  return runs
    .map(({ first, last }) => (first === last ? `${first}` : `${first}–${last}`))
    .join(', ')
}

if (import.meta.main) process.stdout.write(compatibilityTable())
