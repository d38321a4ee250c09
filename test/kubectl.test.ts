import { execFile, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { ScaledClock } from '@serinus/kube'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type LocalCluster,
  startLocalCluster,
  writePrivate,
} from '../packages/cli/src/serinus/local-cluster.ts'

const run = promisify(execFile)
const hasKubectl = (() => {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

let local: LocalCluster
let folder: string
const ended = new AbortController()

/** kubectl as a user runs it, with the plugin on PATH. */
async function kubectl(...args: string[]): Promise<string> {
  const env = {
    ...process.env,
    KUBECONFIG: join(folder, 'kubeconfig'),
    HOME: folder,
    PATH: [folder, join(process.cwd(), 'node_modules/.bin'), process.env['PATH']].join(delimiter),
    TERM: 'dumb',
  }
  const { stdout } = await run('kubectl', args, { env })
  return stdout
}

beforeAll(async () => {
  if (!hasKubectl) return
  folder = mkdtempSync(join(tmpdir(), 'serinus-test-'))
  local = await startLocalCluster({
    clock: new ScaledClock({ factor: 20 }),
    signal: ended.signal,
    seed: 'test',
    listen: { host: '127.0.0.1', port: 0 },
    insecureHttp: false,
    useInbox: true,
    withController: true,
    onError: () => {},
  })
  writePrivate(join(folder, 'kubeconfig'), local.addresses.kubeconfig)
  symlinkSync(
    resolve('packages/cli/bin/kubectl-argo-rollouts.mjs'),
    join(folder, 'kubectl-argo-rollouts'),
  )
}, 30_000)

afterAll(async () => {
  if (!hasKubectl) return
  ended.abort()
  await local.close()
  rmSync(folder, { recursive: true })
})

test.skipIf(!hasKubectl)(
  'kubectl applies, watches and promotes a Rollout through the plugin',
  { timeout: 60_000 },
  async () => {
    expect(await kubectl('apply', '-f', 'examples/gate.yaml')).toBe(
      'rollout.argoproj.io/gate created\n',
    )
    expect(await kubectl('argo', 'rollouts', 'status', 'gate', '--timeout', '30s')).toMatch(
      /Healthy\n$/,
    )
    expect(await kubectl('get', 'rollout', 'gate')).toMatch(
      /NAME\s+DESIRED\s+CURRENT\s+UP-TO-DATE\s+AVAILABLE\s+AGE\ngate\s+5\s+5\s+5\s+5/,
    )
    expect(await kubectl('argo', 'rollouts', 'set', 'image', 'gate', 'app=gate:v2')).toBe(
      'rollout "gate" image updated\n',
    )
    await kubectl('wait', 'rollout/gate', '--for=jsonpath={.status.phase}=Paused', '--timeout=30s')
    const page = await kubectl('argo', 'rollouts', 'get', 'rollout', 'gate')
    expect(page).toContain('Status:          ॥ Paused')
    expect(page).toContain('Message:         CanaryPauseStep')
    expect(page).toContain('  Step:          1/3')
    expect(page).toMatch(/⧉ gate-\w+ +ReplicaSet +✔ Healthy +\S+ +canary/)
    expect(await kubectl('argo', 'rollouts', 'promote', 'gate')).toBe("rollout 'gate' promoted\n")
    expect(await kubectl('argo', 'rollouts', 'status', 'gate', '--timeout', '60s')).toMatch(
      /Healthy\n$/,
    )
    expect(await kubectl('describe', 'rollout', 'gate')).toContain('Completed all 3 canary steps')
    expect(await kubectl('delete', 'rollout', 'gate')).toContain(
      'rollout.argoproj.io "gate" deleted',
    )
  },
)

test.skipIf(!hasKubectl)(
  'an immutable selector is refused with the message of the kind [api 43]',
  { timeout: 30_000 },
  async () => {
    await kubectl('apply', '-f', 'examples/gate.yaml')
    await expect(
      kubectl(
        'patch',
        'rollout',
        'gate',
        '--type=merge',
        '-p',
        '{"spec":{"selector":{"matchLabels":{"app":"other"}}}}',
      ),
    ).rejects.toThrow('.spec.selector is immutable')
  },
)

test.skipIf(!hasKubectl)(
  'an unknown field is refused by a strict apply and dropped by a lax one [api 44]',
  { timeout: 30_000 },
  async () => {
    await kubectl('apply', '-f', 'examples/gate.yaml')
    const patch = '{"spec":{"strategy":{"canary":{"step":[]}}}}'
    await kubectl('patch', 'rollout', 'gate', '--type=merge', '-p', patch)
    expect(
      await kubectl('get', 'rollout', 'gate', '-o', 'jsonpath={.spec.strategy.canary.step}'),
    ).toBe('')
  },
)

test.skipIf(!hasKubectl)(
  'the scale subresource shows what an autoscaler reads [api 42]',
  { timeout: 30_000 },
  async () => {
    await kubectl('apply', '-f', 'examples/gate.yaml')
    await kubectl('argo', 'rollouts', 'status', 'gate', '--timeout', '30s')
    await kubectl('scale', 'rollout', 'gate', '--replicas=4')
    await kubectl('wait', 'rollout/gate', '--for=jsonpath={.status.HPAReplicas}=4', '--timeout=30s')
    const scale = JSON.parse(
      await kubectl(
        'get',
        '--raw',
        '/apis/argoproj.io/v1alpha1/namespaces/default/rollouts/gate/scale',
      ),
    )
    expect([scale.spec.replicas, scale.status.replicas, scale.status.selector]).toEqual([
      4,
      4,
      'app=gate',
    ])
  },
)

test.skipIf(!hasKubectl)(
  'kubectl port-forward reaches a pod, and kubectl logs shows the request',
  { timeout: 30_000 },
  async () => {
    await kubectl('apply', '-f', 'examples/gate.yaml')
    await kubectl('wait', 'rollout/gate', '--for=jsonpath={.status.phase}=Healthy', '--timeout=30s')
    const [pod = ''] = (await kubectl('get', 'pods', '-l', 'app=gate', '-o', 'name')).split('\n')
    const env = { ...process.env, KUBECONFIG: join(folder, 'kubeconfig'), HOME: folder }
    const forward = spawn('kubectl', ['port-forward', pod, ':8080'], { env })
    try {
      const port = await new Promise<string>((resolve, reject) => {
        forward.once('exit', () => reject(new Error('kubectl port-forward ended')))
        forward.stdout.on('data', (chunk: Buffer) => {
          const [, found] = /127\.0\.0\.1:(\d+) -> 8080/.exec(chunk.toString()) ?? []
          if (found) resolve(found)
        })
      })
      const answer = await fetch(`http://127.0.0.1:${port}/hello`)
      expect(await answer.json()).toMatchObject({ pod: pod.replace('pod/', '') })
      expect(await kubectl('logs', pod)).toContain('"GET /hello HTTP/1.1" 200')
    } finally {
      forward.kill()
    }
  },
)

const article = (path: string) => `examples/articles/${path}.yaml`

/** The text of a refusal. */
async function refused(...args: string[]): Promise<string> {
  const outcome = await kubectl(...args).then(
    (text) => ({ text, refused: false }),
    (error: Error) => ({ text: error.message, refused: true }),
  )
  expect(outcome.refused).toBe(true)
  return outcome.text
}

test.skipIf(!hasKubectl)(
  'the manifests of the notification article are applied as they stand, but for the Rollout without a spec',
  { timeout: 30_000 },
  async () => {
    await kubectl('create', 'namespace', 'my-team')
    expect(
      await kubectl('apply', '-f', article('notifications/argo-rollouts-notification-configmap')),
    ).toMatch(/configmap\/argo-rollouts-notification-configmap created/)
    expect(
      await kubectl('apply', '-f', article('notifications/argo-rollouts-notification-secret')),
    ).toMatch(/secret\/argo-rollouts-notification-secret created/)
    expect(await kubectl('apply', '-f', article('notifications/analysis-template'))).toMatch(
      /analysistemplate.argoproj.io\/http-error-rate created/,
    )
    expect(await refused('apply', '-f', article('notifications/rollout'))).toMatch(/spec/)
    expect(
      await kubectl('argo', 'rollouts', 'notifications', 'trigger', 'get', '-n', 'argo-rollouts'),
    ).toContain('on-analysis-run-failed')
  },
)

test.skipIf(!hasKubectl)(
  'every manifest of the production guide is applied, or refused for the right reason',
  { timeout: 60_000 },
  async () => {
    await kubectl('create', 'namespace', 'guide')
    const guide = (path: string) => ['apply', '-n', 'guide', '-f', article(`production/${path}`)]
    expect(await kubectl(...guide('deployment'))).toContain('deployment.apps/my-app created')
    await kubectl('rollout', 'status', 'deployment/my-app', '-n', 'guide', '--timeout=30s')
    await kubectl('delete', 'deployment', 'my-app', '-n', 'guide')
    expect(await kubectl(...guide('standard-health-check'))).toContain(
      'clusteranalysistemplate.argoproj.io/standard-health-check created',
    )
    expect(await kubectl(...guide('error-rate-check'))).toContain(
      'analysistemplate.argoproj.io/error-rate-check created',
    )
    expect(await kubectl(...guide('dry-run-health-check'))).toContain(
      'analysisrun.argoproj.io/dry-run-health-check created',
    )
    expect(await kubectl(...guide('rollout-first'))).toContain('rollout.argoproj.io/my-app created')
    await kubectl(
      'wait',
      '-n',
      'guide',
      'rollout/my-app',
      '--for=jsonpath={.status.phase}=Healthy',
      '--timeout=30s',
    )
    expect(await kubectl('get', 'events', '-n', 'guide')).toMatch(/DurationNormalized/)
    expect(
      await kubectl(
        'get',
        'analysisrun',
        '-n',
        'guide',
        'dry-run-health-check',
        '-o',
        'jsonpath={.spec.metrics[0].name}',
      ),
    ).toBe('success-rate')
    await kubectl('apply', '-f', article('production/notification-configmap'))
    expect(await refused(...guide('rollout-annotations'))).toMatch(/spec/)
    expect(await refused(...guide('argo-cd-application'))).toContain(
      'no matches for kind "Application"',
    )
  },
)

test.skipIf(!hasKubectl)(
  'the header-routing fragment is told everything that it lacks at once [api 26]',
  { timeout: 30_000 },
  async () => {
    await kubectl('create', 'namespace', 'fragment')
    await kubectl('apply', '-n', 'fragment', '-f', article('production/rollout-header-routing'))
    await kubectl(
      'wait',
      '-n',
      'fragment',
      'rollout/my-app',
      '--for=jsonpath={.status.phase}=Degraded',
      '--timeout=30s',
    )
    const message = await kubectl(
      'get',
      'rollout',
      'my-app',
      '-n',
      'fragment',
      '-o',
      'jsonpath={.status.message}',
    )
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

test.skipIf(!hasKubectl)(
  'the complete production example, applied with kubectl, stops at its gate and is promoted with the plugin',
  { timeout: 120_000 },
  async () => {
    const namespace = ['-n', 'default']
    await kubectl(
      'apply',
      ...namespace,
      '-f',
      article('production/surroundings'),
      '-f',
      article('production/complete'),
    )
    await kubectl(
      'wait',
      ...namespace,
      'rollout/my-app',
      '--for=jsonpath={.status.phase}=Healthy',
      '--timeout=60s',
    )
    await kubectl('argo', 'rollouts', 'set', 'image', 'my-app', 'app=my-app:v3')
    await kubectl(
      'wait',
      ...namespace,
      'rollout/my-app',
      '--for=jsonpath={.status.currentStepIndex}=2',
      '--timeout=60s',
    )
    const page = await kubectl('argo', 'rollouts', 'get', 'rollout', 'my-app')
    expect(page).toMatch(/SetWeight: +10/)
    expect(page).toMatch(/CanaryUnderscaled/)
    // Ten minutes are half a minute here; the two timed pauses are passed by hand, as a person in a hurry does.
    await kubectl('argo', 'rollouts', 'promote', 'my-app')
    await kubectl(
      'wait',
      ...namespace,
      'rollout/my-app',
      '--for=jsonpath={.status.currentStepIndex}=4',
      '--timeout=60s',
    )
    expect(
      await kubectl(
        'get',
        'ingress',
        'my-app-my-app-ingress-canary',
        '-o',
        'jsonpath={.metadata.annotations.nginx\\.ingress\\.kubernetes\\.io/canary-weight}',
      ),
    ).toBe('30')
    await kubectl('argo', 'rollouts', 'promote', 'my-app', '--full')
    expect(await kubectl('argo', 'rollouts', 'status', 'my-app', '--timeout', '60s')).toMatch(
      /Healthy\n$/,
    )
  },
)
