import { expect, test } from 'vitest'
import { conditionFacts } from '../conditions.ts'
import { problemText } from '../problem.ts'
import { canaryApp, myApp, nginx, textsOf } from '../test-rollout.ts'
import { lintRollout } from '../warnings.ts'
import { validateRollout } from './rollout.ts'

const canary = 'spec.strategy.canary'
const istio = {
  canaryService: 'c',
  stableService: 's',
  trafficRouting: { istio: { virtualService: { name: 'v' } }, managedRoutes: [{ name: 'x' }] },
}

test('a plain canary is valid', () => {
  expect(textsOf(canaryApp({ steps: [{ setWeight: 20 }, { pause: {} }] }))).toEqual([])
})

test('maxSurge 0% with maxUnavailable 0 is refused [api 3]', () => {
  expect(textsOf(canaryApp({ maxSurge: '0%', maxUnavailable: 0 }))).toEqual([
    `${canary}.maxSurge: Invalid value: "0%": MaxSurge and MaxUnavailable both can not be zero`,
  ])
})

test('an analysis without templates, for which an update would wait for ever, is refused', () => {
  expect(textsOf(canaryApp({ steps: [{ analysis: { templates: [] } }] }))).toEqual([
    `${canary}.steps[0].analysis.templates: Required value: an analysis without templates could never succeed`,
  ])
  expect(textsOf(canaryApp({ analysis: { templates: [] } }))).toEqual([])
})

test('two strategies are refused [api 5]', () => {
  const strategy = { canary: {}, blueGreen: { activeService: 'a' } }
  expect(textsOf(myApp({ strategy }))).toEqual([
    'spec.strategy: Invalid value: "blueGreen: true canary: true": Multiple Strategies can not be listed',
  ])
})

test('a selector that misses the template’s labels is refused [api 6]', () => {
  const selector = { matchLabels: { app: 'a' } }
  const template = {
    metadata: { labels: { app: 'b' } },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  }
  expect(textsOf(canaryApp({}, { selector, template }))).toEqual([
    'spec.template.metadata.labels: Invalid value: {"app":"b"}: `selector` does not match template `labels`',
  ])
})

test('a deadline that the pods cannot meet is refused [api 7]', () => {
  const spec = { progressDeadlineSeconds: 10, minReadySeconds: 10 }
  expect(textsOf(canaryApp({}, spec))).toEqual([
    'spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds',
  ])
})

test('one Service for active and preview is refused', () => {
  const blueGreen = { activeService: 'svc', previewService: 'svc' }
  expect(textsOf(myApp({ strategy: { blueGreen } }))).toEqual([
    'spec.strategy.blueGreen.activeService: Invalid value: "svc": This rollout uses the same service for the active and preview services, but two different services are required.',
  ])
})

test('weights end at 100, or at maxTrafficWeight where the router knows it [api 9]', () => {
  const weight = (setWeight: number, routing: object = {}) =>
    textsOf(canaryApp({ ...routing, steps: [{ setWeight }] }))
  expect(weight(101)).toEqual([
    `${canary}.steps[0].setWeight: Invalid value: 101: SetWeight needs to be between 0 and 100`,
  ])
  const trafficRouting = { ...nginx.trafficRouting, maxTrafficWeight: 1000 }
  expect(weight(1000, { ...nginx, trafficRouting })).toEqual([])
  expect(weight(1001, { ...nginx, trafficRouting })[0]).toContain('0 and 1000')
})

test('maxTrafficWeight with Istio only is refused [api 10]', () => {
  const trafficRouting = { ...istio.trafficRouting, maxTrafficWeight: 1000 }
  expect(textsOf(canaryApp({ ...istio, trafficRouting }))).toEqual([
    `${canary}.trafficRouting.maxTrafficWeight: Invalid value: 1000: Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins`,
  ])
})

test('setWeight and pause in one step are refused; setWeight and setCanaryScale only warned about [api 11]', () => {
  expect(textsOf(canaryApp({ steps: [{ setWeight: 5, pause: {} }] }))).toEqual([
    `${canary}.steps[0]: Invalid value: "step.Experiment: false step.Pause: true step.SetWeight: true step.Analysis: false": Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause`,
  ])
  const both = canaryApp({ ...nginx, steps: [{ setWeight: 5, setCanaryScale: { weight: 5 } }] })
  expect(textsOf(both)).toEqual([])
  expect(lintRollout(both).map((finding) => finding.reason)).toEqual(['CombinedStep'])
})

