import type { KubeObject } from '@serinus/kube'
import type { StoredRollout } from '../test/virtual-cluster.ts'

/** A canary Rollout of one container, as small as a measurement allows. */
export function canary(
  name: string,
  facts: {
    readonly replicas: number
    readonly steps: readonly object[]
    readonly annotations?: Readonly<Record<string, string>>
    readonly revisionHistoryLimit?: number
    /** Services `NAME-stable` and `NAME-canary` behind the Ingress `NAME`: apply `behindNginx(name)` before. */
    readonly isBehindNginx?: true
    readonly dynamicStableScale?: true
  },
): KubeObject {
  const routing = {
    stableService: `${name}-stable`,
    canaryService: `${name}-canary`,
    trafficRouting: { nginx: { stableIngress: name } },
  }
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name, ...(facts.annotations ? { annotations: facts.annotations } : {}) },
    spec: {
      replicas: facts.replicas,
      ...(facts.revisionHistoryLimit === undefined
        ? {}
        : { revisionHistoryLimit: facts.revisionHistoryLimit }),
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [{ name: 'app', image: `${name}:v1`, ports: [{ containerPort: 8080 }] }],
        },
      },
      strategy: {
        canary: {
          ...(facts.isBehindNginx ? routing : {}),
          ...(facts.dynamicStableScale ? { dynamicStableScale: true } : {}),
          steps: facts.steps,
        },
      },
    },
  } as KubeObject
}

/** A blue-green Rollout that promotes itself, with the Services `NAME-active` and `NAME-preview`. */
export function blueGreen(
  name: string,
  facts: { readonly replicas: number },
): readonly KubeObject[] {
  const rollout = canary(name, { ...facts, steps: [] })
  const strategy = {
    blueGreen: { activeService: `${name}-active`, previewService: `${name}-preview` },
  }
  const { spec } = rollout as KubeObject & { readonly spec: object }
  return [
    serviceOf(name, 'active'),
    serviceOf(name, 'preview'),
    { ...rollout, spec: { ...spec, strategy } } as KubeObject,
  ]
}

function serviceOf(name: string, suffix: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `${name}-${suffix}` },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
  } as KubeObject
}

/** The Services and the Ingress of a Rollout behind nginx; no load. */
export function behindNginx(name: string): readonly KubeObject[] {
  const backend = { service: { name: `${name}-stable`, port: { number: 80 } } }
  const ingress = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name },
    spec: {
      ingressClassName: 'nginx',
      rules: [
        {
          host: `${name}.example.com`,
          http: { paths: [{ path: '/', pathType: 'Prefix', backend }] },
        },
      ],
    },
  }
  return [serviceOf(name, 'stable'), serviceOf(name, 'canary'), ingress as KubeObject]
}

/** Slack and a webhook that tell of completed Rollouts; the inbox plays both. */
export function completionNews(namespace: string): readonly KubeObject[] {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'argo-rollouts-notification-secret', namespace },
    stringData: { 'slack-token': 'xoxb-benchmark' },
  }
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'argo-rollouts-notification-configmap', namespace },
    data: {
      'service.slack': 'token: $slack-token',
      'service.webhook.hook': 'url: http://inbox/hook',
      'template.completed': [
        'message: "{{.rollout.metadata.name}} completed"',
        'webhook:',
        '  hook:',
        '    method: POST',
        '    body: "{{.rollout.metadata.name}} completed"',
      ].join('\n'),
      'trigger.on-rollout-completed': '- send: [completed]',
    },
  }
  return [secret, configMap]
}

export const isHealthy = (rollout: StoredRollout) => rollout.status?.phase === 'Healthy'

export const isPaused = (rollout: StoredRollout) => rollout.status?.phase === 'Paused'

export const isCompleted = (rollout: StoredRollout) =>
  rollout.status?.stableRS !== undefined &&
  rollout.status.stableRS === rollout.status.currentPodHash
