import type { LintFinding } from './finding.ts'

/** A line for each finding; empty for none. */
export function reportText(findings: readonly LintFinding[]): string {
  return findings.map((finding) => `${lineOf(finding)}\n`).join('')
}

/** `{"findings": [...]}`, each with file, document, kind, name, severity, reason, path and message. */
export function reportJson(findings: readonly LintFinding[]): string {
  const shown = findings.map(({ upstream: _, ...finding }) => finding)
  return `${JSON.stringify({ findings: shown }, null, 2)}\n`
}

/** What ends the command with exit code 1, the first error in upstream's words; null: nothing. */
export function verdict(
  findings: readonly LintFinding[],
  options: { readonly strict: boolean },
): string | null {
  const error = findings.find(({ severity }) => severity === 'error')
  if (error) return error.upstream ?? `${error.path}: ${error.message}`
  const warnings = findings.filter(({ severity }) => severity === 'warning').length
  if (!options.strict || warnings === 0) return null
  return `${warnings} ${warnings === 1 ? 'warning' : 'warnings'}, and --strict fails at warnings`
}

function lineOf({
  file,
  document,
  kind,
  name,
  severity,
  reason,
  path,
  message,
}: LintFinding): string {
  const subject = kind === undefined ? '' : `, ${kind} ${name}`
  // The words of an error stand in its message already.
  const label = severity === 'error' ? severity : `${severity} ${reason}`
  return `${file}, document ${document}${subject}: ${label}: ${path === '' ? '' : `${path}: `}${message}`
}
