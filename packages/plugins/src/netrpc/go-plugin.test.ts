import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualClock } from '@serinus/kube'
import { describe, expect, test } from 'vitest'
import type { PluginKind, PluginMethod, PluginProcess, PluginQuestions } from '../plugin-process.ts'
import { startGoPlugin } from './go-plugin.ts'
import { parseHandshake } from './handshake.ts'

/** What a real Go plugin and we once said to each other, byte by byte (test/plugins/record.ts). */
interface Conversation {
  readonly kind: PluginKind
  readonly type: string
  readonly asked: readonly { method: PluginMethod; question: unknown; answer: unknown }[]
  readonly tape: readonly { from: 'host' | 'plugin'; hex: string }[]
}

function conversation(kind: string): Conversation {
  const file = join(import.meta.dirname, `../../fixtures/${kind}-conversation.json`)
  return JSON.parse(readFileSync(file, 'utf8')) as Conversation
}

const never = new AbortController().signal

type Tape = Conversation['tape']

/** Plays the plugin's part: says its next words once it has heard, byte for byte, what it heard then. */
async function stage(tape: Tape, { cut = 2 ** 20, holds = false } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'serinus-tape-'))
  const left = Promise.withResolvers<void>()
  let heard = ''
  let at = 0
  const speak = (socket: Socket) => {
    for (let part = tape[at]; part; part = tape[++at]) {
      if (part.from === 'plugin') {
        const bytes = Buffer.from(part.hex, 'hex')
        for (let from = 0; from < bytes.length; from += cut)
          socket.write(bytes.subarray(from, from + cut))
        continue
      }
      if (heard.length < part.hex.length) return
      if (!heard.startsWith(part.hex)) return void socket.destroy(new Error('other words'))
      heard = heard.slice(part.hex.length)
    }
    if (!holds) socket.end()
  }
  const server = createServer((socket) => {
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('close', () => left.resolve())
    socket.on('data', (bytes: Buffer) => {
      heard += bytes.toString('hex')
      speak(socket)
    })
  })
  const path = join(folder, 'socket')
  await once(server.listen(path), 'listening')
  return {
    heard: () => heard,
    /** Resolves once the host has closed the connection. */
    left: left.promise,
    start: (kind: PluginKind): Promise<PluginProcess> =>
      startGoPlugin({
        kind,
        name: 'org/sample',
        target: '/bin/sh',
        args: ['-c', 'echo "1|1|unix|$0|netrpc|"; cat >/dev/null', path],
        headers: {},
        env: process.env,
        clock: new VirtualClock(0),
        fetch,
        log: () => {},
        signal: never,
      }),
    async [Symbol.asyncDispose]() {
      server.close()
      rmSync(folder, { recursive: true })
    },
  }
}

describe.each(['metric', 'step'])('the recorded conversation with a Go %s plugin:', (kind) => {
  test.each([
    ['in one piece', 2 ** 20],
    ['in pieces of 7 bytes', 7],
  ])('we say the same words and understand the answers, %s', async (_, cut) => {
    const recorded = conversation(kind)
    await using guest = await stage(recorded.tape, { cut })
    const process = await guest.start(recorded.kind)
    expect(process.type).toBe(recorded.type)
    for (const { method, question, answer } of recorded.asked) {
      const said = await process.call(method, question as PluginQuestions[PluginMethod], never)
      expect(JSON.parse(JSON.stringify(said))).toEqual(answer)
    }
    await process.ping(never)
    process.quit()
    await process.ended
    expect(guest.heard()).toBe('')
  })
})

test('bytes that belong to no protocol end the plugin and its connection instead of confusing us', async () => {
  const [greeting] = conversation('metric').tape
  if (!greeting) throw new Error('the tape is empty')
  const garbled = [greeting, { from: 'plugin' as const, hex: 'ff'.repeat(40) }]
  await using guest = await stage(garbled, { holds: true })
  await expect(guest.start('metric')).rejects.toMatchObject({
    stage: 'dispense plugin',
    message: 'yamux: unknown version 255',
  })
  await guest.left
})

test('a plugin that closes its connection before it is there does not keep its start waiting', async () => {
  await using guest = await stage(conversation('metric').tape.slice(0, 5))
  await expect(guest.start('metric')).rejects.toMatchObject({
    stage: 'initialize plugin via rpc',
    message: 'the plugin closed its connection; the plugin process ended (signal SIGKILL)',
  })
})

describe('a plugin that closes the stream on which it is asked', () => {
  /** The plugin's own stream is the fourth. */
  const fin = { from: 'plugin' as const, hex: '000000040000000700000000' }

  test('fails the call under way at once, with the cause, and is ended to be started anew', async () => {
    const { tape, asked } = conversation('metric')
    await using guest = await stage([...tape.slice(0, 9), fin], { holds: true })
    const plugin = await guest.start('metric')
    const [{ method, question } = { method: 'metric/run' as const, question: null }] = asked
    await expect(
      plugin.call(method, question as PluginQuestions[PluginMethod], never),
    ).rejects.toThrow(/^unexpected EOF$/)
    expect((await plugin.ended).message).toBe(
      'unexpected EOF; the plugin process ended (signal SIGKILL)',
    )
  })

  test('is ended although nobody asks it anything, and fails a later call at once', async () => {
    const { tape, asked } = conversation('metric')
    await using guest = await stage([...tape.slice(0, 8), fin], { holds: true })
    const plugin = await guest.start('metric')
    expect((await plugin.ended).message).toBe(
      'unexpected EOF; the plugin process ended (signal SIGKILL)',
    )
    const [{ method, question } = { method: 'metric/run' as const, question: null }] = asked
    await expect(
      plugin.call(method, question as PluginQuestions[PluginMethod], never),
    ).rejects.toThrow(/^connection is shut down: unexpected EOF$/)
  })
})

test('the handshake line is understood, and what is none of ours is refused in go-plugin’s words', () => {
  expect(parseHandshake('1|1|unix|/tmp/plugin1|netrpc|')).toEqual({ path: '/tmp/plugin1' })
  expect(parseHandshake('1|1|tcp|127.0.0.1:10000')).toEqual({ host: '127.0.0.1', port: 10_000 })
  const refused = (line: string) => () => parseHandshake(line)
  expect(refused('hello')).toThrow('Unrecognized remote plugin message: "hello"')
  expect(refused('2|1|unix|/x|netrpc|')).toThrow(
    'incompatible core API version with plugin. Plugin version: 2, Core version: 1',
  )
  expect(refused('1|1|unix|/x|grpc|')).toThrow(
    'unsupported plugin protocol "grpc". Supported: [netrpc]',
  )
  expect(refused('1|1|udp|/x|netrpc|')).toThrow('unknown address type: udp')
})
