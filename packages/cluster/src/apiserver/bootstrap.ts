import type { UnknownObject } from '@serinus/kube'

const rbac = 'rbac.authorization.k8s.io/v1'
const bootstrapping = {
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
}

function clusterRole(
  name: string,
  rules: readonly object[],
  options: { readonly aggregatesTo?: string; readonly from?: readonly string[] } = {},
): UnknownObject {
  const { aggregatesTo, from } = options
  return {
    apiVersion: rbac,
    kind: 'ClusterRole',
    metadata: {
      name,
      ...bootstrapping,
      labels: {
        ...bootstrapping.labels,
        ...(aggregatesTo && { [`rbac.authorization.k8s.io/aggregate-to-${aggregatesTo}`]: 'true' }),
      },
    },
    ...(from && {
      aggregationRule: {
        clusterRoleSelectors: from.map((target) => ({
          matchLabels: { [`rbac.authorization.k8s.io/aggregate-to-${target}`]: 'true' },
        })),
      },
    }),
    rules,
  }
}

function clusterRoleBinding(name: string, groups: readonly string[], role = name): UnknownObject {
  return {
    apiVersion: rbac,
    kind: 'ClusterRoleBinding',
    metadata: { name, ...bootstrapping },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: groups.map((group) => ({
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'Group',
      name: group,
    })),
  }
}

const readVerbs = ['get', 'list', 'watch']
const writeVerbs = ['create', 'delete', 'deletecollection', 'patch', 'update']
const rule = (
  apiGroups: readonly string[],
  resources: readonly string[],
  verbs: readonly string[],
) => ({
  apiGroups,
  resources,
  verbs,
})

const workloads = {
  core: [
    'configmaps',
    'endpoints',
    'persistentvolumeclaims',
    'pods',
    'replicationcontrollers',
    'replicationcontrollers/scale',
    'serviceaccounts',
    'services',
  ],
  apps: [
    'controllerrevisions',
    'daemonsets',
    'deployments',
    'deployments/scale',
    'replicasets',
    'replicasets/scale',
    'statefulsets',
    'statefulsets/scale',
  ],
}

/** The roles and bindings every API server starts with (plugin/pkg/auth/authorizer/rbac/bootstrappolicy). */
const roles: readonly UnknownObject[] = [
  clusterRole('cluster-admin', [
    rule(['*'], ['*'], ['*']),
    { nonResourceURLs: ['*'], verbs: ['*'] },
  ]),
  clusterRole('system:discovery', [
    {
      nonResourceURLs: [
        '/api',
        '/api/*',
        '/apis',
        '/apis/*',
        '/healthz',
        '/livez',
        '/openapi',
        '/openapi/*',
        '/readyz',
        '/version',
        '/version/',
      ],
      verbs: ['get'],
    },
  ]),
  clusterRole('system:public-info-viewer', [
    { nonResourceURLs: ['/healthz', '/livez', '/readyz', '/version', '/version/'], verbs: ['get'] },
  ]),
  clusterRole('system:basic-user', [
    rule(
      ['authorization.k8s.io'],
      ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
      ['create'],
    ),
    rule(['authentication.k8s.io'], ['selfsubjectreviews'], ['create']),
  ]),
  clusterRole('system:service-account-issuer-discovery', [
    { nonResourceURLs: ['/.well-known/openid-configuration', '/openid/v1/jwks'], verbs: ['get'] },
  ]),
  clusterRole('admin', [], { from: ['admin'] }),
  clusterRole('edit', [], { from: ['edit'], aggregatesTo: 'admin' }),
  clusterRole('view', [], { from: ['view'], aggregatesTo: 'edit' }),
  clusterRole(
    'system:aggregate-to-admin',
    [
      rule(['authorization.k8s.io'], ['localsubjectaccessreviews'], ['create']),
      rule(['rbac.authorization.k8s.io'], ['rolebindings', 'roles'], [...readVerbs, ...writeVerbs]),
    ],
    { aggregatesTo: 'admin' },
  ),
  clusterRole(
    'system:aggregate-to-edit',
    [
      rule(
        [''],
        ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'],
        readVerbs,
      ),
      rule([''], ['serviceaccounts'], ['impersonate']),
      rule(
        [''],
        ['pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy'],
        writeVerbs,
      ),
      rule([''], ['pods/eviction'], ['create']),
      rule(
        [''],
        [...workloads.core.filter((name) => name !== 'pods'), 'secrets', 'services/proxy'],
        writeVerbs,
      ),
      rule([''], ['serviceaccounts/token'], ['create']),
      rule(
        ['apps'],
        workloads.apps.filter((name) => name !== 'controllerrevisions'),
        writeVerbs,
      ),
      rule(['autoscaling'], ['horizontalpodautoscalers'], writeVerbs),
      rule(['batch'], ['cronjobs', 'jobs'], writeVerbs),
      rule(['networking.k8s.io'], ['ingresses', 'networkpolicies'], writeVerbs),
      rule(['policy'], ['poddisruptionbudgets'], writeVerbs),
      rule(['coordination.k8s.io'], ['leases'], [...writeVerbs, ...readVerbs]),
    ],
    { aggregatesTo: 'edit' },
  ),
  clusterRole(
    'system:aggregate-to-view',
    [
      rule(
        [''],
        [...workloads.core, 'persistentvolumeclaims/status', 'services/status'],
        readVerbs,
      ),
      rule(
        [''],
        [
          'events',
          'limitranges',
          'namespaces/status',
          'pods/log',
          'pods/status',
          'replicationcontrollers/status',
          'resourcequotas',
          'resourcequotas/status',
        ],
        readVerbs,
      ),
      rule([''], ['namespaces'], readVerbs),
      rule(['discovery.k8s.io'], ['endpointslices'], readVerbs),
      rule(
        ['apps'],
        [
          ...workloads.apps,
          'daemonsets/status',
          'deployments/status',
          'replicasets/status',
          'statefulsets/status',
        ],
        readVerbs,
      ),
      rule(
        ['autoscaling'],
        ['horizontalpodautoscalers', 'horizontalpodautoscalers/status'],
        readVerbs,
      ),
      rule(['batch'], ['cronjobs', 'cronjobs/status', 'jobs', 'jobs/status'], readVerbs),
      rule(['networking.k8s.io'], ['ingresses', 'ingresses/status', 'networkpolicies'], readVerbs),
      rule(['policy'], ['poddisruptionbudgets', 'poddisruptionbudgets/status'], readVerbs),
    ],
    { aggregatesTo: 'view' },
  ),
  clusterRoleBinding('cluster-admin', ['system:masters']),
  clusterRoleBinding('system:discovery', ['system:authenticated']),
  clusterRoleBinding('system:basic-user', ['system:authenticated']),
  clusterRoleBinding('system:public-info-viewer', [
    'system:authenticated',
    'system:unauthenticated',
  ]),
  clusterRoleBinding('system:service-account-issuer-discovery', ['system:serviceaccounts']),
]

const priorityClass = (name: string, value: number, description: string): UnknownObject => ({
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name },
  value,
  description,
})

/** Everything a fresh cluster holds before anybody wrote to it, in an order that can be created. */
export const bootstrapObjects: readonly UnknownObject[] = [
  ...['default', 'kube-system', 'kube-public', 'kube-node-lease'].map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
  })),
  ...roles,
  priorityClass(
    'system-cluster-critical',
    2_000_000_000,
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  ),
  priorityClass(
    'system-node-critical',
    2_000_001_000,
    'Used for system critical pods that must not be moved from their current node.',
  ),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      clusterIP: '10.96.0.1',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
      type: 'ClusterIP',
    },
  },
]
