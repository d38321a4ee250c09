import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lineSplitter } from './lines.ts'

test('lines come whole, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, ''))),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom('\n', '\r\n'),
      (lines, cut, ending) => {
        const told: string[] = []
        const splitter = lineSplitter((line) => told.push(line))
        const bytes = new TextEncoder().encode(lines.join(ending))
        for (let at = 0; at < bytes.length; at += cut) splitter.push(bytes.subarray(at, at + cut))
        splitter.end()
        expect(told).toEqual(lines.filter((line) => line !== ''))
      },
    ),
  )
})

test('a line without an end costs no memory: its beginning is told, or given to whoever minds', () => {
  const told: string[] = []
  const splitter = lineSplitter((line) => told.push(line))
  for (let count = 0; count < 100; count++) splitter.push(new Uint8Array(10_000).fill(65))
  splitter.push(new TextEncoder().encode('end\nnext\n'))
  splitter.end()
  expect(told).toEqual(['A'.repeat(64 * 1024), 'next'])
  const long: string[] = []
  const strict = lineSplitter(() => {}, { longest: 5, onLong: (start) => long.push(start) })
  strict.push(new TextEncoder().encode('abc'))
  strict.push(new TextEncoder().encode('defg'))
  expect(long).toEqual(['abcde'])
})
