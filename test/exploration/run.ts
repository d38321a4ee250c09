import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Report } from './explore.ts'
import { shapes } from './shapes.ts'
import { tell } from './story.ts'

/** States to look at per shape; `npm run test:exploration -- 1000` looks at fewer. */
const most = Number(process.argv[2] ?? 110_000)
const startedAt = performance.now()
const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(0)

/** One shape in a thread of its own: what it remembers goes with it. */
function exploreInThread(index: number): Promise<Report> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { index, most },
    })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

const reports: Report[] = []
const waiting = [...shapes.keys()]
async function work(): Promise<void> {
  for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
    const begunAt = performance.now()
    const report = await exploreInThread(index)
    reports[index] = report
    const took = ((performance.now() - begunAt) / 1000).toFixed(0)
    const extent = report.isComplete
      ? 'all there are'
      : `all within ${report.disturbances} disturbances`
    process.stdout.write(
      `${report.shape}: ${report.states} states (${extent}), ${report.transitions} transitions, ${took} s\n`,
    )
  }
}
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work))

const violations = reports.flatMap(({ violation }) => violation ?? [])
for (const violation of violations) process.stdout.write(`\n${tell(violation)}\n`)
const states = reports.reduce((sum, report) => sum + report.states, 0)
process.stdout.write(
  `${seconds()} s\nstates explored: ${states}, violations: ${violations.length}\n`,
)
process.exitCode = violations.length > 0 ? 1 : 0
