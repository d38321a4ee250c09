import { GobDecoder } from './gob-decoder.ts'
import { GobEncoder } from './gob-encoder.ts'
import { splitMessage } from './gob-stream.ts'
import { type GobType, type GobValue, gobString, gobUint, struct } from './gob-types.ts'

/** Go's net/rpc over one stream: the client's side. */
export class NetRpcClient {
  readonly #write: (bytes: Uint8Array) => void
  readonly #encoder = new GobEncoder()
  readonly #decoder = new GobDecoder()
  readonly #calls = new Map<number, Call>()
  #pending: Uint8Array = new Uint8Array(0)
  #header: ResponseHeader | null = null
  #lastSeq = 0
  #ended: Error | null = null

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write
  }

  /**
   * Rejects with the error that the method returned, with the signal's reason (the answer is then dropped when it
   * comes: net/rpc cannot cancel), or with what ended the connection.
   */
  call(
    method: string,
    argument: { readonly type: GobType; readonly value: GobValue },
    signal: AbortSignal,
  ): Promise<GobValue> {
    if (this.#ended) return Promise.reject(new Error('connection is shut down'))
    if (signal.aborted) return Promise.reject(signal.reason)
    const seq = ++this.#lastSeq
    const header = this.#encoder.encode(request, { ServiceMethod: method, Seq: seq })
    const body = this.#encoder.encode(argument.type, argument.value)
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#calls.delete(seq)
        reject(signal.reason)
      }
      const settled = () => signal.removeEventListener('abort', onAbort)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#calls.set(seq, { resolve, reject, settled })
      this.#write(header)
      this.#write(body)
    })
  }

  /** Takes bytes as they come. Throws where they are no gob: the connection is then of no use. */
  receive(bytes: Uint8Array): void {
    this.#pending = Buffer.concat([this.#pending, bytes])
    for (;;) {
      const split = splitMessage(this.#pending)
      if (!split) return
      this.#pending = split.rest
      const told = this.#decoder.message(split.message)
      if (told) this.#take(told.value)
    }
  }

  end(reason: Error): void {
    if (this.#ended) return
    this.#ended = reason
    for (const call of this.#calls.values()) {
      call.settled()
      call.reject(reason)
    }
    this.#calls.clear()
  }

  /** Header and body take turns; after an error the body is empty. */
  #take(value: GobValue): void {
    if (!this.#header) {
      this.#header = value as ResponseHeader
      return
    }
    const { Seq = 0, Error: error } = this.#header
    this.#header = null
    const call = this.#calls.get(Seq)
    if (!call) return
    this.#calls.delete(Seq)
    call.settled()
    if (error) call.reject(new Error(error))
    else call.resolve(value)
  }
}

interface Call {
  readonly resolve: (value: GobValue) => void
  readonly reject: (error: unknown) => void
  readonly settled: () => void
}

interface ResponseHeader {
  readonly Seq?: number
  readonly Error?: string
}

const request = struct('Request', { ServiceMethod: gobString, Seq: gobUint })
