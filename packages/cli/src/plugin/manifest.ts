import type { Parsed } from '@serinus/api'
import { type ManifestDocument, readDocuments } from './lint/documents.ts'
import type { LintFinding } from './lint/finding.ts'
import { parsingErrors } from './lint/told.ts'

/**
 * The objects of these files, folders and stdin (`-`). Throws for what is no YAML, for a file without an object, and,
 * with `parse`, for fields that the kind does not have.
 */
export function readStrictly<T>(
  paths: readonly string[],
  parse: (document: ManifestDocument) => T & { readonly parsed: Parsed<unknown> },
): readonly T[] {
  return paths.flatMap((path) => {
    const { documents, unreadable } = readDocuments([path])
    refuse(unreadable)
    if (documents.length === 0) throw new Error(`${path} holds no object`)
    return documents.map((document) => {
      const read = parse(document)
      refuse(parsingErrors(document, read.parsed, []))
      return read
    })
  })
}

function refuse(findings: readonly LintFinding[]): void {
  if (findings.length === 0) return
  throw new Error(findings.map(textOf).join('; '))
}

/** What upstream says, and where: it names neither the file nor the place of a field. */
function textOf({ file, upstream, path, message }: LintFinding): string {
  const place = path === '' ? '' : ` at ${path}`
  const told = upstream?.includes(message) ? '' : `: ${message}`
  return `${upstream ?? message} (${file}${place}${told})`
}
