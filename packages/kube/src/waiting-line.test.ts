import { expect, test } from 'vitest'
import { WaitingLine } from './waiting-line.ts'

function namesOf(line: WaitingLine<unknown>, count = Number.POSITIVE_INFINITY): string[] {
  const names: string[] = []
  while (names.length < count) {
    const next = line.next()
    if (!next) break
    names.push(next.name)
  }
  return names
}

test('lower ranks go first, and within a rank the first come', () => {
  const line = new WaitingLine<null>()
  line.join('late', 2, null)
  line.join('a', 1, null)
  line.join('urgent', 0, null)
  line.join('b', 1, null)
  expect(line.size).toBe(4)
  expect(namesOf(line)).toEqual(['urgent', 'a', 'b', 'late'])
  expect(line.next()).toBeUndefined()
})

test('who waits may move up, never down, and keeps its value', () => {
  const line = new WaitingLine<number>()
  expect(line.join('a', 1, 10)).toBe(true)
  expect(line.join('b', 1, 20)).toBe(true)
  expect(line.join('b', 0, 30)).toBe(false)
  expect(line.join('b', 2, 40)).toBe(false)
  expect(line.next()).toMatchObject({ name: 'b', value: 20 })
  expect(namesOf(line)).toEqual(['a'])
})

test('behind others who keep coming, the one that has waited longest still gets its turn', () => {
  const line = new WaitingLine<null>()
  line.join('patient', 5, null)
  let turns = 0
  for (let arrival = 0; ; arrival++) {
    line.join(`urgent-${arrival}`, 0, null)
    turns++
    if (line.next()?.name === 'patient') break
  }
  expect(turns).toBe(16)
})

test('who left is not called', () => {
  const line = new WaitingLine<null>()
  line.join('a', 0, null)
  line.join('b', 0, null)
  line.leave('a')
  line.leave('nobody')
  expect([line.has('a'), line.has('b')]).toEqual([false, true])
  expect(namesOf(line)).toEqual(['b'])
})
