import { readdirSync, readFileSync } from 'node:fs'
import { type AnalysisRun, kinds, parseAnalysisTemplate } from '@serinus/api'
import { examineTemplate } from '@serinus/engine'
import type { KubeObject } from '@serinus/kube'
import { describe, expect, test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { type VirtualCluster, virtualCluster } from './virtual-cluster.ts'

type StoredRun = AnalysisRun & KubeObject

const folder = 'examples/providers'
const names = readdirSync(folder).map((file) => file.replace(/\.yaml$/, ''))

/** What the head of an example promises: `# Measures: 0.99`, or `# Measures nothing`. */
function promised(name: string): string | undefined {
  const text = readFileSync(`${folder}/${name}.yaml`, 'utf8')
  const value = /^# Measures(?:: (.+)| nothing.*)$/m.exec(text)
  if (!value) throw new Error(`${name}.yaml does not say what it measures: "# Measures: VALUE"`)
  return value[1]
}

/** The run of the example once it is over, after at most an hour. */
async function finishedRun(world: VirtualCluster): Promise<StoredRun> {
  const ended: ReadonlySet<string> = new Set(['Successful', 'Failed', 'Error', 'Inconclusive'])
  for (let second = 0; second < 3600; second++) {
    const { items } = await world.client.list<StoredRun>(kinds.analysisRuns)
    const [run] = items
    if (run?.status?.phase && ended.has(run.status.phase)) return run
    await world.pass(1_000)
  }
  throw new Error(`the run does not end: ${world.errors.join('; ')}`)
}

test.each(names)('the query doctor has no doubt about the example %s', (name) => {
  for (const object of readManifests(`${folder}/${name}.yaml`)) {
    if (object.kind !== 'AnalysisTemplate') continue
    const { spec } = parseAnalysisTemplate(object).value
    expect(examineTemplate(spec)).toEqual([])
  }
})

describe('the example of each metric provider runs on the embedded cluster as it is written:', () => {
  test.each(names)('%s', async (name) => {
    await using world = await virtualCluster()
    await world.apply(...readManifests(`${folder}/${name}.yaml`))
    const { metadata, status } = await finishedRun(world)
    expect({ name: metadata.name, phase: status?.phase, message: status?.message }).toEqual({
      name,
      phase: 'Successful',
      message: undefined,
    })
    for (const { measurements = [] } of status?.metricResults ?? []) {
      expect(measurements.length).toBeGreaterThan(0)
      for (const { phase, value, message } of measurements) {
        expect({ phase, value, message }).toEqual({
          phase: 'Successful',
          value: promised(name),
          message: undefined,
        })
      }
    }
    expect(world.errors).toEqual([])
  })
})
