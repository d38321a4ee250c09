import type { KubeObject } from '@serinus/kube'
import type { RoutedKind } from '../routing-objects.ts'

export type Protocol = 'http' | 'grpc' | 'tcp' | 'tls' | 'udp'

const group = 'gateway.networking.k8s.io'

/** In the order in which upstream goes through them. */
export const routeKinds: Readonly<Record<Protocol, RoutedKind>> = {
  http: { group, kind: 'HTTPRoute', plural: 'httproutes', versions: ['v1', 'v1beta1'] },
  grpc: { group, kind: 'GRPCRoute', plural: 'grpcroutes', versions: ['v1', 'v1alpha2'] },
  tcp: { group, kind: 'TCPRoute', plural: 'tcproutes', versions: ['v1', 'v1alpha3', 'v1alpha2'] },
  tls: { group, kind: 'TLSRoute', plural: 'tlsroutes', versions: ['v1', 'v1alpha3', 'v1alpha2'] },
  udp: { group, kind: 'UDPRoute', plural: 'udproutes', versions: ['v1', 'v1alpha3', 'v1alpha2'] },
}

/** The part of a route that matters here; of an HTTPRoute most, of a TCPRoute little. */
export interface Route extends KubeObject {
  readonly spec?: { readonly rules?: readonly Rule[] }
  readonly status?: {
    readonly parents?: readonly { readonly conditions?: readonly Condition[] }[]
  }
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly observedGeneration?: number
}

export interface Rule {
  readonly name?: string
  readonly matches?: readonly Match[]
  readonly filters?: readonly Filter[]
  readonly backendRefs?: readonly BackendRef[]
}

export interface Match {
  readonly path?: Comparison
  readonly headers?: readonly HeaderMatch[]
  readonly method?: unknown
}

/** Absent type: a prefix for paths, the exact text for headers. */
export interface Comparison {
  readonly type?: string
  readonly value?: string
}

export interface HeaderMatch extends Comparison {
  readonly name: string
}

interface Filter {
  readonly type: string
  readonly requestMirror?: { readonly backendRef: BackendRef; readonly percent?: number }
}

export interface BackendRef {
  readonly group?: string
  readonly kind?: string
  readonly name: string
  readonly namespace?: string
  readonly port?: number
  readonly weight?: number
}