test('an empty step is refused', () => {
  expect(textsOf(canaryApp({ steps: [{}] }))[0]).toContain('Step must have one of the following')
})

test('seconds and durations are read as such; 1d is quoted in the error [api 12]', () => {
  const pause = (duration: string | number) =>
    textsOf(canaryApp({ steps: [{ pause: { duration } }] }))
  for (const duration of ['600', 600, '10m', '1h30m']) expect(pause(duration)).toEqual([])
  expect(pause('1d')).toEqual([
    `${canary}.steps[0].pause.duration: Invalid value: "1d": not a duration; use seconds or a number with s, m, h (for example "24h")`,
  ])
  expect(pause(-1)).toEqual([
    `${canary}.steps[0].pause.duration: Invalid value: -1: Duration needs to be greater than 0`,
  ])
})

test('setCanaryScale without traffic routing is refused, with the way out [api 15]', () => {
  expect(textsOf(canaryApp({ steps: [{ setCanaryScale: { replicas: 3 } }] }))).toEqual([
    `${canary}.trafficRouting: Required value: SetCanaryScale requires TrafficRouting to be set; add spec.strategy.canary.trafficRouting or remove the step`,
  ])
})

test('a header route that is not managed is refused [api 16]', () => {
  const steps = [{ setHeaderRoute: { name: 'h' } }]
  expect(textsOf(canaryApp({ ...istio, steps }))).toEqual([
    `${canary}.steps[0].setHeaderRoute: Invalid value: "h": Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes`,
  ])
})

test('all of several errors are listed, upstream’s first one first [api 26]', () => {
  const rollout = canaryApp(
    { scaleDownDelaySeconds: 5, steps: [{ setWeight: 101 }] },
    { replicas: -1 },
  )
  const { message } = conditionFacts.invalidSpec(
    'my-app',
    validateRollout(rollout).map(problemText).join('; '),
  )
  expect(message).toBe(
    [
      'The Rollout "my-app" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
      `${canary}.scaleDownDelaySeconds: Invalid value: 5: Canary scaleDownDelaySeconds can only be used with traffic routing`,
      `${canary}.steps[0].setWeight: Invalid value: 101: SetWeight needs to be between 0 and 100`,
    ].join('; '),
  )
})

test('an unsupported workload and a misspelt scaleDown are refused, with what is meant [api 53]', () => {
  const of = (workloadRef: object) =>
    textsOf(canaryApp({}, { selector: undefined, template: undefined, workloadRef }))
  const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
  expect(of(deployment)).toEqual([])
  expect(of({ ...deployment, kind: 'StatefulSet' })[0]).toContain(
    'workload of type apps/StatefulSet is not supported',
  )
  expect(of({ ...deployment, scaleDown: 'onSuccess' })).toEqual([
    'spec.workloadRef.scaleDown: Invalid value: "onSuccess": must be one of never, onsuccess, progressively; did you mean "onsuccess"?',
  ])
})

test('a template beside workloadRef is refused until it is the resolved one', () => {
  const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
  const rollout = canaryApp({}, { workloadRef })
  expect(textsOf(rollout)).toEqual([
    'spec.template: Internal error: template must be empty for workload reference rollout',
  ])
  expect(validateRollout(rollout, { workloadResolved: true })).toEqual([])
})

test('an article’s fragment without selector and template is told all that it lacks', () => {
  const rollout = canaryApp(nginx, { selector: undefined, template: undefined })
  expect(textsOf(rollout)).toEqual([
    "spec.selector: Required value: Rollout has missing field '.spec.selector'",
    'spec.template.spec.containers: Required value',
  ])
})

