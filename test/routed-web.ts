import type { KubeObject, Resource } from '@serinus/kube'

/** The objects that tests of routers in virtual time have in common: one Rollout `web` of four pods, two Services, kinds. */
export const webKey = { namespace: 'default', name: 'web' }

/** A kind whose objects may be anything. */
export function openDefinition({ group, version, plural, kind }: Resource): KubeObject {
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { kind, plural, singular: kind.toLowerCase() },
      scope: 'Namespaced',
      versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  } as KubeObject
}

export function webService(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  } as KubeObject
}

export function webRollout(canary: object): KubeObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: webKey,
    spec: {
      replicas: 4,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'app', image: 'web:v1' }] },
      },
      strategy: { canary },
    },
  } as unknown as KubeObject
}
