import { type AnalysisRun, kinds } from '@serinus/api'
import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { virtualCluster } from './virtual-cluster.ts'

const common: ReadonlySet<string> = new Set(['accept', 'content-type', 'user-agent'])

/** A vendor, or a proxy before it, that tells what it was told, as debugging pages do. */
function echo(request: Request, status: number): Response {
  const told = [...request.headers].filter(([name]) => !common.has(name))
  return Response.json({ data: Object.fromEntries(told) }, { status })
}

test.each([
  ['datadog', 403, ['example-api-key', 'example-app-key']],
  ['new-relic', 403, ['NRAK-EXAMPLE']],
  ['wavefront', 403, ['example-token']],
  // Here it becomes the measured value itself.
  ['web', 200, ['example-token']],
])(
  'a key for %s that the vendor sends back with status %i is stored nowhere',
  async (name, status, secrets) => {
    await using world = await virtualCluster()
    let asked = ''
    world.faults.network = (request) => {
      asked += JSON.stringify([...request.headers])
      return echo(request, status)
    }
    await world.apply(...readManifests(`examples/providers/${name}.yaml`))
    await world.pass(120_000)
    const { items } = await world.client.list<AnalysisRun & KubeObject>(kinds.analysisRuns)
    const events = await world.client.list(resources.events)
    const stored = JSON.stringify([items, events.items, world.errors])
    expect(JSON.stringify(items[0]?.status?.metricResults)).toContain('*****')
    for (const secret of secrets) {
      expect(asked).toContain(secret)
      expect(stored).not.toContain(secret)
    }
  },
)
