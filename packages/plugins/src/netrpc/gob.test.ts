import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GobDecoder } from './gob-decoder.ts'
import { GobEncoder } from './gob-encoder.ts'
import { firstMessage } from './gob-stream.ts'
import {
  GobNamed,
  type GobType,
  type GobValue,
  gobBool,
  gobBytes,
  gobInt,
  gobInterface,
  gobString,
  gobUint,
  struct,
} from './gob-types.ts'

/** Reads every value of a stream. */
function decoded(...parts: readonly Uint8Array[]): GobValue[] {
  const decoder = new GobDecoder()
  const values: GobValue[] = []
  let rest = new Uint8Array(Buffer.concat(parts))
  for (;;) {
    const found = firstMessage(rest)
    if (!found) break
    rest = rest.subarray(found.end)
    const told = decoder.message(found.message)
    if (told) values.push(told.value)
  }
  expect(rest.length).toBe(0)
  return values
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('numbers are written as the documentation of gob writes them', () => {
  expect(hex(new GobEncoder().encode(gobUint, 7))).toBe('03060007')
  expect(hex(new GobEncoder().encode(gobUint, 256))).toBe('050600fe0100')
  expect(hex(new GobEncoder().encode(gobInt, -129))).toBe('050400fe0101')
  expect(hex(new GobEncoder().encode({ kind: 'float' }, 17))).toBe('050800fe3140')
  expect(hex(new GobEncoder().encode(gobString, 'hi'))).toBe('050c00026869')
})

test('the documented struct of two integers is the documented stream, its type told once', () => {
  // type Point struct { X, Y int }: {22, 33}, the example of Go's package documentation.
  const point = struct('Point', { X: gobInt, Y: gobInt })
  const encoder = new GobEncoder()
  expect(hex(encoder.encode(point, { X: 22, Y: 33 }))).toBe(
    '1fff8103010105506f696e7401ff82000102010158010400010159010400000007ff82012c014200',
  )
  expect(hex(encoder.encode(point, { X: 22, Y: 33 }))).toBe('07ff82012c014200')
})

interface Sample {
  readonly type: GobType
  readonly value: fc.Arbitrary<GobValue>
}

const int = fc.maxSafeInteger()
const word = fc.string({ unit: 'grapheme', maxLength: 8 })

/** A type with the values it can have; a fresh struct each time, as no two are the same. */
const sample: fc.Arbitrary<Sample> = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { maxDepth: 3 },
    fc.constant<Sample>({ type: gobInt, value: int }),
    fc.constant<Sample>({ type: gobUint, value: fc.nat({ max: Number.MAX_SAFE_INTEGER }) }),
    fc.constant<Sample>({ type: gobBool, value: fc.boolean() }),
    fc.constant<Sample>({ type: { kind: 'float' }, value: fc.double() }),
    fc.constant<Sample>({ type: gobString, value: word }),
    fc.constant<Sample>({ type: gobBytes, value: fc.uint8Array({ maxLength: 300 }) }),
    fc.constant<Sample>({
      type: { kind: 'opaque', name: 'Time' },
      value: fc.uint8Array({ minLength: 15, maxLength: 15 }),
    }),
    tie('sample').map(
      ({ type, value }): Sample => ({
        type: { kind: 'list', of: type },
        value: fc.array(value, { maxLength: 4 }),
      }),
    ),
    tie('sample').map(
      ({ type, value }): Sample => ({
        type: { kind: 'map', of: type },
        value: fc.dictionary(word, value, { maxKeys: 4, noNullPrototype: true }),
      }),
    ),
    fc.array(tie('sample'), { maxLength: 5 }).map((parts): Sample => {
      const type = struct(
        'S',
        Object.fromEntries(parts.map((part, index) => [`F${index}`, part.type])),
      )
      const fields = parts.map((part, index) => [`F${index}`, part.value] as const)
      return {
        type,
        value: fc.record(Object.fromEntries(fields), {
          requiredKeys: [],
          noNullPrototype: true,
        }) as fc.Arbitrary<GobValue>,
      }
    }),
  ),
})).sample

/** Without what Go leaves out. */
function withoutZeros(type: GobType, value: GobValue): GobValue {
  switch (type.kind) {
    case 'list':
      return (value as readonly GobValue[]).map((item) => withoutZeros(type.of, item))
    case 'map':
      return Object.fromEntries(
        Object.entries(value as Record<string, GobValue>).map(([key, item]) => [
          key,
          withoutZeros(type.of, item),
        ]),
      )
    case 'struct': {
      const record = value as Record<string, GobValue>
      const kept = type.fields().flatMap(({ name, type: of }) => {
        const item = record[name]
        if (item === undefined || item === 0 || item === '' || item === false) return []
        if ((Array.isArray(item) || item instanceof Uint8Array) && item.length === 0) return []
        if (of.kind === 'map' && Object.keys(item as object).length === 0) return []
        return [[name, withoutZeros(of, item)]]
      })
      return Object.fromEntries(kept)
    }
    default:
      return value
  }
}

