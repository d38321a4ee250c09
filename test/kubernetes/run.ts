import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { startSimulatedNodes } from '@serinus/cluster'
import { RealClock, SeededRandom } from '@serinus/kube'
import { controlPlaneBinaries, kubernetesVersion } from './binaries.ts'
import { startControlPlane } from './control-plane.ts'

const say = (text: string) => void process.stderr.write(text)

/** `npm run test:kubernetes`: the conformance tests against a control plane of Kubernetes; arguments go to vitest. */
async function runConformance(args: readonly string[]): Promise<number> {
  const binaries = await controlPlaneBinaries(process.env, say)
  if (binaries.kind === 'missing') {
    say(`skipped: the conformance tests on Kubernetes ${kubernetesVersion()}: ${binaries.why}\n`)
    return 0
  }
  await using plane = await startControlPlane(binaries.folder)
  const ended = new AbortController()
  const nodes = startSimulatedNodes({
    client: plane.whole.client,
    clock: new RealClock(),
    random: new SeededRandom(randomUUID()),
    signal: ended.signal,
    pace: { startMs: 200, stopMs: 200 },
    onError: (error) => say(`simulated nodes: ${String(error)}\n`),
  })
  await nodes.ready
  try {
    return await vitest(args, {
      SERINUS_TEST_CLUSTER: plane.whole.kubeconfig,
      SERINUS_TEST_API: plane.bare.kubeconfig,
    })
  } finally {
    ended.abort()
  }
}

function vitest(args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const config = fileURLToPath(new URL('vitest.config.ts', import.meta.url))
  const child = spawn('vitest', ['run', '--config', config, ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

process.exitCode = await runConformance(process.argv.slice(2))
