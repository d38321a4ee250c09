import { Duplex } from 'node:stream'
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib'

/**
 * The server's half of SPDY/3.1 as Kubernetes still speaks it for port-forward: streams with
 * headers, data, half-close and reset. No flow control, as in moby/spdystream, the only client.
 */
export class SpdyConnection {
  readonly #transport: Duplex
  readonly #onStream: (stream: SpdyStream) => void
  readonly #streams = new Map<number, SpdyStream>()
  readonly #inflate: Inflate
  readonly #deflate: Deflate
  #buffer: Buffer = Buffer.alloc(0)
  /** Header blocks share one compression context, so frames are handled strictly in order. */
  #work: Promise<void> = Promise.resolve()
  #sent: Promise<void> = Promise.resolve()

  constructor(transport: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#transport = transport
    this.#onStream = onStream
    this.#inflate = createInflate({ dictionary, finishFlush: constants.Z_SYNC_FLUSH })
    this.#deflate = createDeflate({ dictionary, flush: constants.Z_SYNC_FLUSH })
    transport.on('data', (chunk: Buffer) => this.#receive(chunk))
    transport.on('close', () => this.#end())
    transport.on('error', () => this.#end())
  }

  /** Accepts a stream the client opened. */
  reply(stream: SpdyStream): void {
    this.#sent = this.#sent.then(async () => {
      const block = await squeeze(this.#deflate, Buffer.from([0, 0, 0, 0]))
      const payload = Buffer.alloc(4 + block.length)
      payload.writeUInt32BE(stream.id)
      block.copy(payload, 4)
      this.#control(synReply, 0, payload)
    })
  }

  sendData(id: number, data: Buffer, fin: boolean): void {
    this.#sent = this.#sent.then(() => {
      const head = Buffer.alloc(8)
      head.writeUInt32BE(id)
      head.writeUInt32BE(((fin ? 1 : 0) << 24) | data.length, 4)
      this.#write(Buffer.concat([head, data]))
    })
  }

  reset(id: number): void {
    const payload = Buffer.alloc(8)
    payload.writeUInt32BE(id)
    payload.writeUInt32BE(cancel, 4)
    this.#sent = this.#sent.then(() => this.#control(rstStream, 0, payload))
    this.#streams.delete(id)
  }

  close(): void {
    void this.#sent.then(() => this.#transport.end())
  }

  #receive(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
    while (this.#buffer.length >= 8) {
      const length = this.#buffer.readUInt32BE(4) & 0xffffff
      if (this.#buffer.length < 8 + length) return
      const head = this.#buffer.subarray(0, 8)
      const payload = this.#buffer.subarray(8, 8 + length)
      this.#buffer = this.#buffer.subarray(8 + length)
      this.#work = this.#work.then(() => this.#frame(head, payload)).catch(() => this.#end())
    }
  }

  async #frame(head: Buffer, payload: Buffer): Promise<void> {
    const flags = head.readUInt8(4)
    if ((head.readUInt8(0) & 0x80) === 0) {
      const stream = this.#streams.get(head.readUInt32BE(0))
      stream?.receive(payload, (flags & finFlag) !== 0)
      return
    }
    switch (head.readUInt16BE(2)) {
      case synStream: {
        const id = payload.readUInt32BE(0) & 0x7fffffff
        const block = await squeeze(this.#inflate, payload.subarray(10))
        const stream = new SpdyStream(this, id, headersOf(block))
        this.#streams.set(id, stream)
        if ((flags & finFlag) !== 0) stream.receive(Buffer.alloc(0), true)
        this.#onStream(stream)
        return
      }
      case headersFrame:
        await squeeze(this.#inflate, payload.subarray(4))
        return
      case rstStream: {
        const id = payload.readUInt32BE(0) & 0x7fffffff
        this.#streams.get(id)?.destroy()
        this.#streams.delete(id)
        return
      }
      case ping:
        this.#sent = this.#sent.then(() => this.#control(ping, 0, payload))
        return
      case goAway:
        this.#end()
        return
      default:
        // SETTINGS and WINDOW_UPDATE change nothing for us.
        return
    }
  }

  #control(type: number, flags: number, payload: Buffer): void {
    const head = Buffer.alloc(8)
    head.writeUInt16BE(0x8003)
    head.writeUInt16BE(type, 2)
    head.writeUInt32BE((flags << 24) | payload.length, 4)
    this.#write(Buffer.concat([head, payload]))
  }

