import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { MeasureInput } from './provider.ts'

/** One request as its bytes came over a socket of loopback. */
export interface ReceivedRequest {
  /** `POST /api/v1/query?x=1`, as in the request line. */
  readonly line: string
  /** By lower-case name; what differs in every run (`host` and what the connection needs) is left out. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface ServerAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

/** A vendor's API on a socket: answers each request in turn, the last answer again and again. */
export interface VendorServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly requests: readonly ReceivedRequest[]
}

const ofTheConnection = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'accept-language',
  'sec-fetch-mode',
  'accept-encoding',
  'accept',
])

/** @param keep headers that count although a connection could set them, such as `accept` */
export async function vendorServer(
  answers: readonly ServerAnswer[],
  keep: readonly string[] = [],
): Promise<VendorServer> {
  const requests: ReceivedRequest[] = []
  const server = createServer(async (request, response) => {
    requests.push(await received(request, new Set(keep)))
    const answer = answers[Math.min(requests.length, answers.length) - 1]
    response.writeHead(answer?.status ?? 200, answer?.headers ?? {})
    response.end(answer?.body ?? '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function received(
  request: IncomingMessage,
  keep: ReadonlySet<string>,
): Promise<ReceivedRequest> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk)
  const headers = Object.entries(request.headers).filter(
    ([name]) => !ofTheConnection.has(name) || keep.has(name),
  )
  return {
    line: `${request.method} ${request.url}`,
    headers: Object.fromEntries(headers.map(([name, value]) => [name, String(value)])),
    body: Buffer.concat(chunks).toString('utf8'),
  }
}

/** Over real sockets, as the product asks. */
export const socketFetch: MeasureInput['fetch'] = (request) => fetch(request)
