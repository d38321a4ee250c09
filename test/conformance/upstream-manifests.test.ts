import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { kinds } from '@serinus/api'
import { expect, vi } from 'vitest'
import { type ClusterUnderTest, clusterUnderTest } from '../cluster-under-test.ts'
import { testWithKubectl } from '../kubectl.ts'

/** Manifests of the outside world, beside the repository where somebody has put them. */
const upstream = fileURLToPath(new URL('../../../shared/corpus/upstream', import.meta.url))
const install = (name: string) => join(upstream, 'install', `${name}.yaml`)
/** Skips by name where Argo Rollouts' released manifests are not at hand. */
const testWithCorpus = existsSync(upstream) ? testWithKubectl : testWithKubectl.skip

const inOurNamespace = ['-n', 'argo-rollouts']
const definitions = Object.values(kinds).map(({ plural, group }) => `${plural}.${group}`)

/** Takes away what Serinus ships, so that nothing of it is left beside upstream's. */
async function withoutOurs({ kubectl }: ClusterUnderTest): Promise<void> {
  await kubectl('delete', 'crd', ...definitions)
  await kubectl('delete', 'clusterrolebinding,clusterrole', 'serinus')
  await kubectl('delete', ...inOurNamespace, 'rolebinding,role', 'serinus')
}

/** Resolves when the account may do it: servers follow new roles a moment later. */
async function untilAllowed(world: ClusterUnderTest, verb: string, kind: string): Promise<void> {
  const account = 'system:serviceaccount:argo-rollouts:argo-rollouts'
  await vi.waitFor(() => world.kubectl('auth', 'can-i', verb, kind, '--as', account, '-A'), {
    timeout: 10_000,
    interval: 200,
  })
}

testWithCorpus(
  "the controller works with Argo Rollouts' own kinds, account and role as its release installs them",
  { timeout: 120_000 },
  async () => {
    await using world = await clusterUnderTest({ kubectl: true })
    const { kubectl } = world
    await withoutOurs(world)
    try {
      const applied = await kubectl(
        'apply',
        '--server-side',
        ...['--force-conflicts', ...inOurNamespace],
        ...['-f', install('install')],
      )
      expect(applied.match(/customresourcedefinition.*serverside-applied/g)).toHaveLength(5)
      expect(applied).toContain('deployment.apps/argo-rollouts serverside-applied')
      await kubectl('wait', '--for=condition=Established', 'crd', ...definitions, '--timeout=30s')
      await untilAllowed(world, 'list', 'rollouts.argoproj.io')
      await world.startController()
      await kubectl('apply', '-f', 'examples/gate.yaml')
      const untilPhase = (phase: string) =>
        kubectl('wait', 'rollout/gate', `--for=jsonpath={.status.phase}=${phase}`, '--timeout=30s')
      await untilPhase('Healthy')
      await kubectl('argo', 'rollouts', 'set', 'image', 'gate', 'app=gate:v2')
      await untilPhase('Paused')
      await kubectl('argo', 'rollouts', 'promote', 'gate')
      await untilPhase('Healthy')
      expect(await kubectl('get', 'rollout', 'gate')).toMatch(/gate +5 +5 +5 +5/)
      expect(world.errors).toEqual([])
    } finally {
      await kubectl('delete', ...inOurNamespace, '-f', install('install'), '--ignore-not-found')
    }
  },
)

testWithCorpus.each(['install', 'namespace-install', 'dashboard-install', 'notifications-install'])(
  'the released %s.yaml is taken as it stands',
  { timeout: 60_000 },
  async (name) => {
    await using world = await clusterUnderTest({ kubectl: true })
    const said = await world.kubectl(
      'apply',
      ...['--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict'],
      ...[...inOurNamespace, '-f', install(name)],
    )
    const lines = said.trim().split('\n')
    expect(lines.filter((line) => !line.endsWith('serverside-applied (server dry run)'))).toEqual(
      [],
    )
  },
)
