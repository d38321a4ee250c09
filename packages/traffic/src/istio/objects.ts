import type { KubeObject } from '@serinus/kube'
import type { RouterSettings } from '../router.ts'
import type { RoutedKind } from '../routing-objects.ts'

/** The parts of a VirtualService that matter here; all else is kept as it is. */
export interface VirtualService extends KubeObject {
  readonly spec?: {
    readonly http?: readonly HttpRoute[]
    readonly tls?: readonly TlsRoute[]
    readonly tcp?: readonly TcpRoute[]
  }
}

interface Weighted {
  readonly route?: readonly RouteDestination[]
}

export interface HttpRoute extends Weighted {
  readonly name?: string
  readonly match?: readonly HttpMatch[]
  readonly mirror?: Destination
  readonly mirrorPercentage?: { readonly value?: number }
}

/** All conditions of one entry must hold. */
export interface HttpMatch {
  readonly uri?: StringMatch
  readonly method?: StringMatch
  readonly headers?: Readonly<Record<string, StringMatch>>
}

export interface StringMatch {
  readonly exact?: string
  readonly prefix?: string
  readonly regex?: string
}

export interface TlsRoute extends Weighted {
  readonly match?: readonly { readonly port?: number; readonly sniHosts?: readonly string[] }[]
}

export interface TcpRoute extends Weighted {
  readonly match?: readonly { readonly port?: number }[]
}

export interface RouteDestination {
  readonly destination?: Destination
  /** Absent means 0 where another destination has one. */
  readonly weight?: number
}

interface Destination {
  readonly host?: string
  readonly subset?: string
  readonly port?: { readonly number?: number }
}

/** The parts of a DestinationRule that matter here. */
export interface DestinationRule extends KubeObject {
  readonly spec?: { readonly subsets?: readonly Subset[] }
}

export interface Subset {
  readonly name?: string
  readonly labels?: Readonly<Record<string, string>>
}

export interface IstioKinds {
  readonly virtualServices: RoutedKind
  readonly destinationRules: RoutedKind
}

export function istioKinds({ istioVersion }: RouterSettings): IstioKinds {
  const common = {
    group: 'networking.istio.io',
    versions: istioVersion ? [istioVersion] : ['v1', 'v1beta1', 'v1alpha3'],
  }
  return {
    virtualServices: { ...common, kind: 'VirtualService', plural: 'virtualservices' },
    destinationRules: { ...common, kind: 'DestinationRule', plural: 'destinationrules' },
  }
}
