import { type Parsed, type Problem, problemText } from '@serinus/api'
import type { DoctorFinding } from '@serinus/engine'
import type { ManifestDocument } from './documents.ts'
import type { LintFinding } from './finding.ts'

/** A mistake as `lint` tells it. `shortPath`: upstream leaves the kind of strategy out of the path (spec cli 9.2). */
export function errorOf(
  document: ManifestDocument,
  problem: Problem,
  options: { readonly shortPath?: boolean; readonly upstream?: string } = {},
): LintFinding {
  const text = problemText(problem)
  const short = text.replace(/^spec\.strategy\.(canary|blueGreen)\./, 'spec.strategy.')
  return {
    ...subject(document),
    severity: 'error',
    reason: problem.kind.replace(/ (.)/g, (_, letter: string) => letter.toUpperCase()),
    path: problem.path,
    message: text.slice(problem.path.length + 2),
    upstream: options.upstream ?? (options.shortPath ? short : text),
  }
}

/** A doubt, or what the query doctor says. */
export function doubtOf(document: ManifestDocument, finding: DoctorFinding): LintFinding {
  const { severity, reason, path, message } = finding
  return { ...subject(document), severity, reason, path, message }
}

/** What the parser could not read. Where validation has more to say of the same field, it has said it. */
export function parsingErrors(
  document: ManifestDocument,
  { problems, unknownFields }: Parsed<unknown>,
  said: readonly Problem[],
): readonly LintFinding[] {
  const paths = new Set(said.map(({ path }) => path))
  return [
    ...unknownFields.map((problem) => {
      const field = JSON.stringify(problem.path.split('.').at(-1))
      const upstream = `error unmarshaling JSON: while decoding JSON: json: unknown field ${field}`
      return errorOf(document, problem, { upstream })
    }),
    ...problems.filter(({ path }) => !paths.has(path)).map((problem) => errorOf(document, problem)),
  ]
}

function subject({ file, document, object }: ManifestDocument) {
  const { name, namespace } = object.metadata
  return { file, document, kind: object.kind, name, ...(namespace ? { namespace } : {}) }
}
