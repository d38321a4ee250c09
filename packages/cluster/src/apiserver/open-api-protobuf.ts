import type { Catalog } from './catalog.ts'

/**
 * `/openapi/v2` in protobuf (gnostic: openapiv2/OpenAPIv2.proto), with the one thing that Go clients
 * still read it for: which kinds can be patched with which query parameters. kubectl asks when a
 * manifest names a kind that nothing serves; an answer lets it say so. Schemas are in v3.
 */
export function protobufSwagger(catalog: Catalog): Uint8Array<ArrayBuffer> {
  const paths = catalog
    .all()
    .filter(({ verbs }) => verbs.includes('patch'))
    .map(({ resource }) => {
      const { group, version, kind, plural, namespaced } = resource
      const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
      const path = `${root}/${namespaced ? 'namespaces/{namespace}/' : ''}${plural}/{name}`
      const yaml = `group: ${JSON.stringify(group)}\nkind: ${kind}\nversion: ${version}\n`
      const operation = message(
        ...patchParameters,
        field(13, text(1, 'x-kubernetes-group-version-kind'), field(2, text(2, yaml))),
      )
      return field(2, text(1, path), field(2, field(8, operation)))
    })
  const info = message(text(1, 'Kubernetes'), text(2, 'v1.34.0'))
  return message(text(1, '2.0'), field(2, info), field(8, ...paths))
}

/** `parameters`: query parameters, by place (2) and name (4). */
const patchParameters = ['dryRun', 'fieldManager', 'fieldValidation', 'force', 'pretty'].map(
  (name) => field(8, field(1, field(2, field(3, text(2, 'query'), text(4, name))))),
)

function message(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts))
}

/** A length-delimited field; its number is below 16, so that its tag is one byte. */
function field(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts)
  const head = [(number << 3) | 2]
  let length = body.length
  for (; length >= 0x80; length >>= 7) head.push((length & 0x7f) | 0x80)
  head.push(length)
  return Buffer.concat([Buffer.from(head), body])
}

function text(number: number, value: string): Uint8Array {
  return field(number, Buffer.from(value))
}
