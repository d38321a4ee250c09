import fc from 'fast-check'
import { expect, test } from 'vitest'
import { goStruct } from './go-types.ts'
import { GobDecoder } from './gob-decoder.ts'
import { GobEncoder } from './gob-encoder.ts'
import { firstMessage } from './gob-stream.ts'
import type { GobValue } from './gob-types.ts'

/** What is left of a JSON object on the way through gob and back. */
function carried(name: string, json: unknown): unknown {
  const type = goStruct(name)
  let rest = new GobEncoder().encode(type.gob, type.toGob(json) ?? {})
  const decoder = new GobDecoder()
  let value: GobValue = null
  for (let found = firstMessage(rest); found; found = firstMessage(rest)) {
    value = decoder.message(found.message)?.value ?? value
    rest = rest.subarray(found.end)
  }
  return type.toJson(value)
}

test('fields travel under their Go names and come back under those of JSON', () => {
  const rollout = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'web', uid: 'u', creationTimestamp: '2026-08-17T10:41:11Z' },
    spec: {
      replicas: 5,
      strategy: {
        canary: {
          maxSurge: '25%',
          maxUnavailable: 1,
          analysis: { startingStep: 2, templates: [{ templateName: 'ok' }] },
          trafficRouting: { plugins: { 'a/b': { deep: [0, null, 'x'] } } },
          steps: [{ setWeight: 20 }, { plugin: { name: 'a/b', config: 7 } }],
        },
      },
    },
  }
  expect(carried('v1alpha1.Rollout', rollout)).toMatchObject(rollout)
  const names = goStruct('v1alpha1.Rollout').toGob(rollout)
  expect(names).toMatchObject({
    TypeMeta: { APIVersion: 'argoproj.io/v1alpha1' },
    ObjectMeta: { UID: 'u' },
  })
})

test('what gob cannot carry is left out, and the rest arrives', () => {
  const container = {
    name: 'web',
    image: 'web:v1',
    resources: { limits: { cpu: '500m' } },
    ports: [{ containerPort: 8080 }],
  }
  const spec = { template: { spec: { containers: [container] } }, replicas: 0 }
  expect(carried('v1alpha1.RolloutSpec', spec)).toMatchObject({
    template: {
      spec: { containers: [{ name: 'web', image: 'web:v1', ports: [{ containerPort: 8080 }] }] },
    },
  })
  expect(JSON.stringify(carried('v1alpha1.RolloutSpec', spec))).not.toMatch(/500m|replicas/)
})

test('values of another type than Go declares are left out instead of failing the whole', () => {
  const odd = { phase: 'Running', value: 12, startedAt: 'soon', metadata: { a: 'b', c: 1 } }
  expect(carried('v1alpha1.Measurement', odd)).toEqual({ phase: 'Running', metadata: { a: 'b' } })
})

test('instants keep their second, whenever they are', () => {
  fc.assert(
    fc.property(
      fc.date({
        min: new Date('0001-01-02T00:00:00Z'),
        max: new Date('9999-12-31T00:00:00Z'),
        noInvalidDate: true,
      }),
      (date) => {
        const startedAt = `${date.toISOString().slice(0, 19)}Z`
        expect(carried('v1alpha1.Measurement', { phase: 'Running', startedAt })).toEqual({
          phase: 'Running',
          startedAt,
        })
      },
    ),
  )
})
