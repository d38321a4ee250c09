import { ByteQueue } from './byte-queue.ts'

/**
 * The client side of yamux, HashiCorp's multiplexer: several streams of bytes over one connection
 * (github.com/hashicorp/yamux/spec.md; spec metric-providers 14.5).
 */
export class YamuxSession {
  readonly #send: (bytes: Uint8Array) => void
  readonly #streams = new Map<number, YamuxStream>()
  readonly #pending = new ByteQueue()
  #nextId = 1
  #ended: Error | null = null

  /** @param send writes to the connection; bytes that come from it go to `receive` */
  constructor(send: (bytes: Uint8Array) => void) {
    this.#send = send
  }

  /** Streams have odd ids, in the order in which they are opened. Throws once the session has ended. */
  open(listener: StreamListener): YamuxStream {
    if (this.#ended) throw this.#ended
    const id = this.#nextId
    this.#nextId += 2
    const stream = new YamuxStream(id, listener, (header, body) => this.#frame(header, body))
    this.#streams.set(id, stream)
    this.#frame({ type: types.window, flags: flags.syn, stream: id, length: 0 })
    return stream
  }

  /** Takes bytes as they come, cut anywhere. Throws where they are no yamux: the connection is then of no use. */
  receive(bytes: Uint8Array): void {
    this.#pending.push(bytes)
    while (!this.#ended) {
      const { waiting } = this.#pending
      if (waiting.length < headerLength) return
      const header = parseHeader(waiting)
      const end = headerLength + (header.type === types.data ? header.length : 0)
      if (waiting.length < end) return
      this.#take(header, waiting.slice(headerLength, end))
      this.#pending.drop(end)
    }
  }

  /** Ends every stream; nothing is sent any more. */
  end(reason: Error): void {
    if (this.#ended) return
    this.#ended = reason
    for (const stream of this.#streams.values()) stream.ended(reason)
    this.#streams.clear()
  }

  #take(header: Header, body: Uint8Array): void {
    switch (header.type) {
      case types.data:
      case types.window:
        this.#takeForStream(header, body)
        return
      case types.ping:
        // A reply to a ping of ours would carry ACK: we send none.
        if (header.flags & flags.syn) this.#frame({ ...header, flags: flags.ack })
        return
      case types.goAway:
        if (header.length !== 0)
          this.end(new Error(`yamux: the plugin went away (${header.length})`))
        return
      default:
        throw new Error(`yamux: ${header.type} is no type of frame`)
    }
  }

  #takeForStream(header: Header, body: Uint8Array): void {
    const stream = this.#streams.get(header.stream)
    if (!stream) {
      // Streams of the plugin's making are refused; frames of one that we have closed are late.
      if (header.flags & flags.syn)
        this.#frame({ type: types.window, flags: flags.rst, stream: header.stream, length: 0 })
      return
    }
    if (header.type === types.window) stream.credited(header.length)
    else stream.took(body)
    if (header.flags & flags.rst) this.#forget(stream, new Error('stream reset'))
    else if (header.flags & flags.fin) this.#forget(stream, new Error('unexpected EOF'))
  }

  #forget(stream: YamuxStream, reason: Error): void {
    this.#streams.delete(stream.id)
    stream.ended(reason)
  }

  #frame(header: Header, body: Uint8Array = nothing): void {
    if (!this.#ended) this.#send(joined(renderHeader(header), body))
  }
}

export interface StreamListener {
  readonly onData: (bytes: Uint8Array) => void
  /** Once: the other side closed it, or the session ended. */
  readonly onEnd: (reason: Error) => void
}

/** One stream. What arrives goes to the listener at once, so that the plugin is never out of credit for long. */
export class YamuxStream {
  readonly id: number
  readonly #listener: StreamListener
  readonly #frame: (header: Header, body?: Uint8Array) => void
  /** What the plugin still takes, bytes. */
  #credit = initialWindow
  /** What it has sent since we last gave it credit, bytes. */
  #taken = 0
  #waiting: Uint8Array[] = []
  #isOver = false

  constructor(
    id: number,
    listener: StreamListener,
    frame: (header: Header, body?: Uint8Array) => void,
  ) {
    this.id = id
    this.#listener = listener
    this.#frame = frame
  }

  /** Sends at once what the other side has room for, the rest when it makes room. Throws when too much waits already. */
  write(bytes: Uint8Array): void {
    if (this.#isOver || bytes.length === 0) return
    if (this.backlog + bytes.length > mostBacklog)
      throw new Error(`yamux: the plugin does not read what it is sent: ${this.backlog} bytes wait`)
    this.#waiting.push(bytes)
    this.#flush()
  }

  /** Bytes that wait for room at the other side. */
  get backlog(): number {
    return this.#waiting.reduce((sum, bytes) => sum + bytes.length, 0)
  }

  credited(bytes: number): void {
    this.#credit += bytes
    this.#flush()
  }

  took(body: Uint8Array): void {
    if (this.#isOver || body.length === 0) return
    this.#taken += body.length
    if (this.#taken > initialWindow) throw new Error('yamux: the plugin sent more than it may')
    if (this.#taken >= initialWindow / 2) {
      this.#frame({ type: types.window, flags: 0, stream: this.id, length: this.#taken })
      this.#taken = 0
    }
    this.#listener.onData(body)
  }

  ended(reason: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#waiting = []
    this.#listener.onEnd(reason)
  }

  #flush(): void {
    for (let next = this.#waiting[0]; next && this.#credit > 0; next = this.#waiting[0]) {
      const part = next.subarray(0, this.#credit)
      this.#credit -= part.length
      if (part.length === next.length) this.#waiting.shift()
      else this.#waiting[0] = next.subarray(part.length)
      this.#frame({ type: types.data, flags: 0, stream: this.id, length: part.length }, part)
    }
  }
}

interface Header {
  readonly type: number
  readonly flags: number
  readonly stream: number
  /** Of the data; otherwise credit, the ping's value or a code. */
  readonly length: number
}

const headerLength = 12
const initialWindow = 256 * 1024
/** Most that waits for room at the other side, bytes: some dozens of Rollouts. */
const mostBacklog = 16 * 2 ** 20
const types = { data: 0, window: 1, ping: 2, goAway: 3 } as const
const flags = { syn: 1, ack: 2, fin: 4, rst: 8 } as const
const nothing = new Uint8Array(0)

function parseHeader(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerLength)
  if (view.getUint8(0) !== 0) throw new Error(`yamux: unknown version ${view.getUint8(0)}`)
  const type = view.getUint8(1)
  const length = view.getUint32(8)
  if (type === types.data && length > initialWindow)
    throw new Error('yamux: the plugin sent more than it may')
  return { type, flags: view.getUint16(2), stream: view.getUint32(4), length }
}

function renderHeader({ type, flags, stream, length }: Header): Uint8Array {
  const view = new DataView(new ArrayBuffer(headerLength))
  view.setUint8(1, type)
  view.setUint16(2, flags)
  view.setUint32(4, stream)
  view.setUint32(8, length)
  return new Uint8Array(view.buffer)
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
