import type { Clock } from '@serinus/kube'

/** What providers keep from one measurement to the next, in one controller. */
export interface Kept {
  /** `Authorization` obtained by OAuth2. */
  readonly tokens: UntilExpiry<string>
  /** Temporary credentials of AWS. */
  readonly awsCredentials: UntilExpiry<AwsCredentials>
}

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** Absent: they do not expire. */
  readonly expiration?: Date
}

export function createKept(clock: Clock): Kept {
  return { tokens: new UntilExpiry(clock), awsCredentials: new UntilExpiry(clock) }
}

const mostEntries = 1000

/** Values by key, each until its instant; beyond a thousand the oldest goes. */
export class UntilExpiry<T> {
  readonly #clock: Clock
  readonly #entries = new Map<string, { readonly value: T; readonly expiresAt: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    if (entry.expiresAt > this.#clock.now()) return entry.value
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, value: T, expiresAt: number): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, expiresAt })
    if (this.#entries.size <= mostEntries) return
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}
