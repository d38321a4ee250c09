import { ApiError } from '@serinus/kube'

/** One reason of a failure (meta/v1 StatusCause). */
export interface StatusCause {
  readonly reason?: string
  readonly message: string
  readonly field?: string
}

/** meta/v1 StatusDetails. */
export interface StatusDetails {
  readonly name?: string
  readonly group?: string
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly StatusCause[]
  readonly retryAfterSeconds?: number
}

/** meta/v1 Status of a failure. */
export interface FailureStatus {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: Readonly<Record<string, never>>
  readonly status: 'Failure'
  readonly message: string
  readonly reason: string
  readonly details?: StatusDetails
  readonly code: number
}

/** A failure as kube-apiserver words it (apimachinery: pkg/api/errors/errors.go). */
export class StatusError extends ApiError {
  readonly details: StatusDetails | undefined
  constructor(facts: { code: number; reason: string; message: string; details?: StatusDetails }) {
    const { details } = facts
    super({
      code: facts.code,
      reason: facts.reason,
      message: facts.message,
      ...(details?.name && { object: { kind: details.kind ?? '', name: details.name } }),
      ...(details?.retryAfterSeconds && { retryAfterMs: details.retryAfterSeconds * 1000 }),
    })
    this.details = details
  }
}

export function failureStatus(error: ApiError): FailureStatus {
  const details = error instanceof StatusError ? error.details : undefined
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    reason: error.reason,
    ...(details && { details }),
    code: error.code,
  }
}

interface GroupResource {
  readonly group: string
  readonly plural: string
}
interface GroupKind {
  readonly group: string
  readonly kind: string
}

/** `deployments.apps`, `pods`: how messages name a resource. */
export function groupResourceName({ group, plural }: GroupResource): string {
  return group === '' ? plural : `${plural}.${group}`
}

function groupKindName({ group, kind }: GroupKind): string {
  return group === '' ? kind : `${kind}.${group}`
}

function detailsOf(resource: GroupResource, name: string): StatusDetails {
  return {
    ...(name !== '' && { name }),
    ...(resource.group !== '' && { group: resource.group }),
    kind: resource.plural,
  }
}

export function notFound(resource: GroupResource, name: string): StatusError {
  return new StatusError({
    code: 404,
    reason: 'NotFound',
    message: `${groupResourceName(resource)} ${quote(name)} not found`,
    details: detailsOf(resource, name),
  })
}

/** For resources and versions that a group does not have. */
export function noSuchPath(): StatusError {
  return new StatusError({
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
    details: {},
  })
}

/** For paths that nothing answers: the text of Go's own HTTP server, no Status. */
export function unknownPath(): PlainError {
  return new PlainError({ code: 404, reason: 'NotFound', message: '404 page not found' })
}

/** A failure that is answered as plain text. */
export class PlainError extends ApiError {}

export function alreadyExists(resource: GroupResource, name: string): StatusError {
  return new StatusError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${groupResourceName(resource)} ${quote(name)} already exists`,
    details: detailsOf(resource, name),
  })
}

const modifiedMessage =
  'the object has been modified; please apply your changes to the latest version and try again'

export function conflict(
  resource: GroupResource,
  name: string,
  why: string = modifiedMessage,
): StatusError {
  return new StatusError({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${groupResourceName(resource)} ${quote(name)}: ${why}`,
    details: detailsOf(resource, name),
  })
}

/** Server-side apply met fields of other managers. */
export function applyConflict(message: string, causes: readonly StatusCause[]): StatusError {
  return new StatusError({ code: 409, reason: 'Conflict', message, details: { causes } })
}

export function badRequest(message: string): StatusError {
  return new StatusError({ code: 400, reason: 'BadRequest', message })
}

export function unauthorized(): StatusError {
  return new StatusError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' })
}

export function forbidden(resource: GroupResource, name: string, why: string): StatusError {
  const subject =
    name === '' ? groupResourceName(resource) : `${groupResourceName(resource)} ${quote(name)}`
  return new StatusError({
    code: 403,
    reason: 'Forbidden',
    message: `${subject} is forbidden: ${why}`,
    details: detailsOf(resource, name),
  })
}

export function methodNotAllowed(
  message = 'the server does not allow this method on the requested resource',
): StatusError {
  return new StatusError({ code: 405, reason: 'MethodNotAllowed', message, details: {} })
}

export function notAcceptable(accepted: string): StatusError {
  return new StatusError({
    code: 406,
    reason: 'NotAcceptable',
    message: `only the following media types are accepted: ${accepted}`,
  })
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
    details: {},
  })
}