test.each([
  [
    '.stableService',
    { ...nginx, stableService: 'my-app-canary' },
    'the same service for the stable',
  ],
  [
    '.stableService',
    { trafficRouting: nginx.trafficRouting },
    'Canary service and Stable service must',
  ],
  [
    '.canaryService',
    { stableService: 's', trafficRouting: { smi: {} } },
    'must to be set to use Traffic',
  ],
  ['.dynamicStableScale', { dynamicStableScale: true }, 'can only be used with traffic routing'],
  [
    '.dynamicStableScale',
    { ...nginx, dynamicStableScale: true, scaleDownDelaySeconds: 3 },
    'cannot be used with scaleDownDelaySeconds',
  ],
  [
    '.pingPong.pingService',
    { pingPong: { pingService: '', pongService: 'b' } },
    'Ping service and Pong',
  ],
  [
    '.pingPong.pingService',
    { pingPong: { pingService: 'b', pongService: 'b' } },
    'the same service for the ping',
  ],
  [
    '.trafficRouting.alb',
    { ...nginx, pingPong: { pingService: 'a', pongService: 'b' } },
    'Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only',
  ],
  [
    '.trafficRouting.alb.rootService',
    {
      trafficRouting: { alb: { ingress: 'i', servicePort: 80 } },
      pingPong: { pingService: 'a', pongService: 'b' },
    },
    'Root service field is required',
  ],
  ['.antiAffinity', { antiAffinity: {} }, 'exactly one strategy listed'],
  [
    '.antiAffinity.preferredDuringSchedulingIgnoredDuringExecution.weight',
    { antiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: { weight: 0 } } },
    'between 1-100',
  ],
  [
    '.steps[0].setMirrorRoute',
    { ...nginx, steps: [{ setMirrorRoute: { name: 'm' } }] },
    'SetMirrorRoute requires TrafficRouting, supports Istio and Plugins',
  ],
  [
    '.trafficRouting.managedRoutes',
    {
      ...nginx,
      trafficRouting: { plugins: { a: {} } },
      steps: [{ setHeaderRoute: { name: 'm' } }],
    },
    "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'",
  ],
  [
    '.steps[0].setHeaderRoute.match[0]',
    {
      ...istio,
      steps: [
        {
          setHeaderRoute: {
            name: 'x',
            match: [{ headerName: 'h', headerValue: { exact: 'a', regex: 'b' } }],
          },
        },
      ],
    },
    'StringMatch match value must have exactly one of the following',
  ],
  [
    '.steps[0].experiment.templates[0].weight',
    { steps: [{ experiment: { templates: [{ name: 'a', specRef: 'canary', weight: 5 }] } }] },
    'Experiment template weight cannot be set unless TrafficRouting is enabled',
  ],
  [
    '.steps[0].analysis.args[0].valueFrom.fieldRef.fieldPath',
    {
      steps: [
        {
          analysis: {
            templates: [{ templateName: 't' }],
            args: [{ name: 'e', valueFrom: { fieldRef: { fieldPath: 'metadata.labels.env' } } }],
          },
        },
      ],
    },
    'Analyses arguments must refer to valid object metadata supported by downwardAPI',
  ],
])('upstream’s error at %s for %j is found', (path, strategy, detail) => {
  const [first] = validateRollout(canaryApp(strategy))
  expect(first?.path).toBe(canary + path)
  expect(first?.detail).toContain(detail)
})

