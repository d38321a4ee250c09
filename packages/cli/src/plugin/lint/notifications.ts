import {
  aliasName,
  type ConfigMap,
  configMapName,
  parseConfig,
  type Secret,
  secretName,
} from '@serinus/notifications'
import type { ManifestDocument } from './documents.ts'
import type { LintFinding } from './finding.ts'

/** Mistakes in the notification configuration; other ConfigMaps are nobody's business here. */
export function checkNotifications(
  { file, document, object }: ManifestDocument,
  documents: readonly ManifestDocument[],
): readonly LintFinding[] {
  const { name, namespace } = object.metadata
  if (name !== configMapName && name !== aliasName) return []
  const secret = documents.find(
    ({ object: each }) => each.kind === 'Secret' && each.metadata.name === secretName,
  )
  const { findings } = parseConfig(
    object as unknown as ConfigMap,
    secret?.object as Secret | undefined,
  )
  return findings
    .filter(({ code }) => secret !== undefined || code !== 'SecretKeyMissing')
    .map(({ severity, code, path, message, suggestion }) => ({
      file,
      document,
      kind: object.kind,
      name,
      ...(namespace ? { namespace } : {}),
      severity: severity === 'info' ? 'hint' : severity,
      reason: code,
      path,
      message: suggestion ? `${message}; did you mean ${JSON.stringify(suggestion)}?` : message,
    }))
}
