import { connect, type Socket } from 'node:net'
import { sleep, unlessAborted } from '@serinus/kube'
import { type Child, startChild } from '../child.ts'
import { lineSplitter } from '../lines.ts'
import {
  type PluginMethod,
  type PluginProcess,
  type PluginQuestions,
  type PluginStart,
  StartFailure,
  type StartStage,
} from '../plugin-process.ts'
import { GobNamed, gobBool, gobInterface, gobString } from './gob-types.ts'
import { type GoAddress, handshakeVariables, identities, parseHandshake } from './handshake.ts'
import { NetRpcClient } from './net-rpc.ts'
import { exchanges, throwRpcError } from './payloads.ts'
import { YamuxSession } from './yamux.ts'

/** After it was asked to end, what upstream's host grants a plugin before it kills it. */
const quitGraceMs = 2_000

/** Most that is kept for a plugin that does not read, bytes: above what all its streams may have on the way. */
const mostUnsent = 32 * 2 ** 20

/** Runs a binary that was built for Argo Rollouts: go-plugin's handshake, yamux, net/rpc and gob. */
export async function startGoPlugin(start: PluginStart): Promise<PluginProcess> {
  const listening = Promise.withResolvers<string>()
  let lines = 0
  const child = await startChild(start, {
    env: handshakeVariables(start.kind),
    onLine(line) {
      // The first line is for us; plugins should print no other, and do.
      if (lines++ === 0) listening.resolve(line)
      else start.log(line)
    },
  }).catch((error: unknown) => {
    throw new StartFailure('get plugin client', error)
  })
  const stage = { name: 'get plugin client' as StartStage }
  const failed = new AbortController()
  try {
    const died = child.ended.then(({ message }) => {
      throw new Error(
        stage.name === 'get plugin client'
          ? `plugin exited before we could connect: ${message}`
          : message,
      )
    })
    died.catch(() => {})
    const work = async (): Promise<PluginProcess> => {
      const socket = await connected(parseHandshake(await listening.promise), failed.signal)
      const conversation = new GoConversation(start, socket)
      // Without its connection a process is of no use. Its own end, if that is the reason, says more.
      void conversation.over.then((reason) => child.kill(reason))
      stage.name = 'dispense plugin'
      await conversation.dispense()
      stage.name = 'initialize plugin via rpc'
      await conversation.initialize()
      return conversation.process(child)
    }
    return await unlessAborted(Promise.race([work(), died]), start.signal)
  } catch (error) {
    failed.abort()
    child.kill()
    throw error instanceof StartFailure ? error : new StartFailure(stage.name, error)
  }
}

/** The streams of one plugin: control, its output, and the one on which it is asked. */
export class GoConversation {
  readonly #start: PluginStart
  readonly #socket: Pick<Socket, 'write' | 'destroy'>
  readonly #session: YamuxSession
  readonly #control: NetRpcClient
  #plugin: NetRpcClient | null = null
  #type = ''
  #isQuitting = false
  readonly #over = Promise.withResolvers<Error>()
  /** Resolves with the reason once the connection is of no use any more. */
  readonly over = this.#over.promise

