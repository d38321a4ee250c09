import type { KubeObject } from '@serinus/kube'

/** Kind, plural and versions, the one that is stored first. */
type Named = readonly [kind: string, plural: string, ...versions: readonly string[]]

const istio = ['v1', 'v1beta1', 'v1alpha3'] as const

const kinds: Readonly<Record<string, readonly Named[]>> = {
  'networking.istio.io': [
    ['VirtualService', 'virtualservices', ...istio],
    ['DestinationRule', 'destinationrules', ...istio],
    ['Gateway', 'gateways', ...istio],
  ],
  'gateway.networking.k8s.io': [
    ['Gateway', 'gateways', 'v1', 'v1beta1'],
    ['HTTPRoute', 'httproutes', 'v1', 'v1beta1'],
    ['GRPCRoute', 'grpcroutes', 'v1'],
    ['TCPRoute', 'tcproutes', 'v1alpha2'],
    ['TLSRoute', 'tlsroutes', 'v1alpha3', 'v1alpha2'],
    ['UDPRoute', 'udproutes', 'v1alpha2'],
  ],
  'traefik.io': [
    ['IngressRoute', 'ingressroutes', 'v1alpha1'],
    ['TraefikService', 'traefikservices', 'v1alpha1'],
  ],
  'split.smi-spec.io': [
    ['TrafficSplit', 'trafficsplits', 'v1alpha1', 'v1alpha2', 'v1alpha3', 'v1alpha4'],
  ],
  'apisix.apache.org': [['ApisixRoute', 'apisixroutes', 'v2']],
  'getambassador.io': [['Mapping', 'mappings', 'v2', 'v3alpha1']],
}

/**
 * CustomResourceDefinitions of the kinds that routers read, for clusters in which no router brings its own. Their schemas
 * are open: what a router would refuse is taken. The real ones may be applied over them. Those of App Mesh are left out:
 * `kubectl get virtualservices` would show them in place of Istio's.
 */
export const routerKinds: readonly KubeObject[] = Object.entries(kinds).flatMap(([group, list]) =>
  list.map((named) => definitionOf(group, named)),
)

function definitionOf(group: string, [kind, plural, ...versions]: Named): KubeObject {
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      // Groups of Kubernetes itself are only taken with a word on where they were approved.
      ...(group.endsWith('.k8s.io')
        ? {
            annotations: {
              'api-approved.kubernetes.io': 'unapproved, an open schema for an embedded cluster',
            },
          }
        : {}),
    },
    spec: {
      group,
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      scope: 'Namespaced',
      versions: versions.map((name, index) => ({
        name,
        served: true,
        storage: index === 0,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } },
        },
      })),
    },
  }
  return definition
}
