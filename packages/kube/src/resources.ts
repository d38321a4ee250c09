import type { Resource } from './objects.ts'

function resource(apiVersion: string, kind: string, plural: string, namespaced = true): Resource {
  const [group, version] = apiVersion.includes('/')
    ? (apiVersion.split('/') as [string, string])
    : ['', apiVersion]
  return { group, version, plural, kind, namespaced }
}

/** The built-in kinds that the rooms above talk to. Kinds of Serinus itself are in `@serinus/api`. */
export const resources = {
  namespaces: resource('v1', 'Namespace', 'namespaces', false),
  nodes: resource('v1', 'Node', 'nodes', false),
  pods: resource('v1', 'Pod', 'pods'),
  services: resource('v1', 'Service', 'services'),
  endpoints: resource('v1', 'Endpoints', 'endpoints'),
  configMaps: resource('v1', 'ConfigMap', 'configmaps'),
  secrets: resource('v1', 'Secret', 'secrets'),
  serviceAccounts: resource('v1', 'ServiceAccount', 'serviceaccounts'),
  events: resource('v1', 'Event', 'events'),
  podTemplates: resource('v1', 'PodTemplate', 'podtemplates'),
  replicaSets: resource('apps/v1', 'ReplicaSet', 'replicasets'),
  deployments: resource('apps/v1', 'Deployment', 'deployments'),
  jobs: resource('batch/v1', 'Job', 'jobs'),
  ingresses: resource('networking.k8s.io/v1', 'Ingress', 'ingresses'),
  endpointSlices: resource('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'),
  leases: resource('coordination.k8s.io/v1', 'Lease', 'leases'),
  customResourceDefinitions: resource(
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
    'customresourcedefinitions',
    false,
  ),
} as const satisfies Record<string, Resource>
