import { PluginError, PluginLacksMethod } from '../plugin-process.ts'

/** JSON-RPC 2.0 over anything that carries whole messages: the asking side. */
export class JsonRpcClient {
  readonly #send: (message: object) => void
  readonly #calls = new Map<number, Call>()
  #lastId = 0
  #ended: Error | null = null

  constructor(send: (message: object) => void) {
    this.#send = send
  }

  /** An abort rejects with the signal's reason and tells the plugin, by `$/cancelRequest`. */
  call(method: string, params: object, signal: AbortSignal): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended)
    if (signal.aborted) return Promise.reject(signal.reason)
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#calls.delete(id)
        this.#send({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id } })
        reject(signal.reason)
      }
      const settled = () => signal.removeEventListener('abort', onAbort)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#calls.set(id, { resolve, reject, settled })
      this.#send({ jsonrpc: '2.0', id, method, params })
    })
  }

  /** False: it is no answer of JSON-RPC. */
  receive(message: unknown): boolean {
    const id = idOf(message)
    if (id === undefined || id < 1 || id > this.#lastId) return false
    const call = this.#calls.get(id)
    // An answer that came too late is dropped.
    if (!call) return true
    this.#calls.delete(id)
    call.settled()
    try {
      call.resolve(resultOf(message))
    } catch (error) {
      call.reject(error)
    }
    return true
  }

  end(reason: Error): void {
    this.#ended ??= reason
    for (const call of this.#calls.values()) {
      call.settled()
      call.reject(reason)
    }
    this.#calls.clear()
  }
}

interface Call {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly settled: () => void
}

/** What JSON-RPC 2.0 calls "method not found". */
const noSuchMethod = -32601

/** Why a message is no answer to the question of this id; null: it is one. */
export function answerProblem(message: unknown, id: number): string | null {
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    return 'the answer is no JSON-RPC object'
  const answer = message as { readonly id?: unknown; readonly error?: unknown }
  // Who could not read the question does not know its id.
  if (answer.id === id || (answer.id === null && answer.error)) return null
  return `the answer has the id ${JSON.stringify(answer.id) ?? 'nothing'}, and the question had ${id}`
}

/** The result of an answer; throws what its error says. */
export function resultOf(message: unknown): unknown {
  const answer = (typeof message === 'object' && message !== null ? message : {}) as {
    readonly result?: unknown
    readonly error?: { readonly code?: unknown; readonly message?: unknown } | null
  }
  const { error } = answer
  if (!error) return answer.result ?? null
  const text = typeof error.message === 'string' ? error.message : JSON.stringify(error)
  throw error.code === noSuchMethod ? new PluginLacksMethod(text) : new PluginError(text)
}

function idOf(message: unknown): number | undefined {
  if (typeof message !== 'object' || message === null) return undefined
  const { id, method } = message as { readonly id?: unknown; readonly method?: unknown }
  return typeof id === 'number' && method === undefined ? id : undefined
}