  #write(bytes: Buffer): void {
    if (this.#transport.writable) this.#transport.write(bytes)
  }

  #end(): void {
    for (const stream of this.#streams.values()) stream.destroy()
    this.#streams.clear()
    if (!this.#transport.destroyed) this.#transport.destroy()
  }
}

const synStream = 1
const synReply = 2
const rstStream = 3
const ping = 6
const goAway = 7
const headersFrame = 8
const finFlag = 1
const cancel = 5

/** One stream; what the client sends is readable, what is written goes to the client. */
export class SpdyStream extends Duplex {
  readonly id: number
  readonly headers: ReadonlyMap<string, string>
  readonly #connection: SpdyConnection

  constructor(connection: SpdyConnection, id: number, headers: ReadonlyMap<string, string>) {
    super({ allowHalfOpen: true })
    this.#connection = connection
    this.id = id
    this.headers = headers
    // The other side may go at any time; the pipe that reads this stream hears of it by `close`.
    this.on('error', () => undefined)
  }

  receive(data: Buffer, fin: boolean): void {
    if (data.length > 0) this.push(data)
    if (fin) this.push(null)
  }

  override _read(): void {
    // Frames are pushed as they come.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#connection.sendData(this.id, chunk, false)
    done()
  }

  override _final(done: () => void): void {
    this.#connection.sendData(this.id, Buffer.alloc(0), true)
    done()
  }
}

function headersOf(block: Buffer): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  let position = 4
  const text = () => {
    const length = block.readUInt32BE(position)
    const found = block.toString('utf8', position + 4, position + 4 + length)
    position += 4 + length
    return found
  }
  for (let left = block.readUInt32BE(0); left > 0; left--) {
    const name = text().toLowerCase()
    headers.set(name, text())
  }
  return headers
}

/** Sends a block through a compression stream that lives on, and takes what came out. */
function squeeze(stream: Inflate | Deflate, block: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    const take = (part: Buffer) => parts.push(part)
    stream.on('data', take)
    stream.once('error', reject)
    stream.write(block, () => {
      stream.flush(constants.Z_SYNC_FLUSH, () => {
        stream.off('data', take)
        stream.off('error', reject)
        resolve(Buffer.concat(parts))
      })
    })
  })
}

/** The words SPDY/3 compresses headers with (SPDY draft 3, 2.6.10.1). */
const dictionaryWords = [
  'options',
  'head',
  'post',
  'put',
  'delete',
  'trace',
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'accept-ranges',
  'age',
  'allow',
  'authorization',
  'cache-control',
  'connection',
  'content-base',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'etag',
  'expect',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'server',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'vary',
  'via',
  'warning',
  'www-authenticate',
  'method',
  'get',
  'status',
  '200 OK',
  'version',
  'HTTP/1.1',
  'url',
  'public',
  'set-cookie',
  'keep-alive',
  'origin',
]
const dictionaryTail =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505' +
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request' +
  '401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented' +
  '503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, ' +
  'Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,' +
  'application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch' +
  'charset=utf-8charset=iso-8859-1,utf-,*,enq=0.'
const dictionary = Buffer.concat([
  ...dictionaryWords.map((word) => {
    const bytes = Buffer.alloc(4 + word.length)
    bytes.writeUInt32BE(word.length)
    bytes.write(word, 4, 'latin1')
    return bytes
  }),
  Buffer.from(dictionaryTail, 'latin1'),
])
