import { expect, test } from 'vitest'
import { behaviourOf } from './behaviour.ts'
import type { Container, Pod } from './pod.ts'

const startedAt = Date.parse('2026-01-01T00:00:00Z')

function pod(facts: {
  image?: string
  annotations?: Record<string, string>
  labels?: Record<string, string>
  env?: Container['env']
}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web-1',
      namespace: 'default',
      ...(facts.annotations && { annotations: facts.annotations }),
      ...(facts.labels && { labels: facts.labels }),
    },
    spec: {
      containers: [
        { name: 'app', image: facts.image ?? 'web:v1', ...(facts.env && { env: facts.env }) },
      ],
    },
    status: { startTime: '2026-01-01T00:00:00Z' },
  }
}

const wish = (name: string) => `sim.serinus.dev/${name}`

test.each([
  ['an image without wishes never fails', { image: 'web:v1' }, 0],
  ['a bad-* tag fails 15 % in any repository', { image: 'registry:5000/a/web:bad-red' }, 0.15],
  [
    'the environment beats the tag',
    { image: 'web:bad-1', env: [{ name: 'SIM_ERROR_RATE', value: '0.4' }] },
    0.4,
  ],
  [
    'the annotation beats the environment',
    {
      env: [{ name: 'SIM_ERROR_RATE', value: '0.4' }],
      annotations: { [wish('error-rate')]: '5%' },
    },
    0.05,
  ],
  [
    'an annotation for the container beats the one for the pod',
    { annotations: { [wish('error-rate')]: '0.05', [wish('app.error-rate')]: '0.5' } },
    0.5,
  ],
  ['a rate above one counts as one', { annotations: { [wish('error-rate')]: '7' } }, 1],
  ['a rate nobody can read counts as none', { annotations: { [wish('error-rate')]: 'lots' } }, 0],
])('%s', (_title, facts, expected) => {
  expect(behaviourOf(pod(facts)).errorRate(startedAt)).toBe(expected)
})

test('error-rate-after turns the pod bad that long after its start and good again later', () => {
  const { errorRate } = behaviourOf(
    pod({ annotations: { [wish('error-rate-after')]: '5m=0.3,10m=0' } }),
  )
  expect(errorRate(startedAt + 299_999)).toBe(0)
  expect(errorRate(startedAt + 300_000)).toBe(0.3)
  expect(errorRate(startedAt + 600_000)).toBe(0)
})

test('latency follows the annotations, and a slow-* tag takes two seconds', () => {
  const wished = { [wish('latency')]: '120ms', [wish('latency-p95')]: '900ms' }
  expect(behaviourOf(pod({ annotations: wished })).latencyMs).toEqual({ p50: 120, p95: 900 })
  expect(behaviourOf(pod({ image: 'web:slow-1' })).latencyMs.p50).toBe(2_000)
})

test('the version is the hash of the workload, else the tag, and rollouts-demo images have a colour', () => {
  const hashed = behaviourOf(pod({ labels: { 'rollouts-pod-template-hash': '5d8f' } }))
  expect(hashed.version).toBe('5d8f')
  const demo = behaviourOf(pod({ image: 'argoproj/rollouts-demo:slow-yellow' }))
  expect(demo).toMatchObject({ version: 'slow-yellow', colour: 'yellow' })
  expect(behaviourOf(pod({ image: 'web:v1' })).colour).toBeUndefined()
})
