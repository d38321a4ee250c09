import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { benchmarks } from './benchmarks.ts'
import type { Figure } from './figure.ts'

const { values, positionals: names } = parseArgs({
  options: { json: { type: 'string' }, kubeconfig: { type: 'string' } },
  allowPositionals: true,
})
const unknown = names.filter((name) => !(name in benchmarks))
if (unknown.length > 0) {
  process.stderr.write(
    `no benchmark ${unknown.join(', ')}; there are ${Object.keys(benchmarks).join(', ')}\n`,
  )
  process.exit(1)
}

process.stdout.write(
  `Machine: ${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node.js ${process.version}\n`,
)
const figures: Figure[] = []
for (const [name, run] of Object.entries(benchmarks)) {
  if (names.length > 0 && !names.includes(name)) continue
  for (const figure of await run(values)) {
    const holds =
      figure.better === 'lower' ? figure.value <= figure.target : figure.value >= figure.target
    process.stdout.write(
      `${holds ? '✔' : '✖'} ${figure.name}: ${Number(figure.value.toPrecision(4))} ${figure.unit} (target ${figure.better === 'lower' ? '≤' : '≥'} ${figure.target})\n    ${figure.method}\n`,
    )
    figures.push(figure)
  }
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`)
// Informers of the benchmarks' clusters would keep the process.
process.exit(0)
