import { expect, test } from 'vitest'
import { allStructs, kindType, structType } from './types.ts'

test('the fields of a struct stand in declaration order, embedded ones in place', () => {
  const names = structType('core/v1.Volume')?.fields.map((field) => field.name)
  expect(names?.slice(0, 4)).toEqual(['name', 'hostPath', 'emptyDir', 'gcePersistentDisk'])
  expect(structType('core/v1.PodTemplateSpec')?.fields.map((field) => field.name)).toEqual([
    'metadata',
    'spec',
  ])
})

test('a field carries what merging and defaulting need to know', () => {
  const container = structType('core/v1.Container')
  expect(container?.fields.find((field) => field.name === 'ports')).toEqual({
    name: 'ports',
    type: { kind: 'list', of: { kind: 'struct', ref: 'core/v1.ContainerPort' } },
    omitEmpty: true,
    omitZero: false,
    required: false,
    patchStrategy: 'merge',
    patchMergeKey: 'containerPort',
    listType: 'map',
    listMapKeys: ['containerPort', 'protocol'],
  })
  const port = structType('core/v1.ContainerPort')
  expect(port?.fields.find((field) => field.name === 'protocol')).toEqual({
    name: 'protocol',
    type: {
      kind: 'string',
      enum: { ref: 'core/v1.Protocol', values: ['SCTP', 'TCP', 'UDP'] },
    },
    goType: 'v1.Protocol',
    omitEmpty: true,
    omitZero: false,
    required: false,
    default: 'TCP',
  })
  expect(structType('meta/v1.LabelSelector')?.structType).toBe('atomic')
})

test('retainKeys, sets and required fields are kept', () => {
  const field = (ref: string, name: string) =>
    structType(ref)?.fields.find((candidate) => candidate.name === name)
  expect(field('apps/v1.DeploymentSpec', 'strategy')?.patchStrategy).toBe('retainKeys')
  expect(field('meta/v1.ObjectMeta', 'finalizers')?.listType).toBe('set')
  expect(field('apps/v1.DeploymentSpec', 'selector')?.required).toBe(true)
  expect(field('meta/v1.ObjectMeta', 'creationTimestamp')?.omitZero).toBe(true)
})

const builtIn: Readonly<Record<string, readonly string[]>> = {
  v1: [
    'Namespace',
    'Pod',
    'Service',
    'Endpoints',
    'ConfigMap',
    'Secret',
    'ServiceAccount',
    'Event',
    'Node',
    'ReplicationController',
    'PersistentVolumeClaim',
    'LimitRange',
    'ResourceQuota',
    'PodTemplate',
    'Binding',
    'Status',
    'DeleteOptions',
    'List',
  ],
  'apps/v1': ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'ControllerRevision'],
  'batch/v1': ['Job', 'CronJob'],
  'networking.k8s.io/v1': ['Ingress', 'IngressClass', 'NetworkPolicy'],
  'discovery.k8s.io/v1': ['EndpointSlice'],
  'autoscaling/v1': ['HorizontalPodAutoscaler', 'Scale'],
  'autoscaling/v2': ['HorizontalPodAutoscaler'],
  'policy/v1': ['PodDisruptionBudget', 'Eviction'],
  'coordination.k8s.io/v1': ['Lease'],
  'events.k8s.io/v1': ['Event'],
  'rbac.authorization.k8s.io/v1': ['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding'],
  'authentication.k8s.io/v1': ['TokenReview', 'TokenRequest', 'SelfSubjectReview'],
  'authorization.k8s.io/v1': [
    'SubjectAccessReview',
    'SelfSubjectAccessReview',
    'SelfSubjectRulesReview',
    'LocalSubjectAccessReview',
  ],
  'apiextensions.k8s.io/v1': ['CustomResourceDefinition'],
  'admissionregistration.k8s.io/v1': [
    'ValidatingWebhookConfiguration',
    'MutatingWebhookConfiguration',
  ],
  'scheduling.k8s.io/v1': ['PriorityClass'],
  'storage.k8s.io/v1': ['StorageClass'],
  'meta.k8s.io/v1': ['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList'],
}

test.each(Object.entries(builtIn))('every built-in kind of %s is known', (apiVersion, kinds) => {
  for (const kind of kinds) {
    const ref = kindType(apiVersion, kind)
    expect(ref && structType(ref), `${apiVersion} ${kind}`).toBeDefined()
  }
})

test('kinds of other groups and versions are not known', () => {
  expect(kindType('argoproj.io/v1alpha1', 'Rollout')).toBeUndefined()
  expect(kindType('apps/v1beta1', 'Deployment')).toBeUndefined()
  expect(kindType('v1', 'toString')).toBeUndefined()
  expect(structType('core/v1.Nothing')).toBeUndefined()
})

test('every struct that a field refers to is there', () => {
  const refs = (text: string) => [...text.matchAll(/"ref":"([^"]+)"/g)].map((match) => match[1])
  for (const ref of allStructs()) {
    const fields = JSON.stringify(structType(ref)?.fields.map((field) => field.type))
    for (const inner of refs(fields.replace(/"enum":\{[^}]*\}/g, ''))) {
      expect(structType(inner ?? ''), `${inner} in ${ref}`).toBeDefined()
    }
  }
})
