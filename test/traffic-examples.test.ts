import { readdirSync } from 'node:fs'
import { routerKinds } from '@serinus/cluster'
import { expect, test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { virtualCluster } from './virtual-cluster.ts'

const folder = 'examples/traffic'
const files = readdirSync(folder).sort()

test.each(files)(
  'the example %s: a good version completes, a bad one is aborted, and no request is lost',
  { timeout: 60_000 },
  async (file) => {
    await using world = await virtualCluster()
    await world.apply(...routerKinds)
    await world.pass(1_000)
    await world.apply(...readManifests(`${folder}/${file}`))
    await world.until('shop', ({ status }) => status?.phase === 'Healthy')
    await world.pass(10_000)
    await world.setImage('shop', 'shop:v2')
    await world.until('shop', ({ status }) => status?.phase === 'Progressing')
    const good = await world.until('shop', ({ status }) =>
      ['Healthy', 'Degraded'].includes(status?.phase ?? ''),
    )
    expect(good.status?.message ?? '').toBe('')
    const { traffic } = world.cluster
    const before = traffic.truth('').lost
    await world.setImage('shop', 'shop:bad-v3')
    const bad = await world.until('shop', ({ status }) => status?.phase === 'Degraded')
    expect(bad.status?.message).toContain('Metric "errors" assessed Failed')
    await world.pass(20_000)
    const version = bad.status?.currentPodHash ?? ''
    const failed = traffic.truth(version).requests
    expect(failed).toBeGreaterThan(0)
    await world.pass(60_000)
    // Nothing leads to it any more.
    expect(traffic.truth(version).requests).toBe(failed)
    expect(traffic.truth('').lost).toBe(before)
    expect(world.errors).toEqual([])
  },
)
