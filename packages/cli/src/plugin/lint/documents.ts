import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { UnknownObject } from '@serinus/kube'
import { LineCounter, parseAllDocuments } from 'yaml'
import type { LintFinding, Place } from './finding.ts'

/** One object as it was written. */
export interface ManifestDocument extends Place {
  readonly object: UnknownObject
}

interface Read {
  readonly documents: readonly ManifestDocument[]
  /** Documents that are no YAML. */
  readonly unreadable: readonly LintFinding[]
}

/**
 * Every object of these files, folders (with all below them) and stdin, `-`. What has neither apiVersion nor kind, such
 * as the values of a chart, is left out. Throws for a file that cannot be read.
 */
export function readDocuments(paths: readonly string[]): Read {
  const files = paths.flatMap(filesAt).map(readFile)
  return {
    documents: files.flatMap(({ documents }) => documents),
    unreadable: files.flatMap(({ unreadable }) => unreadable),
  }
}

function filesAt(path: string): readonly string[] {
  if (path === '-') return [path]
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) throw new Error(`open ${path}: no such file or directory`)
  if (!found.isDirectory()) return [path]
  return globSync('**/*.{yaml,yml,json}', { cwd: path })
    .sort()
    .map((name) => join(path, name))
}

function readFile(file: string): Read {
  const text = readFileSync(file === '-' ? '/dev/stdin' : file, 'utf8')
  const documents: ManifestDocument[] = []
  const unreadable: LintFinding[] = []
  const lineCounter = new LineCounter()
  const parsed = parseAllDocuments(text, { lineCounter, prettyErrors: false, logLevel: 'error' })
  if (!Array.isArray(parsed)) return { documents, unreadable }
  parsed.forEach((each, index) => {
    const place = { file, document: index + 1 }
    const [mistake] = each.errors
    if (mistake) {
      const { line, col } = lineCounter.linePos(mistake.pos[0])
      const message = `no YAML, at line ${line}, column ${col}: ${mistake.message}`
      const upstream = `error converting YAML to JSON: yaml: line ${line}: ${mistake.message}`
      unreadable.push({
        ...place,
        severity: 'error',
        reason: 'Unreadable',
        path: '',
        message,
        upstream,
      })
      return
    }
    const value: unknown = each.toJS()
    documents.push(...objectsIn(value).map((object) => ({ ...place, object })))
  })
  return { documents, unreadable }
}

/** The objects of a document; those of a list are as good as documents of their own. */
function objectsIn(value: unknown): readonly UnknownObject[] {
  if (!isRecord(value)) return []
  if (value['kind'] === 'List' && Array.isArray(value['items'])) {
    return value['items'].flatMap(objectsIn)
  }
  if (typeof value['kind'] !== 'string' || typeof value['apiVersion'] !== 'string') return []
  const metadata = isRecord(value['metadata']) ? value['metadata'] : {}
  // What is wrong with the metadata is told by the parser of the kind.
  return [{ ...value, metadata: { name: '', ...metadata } } as UnknownObject]
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
