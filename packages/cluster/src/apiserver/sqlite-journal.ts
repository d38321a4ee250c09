import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { UnknownObject } from '@serinus/kube'
import type { Journal, JournalEntry, JournalWrite } from './journal.ts'

/**
 * A journal in one SQLite file (WAL). Writes of one turn of the event loop share a transaction, so
 * that a thousand creates a second cost a few dozen commits; a commit survives the death of the
 * process at once and that of the machine from the next checkpoint on.
 */
export class SqliteJournal implements Journal {
  readonly #database: DatabaseSync
  readonly #put: StatementSync
  readonly #remove: StatementSync
  readonly #setVersion: StatementSync
  #pending: JournalWrite[] = []
  #commit: Promise<void> | undefined

  constructor(file: string) {
    this.#database = new DatabaseSync(file)
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS objects (
        kind TEXT NOT NULL, key TEXT NOT NULL, object TEXT NOT NULL, PRIMARY KEY (kind, key)
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    `)
    this.#put = this.#database.prepare('INSERT OR REPLACE INTO objects VALUES (?, ?, ?)')
    this.#remove = this.#database.prepare('DELETE FROM objects WHERE kind = ? AND key = ?')
    this.#setVersion = this.#database.prepare('INSERT OR REPLACE INTO facts VALUES (?, ?)')
  }

  load(): { readonly version: number; readonly entries: readonly JournalEntry[] } {
    const rows = this.#database.prepare('SELECT kind, object FROM objects').all()
    const entries = rows.map((row) => ({
      resource: resourceOf(String(row['kind'])),
      object: JSON.parse(String(row['object'])) as UnknownObject,
    }))
    return { version: Number(this.fact(versionFact) ?? 1), entries }
  }

  append(write: JournalWrite): void {
    this.#pending.push(write)
    // A write that nobody waits for is kept all the same; who waits hears of a failure.
    this.durable().catch(() => undefined)
  }

  durable(): Promise<void> {
    if (this.#pending.length === 0) return this.#commit ?? Promise.resolve()
    this.#commit ??= new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        this.#commit = undefined
        try {
          this.#flush()
          resolve()
        } catch (error) {
          reject(error)
        }
      })
    })
    return this.#commit
  }

  fact(name: string): string | undefined {
    const row = this.#database.prepare('SELECT value FROM facts WHERE name = ?').get(name)
    return row === undefined ? undefined : String(row['value'])
  }

  keepFact(name: string, value: string): void {
    this.#setVersion.run(name, value)
  }

  close(): void {
    this.#flush()
    this.#database.close()
  }

  #flush(): void {
    const writes = this.#pending
    if (writes.length === 0) return
    this.#pending = []
    this.#database.exec('BEGIN')
    try {
      for (const { resource, key, object } of writes) {
        const kind = `${resource.group}/${resource.plural}`
        if (object) this.#put.run(kind, key, JSON.stringify(object))
        else this.#remove.run(kind, key)
      }
      this.#setVersion.run(versionFact, String(writes.at(-1)?.version ?? 1))
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      this.#pending = [...writes, ...this.#pending]
      throw error
    }
  }
}

const versionFact = 'resource-version'

function resourceOf(kind: string): { group: string; plural: string } {
  const slash = kind.indexOf('/')
  return { group: kind.slice(0, slash), plural: kind.slice(slash + 1) }
}
