import { resources, SeededRandom, VirtualClock, deepEqual } from '@serinus/kube'
import { ApiServer } from '../apiserver/server.ts'
import { TestCluster, deployment, job, service, podTemplate } from './test-cluster.ts'
const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
const server = new ApiServer({ clock, random: new SeededRandom('test') })
const real = server.client
const client = { ...real, raw: real.raw.bind(real), update: async (r: any, o: any, opt: any) => {
  try { const out = await real.update(r, o, opt); 
   if (o.metadata.resourceVersion === (out as any).metadata.resourceVersion) console.log("NOOP", clock.now() % 100000, r.plural, opt?.subresource, o.metadata.name, JSON.stringify(o.status), JSON.stringify((out as any).status))
   return out } catch (e) {  throw e }
} } as any
const c = await TestCluster.start({}, { clock, server, client })
console.log('----')
await c.create(resources.deployments, deployment('m', { replicas: 1 }))
await c.pass(3)
await c.create(resources.services, service('m', {app: 'm'}))
await c.create(resources.jobs, job('j', {completions: 2}))
await c.create(resources.jobs, job('k', {backoffLimit: 1}, { containers: [{name:'a', image:'b:1', command:['false']}]}))
await c.create(resources.deployments, deployment('crash', { template: podTemplate('crash', {annotations: {'sim.serinus.dev/crash': 'on-start'}})}))
await c.create(resources.deployments, deployment('missing', { template: podTemplate('missing', {image: 'x:missing-1'})}))
await c.pass(100)
await c.merge(resources.deployments, 'm', { spec: { replicas: 3 }})
await c.pass(100)
await c.delete(resources.deployments, 'm')
await c.pass(100)
console.log('end', c.errors)
c[Symbol.dispose]()
