import { expect, test } from 'vitest'
import { GobEncoder } from './gob-encoder.ts'
import { type GobType, type GobValue, gobString, gobUint, struct } from './gob-types.ts'
import { NetRpcClient } from './net-rpc.ts'

const response = struct('Response', { ServiceMethod: gobString, Seq: gobUint, Error: gobString })
const never = new AbortController().signal

/** A client, and a plugin that says whatever it likes. */
function conversation() {
  const client = new NetRpcClient(() => {})
  const encoder = new GobEncoder()
  return {
    client,
    ask: () => client.call('Plugin.Type', { type: gobString, value: '' }, never),
    say: (type: GobType, value: GobValue) => client.receive(encoder.encode(type, value)),
  }
}

test('answers are given to their questions by number, whatever their order', async () => {
  const { ask, say } = conversation()
  const [first, second] = [ask(), ask()]
  say(response, { Seq: 2 })
  say(gobString, 'two')
  say(response, { Seq: 1, Error: 'no' })
  say(struct('Empty', {}), {})
  expect(await second).toBe('two')
  await expect(first).rejects.toThrow(/^no$/)
})

test('an answer that nobody waits for any more is dropped', async () => {
  const { client, ask, say } = conversation()
  const over = new AbortController()
  const late = client.call('Plugin.Type', { type: gobString, value: '' }, over.signal)
  over.abort(new Error('too late'))
  await expect(late).rejects.toThrow('too late')
  const next = ask()
  for (const [seq, text] of [
    [1, 'one'],
    [2, 'two'],
    [2, 'two again'],
  ] as const) {
    say(response, { Seq: seq })
    say(gobString, text)
  }
  expect(await next).toBe('two')
})

test.each<[string, GobType, GobValue, string]>([
  ['a list', { kind: 'list', of: gobUint }, [1], 'net/rpc: an answer without a header'],
  ['a text', gobString, 'sample', 'net/rpc: an answer without a header'],
  ['nothing', { kind: 'interface' }, null, 'net/rpc: an answer without a header'],
  [
    'a measurement',
    struct('Measurement', { Phase: gobString }),
    { Phase: 'Successful' },
    'net/rpc: an answer to question 0, which was never asked',
  ],
  [
    'the number of a question that nobody asked',
    response,
    { Seq: 7 },
    'net/rpc: an answer to question 7, which was never asked',
  ],
  [
    'a number that is a text',
    struct('Response', { Seq: gobString }),
    { Seq: '1' },
    'net/rpc: an answer whose header is none',
  ],
])(
  '%s where a header is due ends the conversation, before anything is mistaken',
  (_, type, value, why) => {
    const { ask, say } = conversation()
    ask().catch(() => {})
    expect(() => say(type, value)).toThrow(why)
  },
)

test('a long answer in small pieces is read in time that grows with its length alone', async () => {
  const { client, ask } = conversation()
  const answer = ask()
  const encoder = new GobEncoder()
  const long = 'x'.repeat(4 * 2 ** 20)
  const bytes = Buffer.concat([
    encoder.encode(response, { Seq: 1 }),
    encoder.encode(gobString, long),
  ])
  for (let at = 0; at < bytes.length; at += 64) client.receive(bytes.subarray(at, at + 64))
  expect(await answer).toBe(long)
})
