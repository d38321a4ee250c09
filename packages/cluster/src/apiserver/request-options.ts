import type { DeleteOptions } from '@serinus/kube'
import { type Body, parseBody } from './content.ts'
import { decodeProtobuf } from './protobuf.ts'
import { badRequest, invalid } from './status-error.ts'
import { at, isObject, type JsonObject } from './values.ts'

export function isTrue(text: string | null): boolean {
  return text === 'true' || text === '1'
}

export function isDryRun(values: readonly string[]): boolean {
  for (const value of values) {
    if (value !== 'All' && value !== '') {
      throw invalid({ group: 'meta.k8s.io', kind: 'CreateOptions' }, '', [
        {
          reason: 'FieldValueNotSupported',
          field: 'dryRun',
          body: `Unsupported value: ${JSON.stringify(value)}: supported values: "All"`,
        },
      ])
    }
  }
  return values.includes('All')
}

export function integer(text: string, name: string): number {
  if (/^-?\d+$/.test(text)) return Number(text)
  throw badRequest(
    `invalid ${name}: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
  )
}

export async function readBody(request: Request): Promise<Body> {
  const contentType = request.headers.get('content-type') ?? ''
  if (contentType.startsWith('application/vnd.kubernetes.protobuf')) {
    return { value: decodeProtobuf(new Uint8Array(await request.arrayBuffer())), problems: [] }
  }
  const text = await request.text()
  // `fetch` calls a string body plain text; nobody else sends that type.
  return parseBody(text, contentType.startsWith('text/plain') ? 'application/json' : contentType)
}

export function objectBody(body: Body): JsonObject {
  if (isObject(body.value)) return body.value
  throw badRequest('the object provided is unrecognized (must be of type object)')
}

/** Of a DELETE: from its body, with the query's words before the body's. */
export async function deleteOptions(
  request: Request,
  query: URLSearchParams,
): Promise<DeleteOptions & { dryRun: boolean }> {
  const body =
    request.headers.get('content-length') === '0' || request.body === null
      ? {}
      : await optionalBody(request)
  const grace = query.get('gracePeriodSeconds')
  const policy = query.get('propagationPolicy')
  const orphan = query.get('orphanDependents') ?? at(body, 'orphanDependents')
  const given = {
    ...body,
    ...(grace !== null && { gracePeriodSeconds: integer(grace, 'gracePeriodSeconds') }),
    ...(policy && { propagationPolicy: policy }),
  } as DeleteOptions & { dryRun?: readonly string[] }
  const legacy =
    orphan === true || orphan === 'true'
      ? 'Orphan'
      : orphan === false || orphan === 'false'
        ? 'Background'
        : undefined
  const chosen = given.propagationPolicy ?? legacy
  return {
    ...(given.gracePeriodSeconds !== undefined && { gracePeriodSeconds: given.gracePeriodSeconds }),
    ...(given.preconditions && { preconditions: given.preconditions }),
    ...(chosen && { propagationPolicy: chosen }),
    dryRun: isDryRun([...query.getAll('dryRun'), ...(given.dryRun ?? [])]),
  }
}

async function optionalBody(request: Request): Promise<JsonObject> {
  const contentType = request.headers.get('content-type') ?? ''
  if (contentType.startsWith('application/vnd.kubernetes.protobuf')) {
    return objectBody(await readBody(request))
  }
  const text = await request.text()
  return text.trim() === '' ? {} : objectBody(parseBody(text, 'application/yaml'))
}

/** The default field manager: the client's name, `kubectl` of `kubectl/v1.34 (linux/amd64)`. */
export function managerOf(request: Request): string {
  const agent = request.headers.get('user-agent') ?? ''
  return (agent.split('/')[0] ?? '').slice(0, 128) || 'unknown'
}
