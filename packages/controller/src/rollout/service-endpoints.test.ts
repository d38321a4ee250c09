import type { KubeObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { podsOfSlice, serviceOfSlice } from './service-endpoints.ts'

function slice(endpoints: readonly object[] | null): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'web-x',
      namespace: 'shop',
      labels: { 'kubernetes.io/service-name': 'web' },
      annotations: { big: 'x'.repeat(1000) },
    },
    endpoints,
  } as KubeObject
}

const pod = (name: string, ready?: boolean | null) => ({
  targetRef: { kind: 'Pod', name },
  ...(ready === undefined ? {} : { conditions: { ready } }),
})

test('of an EndpointSlice only whose ready pods it names is kept', () => {
  const kept = podsOfSlice(
    slice([
      pod('app-abc-12345', true),
      pod('app-abc-67890', null),
      pod('app-def-12345', false),
      { addresses: ['10.0.0.1'] },
    ]),
  )
  expect(kept.podPrefixes).toEqual(['app-abc-'])
  expect(JSON.stringify(kept)).not.toContain('xxx')
  expect(serviceOfSlice(kept)).toEqual(['shop/web'])
})

test('an endpoint without a condition counts as ready', () => {
  expect(podsOfSlice(slice([pod('app-abc-12345')])).podPrefixes).toEqual(['app-abc-'])
})

test('a Service without pods has none, which an API server writes as null', () => {
  expect(podsOfSlice(slice(null)).podPrefixes).toEqual([])
})
