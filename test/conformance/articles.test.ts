import { kinds } from '@serinus/api'
import { resources } from '@serinus/kube'
import { expect } from 'vitest'
import {
  type ClusterUnderTest,
  type ClusterUnderTestOptions,
  clusterUnderTest,
} from '../cluster-under-test.ts'
import { testWithKubectl } from '../kubectl.ts'

const notifications = (name: string) => `examples/articles/notifications/${name}.yaml`
const production = (name: string) => `examples/articles/production/${name}.yaml`

/** A cluster that kubectl reaches, with a controller at work. */
async function worldWithController(options: ClusterUnderTestOptions = {}) {
  const world = await clusterUnderTest({ kubectl: true, ...options })
  await world.startController()
  return world
}

/** What the articles place outside of a test's namespace; the next test shall not find it. */
async function tidy({ client }: ClusterUnderTest): Promise<void> {
  const gone = () => undefined
  await client.delete(kinds.clusterAnalysisTemplates, { name: 'standard-health-check' }).catch(gone)
  await client.delete(resources.namespaces, { name: 'my-team' }).catch(gone)
  for (const name of ['argo-rollouts-notification-configmap', 'argo-rollouts-notification-cm']) {
    await client.delete(resources.configMaps, { namespace: 'argo-rollouts', name }).catch(gone)
  }
}

testWithKubectl(
  'the manifests of the notification article are applied as they stand, but for the Rollout without a spec',
  { timeout: 60_000 },
  async () => {
    await using world = await worldWithController()
    const { kubectl } = world
    await kubectl('create', 'namespace', 'my-team')
    try {
      for (const dryRun of [['--dry-run=server'], []]) {
        const apply = (name: string) => kubectl('apply', ...dryRun, '-f', notifications(name))
        expect(await apply('argo-rollouts-notification-configmap')).toMatch(
          /^configmap\/argo-rollouts-notification-configmap created/,
        )
        expect(await apply('argo-rollouts-notification-secret')).toMatch(
          /^secret\/argo-rollouts-notification-secret (created|configured|unchanged)/,
        )
        expect(await apply('analysis-template')).toMatch(
          /^analysistemplate.argoproj.io\/http-error-rate created/,
        )
      }
      expect(await world.kubectlRefused('apply', '-f', notifications('rollout'))).toMatch(
        /Rollout "my-service" is invalid|spec/,
      )
      expect(
        await kubectl('argo', 'rollouts', 'notifications', 'trigger', 'get', '-n', 'argo-rollouts'),
      ).toContain('on-analysis-run-failed')
    } finally {
      await tidy(world)
    }
  },
)

testWithKubectl(
  'every manifest of the production guide is applied, or refused for the right reason',
  { timeout: 90_000 },
  async () => {
    await using world = await worldWithController()
    const { kubectl } = world
    const apply = (name: string) => kubectl('apply', '-f', production(name))
    try {
      expect(await kubectl('apply', '--dry-run=server', '-f', production('deployment'))).toContain(
        'deployment.apps/my-app created (server dry run)',
      )
      expect(await apply('deployment')).toContain('deployment.apps/my-app created')
      await kubectl('rollout', 'status', 'deployment/my-app', '--timeout=30s')
      await kubectl('delete', 'deployment', 'my-app')
      expect(await apply('standard-health-check')).toContain(
        'clusteranalysistemplate.argoproj.io/standard-health-check created',
      )
      expect(await apply('error-rate-check')).toContain(
        'analysistemplate.argoproj.io/error-rate-check created',
      )
      expect(await apply('dry-run-health-check')).toContain(
        'analysisrun.argoproj.io/dry-run-health-check created',
      )
      expect(await apply('rollout-first')).toContain('rollout.argoproj.io/my-app created')
      const healthy = '--for=jsonpath={.status.phase}=Healthy'
      await kubectl('wait', 'rollout/my-app', healthy, '--timeout=30s')
      expect(await kubectl('get', 'events')).toMatch(/DurationNormalized/)
      const metric = 'jsonpath={.spec.metrics[0].name}'
      expect(await kubectl('get', 'analysisrun', 'dry-run-health-check', '-o', metric)).toBe(
        'success-rate',
      )
      await apply('notification-configmap')
      expect(await world.kubectlRefused('apply', '-f', production('rollout-annotations'))).toMatch(
        /spec/,
      )
      expect(
        await world.kubectlRefused('apply', '-f', production('argo-cd-application')),
      ).toContain('no matches for kind "Application"')
    } finally {
      await tidy(world)
    }
  },
)

testWithKubectl(
  'the header-routing fragment is told everything that it lacks at once [api 26]',
  { timeout: 60_000 },
  async () => {
    await using world = await worldWithController()
    const { kubectl } = world
    await kubectl('apply', '-f', production('rollout-header-routing'))
    const degraded = '--for=jsonpath={.status.phase}=Degraded'
    await kubectl('wait', 'rollout/my-app', degraded, '--timeout=30s')
    const message = await kubectl('get', 'rollout/my-app', '-o', 'jsonpath={.status.message}')
    expect(message).toMatch(/^InvalidSpec: The Rollout "my-app" is invalid: /)
    for (const part of [
      "Rollout has missing field '.spec.selector'",
      'service "my-app-canary" not found',
      'service "my-app-stable" not found',
      'ingress.networking.k8s.io "my-app-ingress" not found',
    ]) {
      expect(message).toContain(part)
    }
  },
)

testWithKubectl(
  'the complete production example stops at its gate and is promoted with the plugin',
  { timeout: 120_000 },
  async () => {
    // Its query names a Service of the namespace `default`.
    await using world = await worldWithController({ namespace: 'default' })
    const { kubectl } = world
    const plugin = (...args: readonly string[]) => kubectl('argo', 'rollouts', ...args)
    const untilStep = (step: number) => {
      const reached = `--for=jsonpath={.status.currentStepIndex}=${step}`
      return kubectl('wait', 'rollout/my-app', reached, '--timeout=60s')
    }
    try {
      await kubectl('apply', '-f', production('surroundings'), '-f', production('complete'))
      const healthy = '--for=jsonpath={.status.phase}=Healthy'
      await kubectl('wait', 'rollout/my-app', healthy, '--timeout=60s')
      await plugin('set', 'image', 'my-app', 'app=my-app:v3')
      await untilStep(2)
      const page = await plugin('get', 'rollout', 'my-app')
      expect(page).toMatch(/SetWeight: +10/)
      expect(page).toMatch(/CanaryUnderscaled/)
      // The ten minutes are passed by hand, as a person in a hurry does.
      await plugin('promote', 'my-app')
      await untilStep(4)
      const canary = await kubectl('get', 'ingress', 'my-app-my-app-ingress-canary', '-o', 'json')
      expect(JSON.parse(canary).metadata.annotations).toMatchObject({
        'nginx.ingress.kubernetes.io/canary-weight': '30',
      })
      await plugin('promote', 'my-app', '--full')
      expect(await plugin('status', 'my-app', '--timeout', '60s')).toMatch(/Healthy\n$/)
      expect(world.errors).toEqual([])
    } finally {
      await kubectl('delete', '-f', production('complete'), '-f', production('surroundings'))
      await tidy(world)
    }
  },
)