/** A watch from a version whose events are forgotten. */
export function resourceExpired(from: number, oldest: number): StatusError {
  return new StatusError({
    code: 410,
    reason: 'Expired',
    message: `too old resource version: ${from} (${oldest})`,
  })
}

export function tooManyRequests(
  message: string,
  retryAfterSeconds: number,
  causes?: readonly StatusCause[],
): StatusError {
  return new StatusError({
    code: 429,
    reason: 'TooManyRequests',
    message,
    details: {
      ...(causes && { causes }),
      ...(retryAfterSeconds > 0 && { retryAfterSeconds }),
    },
  })
}

export function internalError(message: string): StatusError {
  return new StatusError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  })
}

/** One mistake in an object (apimachinery: pkg/util/validation/field/errors.go). */
export interface FieldError {
  readonly reason:
    | 'FieldValueNotFound'
    | 'FieldValueRequired'
    | 'FieldValueDuplicate'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTypeInvalid'
    | 'InternalError'
  /** `spec.template.metadata.labels`. */
  readonly field: string
  /** The words behind the field: `Required value`, `Invalid value: "x": must be ...`. */
  readonly body: string
}

export function invalid(kind: GroupKind, name: string, errors: readonly FieldError[]): StatusError {
  const causes: StatusCause[] = errors.map(({ reason, body, field }) => ({
    reason,
    message: body,
    field,
  }))
  const texts = [...new Set(errors.map((error) => `${error.field}: ${error.body}`))]
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  return new StatusError({
    code: 422,
    reason: 'Invalid',
    message: `${groupKindName(kind)} ${quote(name)} is invalid${texts.length > 0 ? `: ${list}` : ''}`,
    details: {
      ...(name !== '' && { name }),
      ...(kind.group !== '' && { group: kind.group }),
      kind: kind.kind,
      causes,
    },
  })
}

/** Go's %q. */
function quote(text: string): string {
  // JSON and Go differ only in how they escape control characters below U+0020 and U+007F.
  return JSON.stringify(text)
    .replace(/\\u00([0-9a-f]{2})/g, '\\x$1')
    .replace(/\u007f/g, '\\x7f')
}

export function required(field: string, detail = ''): FieldError {
  return { reason: 'FieldValueRequired', field, body: withDetail('Required value', detail) }
}
export function forbiddenField(field: string, detail: string): FieldError {
  return { reason: 'FieldValueForbidden', field, body: withDetail('Forbidden', detail) }
}
export function invalidValue(field: string, value: unknown, detail: string): FieldError {
  return {
    reason: 'FieldValueInvalid',
    field,
    body: withDetail(`Invalid value: ${printed(value)}`, detail),
  }
}
/** Of a value that is too large to be shown. */
export function omittedInvalid(field: string, detail: string): FieldError {
  return { reason: 'FieldValueInvalid', field, body: withDetail('Invalid value', detail) }
}
export function omittedDuplicate(field: string): FieldError {
  return { reason: 'FieldValueDuplicate', field, body: 'Duplicate value' }
}
export function typeInvalid(field: string, value: unknown, detail: string): FieldError {
  return {
    reason: 'FieldValueTypeInvalid',
    field,
    body: withDetail(`Invalid value: ${printed(value)}`, detail),
  }
}
export function duplicate(field: string, value: unknown): FieldError {
  return { reason: 'FieldValueDuplicate', field, body: `Duplicate value: ${printed(value)}` }
}
export function notSupported(
  field: string,
  value: unknown,
  supported: readonly string[],
): FieldError {
  const detail = supported.length > 0 ? `supported values: ${supported.map(quote).join(', ')}` : ''
  return {
    reason: 'FieldValueNotSupported',
    field,
    body: withDetail(`Unsupported value: ${printed(value)}`, detail),
  }
}
export function tooLong(field: string, max: number): FieldError {
  return {
    reason: 'FieldValueTooLong',
    field,
    body: `Too long: may not be more than ${max} ${max === 1 ? 'byte' : 'bytes'}`,
  }
}
export function tooMany(field: string, actual: number, max: number): FieldError {
  return {
    reason: 'FieldValueTooMany',
    field,
    body: `Too many: ${actual}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`,
  }
}

function withDetail(head: string, detail: string): string {
  return detail === '' ? head : `${head}: ${detail}`
}

/** Go's `%#v` for scalars, JSON for the rest, as field.Error prints values. */
function printed(value: unknown): string {
  if (typeof value === 'string') return quote(value)
  if (value === undefined || value === null) return 'null'
  if (typeof value === 'object') return JSON.stringify(value)
  return String(value)
}
