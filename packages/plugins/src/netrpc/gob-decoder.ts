import { GobReader } from './gob-reader.ts'
import { basicIds, GobNamed, type GobType, type GobValue, lowestToldId } from './gob-types.ts'

/** A type as the sender told it. */
type Told =
  | { readonly sort: 'list'; readonly of: number; readonly length: number | null }
  | { readonly sort: 'map'; readonly key: number; readonly of: number }
  | { readonly sort: 'opaque'; readonly name: string }
  | {
      readonly sort: 'struct'
      readonly name: string
      readonly fields: readonly { name: string; id: number }[]
    }

/** How deep values and types may be nested: a sender must not exhaust our stack. */
const deepest = 200

/** How many values one message may have, each list, map and struct counted, too: each costs some fifty bytes. */
const mostValues = 100_000

/** What all types of a stream may take, bytes: they are remembered as long as the stream is open. */
const mostTold = 2 ** 20

/**
 * The other direction of a gob stream. Values come as they were told: structs by Go's field names, without the fields
 * that have their zero value; integers beyond 2^53 lose their last digits.
 */
export class GobDecoder {
  readonly #types = new Map<number, Told>()
  #toldBytes = 0
  #values = 0

  /** Takes one message without its length; null when it only told a type. Throws where it is no gob. */
  message(bytes: Uint8Array): { readonly value: GobValue } | null {
    const input = new GobReader(bytes)
    const id = input.int()
    if (id < 0) {
      this.#toldBytes += bytes.length
      if (this.#toldBytes > mostTold)
        throw new Error(`gob: the types that were told take more than ${mostTold} bytes`)
      this.#define(-id, input)
      return null
    }
    this.#values = 0
    return { value: this.#topLevel(input, id, 0) }
  }

  #topLevel(input: GobReader, id: number, depth: number): GobValue {
    const isStruct = this.#types.get(id)?.sort === 'struct'
    if (!isStruct && input.uint() !== 0) throw new Error('gob: a value does not begin as it should')
    return this.#value(input, id, depth)
  }

  #value(input: GobReader, id: number, depth: number): GobValue {
    if (depth > deepest) throw new Error(`gob: values are nested more than ${deepest} deep`)
    if (++this.#values > mostValues)
      throw new Error(`gob: a message of more than ${mostValues} values`)
    switch (id) {
      case basicIds.bool:
        return input.uint() !== 0
      case basicIds.int:
        return input.int()
      case basicIds.uint:
        return input.uint()
      case basicIds.float:
        return input.float()
      case basicIds.bytes:
        return input.bytes()
      case basicIds.string:
        return input.text()
      case basicIds.interface:
        return this.#interface(input, depth)
    }
    const told = this.#types.get(id)
    if (!told) throw new Error(`gob: type ${id} was never told`)
    switch (told.sort) {
      case 'opaque':
        return input.bytes()
      case 'list':
        return input.times(input.uint(), () => this.#value(input, told.of, depth + 1))
      case 'map': {
        const entries = input.times(input.uint(), (): [string, GobValue] => [
          String(this.#value(input, told.key, depth + 1)),
          this.#value(input, told.of, depth + 1),
        ])
        return Object.fromEntries(entries)
      }
      case 'struct':
        return this.#struct(input, told, depth)
      default:
        throw new TypeError(`unknown type: ${JSON.stringify(told satisfies never)}`)
    }
  }

  #struct(input: GobReader, told: Told & { sort: 'struct' }, depth: number): GobValue {
    const fields: [string, GobValue][] = []
    for (let index = -1, delta = input.uint(); delta !== 0; delta = input.uint()) {
      index += delta
      const field = told.fields[index]
      if (!field) throw new Error(`gob: ${told.name} has no field ${index}`)
      fields.push([field.name, this.#value(input, field.id, depth + 1)])
    }
    return Object.fromEntries(fields)
  }

  #interface(input: GobReader, depth: number): GobValue {
    const name = input.text()
    if (name === '') return null
    const id = input.int()
    if (id < 0) throw new Error('gob: a type is told inside of a value')
    const inner = new GobReader(input.bytes())
    return new GobNamed(name, this.#typeOf(id), this.#topLevel(inner, id, depth + 1))
  }

  /** A type's own description, for what only interfaces tell. */
  #typeOf(id: number, depth = 0): GobType {
    if (depth > deepest) throw new Error(`gob: types are nested more than ${deepest} deep`)
    for (const [kind, basic] of Object.entries(basicIds)) {
      if (basic === id) return { kind: kind as keyof typeof basicIds }
    }
    const told = this.#types.get(id)
    if (!told) throw new Error(`gob: type ${id} was never told`)
    switch (told.sort) {
      case 'opaque':
        return { kind: 'opaque', name: told.name }
      case 'list':
        return { kind: 'list', of: this.#typeOf(told.of, depth + 1) }
      case 'map':
        return { kind: 'map', of: this.#typeOf(told.of, depth + 1) }
      case 'struct':
        return {
          kind: 'struct',
          name: told.name,
          fields: () =>
            told.fields.map((field) => ({ name: field.name, type: this.#typeOf(field.id) })),
        }
    }
  }

  /** A `wireType`: one field of it is set. */
  #define(id: number, input: GobReader): void {
    if (id < lowestToldId) throw new Error(`gob: type ${id} belongs to gob itself`)
    if (this.#types.has(id)) throw new Error(`gob: type ${id} is told twice`)
    this.#types.set(id, parseDefinition(input))
  }
}

function parseDefinition(input: GobReader): Told {
  const sort = input.uint()
  // Every definition begins with the struct of its name and id.
  let name = ''
  const facts: { [field: number]: number } = {}
  let fields: { name: string; id: number }[] = []
  for (let field = 0, delta = input.uint(); delta !== 0; delta = input.uint()) {
    field += delta
    if (field === 1) name = parseCommon(input)
    else if (sort === 3 && field === 2) fields = input.times(input.uint(), () => parseField(input))
    else facts[field] = input.int()
  }
  if (input.uint() !== 0) throw new Error('gob: a definition of more than one type')
  switch (sort) {
    case 1:
      return { sort: 'list', of: facts[2] ?? 0, length: facts[3] ?? 0 }
    case 2:
      return { sort: 'list', of: facts[2] ?? 0, length: null }
    case 3:
      return { sort: 'struct', name, fields }
    case 4:
      return { sort: 'map', key: facts[2] ?? 0, of: facts[3] ?? 0 }
    case 5:
    case 6:
    case 7:
      return { sort: 'opaque', name }
    default:
      throw new Error(`gob: ${sort} is no sort of type`)
  }
}

function parseCommon(input: GobReader): string {
  let name = ''
  for (let field = 0, delta = input.uint(); delta !== 0; delta = input.uint()) {
    field += delta
    if (field === 1) name = input.text()
    else input.int()
  }
  return name
}

function parseField(input: GobReader): { name: string; id: number } {
  const found = { name: '', id: 0 }
  for (let field = 0, delta = input.uint(); delta !== 0; delta = input.uint()) {
    field += delta
    if (field === 1) found.name = input.text()
    else found.id = input.int()
  }
  return found
}
