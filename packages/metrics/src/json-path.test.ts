import { describe, expect, test } from 'vitest'
import { parseJsonPath, selectFirst } from './json-path.ts'

const document = {
  a: { b: [1, 2, 3], n: null, s: 'x', 'k.y': 7 },
  items: [
    { v: 1, ok: true },
    { v: 2, ok: false },
  ],
}

const read = (path: string, of: unknown = document) => selectFirst(parseJsonPath(path), of)

describe('the first value that a JSONPath template selects', () => {
  test.each<[string, unknown]>([
    ['{$}', document],
    ['{}', document],
    ['{$.a.b}', [1, 2, 3]],
    ['{.a.b}', [1, 2, 3]],
    ['{@.a.s}', 'x'],
    ['{ $.a.s }', 'x'],
    ['{$.a.b[*]}', 1],
    ['{.a.b.*}', 1],
    ['{.items[*].v}', 1],
    ['{..v}', 1],
    ['{.items..ok}', true],
    ['{.a.b[0,2]}', 1],
    ['{.a.b[2,0]}', 3],
    ['{range .items[*]}{.v}{end}', 1],
    ['{range .items[*]}v={.v}{end}', 'v='],
    ['{.a.b[-1]}', 3],
    ['{.a.b[-1:]}', 3],
    ['{.a.b[1:]}', 2],
    ['{.a.b[0:2]}', 1],
    ['{.a.b[1:3:2]}', 2],
    ['{$.a.n}', null],
    ['{.a.k\\.y}', 7],
    ["{.a['k\\.y']}", 7],
    ["{['a'].s}", 'x'],
    ["{['a.s']}", 'x'],
    ['{.items[?(@.v==2.0)].ok}', false],
    ['{.items[?(@.v==2)].ok}', false],
    ['{.items[?(@.ok==true)].v}', 1],
    ['{.items[?(@.v>=1.5)].v}', 2],
    ['{.items[?(@.v!=1.0)].v}', 2],
    ['{.items[?(@.v)].v}', 1],
    ['{"text"}', 'text'],
    ["{'a}b'}", 'a}b'],
    ['{5}', 5],
    ['a.s', 'a.s'],
    ['$.a.s', '$.a.s'],
    ['x={.a.s}', 'x='],
  ])('of %s is %j', (path, value) => {
    expect(read(path)).toEqual({ found: true, value })
  })

  test('passes over values that lack a field, as long as one has it', () => {
    expect(read('{.list[*].v}', { list: [{ w: 1 }, { v: 2 }] })).toEqual({ found: true, value: 2 })
  })

  test('does not exist where a filter matches nothing, a list is empty or a slice has no length', () => {
    const nothing = { found: false, value: null }
    expect(read('{.items[?(@.v==9.0)]}')).toEqual(nothing)
    expect(read('{.items[?(@.x)]}')).toEqual(nothing)
    expect(read('{.list[*]}', { list: [] })).toEqual(nothing)
    expect(read('{.a.b[1:1]}')).toEqual(nothing)
    expect(read('{range .list[*]}{.v}{end}', { list: [] })).toEqual(nothing)
  })

  test('is read from the fields of the document only, never from what JavaScript adds to it', () => {
    expect(() => read('{.constructor}')).toThrow('constructor is not found')
    expect(() => read('{.a.b.length}')).toThrow('length is not found')
    expect(() => read('{.a.s.length}')).toThrow('length is not found')
  })
})

describe('what stops the selection', () => {
  test.each([
    ['{.a.b[5]}', 'array index out of bounds: index 5, length 3'],
    ['{.a.b[-5]}', 'array index out of bounds: index -2, length 3'],
    ['{.a.b[1:9]}', 'array index out of bounds: index 8, length 3'],
    ['{.a.b[2:1]}', 'starting index 2 is greater than ending index 1'],
    ['{.a.b[0:2:0]}', 'step must be > 0'],
    ['{.a[0]}', 'map[string]interface {} is not array or slice'],
    ['{.a.s[0]}', 'string is not array or slice'],
    ['{$.a.n.x}', 'x is not found'],
    ['{.missing}', 'missing is not found'],
    ['{.items.v}', 'v is not found'],
    ["{.a['k.y']}", 'k is not found'],
    ['{.a.b[*]}{.missing}', 'missing is not found'],
    ["{.items[?(@.v=='2')]}", 'incompatible types for comparison'],
    ['{.items[?(@.ok>true)]}', 'invalid type for comparison'],
    ['{.items[?(@.x==1)]}', 'x is not found'],
    ['{.a[?(@.x)]}', 'is not array or slice and cannot be filtered'],
  ])('in %s: %s', (path, message) => {
    expect(() => read(path)).toThrow(message)
  })

  test.each([
    ['{.a.s', 'unclosed action'],
    ['{.a.b[0}', 'unterminated array'],
    ['{a.s}', 'unrecognized identifier a'],
    ['{.a.b[x]}', 'invalid array index x'],
    ['{range .items[*]}{.v}', 'unterminated range'],
    ['{.a}{end}', 'not in range, nothing to end'],
    ["{'a}", 'unclosed action'],
  ])('is a mistake in the template %s itself: %s', (path, message) => {
    expect(() => parseJsonPath(path)).toThrow(message)
  })
})
