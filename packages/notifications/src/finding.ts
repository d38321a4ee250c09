/** One mistake in a notification configuration or subscription (spec notifications 11.3). */
export interface Finding {
  readonly code: FindingCode
  readonly severity: 'error' | 'warning' | 'info'
  /** What the user sees: `data["service.slack"].token`, `metadata.annotations["…"]`. */
  readonly path: string
  /** What was written there, secrets never among it. */
  readonly value: string
  readonly message: string
  /** The nearest right spelling, when one is near. */
  readonly suggestion?: string
}

/** Codes of spec notifications 11.3. */
export type FindingCode =
  | 'ServiceTypeUnknown'
  | 'ServiceKeyInvalid'
  | 'ServiceOptionsInvalid'
  | 'ServiceShapeMismatch'
  | 'SecretKeyMissing'
  | 'SecretTrailingNewline'
  | 'TemplateParse'
  | 'TemplateFieldUnknown'
  | 'TriggerParse'
  | 'TriggerSendsUnknownTemplate'
  | 'ExprCompile'
  | 'KeyUnknown'
  | 'ConfigUnparsable'
  | 'NameAlias'
  | 'EgressDenied'
  | 'SubscriptionUnknownTrigger'
  | 'SubscriptionUnknownService'
  | 'SubscriptionUnknownRecipient'
  | 'SubscriptionUnparsable'
  | 'CommaRecipients'

/** A finding as one line of an Event: path, message and the suggestion. */
export function findingText(finding: Finding): string {
  const hint = finding.suggestion ? `; did you mean ${JSON.stringify(finding.suggestion)}?` : ''
  return `${finding.path}: ${finding.message}${hint}`
}
