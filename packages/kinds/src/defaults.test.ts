import { expect, test } from 'vitest'
import { applyDefaults, applyPodTemplateDefaults } from './defaults.ts'
import objects from './fixtures/objects.json' with { type: 'json' }

test.each(objects.map((one) => [`${one.object.apiVersion} ${one.object.kind}`, one] as const))(
  '%s is stored as kube-apiserver stores it',
  (_name, { object, stored }) => {
    const result = applyDefaults(object.apiVersion, object.kind, object)
    expect(JSON.stringify(result)).toBe(JSON.stringify(stored))
  },
)

test.each(objects.map((one) => [`${one.object.apiVersion} ${one.object.kind}`, one] as const))(
  'defaulting a stored %s again changes nothing, and no input is touched',
  (_name, { object, stored }) => {
    const before = structuredClone(object)
    applyDefaults(object.apiVersion, object.kind, object)
    expect(object).toEqual(before)
    expect(applyDefaults(object.apiVersion, object.kind, stored)).toEqual(stored)
  },
)

test('a pod template gets what a Deployment would store for it', () => {
  const template = { spec: { containers: [{ name: 'c', image: 'nginx' }] } }
  expect(applyPodTemplateDefaults(template)).toEqual({
    metadata: {},
    spec: {
      containers: [
        {
          name: 'c',
          image: 'nginx',
          resources: {},
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          imagePullPolicy: 'Always',
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      securityContext: {},
      schedulerName: 'default-scheduler',
    },
  })
})

test('requests follow limits in a pod, but not in a template', () => {
  const spec = { containers: [{ name: 'c', resources: { limits: { cpu: '1' } } }] }
  expect(applyDefaults('v1', 'Pod', { spec })).toMatchObject({
    spec: { containers: [{ resources: { limits: { cpu: '1' }, requests: { cpu: '1' } } }] },
  })
  expect(applyPodTemplateDefaults({ spec })).toMatchObject({
    spec: { containers: [{ resources: { limits: { cpu: '1' } } }] },
  })
  expect(JSON.stringify(applyPodTemplateDefaults({ spec }))).not.toContain('requests')
})

test('the host network makes container ports host ports', () => {
  const spec = { hostNetwork: true, containers: [{ ports: [{ containerPort: 80 }] }] }
  expect(applyDefaults('v1', 'Pod', { spec })).toMatchObject({
    spec: { containers: [{ ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }] }] },
  })
})

test('resource amounts are rounded up to thousandths', () => {
  const spec = { containers: [{ resources: { requests: { cpu: '100u' } } }] }
  expect(applyPodTemplateDefaults({ spec })).toMatchObject({
    spec: { containers: [{ resources: { requests: { cpu: '1m' } } }] },
  })
})

test('an object of a kind that is not built in comes back as it was', () => {
  const rollout = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', spec: { any: null } }
  const result = applyDefaults(rollout.apiVersion, rollout.kind, rollout)
  expect(result).toEqual(rollout)
  expect(result).not.toBe(rollout)
})
