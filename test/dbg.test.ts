import { test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { virtualCluster } from './virtual-cluster.ts'
test('dbg', async () => {
  const world = await virtualCluster()
  await world.apply(...readManifests('examples/articles/production/surroundings.yaml'))
  console.log('applied')
  let last = Date.now()
  for (let i = 0; i < 20; i++) {
    await Promise.race([world.pass(1000), new Promise((_, j) => setTimeout(() => j(new Error('stuck at ' + i)), 3000))])
    console.log(i, Date.now() - last); last = Date.now()
  }
}, 20000)
