import { expect } from 'vitest'
import { clusterUnderTest } from '../cluster-under-test.ts'
import { testWithKubectl } from '../kubectl.ts'

testWithKubectl(
  'an experiment is shown, listed, ended and run again with the plugin',
  { timeout: 90_000 },
  async () => {
    await using world = await clusterUnderTest({ kubectl: true })
    await world.startController()
    const { kubectl } = world
    const plugin = (...args: readonly string[]) => kubectl('argo', 'rollouts', ...args)
    const untilPhase = (phase: string) =>
      kubectl(
        'wait',
        'experiment/latency-ab',
        `--for=jsonpath={.status.phase}=${phase}`,
        '--timeout=60s',
      )
    await kubectl('apply', '-f', 'examples/experiment.yaml')
    await untilPhase('Running')
    const page = await plugin('get', 'experiment', 'latency-ab')
    expect(page).toContain('Status:          ◌ Running')
    expect(page).toContain('shop/search:2.3 (Σ:baseline)')
    expect(page).toContain('shop/search:2.4 (Σ:candidate)')
    expect(page).toMatch(/├──⧉ latency-ab-baseline +ReplicaSet +✔ Healthy/)
    expect(await plugin('list', 'experiments')).toMatch(/\nlatency-ab +Running +10m +\d+[ms]/)
    expect(await kubectl('get', 'services', '-o', 'name')).toContain('service/search-baseline')

    expect(await plugin('terminate', 'experiment', 'latency-ab')).toBe(
      "experiment 'latency-ab' terminated\n",
    )
    await untilPhase('Successful')
    expect(await plugin('list', 'experiments')).toMatch(/\nlatency-ab +Successful +10m +- /)
    await kubectl(
      'wait',
      'replicaset/latency-ab-baseline',
      '--for=jsonpath={.spec.replicas}=0',
      '--timeout=60s',
    )

    const goOn = { spec: { terminate: false } }
    await kubectl('patch', 'experiment', 'latency-ab', '--type=merge', '-p', JSON.stringify(goOn))
    expect(await plugin('retry', 'experiment', 'latency-ab')).toBe(
      "experiment 'latency-ab' retried\n",
    )
    await untilPhase('Running')
    expect(
      await kubectl('get', 'replicaset', 'latency-ab-baseline', '-o', 'jsonpath={.spec.replicas}'),
    ).toBe('1')
    expect(world.errors).toEqual([])
  },
)
