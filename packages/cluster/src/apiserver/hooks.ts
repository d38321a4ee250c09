import type { Duplex } from 'node:stream'
import type { UnknownObject } from '@serinus/kube'

/** Who asks, after authentication and impersonation (authentication/v1 UserInfo). */
export interface UserInfo {
  readonly username: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** A request for a subresource that somebody else serves; authorized already. */
export interface SubresourceCall {
  readonly request: Request
  readonly namespace: string
  /** Name of the object, as the URL has it (of a proxy: `scheme:name:port` without its parts). */
  readonly name: string
  /** Of a proxy: the part before and behind the name, empty when absent. */
  readonly scheme: string
  readonly port: string
  /** What the URL has behind the subresource, with its leading slash; empty when nothing. */
  readonly path: string
  readonly query: URLSearchParams
  readonly user: UserInfo
  /** The object named by the URL. */
  readonly object: UnknownObject
}

export type SubresourceHandler = (call: SubresourceCall) => Promise<Response>

export type HandledSubresource =
  | 'pods/log'
  | 'pods/exec'
  | 'pods/attach'
  | 'pods/proxy'
  | 'pods/eviction'
  | 'services/proxy'
  | 'nodes/proxy'

/** Opens a connection to a port of a pod for `kubectl port-forward`; rejects with what to tell the user. */
export type PortForward = (target: {
  readonly namespace: string
  readonly pod: UnknownObject
  readonly port: number
}) => Promise<Duplex>

/** One object on its way into the store. `old` is absent at creation. */
export interface AdmissionRequest {
  readonly operation: 'CREATE' | 'UPDATE'
  readonly resource: { readonly group: string; readonly plural: string }
  readonly object: UnknownObject
  readonly old: UnknownObject | undefined
  readonly user: UserInfo
}

/** May change the object (return another one) or refuse it (throw an ApiError). Runs before validation. */
export type AdmissionHook = (request: AdmissionRequest) => UnknownObject
