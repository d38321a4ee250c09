import type { UnknownObject } from '@serinus/kube'
import type { StoredResource } from './store.ts'

/** One object as a journal kept it. */
export interface JournalEntry {
  readonly resource: StoredResource
  readonly object: UnknownObject
}

/** One write for a journal: `object` absent means deleted. */
export interface JournalWrite {
  readonly resource: StoredResource
  readonly key: string
  readonly version: number
  readonly object?: UnknownObject
}

/** Where a cluster's state outlives its process. */
export interface Journal {
  /** Everything that was kept, with the highest version written. */
  load(): { readonly version: number; readonly entries: Iterable<JournalEntry> }
  /** Queues a write; it is durable once `durable()` called after it resolves. */
  append(write: JournalWrite): void
  /** Resolves when everything appended so far survives the death of the process. */
  durable(): Promise<void>
  /** A small fact beside the objects: CA, tokens. */
  fact(name: string): string | undefined
  keepFact(name: string, value: string): void
  close(): void
}
