import { countRequests, resources, SeededRandom, VirtualClock } from '@serinus/kube'
import { ApiServer } from '../apiserver/server.ts'
import { deployment, TestCluster } from './test-cluster.ts'

const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
const server = new ApiServer({ clock, random: new SeededRandom('test') })
const counted = countRequests(server.client)
const c = await TestCluster.start({}, { clock, server, client: counted.client })
counted.reset()
let t = performance.now()
for (let i = 0; i < 300; i++)
  await c.create(resources.deployments, deployment('many' + i, { replicas: 1 }))
await c.pass(3)
console.log('300 deployments ms', performance.now() - t, (await c.pods()).length, c.errors.length)
console.log(counted.counts().byKind)
for (let i = 0; i < 5; i++) {
  t = performance.now()
  await c.create(resources.deployments, deployment('ten' + i, { replicas: 10 }))
  await c.pass(3)
  console.log('10 ms', performance.now() - t)
}
c[Symbol.dispose]()
