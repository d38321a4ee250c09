import { expect } from 'vitest'
import { clusterUnderTest } from '../cluster-under-test.ts'
import { startKubectl, testWithKubectl } from '../kubectl.ts'

/** A real API server asks the kubelet of a pod's node for these, and simulated nodes have none that listens. */
const testWithDoors = process.env['SERINUS_TEST_CLUSTER'] ? testWithKubectl.skip : testWithKubectl

testWithDoors(
  'kubectl port-forward reaches a pod, and kubectl logs shows the request (not on simulated nodes of a real cluster)',
  { timeout: 60_000 },
  async () => {
    await using world = await clusterUnderTest({ kubectl: true })
    const { kubectl } = world
    await world.startController()
    await kubectl('apply', '-f', 'examples/gate.yaml')
    await kubectl('wait', 'rollout/gate', '--for=jsonpath={.status.phase}=Healthy', '--timeout=30s')
    const [pod = ''] = (await kubectl('get', 'pods', '-l', 'app=gate', '-o', 'name')).split('\n')
    using forward = startKubectl(world, ['port-forward', pod, ':8080'])
    const port = await forward.line(/127\.0\.0\.1:(\d+) -> 8080/)
    const answer = await fetch(`http://127.0.0.1:${port}/hello`)
    expect(await answer.json()).toMatchObject({ pod: pod.replace('pod/', '') })
    expect(await kubectl('logs', pod)).toContain('"GET /hello HTTP/1.1" 200')
  },
)
