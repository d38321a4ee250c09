import { startSimulatedNodes } from '@serinus/cluster'
import { RealClock, SeededRandom } from '@serinus/kube'
import { installSerinus } from '../test/install-serinus.ts'
import { controlPlaneBinaries } from '../test/kubernetes/binaries.ts'
import { startControlPlane } from '../test/kubernetes/control-plane.ts'

// A real control plane with simulated nodes, for `npm run bench -- process --kubeconfig FILE`; Ctrl-C ends it.
const binaries = await controlPlaneBinaries(process.env, (text) => process.stderr.write(text))
if (binaries.kind === 'missing') throw new Error(binaries.why)
await using plane = await startControlPlane(binaries.folder)
await installSerinus(plane.whole.client)
const ended = new AbortController()
const nodes = startSimulatedNodes({
  client: plane.whole.client,
  clock: new RealClock(),
  random: new SeededRandom('bench'),
  signal: ended.signal,
  onError: (error) => {
    if (!ended.signal.aborted) process.stderr.write(`${String(error)}\n`)
  },
})
await nodes.ready
process.stdout.write(`${plane.whole.kubeconfig}\n`)
await new Promise<void>((resolve) => {
  process.once('SIGINT', resolve)
  process.once('SIGTERM', resolve)
})
ended.abort()
