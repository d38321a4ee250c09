import {
  basicIds,
  firstOwnId,
  type GobField,
  GobNamed,
  type GobStruct,
  type GobType,
  type GobValue,
} from './gob-types.ts'
import { GobWriter } from './gob-writer.ts'

/** One direction of a gob stream: each type is told once, before the first value that needs it. */
export class GobEncoder {
  readonly #ids = new Map<string, number>()
  readonly #structs = new Map<GobStruct, number>()
  #nextId = firstOwnId
  #messages: Uint8Array[] = []

  /** The bytes of one value, after the definitions that the receiver has not seen yet. */
  encode(type: GobType, value: GobValue): Uint8Array {
    this.#messages = []
    const body = new GobWriter()
    body.int(this.#idOf(type))
    this.#topLevel(body, type, value)
    this.#messages.push(body.taken())
    const stream = new GobWriter()
    for (const message of this.#messages) stream.bytes(message)
    return stream.taken()
  }

  /** A value that is no struct has a 0 before it, where a struct's first field would be told. */
  #topLevel(out: GobWriter, type: GobType, value: GobValue): void {
    if (type.kind !== 'struct') out.uint(0)
    this.#value(out, type, value)
  }

  #value(out: GobWriter, type: GobType, value: GobValue): void {
    switch (type.kind) {
      case 'bool':
        out.uint(value === true ? 1 : 0)
        return
      case 'int':
        out.int(integer(value))
        return
      case 'uint':
        out.uint(integer(value))
        return
      case 'float':
        out.float(Number(value))
        return
      case 'string':
        out.text(String(value))
        return
      case 'bytes':
      case 'opaque':
        if (!(value instanceof Uint8Array)) throw mismatch(type, value)
        out.bytes(value)
        return
      case 'interface':
        this.#interface(out, value)
        return
      case 'list':
        if (!Array.isArray(value)) throw mismatch(type, value)
        out.uint(value.length)
        for (const item of value) this.#value(out, type.of, item)
        return
      case 'map': {
        const entries = Object.entries(recordOf(type, value))
        out.uint(entries.length)
        for (const [key, item] of entries) {
          out.text(key)
          this.#value(out, type.of, item)
        }
        return
      }
      case 'struct':
        this.#struct(out, type, value)
        return
      default:
        throw new TypeError(`unknown gob type: ${JSON.stringify(type satisfies never)}`)
    }
  }

  /** Each field tells its distance from the one before; those with their zero value are left out, as Go does. */
  #struct(out: GobWriter, type: GobStruct, value: GobValue): void {
    const record = recordOf(type, value)
    let last = -1
    for (const [index, field] of type.fields().entries()) {
      const item = Object.hasOwn(record, field.name) ? record[field.name] : undefined
      if (item === undefined || isZero(field.type, item)) continue
      out.uint(index - last)
      this.#value(out, field.type, item)
      last = index
    }
    out.uint(0)
  }

  #interface(out: GobWriter, value: GobValue): void {
    if (value === null) {
      out.uint(0)
      return
    }
    if (!(value instanceof GobNamed)) throw mismatch({ kind: 'interface' }, value)
    out.text(value.name)
    out.int(this.#idOf(value.type))
    const inner = new GobWriter()
    this.#topLevel(inner, value.type, value.value)
    out.bytes(inner.taken())
  }

  #idOf(type: GobType): number {
    switch (type.kind) {
      case 'struct':
        return this.#structId(type)
      case 'list': {
        const of = this.#idOf(type.of)
        return this.#named(`[] ${of}`, (id) => sliceDefinition(id, of))
      }
      case 'map': {
        const of = this.#idOf(type.of)
        return this.#named(`map ${of}`, (id) => mapDefinition(id, of))
      }
      case 'opaque':
        return this.#named(`opaque ${type.name}`, (id) => opaqueDefinition(id, type.name))
      default:
        return basicIds[type.kind]
    }
  }

  #named(key: string, define: (id: number) => Uint8Array): number {
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const id = this.#nextId++
    this.#ids.set(key, id)
    this.#messages.push(define(id))
    return id
  }

  #structId(type: GobStruct): number {
    const known = this.#structs.get(type)
    if (known !== undefined) return known
    const id = this.#nextId++
    // Known before its fields are looked at, since they may lead back to it.
    this.#structs.set(type, id)
    const fields = type.fields().map((field): [GobField, number] => [field, this.#idOf(field.type)])
    this.#messages.push(structDefinition(id, type.name, fields))
    return id
  }
}

/** Where the definitions of each sort stand in Go's `wireType`, counted from 1. */
const wireFields = { slice: 2, struct: 3, map: 4, opaque: 5 } as const

function sliceDefinition(id: number, of: number): Uint8Array {
  return definition({ id, sort: 'slice' }, (out) => {
    out.uint(1)
    out.int(of)
  })
}

function mapDefinition(id: number, of: number): Uint8Array {
  return definition({ id, sort: 'map' }, (out) => {
    out.uint(1)
    out.int(basicIds.string)
    out.uint(1)
    out.int(of)
  })
}

function opaqueDefinition(id: number, name: string): Uint8Array {
  return definition({ id, sort: 'opaque', name }, () => {})
}

function structDefinition(
  id: number,
  name: string,
  fields: readonly (readonly [GobField, number])[],
): Uint8Array {
  return definition({ id, sort: 'struct', name }, (out) => {
    if (fields.length === 0) return
    out.uint(1)
    out.uint(fields.length)
    for (const [field, fieldId] of fields) {
      out.uint(1)
      out.text(field.name)
      out.uint(1)
      out.int(fieldId)
      out.uint(0)
    }
  })
}

/** `-id`, then a `wireType` with one field set: name and id of the type, then what `rest` adds. */
function definition(
  facts: { id: number; sort: keyof typeof wireFields; name?: string },
  rest: (out: GobWriter) => void,
): Uint8Array {
  const { id, sort, name } = facts
  const out = new GobWriter()
  out.int(-id)
  out.uint(wireFields[sort])
  out.uint(1)
  if (name) {
    out.uint(1)
    out.text(name)
  }
  out.uint(name ? 1 : 2)
  out.int(id)
  out.uint(0)
  rest(out)
  out.uint(0)
  out.uint(0)
  return out.taken()
}

/** Structs are told even when they are empty; of all others Go leaves out the zero value. */
function isZero(type: GobType, value: GobValue): boolean {
  if (value === false || value === 0 || value === '' || value === null) return true
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0
  return type.kind === 'map' && Object.keys(value as object).length === 0
}

function integer(value: GobValue): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw new TypeError(`a whole number cannot be made of ${JSON.stringify(value)}`)
}

function recordOf(type: GobType, value: GobValue): { readonly [name: string]: GobValue } {
  const isRecord = typeof value === 'object' && value !== null
  if (!isRecord || Array.isArray(value) || value instanceof Uint8Array || value instanceof GobNamed)
    throw mismatch(type, value)
  return value as { readonly [name: string]: GobValue }
}

function mismatch(type: GobType, value: GobValue): TypeError {
  return new TypeError(`a ${type.kind} cannot be made of ${JSON.stringify(value)}`)
}
