import type { AnalysisTemplate, Rollout } from '@serinus/api'
import type { Ingress } from '@serinus/engine'

/** One kind of Rollout that is explored. */
export interface Shape {
  readonly name: string
  readonly spec: Partial<Rollout['spec']>
  /** Names of its Services. */
  readonly services: readonly string[]
  /** Whether its router says that a share is in effect; null: it has none. */
  readonly router: 'silent' | 'confirming' | null
  readonly analysisTemplates: readonly AnalysisTemplate[]
  /** Service that must always have pods behind it, as far as there are replicas. */
  readonly roles: { readonly stable?: string; readonly canary?: string; readonly preview?: string }
}

const sides = { stableService: 'stable', canaryService: 'canary' }
const nginx = { trafficRouting: { nginx: { stableIngress: 'web' } } }
const alb = { trafficRouting: { alb: { ingress: 'web', rootService: 'stable', servicePort: 80 } } }
const delays = { scaleDownDelaySeconds: 10, abortScaleDownDelaySeconds: 10 }
const steps = [{ setWeight: 40 }, { pause: {} }, { setWeight: 80 }]
const timed = [{ setWeight: 40 }, { pause: { duration: 10 } }, { setWeight: 80 }]
const check = { templates: [{ templateName: 'check' }] }

function canary(name: string, strategy: object, more: Partial<Omit<Shape, 'name'>> = {}): Shape {
  const routed = 'trafficRouting' in strategy
  const named = 'stableService' in strategy
  return {
    name,
    services: named ? ['stable', 'canary'] : [],
    router: routed ? 'silent' : null,
    analysisTemplates: [],
    roles: named ? { stable: 'stable', canary: 'canary' } : {},
    ...more,
    spec: { strategy: { canary: strategy } as Rollout['spec']['strategy'] & object, ...more.spec },
  }
}

function blueGreen(
  name: string,
  strategy: object,
  more: Pick<Shape, 'spec'> & Partial<Pick<Shape, 'analysisTemplates'>>,
): Shape {
  const services = { activeService: 'active', previewService: 'preview' }
  return {
    name,
    services: ['active', 'preview'],
    router: null,
    analysisTemplates: [],
    roles: { stable: 'active', preview: 'preview' },
    ...more,
    spec: { strategy: { blueGreen: { ...services, ...delays, ...strategy } }, ...more.spec },
  }
}

export const shapes: readonly Shape[] = [
  blueGreen(
    'blue-green, promoted by itself, deadline aborts',
    {},
    {
      spec: { progressDeadlineAbort: true },
    },
  ),
  blueGreen(
    'blue-green, promoted by hand, with a small preview',
    { autoPromotionEnabled: false, previewReplicaCount: 1 },
    { spec: {} },
  ),
  blueGreen(
    'blue-green with analysis before and after',
    { autoPromotionSeconds: 10, prePromotionAnalysis: check, postPromotionAnalysis: check },
    { spec: {}, analysisTemplates: [template('check', {})] },
  ),
  canary('basic canary', { steps, maxSurge: 1, maxUnavailable: 0 }),
  canary(
    'basic canary with Services, deadline aborts',
    { steps: timed, ...sides },
    {
      spec: { progressDeadlineAbort: true },
    },
  ),
  canary('canary behind nginx', { steps, ...sides, ...nginx, ...delays }),
  canary(
    'canary behind a router that confirms, deadline aborts',
    { steps: timed, ...sides, ...alb, ...delays },
    { router: 'confirming', spec: { progressDeadlineAbort: true } },
  ),
  canary(
    'canary with inline and background analysis',
    {
      steps: [{ setWeight: 50 }, { analysis: check }, { setWeight: 80 }],
      analysis: { templates: [{ templateName: 'watch' }] },
      ...sides,
      ...nginx,
      ...delays,
    },
    { analysisTemplates: [template('check', {}), template('watch', { interval: '1m' })] },
  ),
  canary(
    'dynamicStableScale',
    { steps, ...sides, ...alb, dynamicStableScale: true },
    {
      router: 'confirming',
    },
  ),
  canary('dynamicStableScale with abortScaleDownDelaySeconds', {
    steps,
    ...sides,
    ...nginx,
    dynamicStableScale: true,
    abortScaleDownDelaySeconds: 10,
  }),
]

function template(name: string, metric: object): AnalysisTemplate {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name, namespace: 'default' },
    spec: { metrics: [{ name, provider: { web: { url: 'http://x' } }, ...metric }] },
  } as AnalysisTemplate
}

const backend = { service: { name: 'stable', port: { number: 80 } } }
export const ingress: Ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'web', namespace: 'default' },
  spec: { rules: [{ host: 'a', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }] },
}