test.each([
  ['.maxSurge', { maxSurge: 'abc' }],
  ['.abortScaleDownDelaySeconds', { ...nginx, abortScaleDownDelaySeconds: -1 }],
  ['.replicaProgressThreshold.type', { replicaProgressThreshold: { type: 'Pod', value: 1 } }],
  ['.steps[0].setCanaryScale.weight', { ...nginx, steps: [{ setCanaryScale: { weight: -1 } }] }],
  [
    '.steps[0].setMirrorRoute.percentage',
    { ...istio, steps: [{ setMirrorRoute: { name: 'x', percentage: 101 } }] },
  ],
  [
    '.steps[0].setMirrorRoute.match[0].headers[h]',
    { ...istio, steps: [{ setMirrorRoute: { name: 'x', match: [{ headers: { h: {} } }] } }] },
  ],
  [
    '.steps[0].experiment.templates[0].specRef',
    { steps: [{ experiment: { templates: [{ name: 'a', specRef: 'Canary' }] } }] },
  ],
  [
    '.steps[0].experiment.templates[1].name',
    {
      steps: [
        {
          experiment: {
            templates: [
              { name: 'a', specRef: 'canary' },
              { name: 'a', specRef: 'stable' },
            ],
          },
        },
      ],
    },
  ],
  [
    '.steps[0].experiment.duration',
    { steps: [{ experiment: { templates: [{ name: 'a', specRef: 'canary' }], duration: '5x' } }] },
  ],
  [
    '.steps[1].experiment.templates',
    {
      ...istio,
      steps: [
        { setWeight: 60 },
        {
          experiment: {
            templates: [
              { name: 'a', specRef: 'stable', weight: 20 },
              { name: 'b', specRef: 'canary', weight: 21 },
            ],
          },
        },
      ],
    },
  ],
  [
    '.steps[0].experiment.templates[0].service',
    { steps: [{ experiment: { templates: [{ name: 'a', specRef: 'canary', service: {} }] } }] },
  ],
  [
    '.steps[0].experiment.templates[0].service',
    {
      steps: [
        {
          experiment: {
            templates: [{ name: 'a', specRef: 'canary' }],
            analyses: [
              {
                name: 'b',
                templateName: 't',
                args: [{ name: 'c', value: 'http://{{ templates.a.service.name }}' }],
              },
            ],
          },
        },
      ],
    },
  ],
  [
    '.steps[0].experiment.progressDeadlineSeconds',
    {
      steps: [
        {
          experiment: {
            templates: [{ name: 'a', specRef: 'canary' }],
            progressDeadlineSeconds: -1,
          },
        },
      ],
    },
  ],
  [
    '.analysis.args[0].valueFrom.fieldRef.fieldPath',
    { analysis: { args: [{ name: 'a', valueFrom: { fieldRef: { fieldPath: 'spec.nothing' } } }] } },
  ],
])('what upstream lets pass at %s is found before the update', (path, strategy) => {
  expect(validateRollout(canaryApp(strategy)).map((problem) => problem.path)).toEqual([
    canary + path,
  ])
})

test('a name too long for the runs made from it is refused with the length that fits', () => {
  const named = (length: number) => {
    const rollout = canaryApp({ steps: [{ analysis: { templates: [{ templateName: 't' }] } }] })
    return textsOf({ ...rollout, metadata: { ...rollout.metadata, name: 'a'.repeat(length) } })
  }
  expect(named(234)).toEqual([])
  expect(named(235)[0]).toContain('must be no more than 234 characters')
})

test.each([
  ['spec.template.spec.containers[0].image', { containers: [{ name: 'c' }] }, 'Required value'],
  [
    'spec.template.spec.containers[1].name',
    {
      containers: [
        { name: 'c', image: 'i' },
        { name: 'c', image: 'i' },
      ],
    },
    'Duplicate value',
  ],
  [
    'spec.template.spec.containers[0].volumeMounts[0].name',
    { containers: [{ name: 'c', image: 'i', volumeMounts: [{ name: 'v', mountPath: '/v' }] }] },
    'Not found',
  ],
  [
    'spec.template.spec.containers[0].resources.requests',
    {
      containers: [
        { name: 'c', image: 'i', resources: { requests: { cpu: 2 }, limits: { cpu: '1500m' } } },
      ],
    },
    'Invalid value',
  ],
  [
    'spec.template.spec.containers[0].ports[0].containerPort',
    { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 70000 }] }] },
    'Invalid value',
  ],
  [
    'spec.template.spec.containers[0].readinessProbe',
    { containers: [{ name: 'c', image: 'i', readinessProbe: { periodSeconds: 3 } }] },
    'Required value',
  ],
  [
    'spec.template.spec.restartPolicy',
    { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] },
    'Unsupported value',
  ],
  [
    'spec.template.spec.activeDeadlineSeconds',
    { activeDeadlineSeconds: 3, containers: [{ name: 'c', image: 'i' }] },
    'Forbidden',
  ],
])('a pod template wrong at %s is refused', (path, spec, kind) => {
  const template = { metadata: { labels: { app: 'my-app' } }, spec }
  const problems = validateRollout(canaryApp({}, { template }))
  expect(problems.map((problem) => [problem.path, problem.kind])).toEqual([[path, kind]])
})

test('a long Rollout is validated in less than a millisecond', () => {
  const steps = Array.from({ length: 40 }, (_, index) =>
    index % 2 ? { pause: { duration: '10m' } } : { setWeight: index },
  )
  const rollout = canaryApp({ ...nginx, steps })
  const time = () => {
    const before = performance.now()
    for (let i = 0; i < 50; i++) validateRollout(rollout)
    return (performance.now() - before) / 50
  }
  time()
  expect(Math.min(time(), time(), time())).toBeLessThan(1)
})
