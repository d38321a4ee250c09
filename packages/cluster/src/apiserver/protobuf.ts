import { type Field, type FieldType, kindType, structType, type TypeRef } from '@serinus/kinds'
import numbers from './protobuf-fields.generated.json' with { type: 'json' }
import { badRequest, unsupportedMediaType } from './status-error.ts'

/** JSON names by field number; `!ref` is a message whose fields JSON shows among its owner's. */
type FieldNames = Readonly<Record<string, string>>
// The generator is the only writer of that file.
const fieldNames = numbers as unknown as Readonly<Record<TypeRef, FieldNames>>

const magic = Buffer.from('k8s\0', 'latin1')

/**
 * Reads a body of `application/vnd.kubernetes.protobuf`, which Go clients send for built-in kinds
 * whatever a server prefers (apimachinery: runtime/serializer/protobuf). What Go would leave out of
 * JSON is left out. Answers are never written in protobuf: every client that sends it accepts JSON.
 */
export function decodeProtobuf(bytes: Uint8Array): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!buffer.subarray(0, 4).equals(magic)) {
    throw badRequest(
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    )
  }
  let apiVersion = ''
  let kind = ''
  let raw: Uint8Array = new Uint8Array()
  for (const part of partsOf(buffer.subarray(4))) {
    if (part.number === 2 && part.bytes) raw = part.bytes
    if (part.number !== 1 || !part.bytes) continue
    for (const meta of partsOf(part.bytes)) {
      if (meta.number === 1) apiVersion = textOf(meta.bytes)
      if (meta.number === 2) kind = textOf(meta.bytes)
    }
  }
  const ref =
    kindType(apiVersion, kind) ?? (kind === 'DeleteOptions' ? 'meta/v1.DeleteOptions' : undefined)
  if (ref === undefined || !fieldNames[ref]) {
    throw unsupportedMediaType(['application/json', 'application/yaml'])
  }
  return { kind, apiVersion, ...messageOf(raw, ref) }
}

interface Part {
  readonly number: number
  /** Of a varint or fixed number. */
  readonly value: bigint
  /** Of a length-delimited field; also the eight bytes of a double. */
  readonly bytes?: Uint8Array
}

function* partsOf(bytes: Uint8Array): Iterable<Part> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let position = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = buffer[position++]
      if (byte === undefined) throw badRequest('unexpected EOF')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
  }
  const take = (length: number) => {
    if (position + length > buffer.length) throw badRequest('unexpected EOF')
    position += length
    return buffer.subarray(position - length, position)
  }
  while (position < buffer.length) {
    const tag = Number(varint())
    const number = tag >> 3
    switch (tag & 7) {
      case 0:
        yield { number, value: varint() }
        break
      case 1:
        yield { number, value: 0n, bytes: take(8) }
        break
      case 2:
        yield { number, value: 0n, bytes: take(Number(varint())) }
        break
      case 5:
        yield { number, value: 0n, bytes: take(4) }
        break
      default:
        throw badRequest(`proto: illegal wireType ${tag & 7}`)
    }
  }
}

function messageOf(bytes: Uint8Array, ref: TypeRef): Record<string, unknown> {
  const target: Record<string, unknown> = {}
  fill(target, bytes, { names: fieldNames[ref] ?? {}, fields: fieldsOf(ref) })
  return target
}

const fieldMaps = new Map<TypeRef, ReadonlyMap<string, Field>>()

/** Structs are fixed, so this grows no further than their number. */
function fieldsOf(ref: TypeRef): ReadonlyMap<string, Field> {
  const known = fieldMaps.get(ref)
  if (known) return known
  const fields = new Map(structType(ref)?.fields.map((field) => [field.name, field]))
  fieldMaps.set(ref, fields)
  return fields
}

function fill(
  target: Record<string, unknown>,
  bytes: Uint8Array,
  facts: { readonly names: FieldNames; readonly fields: ReadonlyMap<string, Field> },
): void {
  for (const part of partsOf(bytes)) {
    const name = facts.names[part.number]
    if (name === undefined) continue
    if (name.startsWith('!')) {
      const names = fieldNames[name.slice(1)] ?? {}
      fill(target, part.bytes ?? new Uint8Array(), { ...facts, names })
      continue
    }
    const field = facts.fields.get(name)
    if (!field) continue
    add(target, field, part)
  }
}

