import { ByteQueue } from './byte-queue.ts'
import { GobDecoder } from './gob-decoder.ts'
import { GobEncoder } from './gob-encoder.ts'
import { firstMessage } from './gob-stream.ts'
import { GobNamed, type GobType, type GobValue, gobString, gobUint, struct } from './gob-types.ts'

/** Go's net/rpc over one stream: the client's side. */
export class NetRpcClient {
  readonly #write: (bytes: Uint8Array) => void
  readonly #encoder = new GobEncoder()
  readonly #decoder = new GobDecoder()
  readonly #calls = new Map<number, Call>()
  readonly #pending = new ByteQueue()
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
    if (this.#ended)
      return Promise.reject(new Error(`connection is shut down: ${this.#ended.message}`))
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
    this.#pending.push(bytes)
    for (;;) {
      const found = firstMessage(this.#pending.waiting)
      if (!found) return
      const told = this.#decoder.message(found.message)
      this.#pending.drop(found.end)
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
      this.#header = parseHeader(value, this.#lastSeq)
      return
    }
    const { seq, error } = this.#header
    this.#header = null
    // Nobody waits for an answer that came too late.
    const call = this.#calls.get(seq)
    if (!call) return
    this.#calls.delete(seq)
    call.settled()
    if (error !== '') call.reject(new Error(error))
    else call.resolve(value)
  }
}

/** Throws where it tells of no question that was asked: what follows would be taken for what it is not. */
function parseHeader(value: GobValue, lastSeq: number): ResponseHeader {
  const isStruct =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof GobNamed)
  if (!isStruct) throw new Error('net/rpc: an answer without a header')
  const { Seq: seq = 0, Error: error = '' } = value as { readonly [field: string]: GobValue }
  if (typeof seq !== 'number' || typeof error !== 'string')
    throw new Error('net/rpc: an answer whose header is none')
  if (seq < 1 || seq > lastSeq)
    throw new Error(`net/rpc: an answer to question ${seq}, which was never asked`)
  return { seq, error }
}

interface Call {
  readonly resolve: (value: GobValue) => void
  readonly reject: (error: unknown) => void
  readonly settled: () => void
}

interface ResponseHeader {
  readonly seq: number
  /** Empty: none. */
  readonly error: string
}

const request = struct('Request', { ServiceMethod: gobString, Seq: gobUint })
