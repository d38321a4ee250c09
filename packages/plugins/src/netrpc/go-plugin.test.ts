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

/** Plays the plugin's part: says its next words once it has heard, byte for byte, what it heard then. */
async function played(
  { kind, tape }: Conversation,
  cut: number,
): Promise<AsyncDisposable & { readonly process: PluginProcess; readonly heard: () => string }> {
  const folder = mkdtempSync(join(tmpdir(), 'serinus-tape-'))
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
    socket.end()
  }
  const server = createServer((socket) => {
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => {
      heard += bytes.toString('hex')
      speak(socket)
    })
  })
  const path = join(folder, 'socket')
  await once(server.listen(path), 'listening')
  const process = await startGoPlugin({
    kind,
    name: 'org/sample',
    target: '/bin/sh',
    args: ['-c', 'echo "1|1|unix|$0|netrpc|"; cat >/dev/null', path],
    headers: {},
    env: globalThis.process.env,
    clock: new VirtualClock(0),
    fetch,
    log: () => {},
    signal: never,
  })
  return {
    process,
    heard: () => heard,
    async [Symbol.asyncDispose]() {
      process.kill()
      await process.ended
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
    await using guest = await played(recorded, cut)
    const { process } = guest
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

test('bytes that belong to no protocol end the plugin instead of confusing us', async () => {
  const recorded = conversation('metric')
  const [greeting, ...rest] = recorded.tape
  if (!greeting || rest.length === 0) throw new Error('the tape is empty')
  const garbled = {
    ...recorded,
    tape: [greeting, { from: 'plugin' as const, hex: 'ff'.repeat(40) }],
  }
  await expect(played(garbled, 40)).rejects.toMatchObject({
    stage: 'dispense plugin',
    message: 'yamux: unknown version 255',
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
