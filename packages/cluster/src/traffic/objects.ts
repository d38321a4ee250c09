import type { KubeObject } from '@serinus/kube'

/** The parts of routing objects that the data planes read. */
export interface Ingress extends KubeObject {
  readonly spec?: {
    readonly ingressClassName?: string
    readonly rules?: readonly {
      readonly host?: string
      readonly http?: {
        readonly paths?: readonly {
          readonly path?: string
          readonly pathType?: string
          readonly backend?: { readonly service?: ServiceBackend }
        }[]
      }
    }[]
    readonly defaultBackend?: { readonly service?: ServiceBackend }
  }
}

export interface ServiceBackend {
  readonly name: string
  readonly port?: { readonly name?: string; readonly number?: number }
}

export interface Service extends KubeObject {
  readonly spec?: { readonly selector?: Readonly<Record<string, string>> }
}

export interface EndpointSlice extends KubeObject {
  readonly endpoints?: readonly {
    readonly conditions?: {
      readonly ready?: boolean
      readonly serving?: boolean
      readonly terminating?: boolean
    }
    readonly targetRef?: { readonly kind?: string; readonly name?: string }
  }[]
}