test('whatever is written is read back, but for the zero values that gob drops from structs', () => {
  fc.assert(
    fc.property(
      sample.chain(({ type, value }) => fc.tuple(fc.constant(type), fc.array(value))),
      ([type, values]) => {
        const encoder = new GobEncoder()
        const read = decoded(...values.map((value) => encoder.encode(type, value)))
        expect(read).toEqual(values.map((value) => withoutZeros(type, value)))
      },
    ),
  )
})

test('an interface names the type that it holds, or is nil', () => {
  const args = struct('RunArgs', { Limit: gobInt })
  const encoder = new GobEncoder()
  const [none, some] = decoded(
    encoder.encode(gobInterface, null),
    encoder.encode(gobInterface, new GobNamed('RunArgs', args, { Limit: 3 })),
  )
  expect(none).toBeNull()
  expect(some).toMatchObject({ name: 'RunArgs', value: { Limit: 3 } })
})

test('a struct that contains itself is told once', () => {
  const tree: GobType = {
    kind: 'struct',
    name: 'Tree',
    fields: () => [
      { name: 'Name', type: gobString },
      { name: 'Parts', type: { kind: 'list', of: tree } },
    ],
  }
  const value = { Name: 'a', Parts: [{ Name: 'b' }, { Name: 'c', Parts: [{ Name: 'd' }] }] }
  expect(decoded(new GobEncoder().encode(tree, value))).toEqual([value])
})

test('bytes that are no gob end in an error, never in a hang or a crash', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        new GobDecoder().message(bytes)
      } catch (error) {
        expect((error as Error).message).toMatch(/^gob: /)
      }
    }),
  )
})

/** Takes the messages of a stream that a plugin made up. */
function taken(...messages: readonly (readonly number[])[]): () => void {
  const decoder = new GobDecoder()
  return () => {
    for (const message of messages) decoder.message(Uint8Array.from(message))
  }
}

/** A definition: id -65 (0xff 0x81 means -65), a slice of type `of`, both below 64. */
const sliceOf = (of: number) => [0xff, 0x81, 2, 1, 2, 0xff, 0x82, 0, 1, of * 2, 0, 0]

test('a plugin that nests without end is refused, and exhausts no stack', () => {
  // Interfaces in interfaces, from the inside out: name "x", type interface, length, 0, and the one before.
  const layers: number[][] = [[0]]
  for (let length = 2; layers.length < 10_000; ) {
    const layer = [1, 120, 16, 0xfd, length >> 16, (length >> 8) & 255, length & 255, 0]
    layers.push(layer)
    length += layer.length
  }
  const nested = layers.reverse().flat()
  expect(taken([16, 0, ...nested])).toThrow('gob: values are nested more than 200 deep')
  // A list of itself, held by an interface, whose type is then told in full.
  const itself = [0xff, 0x81, 2, 1, 2, 0xff, 0x82, 0, 1, 0xff, 0x82, 0, 0]
  expect(taken(itself, [16, 0, 1, 120, 0xff, 0x82, 2, 0, 0])).toThrow(
    'gob: types are nested more than 200 deep',
  )
})

test('a plugin that makes much of few bytes is refused, and exhausts no memory', () => {
  // A list of a million empty texts.
  const million = [0xff, 0x82, 0, 0xfd, 0x0f, 0x42, 0x40, ...new Array(1_000_000).fill(0)]
  expect(taken(sliceOf(6), million)).toThrow('gob: a message of more than 100000 values')
  // Counts and lengths beyond what is there.
  expect(taken(sliceOf(6), [0xff, 0x82, 0, 0xf8, 127, 255, 255, 255, 255, 255, 255, 255])).toThrow(
    'gob: the message ends in the middle of a value',
  )
})

test('a plugin that tells types without end is refused', () => {
  const decoder = new GobDecoder()
  const define = (id: number) => {
    const folded = id * 2 - 1
    const name = new Array(30_000).fill(97)
    // Slices have no name of their own; a name is told all the same.
    decoder.message(
      Uint8Array.from([
        0xfe,
        folded >> 8,
        folded & 255,
        2,
        1,
        1,
        0xfe,
        0x75,
        0x30,
        ...name,
        0,
        1,
        12,
        0,
        0,
      ]),
    )
  }
  expect(() => {
    for (let id = 200; id < 300; id++) define(id)
  }).toThrow('gob: the types that were told take more than 1048576 bytes')
})

test('a message that says to be larger than any answer is refused before its bytes come', () => {
  expect(() => firstMessage(Uint8Array.of(0xfc, 0x7f, 0xff, 0xff, 0xff))).toThrow(
    'gob: a message of 2147483647 bytes is longer than 10485760',
  )
})

test('a value that does not fit its type is refused before anything is sent', () => {
  expect(() => new GobEncoder().encode(gobInt, 1.5)).toThrow('a whole number cannot be made of 1.5')
  expect(() => new GobEncoder().encode({ kind: 'list', of: gobInt }, 'x')).toThrow(
    'a list cannot be made of "x"',
  )
})
