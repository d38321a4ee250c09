import type { UserInfo } from './hooks.ts'
import type { ServedResource } from './served.ts'

/** Circumstances of one write. */
export interface WriteContext {
  readonly user: UserInfo
  readonly fieldManager: string
  readonly dryRun: boolean
  /** What becomes of unknown fields: refused, warned about, or dropped in silence. */
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore'
  readonly warn: (text: string) => void
  /** Mistakes of the body's text itself (duplicate keys), found while it was parsed. */
  readonly bodyProblems?: readonly string[]
}

/** What a URL points at. */
export interface Target {
  readonly served: ServedResource
  readonly namespace: string
  readonly name: string
  /** `status`, `scale`, `finalize`, ...; empty for the object itself. */
  readonly subresource: string
}
