import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { UnknownObject } from '@serinus/kube'
import { type WebSocket, WebSocketServer } from 'ws'
import { answerError } from './answers.ts'
import type { Peer } from './gatekeeper.ts'
import type { PortForward } from './hooks.ts'
import type { ApiServer } from './server.ts'
import { SpdyConnection, type SpdyStream } from './spdy.ts'
import { badRequest, notFound } from './status-error.ts'

const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io'
const spdyProtocol = 'portforward.k8s.io'
const channelProtocols = ['v4.channel.k8s.io', 'v5.channel.k8s.io', 'portforward.k8s.io']

interface Upgrade {
  readonly request: IncomingMessage
  readonly socket: Socket
  readonly head: Buffer
  readonly peer: Peer
}

interface Forward {
  readonly dial: PortForward
  readonly namespace: string
  readonly pod: UnknownObject
}

/**
 * Answers an upgrade for `pods/portforward`: WebSocket with a SPDY tunnel (kubectl since 1.31),
 * WebSocket channels (JavaScript and Python clients), or SPDY itself (older kubectl). Other
 * upgrades, `pods/exec` above all, get the same refusal as a plain request.
 */
export async function answerUpgrade(server: ApiServer, upgrade: Upgrade): Promise<void> {
  const { socket } = upgrade
  socket.on('error', () => socket.destroy())
  try {
    const forward = forwardOf(server, upgrade)
    if (!forward)
      return await refuse(
        socket,
        await server.handleFrom(fetchRequest(upgrade.request), upgrade.peer),
      )
    if (upgrade.request.headers.upgrade?.toLowerCase() === 'websocket')
      acceptWebSocket(upgrade, forward)
    else acceptSpdy(upgrade, forward)
  } catch (error) {
    await refuse(socket, answerError(error))
  }
}

function forwardOf(server: ApiServer, { request, peer }: Upgrade): Forward | undefined {
  const found = server.resourceRequest(fetchRequest(request), peer)
  const { path, served } = found
  if (served.resource.plural !== 'pods' || path.subresource !== 'portforward') return undefined
  const pod = server.store.get(served.storage, `${path.namespace}/${path.name}`)
  if (!pod) throw notFound(served.resource, path.name)
  const dial = server.portForward
  if (!dial)
    throw badRequest('pods/portforward is not available: nothing runs the pods of this cluster')
  return { dial, namespace: path.namespace, pod }
}

/** The upgrade as the HTTP API sees it: `connect` verbs are authorized as kube-apiserver does, by method. */
function fetchRequest(request: IncomingMessage): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string' && !/^(connection|upgrade|host)$/i.test(name))
      headers.set(name, value)
  }
  return new Request(new URL(request.url ?? '/', 'http://localhost'), {
    method: request.method ?? 'GET',
    headers,
  })
}

