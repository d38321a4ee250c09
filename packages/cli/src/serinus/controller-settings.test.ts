import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { controllerOptions } from './controller-command.ts'
import {
  type ControllerFlags,
  controllerSettings,
  type SettingsContext,
} from './controller-settings.ts'
import { runSerinus } from './program.ts'

function settings(args: readonly string[], context: Partial<SettingsContext> = {}) {
  const command = controllerOptions()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  command.parse([...args], { from: 'user' })
  return controllerSettings(command.opts<ControllerFlags>(), {
    env: {},
    contextNamespace: 'default',
    namespaceFile: '/nowhere',
    ...context,
  })
}

test('without flags everything is as with Argo Rollouts', () => {
  expect(settings([])).toEqual({
    ownNamespace: 'argo-rollouts',
    analysisOnly: false,
    leaderElect: true,
    leaseName: 'argo-rollouts-controller-lock',
    leaseDurationMs: 15_000,
    renewDeadlineMs: 10_000,
    retryPeriodMs: 2_000,
    rolloutThreads: 10,
    analysisThreads: 30,
    experimentThreads: 10,
    qps: 40,
    burst: 80,
    healthzPort: 8080,
    metricsPort: 8090,
    profiling: null,
    logLevel: 'info',
    logFormat: 'text',
    zeroPause: 'gate',
    pluginFolder: '.',
    routers: {},
    verifyRetryIntervalMs: 10_000,
    notices: [],
  })
})

test.each([
  [['--qps=120.5', '--burst', '200'], { qps: 120.5, burst: 200 }],
  [['--rollout-threads=3', '--analysis-threads=4'], { rolloutThreads: 3, analysisThreads: 4 }],
  [['--experiment-threads=5'], { experimentThreads: 5 }],
  [['--plugin-dir=/plugins'], { pluginFolder: '/plugins' }],
  [['--istio-api-version=v1beta1'], { routers: { istioVersion: 'v1beta1' } }],
  [
    ['--traefik-api-group=traefik.containo.us', '--traefik-api-version=traefik.containo.us/v1'],
    { routers: { traefikGroup: 'traefik.containo.us', traefikVersion: 'v1' } },
  ],
  [
    ['--ambassador-api-version=x.getambassador.io/v3alpha1'],
    { routers: { ambassadorGroup: 'x.getambassador.io', ambassadorVersion: 'v3alpha1' } },
  ],
  [['--appmesh-crd-version=v1beta3'], { routers: { appMeshVersion: 'v1beta3' } }],
  [['--traffic-split-api-version=v1alpha2'], { routers: { trafficSplitVersion: 'v1alpha2' } }],
  [['--leader-elect=false'], { leaderElect: false }],
  [['--leader-elect'], { leaderElect: true }],
  [
    [
      '--leader-election-lease-duration=1m',
      '--leader-election-renew-deadline=40s',
      '--leader-election-retry-period=500ms',
    ],
    { leaseDurationMs: 60_000, renewDeadlineMs: 40_000, retryPeriodMs: 500 },
  ],
  [['--metricsport', '9000'], { metricsPort: 9000 }],
  [['--metricsPort', '9001', '--healthzPort=9002'], { metricsPort: 9001, healthzPort: 9002 }],
  [['--enable-pprof-address', ':6060'], { profiling: { host: '', port: 6060 } }],
  [['--enable-pprof-address=[::1]:6060'], { profiling: { host: '::1', port: 6060 } }],
  [['--loglevel=debug', '--logformat=json'], { logLevel: 'debug', logFormat: 'json' }],
  [['--self-service-notification-enabled'], { selfService: true }],
  [['--self-service-notification-enabled=false'], { selfService: false }],
  [['--instance-id=blue'], { instanceId: 'blue', leaseName: 'argo-rollouts-controller-lock-blue' }],
  [
    ['--controllers=analysis', '--instance-id=blue'],
    { analysisOnly: true, leaseName: 'argo-rollouts-analysis-controller-lock-blue' },
  ],
] as const)('%j has its effect', (args, effect) => {
  expect(settings(args)).toMatchObject(effect)
})

