import fc from 'fast-check'
import { expect, test } from 'vitest'
import { YamuxSession } from './yamux.ts'

const types = { data: 0, window: 1, ping: 2, goAway: 3 }
const flags = { syn: 1, ack: 2, fin: 4, rst: 8 }

interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly length: number
  readonly body: Buffer
}

function frame(type: number, flag: number, stream: number, body: Uint8Array | number): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt8(type, 1)
  header.writeUInt16BE(flag, 2)
  header.writeUInt32BE(stream, 4)
  header.writeUInt32BE(typeof body === 'number' ? body : body.length, 8)
  return typeof body === 'number' ? header : Buffer.concat([header, body])
}

/** A session with what it sent and what its streams got. */
function session() {
  const sent: Buffer[] = []
  const got = new Map<number, Buffer>()
  const ends = new Map<number, string>()
  const yamux = new YamuxSession((bytes) => sent.push(Buffer.from(bytes)))
  const open = () => {
    const stream = yamux.open({
      onData: (bytes) =>
        got.set(stream.id, Buffer.concat([got.get(stream.id) ?? Buffer.alloc(0), bytes])),
      onEnd: (reason) => ends.set(stream.id, reason.message),
    })
    return stream
  }
  const frames = (): Frame[] => {
    const all = Buffer.concat(sent)
    const list: Frame[] = []
    for (let at = 0; at < all.length; ) {
      const type = all.readUInt8(at + 1)
      const length = all.readUInt32BE(at + 8)
      const end = at + 12 + (type === types.data ? length : 0)
      const body = all.subarray(at + 12, end)
      const [flag, stream] = [all.readUInt16BE(at + 2), all.readUInt32BE(at + 4)]
      list.push({ type, flags: flag, stream, length, body })
      at = end
    }
    return list
  }
  return { yamux, open, got, ends, frames }
}

test('streams have odd numbers and begin with a window update that carries SYN', () => {
  const { open, frames } = session()
  expect([open().id, open().id]).toEqual([1, 3])
  expect(frames()).toMatchObject([
    { type: types.window, flags: flags.syn, stream: 1, length: 0 },
    { type: types.window, flags: flags.syn, stream: 3, length: 0 },
  ])
})

test('every stream gets its own bytes in order, however the connection cuts them', () => {
  const part = fc.record({
    stream: fc.constantFrom(1, 3, 5),
    body: fc.uint8Array({ maxLength: 40 }),
    ping: fc.boolean(),
  })
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 }),
      (parts, cuts) => {
        const { yamux, open, got, frames } = session()
        for (let count = 0; count < 3; count++) open()
        const bytes = Buffer.concat(
          parts.flatMap(({ stream, body, ping }, index) => [
            frame(types.data, 0, stream, body),
            ...(ping ? [frame(types.ping, flags.syn, 0, index)] : []),
          ]),
        )
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1
          yamux.receive(bytes.subarray(at, at + size))
          at += size
        }
        for (const stream of [1, 3, 5]) {
          const wanted = Buffer.concat(
            parts.filter((one) => one.stream === stream).map((one) => one.body),
          )
          expect(got.get(stream) ?? Buffer.alloc(0)).toEqual(wanted)
        }
        const pings = parts.flatMap((one, index) => (one.ping ? [index] : []))
        const answers = frames().filter((one) => one.type === types.ping)
        expect(answers.map((one) => [one.flags, one.length])).toEqual(
          pings.map((index) => [flags.ack, index]),
        )
      },
    ),
  )
})

test('no more is sent than the other side has room for, and all is sent once it makes room', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 10 }),
      (writes, credits) => {
        const { yamux, open, frames } = session()
        const stream = open()
        const wanted = Buffer.concat(writes.map((size, index) => Buffer.alloc(size, index + 1)))
        for (const [index, size] of writes.entries()) stream.write(Buffer.alloc(size, index + 1))
        const sent = () =>
          Buffer.concat(
            frames()
              .filter((one) => one.type === types.data)
              .map((one) => one.body),
          )
        let room = 256 * 1024
        for (const credit of credits) {
          expect(sent().length).toBe(Math.min(room, wanted.length))
          yamux.receive(frame(types.window, 0, 1, credit))
          room += credit
        }
        yamux.receive(frame(types.window, 0, 1, 2 ** 21))
        expect(sent().equals(wanted)).toBe(true)
        expect(stream.backlog).toBe(0)
      },
    ),
    { numRuns: 20 },
  )
})

test('credit comes back, so that a plugin may send for ever', () => {
  const { yamux, open, got, frames } = session()
  open()
  const piece = Buffer.alloc(100_000, 7)
  for (let count = 0; count < 10; count++) yamux.receive(frame(types.data, 0, 1, piece))
  expect(got.get(1)?.length).toBe(1_000_000)
  const credit = frames().filter((one) => one.type === types.window && one.flags === 0)
  const given = credit.reduce((sum, one) => sum + one.length, 0)
  expect(1_000_000 - given).toBeLessThanOrEqual(128 * 1024)
})

test('a stream that the other side ends or resets tells so once, and late frames do no harm', () => {
  const { yamux, open, ends } = session()
  open()
  open()
  yamux.receive(frame(types.data, flags.fin, 1, Buffer.from('bye')))
  yamux.receive(frame(types.window, flags.rst, 3, 0))
  yamux.receive(frame(types.data, 0, 1, Buffer.from('late')))
  yamux.end(new Error('gone'))
  expect([...ends]).toEqual([
    [1, 'unexpected EOF'],
    [3, 'stream reset'],
  ])
})

test('bytes that are no yamux are an error that says so', () => {
  const receive = (bytes: Buffer) => session().yamux.receive(bytes)
  expect(() => receive(Buffer.from('HTTP/1.1 400 Bad'))).toThrow('yamux: unknown version 72')
  expect(() => receive(frame(9, 0, 0, 0))).toThrow('yamux: 9 is no type of frame')
  expect(() => receive(frame(types.data, 0, 1, Buffer.alloc(300_000)))).toThrow(
    'yamux: the plugin sent more than it may',
  )
})

test('what a plugin never reads is not kept for it without end', () => {
  const { open } = session()
  const stream = open()
  const piece = Buffer.alloc(2 ** 20)
  expect(() => {
    for (let count = 0; count < 20; count++) stream.write(piece)
  }).toThrow(/^yamux: the plugin does not read what it is sent: \d+ bytes wait$/)
})
