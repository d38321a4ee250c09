import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'

/** Manifests of the outside world, beside the repository where somebody has put them. */
const root = fileURLToPath(new URL('../../../../shared/corpus/', import.meta.url))

export const hasCorpus = existsSync(root)

export interface CorpusFile {
  readonly name: string
  /** Documents that could be read, as JSON has them. */
  readonly documents: readonly CorpusObject[]
  readonly errors: readonly string[]
}

export interface CorpusObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata?: { readonly name?: string }
}

/** Every YAML file under a folder of the corpus. */
export function corpusFiles(folder: string): readonly CorpusFile[] {
  return readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => corpusFile(`${folder}/${name}`))
}

export function corpusFile(name: string): CorpusFile {
  const documents: CorpusObject[] = []
  const errors: string[] = []
  for (const document of parseAllDocuments(readFileSync(root + name, 'utf8'))) {
    errors.push(...document.errors.map((error) => error.message))
    if (document.errors.length > 0) continue
    const value: unknown = document.toJS()
    if (typeof value === 'object' && value !== null) documents.push(value)
  }
  return { name, documents, errors }
}