function add(target: Record<string, unknown>, field: Field, part: Part): void {
  const { name, type } = field
  switch (type.kind) {
    case 'list': {
      const list = (target[name] ?? []) as unknown[]
      if (isPacked(type.of, part)) {
        for (const value of packedNumbers(part.bytes ?? new Uint8Array())) list.push(value)
      } else list.push(decoded(type.of, part))
      target[name] = list
      return
    }
    case 'map': {
      const map = (target[name] ?? {}) as Record<string, unknown>
      let key = ''
      let value: unknown = emptyValue(type.of)
      for (const entry of partsOf(part.bytes ?? new Uint8Array())) {
        if (entry.number === 1) key = textOf(entry.bytes)
        else if (entry.number === 2) value = decoded(type.of, entry)
      }
      map[key] = value
      target[name] = map
      return
    }
    default: {
      const value = decoded(type, part)
      if (value === undefined || (field.omitEmpty && isZero(type, value))) return
      target[name] = value
    }
  }
}

function isPacked(type: FieldType, part: Part): boolean {
  return (type.kind === 'int32' || type.kind === 'int64') && part.bytes !== undefined
}

function packedNumbers(bytes: Uint8Array): readonly number[] {
  const numbersFound: number[] = []
  let value = 0n
  let shift = 0n
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift
    shift += 7n
    if (byte >= 0x80) continue
    numbersFound.push(Number(BigInt.asIntN(64, value)))
    value = 0n
    shift = 0n
  }
  return numbersFound
}

/** Values that Go holds without a pointer and leaves out of JSON while they are zero. */
function isZero(type: FieldType, value: unknown): boolean {
  switch (type.kind) {
    case 'pointer':
      return false
    case 'struct':
      return Object.keys(value as object).length === 0
    default:
      return value === '' || value === 0 || value === false
  }
}

function emptyValue(type: FieldType): unknown {
  switch (type.kind) {
    case 'list':
      return []
    case 'struct':
      return {}
    default:
      return ''
  }
}

function decoded(type: FieldType, part: Part): unknown {
  const bytes = part.bytes ?? new Uint8Array()
  switch (type.kind) {
    case 'pointer':
      return decoded(type.to, part)
    case 'struct':
      return messageOf(bytes, type.ref)
    case 'string':
      return textOf(bytes)
    case 'bool':
      return part.value !== 0n
    case 'int32':
    case 'int64':
      return Number(BigInt.asIntN(64, part.value))
    case 'float':
      return Buffer.from(bytes).readDoubleLE(0)
    case 'bytes':
      return Buffer.from(bytes).toString('base64')
    case 'quantity':
      return textOf(firstOf(bytes)?.bytes)
    case 'intOrString':
      return intOrString(bytes)
    case 'time':
      return timeOf(bytes, false)
    case 'microTime':
      return timeOf(bytes, true)
    case 'rawObject':
    case 'fieldsV1':
    case 'json': {
      const text = textOf(firstOf(bytes)?.bytes)
      return text === '' ? undefined : (JSON.parse(text) as unknown)
    }
    case 'list':
      // As the value of a map: a message of its own, `repeated items = 1`.
      return [...partsOf(bytes)].map((item) => decoded(type.of, item))
    default:
      return undefined
  }
}

function firstOf(bytes: Uint8Array): Part | undefined {
  for (const part of partsOf(bytes)) if (part.number === 1) return part
  return undefined
}

function intOrString(bytes: Uint8Array): unknown {
  let isText = false
  let number = 0
  let text = ''
  for (const part of partsOf(bytes)) {
    if (part.number === 1) isText = part.value === 1n
    if (part.number === 2) number = Number(BigInt.asIntN(32, part.value))
    if (part.number === 3) text = textOf(part.bytes)
  }
  return isText ? text : number
}

function timeOf(bytes: Uint8Array, micro: boolean): string | undefined {
  if (bytes.length === 0) return undefined
  let seconds = 0
  let nanos = 0
  for (const part of partsOf(bytes)) {
    if (part.number === 1) seconds = Number(BigInt.asIntN(64, part.value))
    if (part.number === 2) nanos = Number(BigInt.asIntN(32, part.value))
  }
  const text = new Date(seconds * 1000).toISOString().slice(0, 19)
  return micro ? `${text}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z` : `${text}Z`
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8') : ''
}
