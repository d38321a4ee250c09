import { expect, test } from 'vitest'
import { podTemplateHash, stepsHash } from './hash.ts'
import { names } from './names.ts'
import type { CanaryStep } from './types.ts'

const v1 = (image: string, port: object = { containerPort: 8080, protocol: 'TCP' }) => ({
  metadata: { labels: { app: 'my-app' } },
  spec: { containers: [{ name: 'app', image, ports: [port as { containerPort: number }] }] },
})
const many = {
  metadata: { labels: { z: '1', app: 'q' }, annotations: { note: 'a<b & c>d \u2028 é' } },
  spec: {
    terminationGracePeriodSeconds: 0,
    volumes: [{ name: 'v', emptyDir: {} }],
    containers: [
      {
        image: 'i',
        name: 'c',
        command: ['sh', '-c', 'echo $A && exit 1'],
        env: [
          { name: 'A', value: '' },
          { name: 'B', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        ],
        resources: {
          requests: { memory: '1024Mi', cpu: '1000m' },
          limits: { memory: '1.5Gi', cpu: 0.5 },
        },
        securityContext: { privileged: false },
      },
    ],
  },
}

test.each([
  ['my-app:v1', v1('my-app:v1'), '7fd9d6f5cf', '7fd5785b95', '89657fb86'],
  ['my-app:v2', v1('my-app:v2'), '86f8669b94', 'f6c4c9fcd', '5996974447'],
  [
    'a port without protocol',
    v1('my-app:v1', { containerPort: 8080 }),
    '696994df8d',
    '5dc8946b64',
    '5b476d87c',
  ],
  [
    'next to nothing',
    { metadata: {}, spec: { containers: [{ name: 'c', image: 'i', resources: {} }] } },
    'b97d75c46',
    '595c5bd9d6',
    '6bf4b888c5',
  ],
  ['escapes, quantities and zeros', many, '546b6894d', '8cdcd647b', '69cd4d7c85'],
])('a template with %s has the hashes that upstream gives it', (_, template, hash, old, salted) => {
  expect(podTemplateHash(template)).toBe(hash)
  expect(podTemplateHash(template, { creationTimestampNull: true })).toBe(old)
  expect(podTemplateHash(template, { collisionCount: 1 })).toBe(salted)
})

test('the template of upstream’s own hash test has the hash that test expects', () => {
  const resources = {
    limits: { cpu: '2000m', memory: '8192M' },
    requests: { cpu: '0.15', memory: '8192M' },
  }
  const containers = [{ name: 'container-name', image: 'foo/bar', resources }]
  const template = { metadata: { labels: { foo: 'bar' } }, spec: { containers } }
  expect(podTemplateHash(template)).toBe('6f496f9f78')
})

test('a collision count of 0 salts the hash, an absent one does not', () => {
  const template = v1('my-app:v1')
  expect(podTemplateHash(template, { collisionCount: 0 })).not.toBe(podTemplateHash(template))
})

test('the first revision of my-app is my-app-7fd9d6f5cf, and its new image my-app-86f8669b94 [api 27]', () => {
  const replicaSet = (image: string) => names.replicaSet('my-app', podTemplateHash(v1(image)))
  expect(replicaSet('my-app:v1')).toBe('my-app-7fd9d6f5cf')
  expect(replicaSet('my-app:v2')).toBe('my-app-86f8669b94')
})

test('fields that Kubernetes does not know leave the hash alone', () => {
  const template = { ...v1('my-app:v1'), surprise: 1 }
  expect(podTemplateHash(template)).toBe('7fd9d6f5cf')
})

const hashOf = (steps: readonly CanaryStep[]) => stepsHash({ canary: { steps } })

test('steps have upstream’s hash, and blueGreen none [api 55]', () => {
  expect(hashOf([{ pause: {} }])).toBe('6b9b86fbd5')
  expect(hashOf([])).toBe('5ffbfbbd64')
  expect(stepsHash({ canary: {} })).toBe('5ffbfbbd64')
  expect(stepsHash({ blueGreen: { activeService: 'a' } })).toBeUndefined()
  expect(stepsHash(undefined)).toBeUndefined()
})

test.each([
  ['79c9b9f6bf', [{ pause: {} }, { pause: {} }]],
  [
    '74647b5f6b',
    [
      { setWeight: 10 },
      { pause: { duration: '10m' } },
      { setWeight: 50 },
      { pause: { duration: '10m' } },
      { setWeight: 100 },
    ],
  ],
  [
    '796d87d777',
    [
      { setWeight: 20 },
      { pause: {} },
      { setCanaryScale: { replicas: 3 } },
      {
        analysis: {
          args: [{ value: 'x', name: 'service' }],
          templates: [{ clusterScope: true, templateName: 't' }],
        },
      },
    ],
  ],
] satisfies [string, CanaryStep[]][])('golden steps hash to %s', (hash, steps) => {
  expect(hashOf(steps)).toBe(hash)
})

test('steps with an analysis had another hash up to upstream 1.8', () => {
  const ref = { templateName: 'orders-acceptance' }
  const args = [{ name: 'hash', valueFrom: { podTemplateHashValue: 'Latest' as const } }]
  const steps = (analysis: NonNullable<CanaryStep['analysis']>): CanaryStep[] => [
    { setWeight: 20 },
    { pause: { duration: 5 } },
    { analysis },
    { setWeight: 60 },
    { pause: {} },
  ]
  const of18 = (analysis: NonNullable<CanaryStep['analysis']>) =>
    stepsHash({ canary: { steps: steps(analysis) } }, { upTo18: true })
  expect(of18({ templates: [ref], args })).toBe('764c7c9f9')
  expect(of18({ templates: [{ ...ref, clusterScope: false }], args })).toBe('764c7c9f9')
  expect(of18({ templates: [ref], args, analysisRunMetadata: {} })).toBe('764c7c9f9')
  expect(hashOf(steps({ templates: [ref], args }))).toBe('7b6f567cf')
  expect(hashOf(steps({ templates: [ref], args, analysisRunMetadata: {} }))).toBe('764c7c9f9')
})

test('a step’s zeros and empty lists count as Go’s encoder has them', () => {
  const experiment = { templates: [{ name: 'a', specRef: 'canary' as const }] }
  expect(hashOf([{ experiment }])).toBe(
    hashOf([
      { experiment: { ...experiment, analyses: [], duration: '', analysisRunMetadata: {} } },
    ]),
  )
  expect(hashOf([{ setWeight: 0 }])).not.toBe(hashOf([{}]))
  expect(hashOf([{ setCanaryScale: { matchTrafficWeight: false } }])).toBe(
    hashOf([{ setCanaryScale: {} }]),
  )
  const ref = { templateName: 't' }
  expect(hashOf([{ analysis: { templates: [{ ...ref, clusterScope: false }] } }])).not.toBe(
    hashOf([{ analysis: { templates: [ref] } }]),
  )
})