  constructor(start: PluginStart, socket: Socket) {
    this.#start = start
    this.#socket = socket
    this.#session = new YamuxSession((bytes) => {
      if (socket.writableLength > mostUnsent)
        throw new Error(`the plugin does not read: ${socket.writableLength} bytes wait`)
      socket.write(bytes)
    })
    socket.on('data', (bytes: Buffer) => this.#guarded(() => this.#session.receive(bytes)))
    socket.on('error', () => {}) // its close follows
    socket.on('close', () => this.#over.resolve(new Error('the plugin closed its connection')))
    this.#control = this.#rpc()
    this.#output()
    this.#output()
  }

  /** Asks for the plugin's own interface, which then has a stream of its own. */
  async dispense(): Promise<void> {
    const name = { type: gobString, value: identities[this.#start.kind].dispensed }
    const id = Number(await this.#control.call('Dispenser.Dispense', name, this.#start.signal))
    const accepted = Promise.withResolvers<NetRpcClient>()
    const greeting = new Uint8Array(4)
    new DataView(greeting.buffer).setUint32(0, id, true)
    let client: NetRpcClient | null = null
    let heard: Uint8Array = new Uint8Array(0)
    const stream = this.#session.open({
      onData: (bytes) =>
        this.#guarded(() => {
          if (client) return client.receive(bytes)
          heard = Buffer.concat([heard, bytes])
          if (heard.length < greeting.length) return
          if (Buffer.compare(heard.subarray(0, greeting.length), greeting) !== 0)
            throw new Error(`the plugin did not accept stream ${id}`)
          client = new NetRpcClient((part) => this.#guarded(() => stream.write(part)))
          accepted.resolve(client)
          client.receive(heard.subarray(greeting.length))
        }),
      onEnd: (reason) => {
        accepted.reject(reason)
        client?.end(reason)
        this.#lost(reason)
      },
    })
    stream.write(greeting)
    this.#plugin = await accepted.promise
  }

  /** Once in the life of a process: what fails here must never be asked again. */
  async initialize(): Promise<void> {
    const { signal } = this.#start
    const nil = { type: gobInterface, value: null }
    throwRpcError(await this.#asked().call('Plugin.InitPlugin', nil, signal))
    this.#type = String(await this.#asked().call('Plugin.Type', nil, signal))
  }

  process(child: Child): PluginProcess {
    const { clock } = this.#start
    const kill = () => {
      child.kill()
      this.#socket.destroy()
    }
    // Where the connection ends first, calls end with the process, whose end says more.
    void child.ended.then((reason) => this.#end(reason))
    return {
      type: this.#type,
      call: (method, question, signal) => this.#call(method, question, signal),
      ping: async (signal) =>
        void (await this.#control.call('Control.Ping', { type: gobBool, value: true }, signal)),
      quit: () => {
        this.#isQuitting = true
        const over = new AbortController()
        void child.ended.then(() => over.abort())
        this.#control
          .call('Control.Quit', { type: gobBool, value: true }, over.signal)
          .catch(() => {}) // it may end before it answers
        sleep(clock, quitGraceMs, over.signal).then(kill, () => {})
      },
      kill,
      ended: child.ended,
    }
  }

  async #call<M extends PluginMethod>(
    method: M,
    question: PluginQuestions[M],
    signal: AbortSignal,
  ): Promise<unknown> {
    const exchange = exchanges[method]
    const value = new GobNamed(
      exchange.argumentName,
      exchange.argumentType,
      exchange.argument(question),
    )
    const name = `Plugin.${exchange.method}`
    const reply = await this.#asked().call(name, { type: gobInterface, value }, signal)
    try {
      return exchange.answer(reply)
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause
      throw new Error(`the answer to ${name} is not of the type that it should be`, { cause })
    }
  }

  #asked(): NetRpcClient {
    if (!this.#plugin) throw new Error('the plugin has not been dispensed')
    return this.#plugin
  }

  #rpc(): NetRpcClient {
    const stream = this.#session.open({
      onData: (bytes) => this.#guarded(() => client.receive(bytes)),
      onEnd: (reason) => {
        client.end(reason)
        this.#lost(reason)
      },
    })
    const client = new NetRpcClient((bytes) => this.#guarded(() => stream.write(bytes)))
    return client
  }

  /** What the plugin prints once it serves. */
  #output(): void {
    const lines = lineSplitter(this.#start.log)
    this.#session.open({ onData: (bytes) => lines.push(bytes), onEnd: () => lines.end() })
  }

  /** A plugin that does not speak the protocol is no partner any more. */
  #guarded(take: () => void): void {
    try {
      take()
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** A plugin that has closed a stream answers nothing on it any more. */
  #lost(reason: Error): void {
    // One that was asked to end may take its time for the rest.
    if (!this.#isQuitting) this.#over.resolve(reason)
  }

  #end(reason: Error): void {
    this.#session.end(reason)
    this.#over.resolve(reason)
  }
}

/** Closes the connection, also before it is there, when the signal aborts. */
function connected(address: GoAddress, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const socket = connect('path' in address ? { path: address.path } : address)
    signal.addEventListener('abort', () => socket.destroy(), { once: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.removeListener('error', reject)
      resolve(socket)
    })
  })
}