async function refuse(socket: Socket, response: Response): Promise<void> {
  const body = await response.text()
  const lines = [
    `HTTP/1.1 ${response.status} ${response.statusText || 'Refused'}`,
    `content-type: ${response.headers.get('content-type') ?? 'application/json'}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ]
  socket.end(lines.join('\r\n'))
}

function acceptSpdy({ socket, head, request }: Upgrade, forward: Forward): void {
  if (request.headers.upgrade?.toUpperCase() !== 'SPDY/3.1')
    throw badRequest('unable to upgrade: unknown protocol')
  socket.write(
    [
      'HTTP/1.1 101 Switching Protocols',
      'Connection: Upgrade',
      'Upgrade: SPDY/3.1',
      `X-Stream-Protocol-Version: ${spdyProtocol}`,
      '',
      '',
    ].join('\r\n'),
  )
  serveSpdy(socket, forward)
  if (head.length > 0) socket.unshift(head)
}

function acceptWebSocket({ request, socket, head }: Upgrade, forward: Forward): void {
  const server = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => {
      if (offered.has(tunnelProtocol)) return tunnelProtocol
      return channelProtocols.find((protocol) => offered.has(protocol)) ?? false
    },
  })
  server.handleUpgrade(request, socket, head, (webSocket) => {
    if (webSocket.protocol === tunnelProtocol) serveSpdy(tunnelOf(webSocket), forward)
    else {
      const query = new URL(request.url ?? '/', 'http://localhost').searchParams
      const ports = query.getAll('ports').flatMap((text) => text.split(','))
      serveChannels(webSocket, forward, ports.map(Number))
    }
  })
}

/** The bytes of a tunnel, one message after the other. */
function tunnelOf(webSocket: WebSocket): Duplex {
  const duplex = new Duplex({
    read() {
      // Messages are pushed as they come.
    },
    write(chunk: Buffer, _encoding, done) {
      webSocket.send(chunk, () => done())
    },
    final(done) {
      webSocket.close()
      done()
    },
    destroy(error, done) {
      webSocket.terminate()
      done(error)
    },
  })
  webSocket.on('message', (data: Buffer) => duplex.push(data))
  webSocket.on('close', () => duplex.destroy())
  webSocket.on('error', () => duplex.destroy())
  return duplex
}

/** Each forwarded connection is a pair of streams with one request id: `error` and `data`. */
function serveSpdy(transport: Duplex, forward: Forward): void {
  const errors = new Map<string, SpdyStream>()
  const connection = new SpdyConnection(transport, (stream) => {
    const id = stream.headers.get('requestid') ?? ''
    const port = Number(stream.headers.get('port'))
    connection.reply(stream)
    if (stream.headers.get('streamtype') === 'error') {
      errors.set(id, stream)
      return
    }
    void connect(stream, { ...forward, port }).then((failure) => {
      const errorStream = errors.get(id)
      errors.delete(id)
      if (failure !== undefined) errorStream?.write(Buffer.from(failure))
      errorStream?.end()
    })
  })
}

/** Pipes one connection; resolves with what went wrong, undefined when it ended well. */
async function connect(
  stream: Duplex,
  target: Forward & { readonly port: number },
): Promise<string | undefined> {
  const { dial, namespace, pod, port } = target
  let connection: Duplex
  try {
    connection = await dial({ namespace, pod, port })
  } catch (error) {
    stream.end()
    const why = error instanceof Error ? error.message : String(error)
    return `error forwarding port ${port} to pod ${pod.metadata.name}, uid ${pod.metadata.uid ?? ''}: ${why}`
  }
  return new Promise((resolve) => {
    connection.on('error', (error) => {
      stream.end()
      resolve(error.message)
    })
    connection.on('close', () => {
      stream.end()
      resolve(undefined)
    })
    stream.on('close', () => connection.destroy())
    stream.pipe(connection)
    connection.pipe(stream)
  })
}

/** Channel `2n` carries the data of port n, `2n + 1` its errors; both begin with the port number. */
function serveChannels(webSocket: WebSocket, forward: Forward, ports: readonly number[]): void {
  const streams = ports.map((port, index) => {
    const announce = (channel: number) => {
      const message = Buffer.from([channel, 0, 0])
      message.writeUInt16LE(port, 1)
      webSocket.send(message)
    }
    announce(index * 2)
    announce(index * 2 + 1)
    const stream = new Duplex({
      read() {
        // Messages are pushed as they come.
      },
      write(chunk: Buffer, _encoding, done) {
        webSocket.send(Buffer.concat([Buffer.from([index * 2]), chunk]), () => done())
      },
      final(done) {
        done()
      },
    })
    void connect(stream, { ...forward, port }).then((failure) => {
      if (failure !== undefined) {
        webSocket.send(Buffer.concat([Buffer.from([index * 2 + 1]), Buffer.from(failure)]))
      }
      webSocket.close()
    })
    return stream
  })
  webSocket.on('message', (data: Buffer) => {
    const channel = data[0] ?? 0
    if (data.length > 1) streams[channel >> 1]?.push(data.subarray(1))
  })
  webSocket.on('close', () => {
    for (const stream of streams) stream.destroy()
  })
}
