import { expect, test } from 'vitest'
import type { Pod } from '../pods/pod.ts'
import { planEndpointSlices, planEndpoints } from './endpoints.ts'
import type { EndpointSlice, Service } from './objects.ts'

function service(spec: Partial<Service['spec']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', uid: 's-1', labels: { team: 'shop' } },
    spec: {
      selector: { app: 'web' },
      ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
      ...spec,
    },
  }
}

function pod(
  index: number,
  facts: { ready?: boolean; leaving?: boolean; port?: number; phase?: 'Succeeded' } = {},
): Pod {
  const { ready = true, port = 8080 } = facts
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `web-${index}`,
      namespace: 'default',
      uid: `p-${index}`,
      ...(facts.leaving && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: {
      nodeName: 'node-1',
      containers: [{ name: 'app', ports: [{ name: 'http', containerPort: port }] }],
    },
    status: {
      phase: facts.phase ?? 'Running',
      podIP: `10.244.0.${index}`,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  }
}

function plan(pods: readonly Pod[], slices: readonly EndpointSlice[] = [], of = service()) {
  return planEndpointSlices({ service: of, pods, slices, zoneOf: () => 'local-a' })
}

/** As the server would store them. */
function stored(slices: readonly EndpointSlice[]): EndpointSlice[] {
  return slices.map((slice, index) => ({
    ...slice,
    metadata: { ...slice.metadata, name: slice.metadata.name ?? `web-${index}` },
  }))
}

test('a slice names its Service, resolves the target port and carries the conditions of each pod', () => {
  const { creates } = plan([pod(1), pod(2, { ready: false }), pod(3, { leaving: true })])
  expect(creates).toHaveLength(1)
  expect(creates[0]?.metadata.labels).toEqual({
    team: 'shop',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  })
  expect(creates[0]?.ports).toEqual([{ name: 'http', port: 8080, protocol: 'TCP' }])
  expect(creates[0]?.endpoints?.map(({ conditions }) => conditions)).toEqual([
    { ready: true, serving: true, terminating: false },
    { ready: false, serving: false, terminating: false },
    { ready: false, serving: true, terminating: true },
  ])
  expect(creates[0]?.endpoints?.[0]).toMatchObject({
    addresses: ['10.244.0.1'],
    nodeName: 'node-1',
    zone: 'local-a',
    targetRef: { kind: 'Pod', name: 'web-1', namespace: 'default', uid: 'p-1' },
  })
})

test('planning again what is stored writes nothing', () => {
  const pods = [pod(1), pod(2)]
  const slices = stored(plan(pods).creates)
  expect(plan(pods, slices)).toEqual({ creates: [], updates: [], deletes: [] })
})

test('a new pod joins the slice in place and the others stay where they are', () => {
  const slices = stored(plan([pod(1), pod(2)]).creates)
  const { creates, updates } = plan([pod(1), pod(2), pod(3)], slices)
  expect(creates).toEqual([])
  expect(updates[0]?.endpoints?.map(({ targetRef }) => targetRef.name)).toEqual([
    'web-1',
    'web-2',
    'web-3',
  ])
})

test('a hundred endpoints fill a slice', () => {
  const pods = Array.from({ length: 250 }, (_, index) => pod(index + 1))
  expect(plan(pods).creates.map(({ endpoints }) => endpoints?.length)).toEqual([100, 100, 50])
})

test('pods whose named port differs get slices of their own', () => {
  const { creates } = plan([pod(1), pod(2, { port: 9090 })])
  expect(creates.map(({ ports }) => ports?.[0]?.port)).toEqual([8080, 9090])
})

test('a Service without pods keeps one empty slice', () => {
  const { creates } = plan([])
  expect(creates).toMatchObject([{ endpoints: null, ports: null }])
  expect(plan([], stored(creates))).toEqual({ creates: [], updates: [], deletes: [] })
  const slices = stored(plan([pod(1)]).creates)
  const emptied = plan([], slices)
  expect(emptied.deletes).toEqual([])
  expect(emptied.updates[0]?.endpoints).toBeNull()
})

test('finished pods are no endpoints, and publishNotReadyAddresses publishes unready ones', () => {
  expect(plan([pod(1, { phase: 'Succeeded' })]).creates[0]?.endpoints).toBeNull()
  const open = plan([pod(1, { ready: false })], [], service({ publishNotReadyAddresses: true }))
  expect(open.creates[0]?.endpoints?.[0]?.conditions).toEqual({
    ready: true,
    serving: false,
    terminating: false,
  })
})

test('Endpoints list ready and unready addresses and leave terminating pods out', () => {
  const pods = [pod(1), pod(2, { ready: false }), pod(3, { leaving: true })]
  const endpoints = planEndpoints({ service: service(), pods, stored: undefined })
  expect(endpoints?.subsets).toMatchObject([
    {
      addresses: [{ ip: '10.244.0.1', nodeName: 'node-1' }],
      notReadyAddresses: [{ ip: '10.244.0.2' }],
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    },
  ])
  const same = endpoints ?? undefined
  expect(planEndpoints({ service: service(), pods, stored: same })).toBeNull()
})
