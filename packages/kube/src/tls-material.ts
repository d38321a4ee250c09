/** What a caller brings to a TLS connection; certificates and keys are PEM text. */
export interface TlsMaterial {
  /** Who it belongs to: under one name the newest material counts, and connections made with an older one end. */
  readonly name: string
  /** Authorities to trust, in place of the well-known ones. */
  readonly ca?: string
  /** True: the well-known authorities are trusted beside `ca`. */
  readonly alsoWellKnown?: boolean
  readonly cert?: string
  readonly key?: string
  /** What the certificate of the server must say. Absent: the host that is asked. */
  readonly serverName?: string
}

/** How the world outside is asked. */
export interface FetchOptions {
  /** Certificates are not checked. */
  readonly insecure?: boolean
  readonly tls?: TlsMaterial
}
