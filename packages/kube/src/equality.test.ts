import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deepEqual, mergePatch } from './equality.ts'

type Json = null | number | string | boolean | Json[] | { [name: string]: Json }

/** RFC 7386, section 2, word for word. */
function applyPatch(target: Json | undefined, patch: Json): Json {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const start =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {}
  const result = Object.assign(Object.create(null), start) as { [name: string]: Json }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = applyPatch(result[name], value)
  }
  return result
}

/** What a merge patch can express: no nulls among the fields. */
const value = fc.letrec<{ value: Json; fields: { [name: string]: Json } }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.integer({ min: 0, max: 3 }),
    fc.constantFrom('a', 'b', true),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('fields'),
  ),
  fields: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'), tie('value')),
}))

const plain = (json: unknown) =>
  JSON.stringify(json, (_, field) =>
    field && typeof field === 'object' && !Array.isArray(field)
      ? Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1))
      : field,
  )

test('a merge patch made from two objects turns the first into the second', () => {
  fc.assert(
    fc.property(value.fields, value.fields, (from, to) => {
      const patch = mergePatch(from, to)
      const result = patch ? applyPatch(from, patch as Json) : from
      expect(plain(result)).toBe(plain(to))
      expect(patch === undefined).toBe(deepEqual(from, to))
    }),
  )
})

test.each([
  [
    { a: 1, b: 2 },
    { a: 1, c: 3 },
    { b: null, c: 3 },
  ],
  [{ a: { b: 1, c: 2 } }, { a: { b: 1 } }, { a: { c: null } }],
  [{ a: [1, 2] }, { a: [1, 2, 3] }, { a: [1, 2, 3] }],
  [{ a: 'x' }, { a: {} }, { a: {} }],
  [{ a: { b: 1 } }, { a: 'x' }, { a: 'x' }],
  [{}, { a: { b: null, c: 1 } }, { a: { c: 1 } }],
  [{ a: null }, {}, undefined],
  [{ a: 1 }, { a: 1, b: undefined }, undefined],
])('the patch from %j to %j is %j', (from, to, patch) => {
  expect(mergePatch(from, to)).toEqual(patch)
})

test.each([
  [{ a: 1, b: [{ c: 'x' }] }, { b: [{ c: 'x' }], a: 1 }, true],
  [{ a: undefined }, {}, true],
  [{}, { a: undefined }, true],
  [{ a: null }, {}, false],
  [[1, 2], [2, 1], false],
  [[], {}, false],
  [{ a: {} }, { a: { b: 0 } }, false],
  [{}, { constructor: {} }, false],
  ['1', 1, false],
])('%j equals %j: %s', (a, b, equal) => {
  expect(deepEqual(a, b)).toBe(equal)
  expect(deepEqual(b, a)).toBe(equal)
})