test.each([
  [['--qps=fast'], '--qps: "fast" is not a number of at least 0, such as 40'],
  [['--burst=0'], '--burst: "0" is not a whole number above 0, such as 10'],
  [['--rollout-threads=-1'], '--rollout-threads: "-1" is not a whole number above 0, such as 10'],
  [['--healthzPort=99999'], '--healthzPort: "99999" is not a port'],
  [['--loglevel=loud'], '--loglevel: "loud" is not one of debug, info, warn, error'],
  [
    ['--traffic-split-api-version=v2'],
    '--traffic-split-api-version: "v2" is not one of v1alpha1, v1alpha2, v1alpha3, v1alpha4',
  ],
  [
    ['--ambassador-api-version=v2'],
    '--ambassador-api-version: "v2" is not GROUP/VERSION, such as getambassador.io/v2',
  ],
  [['--zero-pause=never'], '--zero-pause: "never" is not one of gate, advance'],
  [['--enable-pprof-address=6060'], '"6060" is not ADDRESS:PORT, such as :6060'],
  [['--leader-election-retry-period=2'], '"2" is not a duration above zero, such as 15s'],
  [
    ['--leader-election-renew-deadline=15s'],
    'must be shorter than --leader-election-lease-duration',
  ],
  [['--leader-election-retry-period=9s'], 'must be less than five sixths'],
  [['--instance-id=Blue!'], '--instance-id: "Blue!" cannot be a label value'],
] as const)('%j is refused with the flag, the value and what would be right', (args, message) => {
  expect(() => settings(args)).toThrow(message)
})

test('a controller that does not exist is refused [operations 10]', async () => {
  const errors: string[] = []
  const code = await runSerinus(
    ['controller', '--controllers=foo', '--server=https://127.0.0.1:1', '--kubeconfig=/dev/null'],
    {
      out: () => {},
      err: (text) => errors.push(text),
      env: {},
      signal: new AbortController().signal,
    },
  )
  expect(code).toBe(1)
  expect(errors.join('')).toBe('Error: unsupported controller: foo\n')
})

test('an unknown flag is refused with the nearest one', async () => {
  const errors: string[] = []
  const code = await runSerinus(['controller', '--leader-elct'], {
    out: () => {},
    err: (text) => errors.push(text),
    env: {},
    signal: new AbortController().signal,
  })
  expect(code).toBe(1)
  expect(errors.join('')).toContain('--leader-elect')
})

test('an unknown log format is told, and text is used', () => {
  expect(settings(['--logformat=xml'])).toMatchObject({
    logFormat: 'text',
    notices: ['--logformat: "xml" is neither text nor json: text is used'],
  })
})

test('the own namespace is POD_NAMESPACE, else that of the service account, else what was named, else argo-rollouts', () => {
  const namespaceFile = join(mkdtempSync(join(tmpdir(), 'serinus-')), 'namespace')
  writeFileSync(namespaceFile, 'ops\n')
  const env = { POD_NAMESPACE: 'pods' }
  const own = (args: readonly string[], context: Partial<SettingsContext>) =>
    settings(args, context).ownNamespace
  expect(own(['-n', 'shop'], { env, namespaceFile })).toBe('pods')
  expect(own(['-n', 'shop'], { namespaceFile })).toBe('ops')
  expect(own(['-n', 'shop'], {})).toBe('shop')
  expect(own(['--namespaced'], { contextNamespace: 'team' })).toBe('team')
  expect(own([], { contextNamespace: 'team' })).toBe('argo-rollouts')
})

test('ROLLOUT_VERIFY_RETRY_INTERVAL is a number of seconds, and anything else is refused', () => {
  const interval = (text: string) =>
    settings([], { env: { ROLLOUT_VERIFY_RETRY_INTERVAL: text } }).verifyRetryIntervalMs
  expect(interval('30')).toBe(30_000)
  expect(interval('')).toBe(10_000)
  for (const text of ['soon', '0', '-1', '1.5']) {
    expect(() => interval(text)).toThrow(`ROLLOUT_VERIFY_RETRY_INTERVAL: "${text}" is not`)
  }
})
