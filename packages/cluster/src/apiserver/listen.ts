import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { getRequestListener } from '@hono/node-server'
import { stringify } from 'yaml'
import type { ClientCertificate } from './authentication.ts'
import { type Certificates, clusterCertificates } from './certificates.ts'
import type { Peer } from './gatekeeper.ts'
import { answerUpgrade } from './port-forward.ts'
import type { ApiServer } from './server.ts'

export interface ListenOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** False: plain HTTP, for debugging. Tokens are required either way. */
  readonly tls: boolean
}

export interface Listening {
  readonly url: string
  /** YAML text with the CA, a bearer token and a client certificate of the cluster's admin. */
  readonly kubeconfig: string
  /** Ends every connection, watches included. */
  close(): Promise<void>
}

/** Serves an API server on a socket. Rejects when the address is taken. */
export async function listen(server: ApiServer, options: ListenOptions): Promise<Listening> {
  const { host, port, tls } = options
  const { journal } = server
  const certificates = tls
    ? clusterCertificates({ clock: server.store.clock, host, journal })
    : undefined
  const sockets = new Set<Socket>()
  const listener = getRequestListener(
    (request, env) => server.handleFrom(request, peerOf(env.incoming as IncomingMessage)),
    { overrideGlobalObjects: false },
  )
  const http: Server = certificates
    ? createHttpsServer(
        {
          key: certificates.server.key,
          cert: certificates.server.certificate,
          ca: certificates.authority,
          requestCert: true,
          // A token does as well as a certificate; the authenticator judges.
          rejectUnauthorized: false,
        },
        listener,
      )
    : createHttpServer(listener)
  // Clients keep idle connections for 90 s; a server that closes first would cut a request in flight.
  http.keepAliveTimeout = 120_000
  http.requestTimeout = 0
  http.on(certificates ? 'secureConnection' : 'connection', (socket: Socket) => {
    socket.setNoDelay(true)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    sockets.add(socket)
    void answerUpgrade(server, { request, socket, head, peer: peerOf(request) })
  })
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, host, () => {
      http.off('error', reject)
      resolve()
    })
  })
  const address = http.address() as AddressInfo
  const shown = host.includes(':') ? `[${host}]` : host
  const url = `${certificates ? 'https' : 'http'}://${shown}:${address.port}`
  return {
    url,
    kubeconfig: kubeconfigText(url, server.authenticator.adminToken, certificates),
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => {
        http.close(() => resolve())
        http.closeAllConnections()
      })
      await journal?.durable()
    },
  }
}

function peerOf(request: IncomingMessage): Peer {
  return {
    trusted: false,
    certificate: certificateOf(request.socket as Socket & Partial<TLSSocket>),
  }
}

function certificateOf(socket: Socket & Partial<TLSSocket>): ClientCertificate | undefined {
  if (!socket.authorized || !socket.getPeerCertificate) return undefined
  const { subject } = socket.getPeerCertificate()
  if (!subject?.CN) return undefined
  const organizations: string | string[] = subject.O ?? []
  return {
    commonName: String(subject.CN),
    organizations: Array.isArray(organizations) ? organizations : [organizations],
  }
}

function kubeconfigText(
  url: string,
  token: string,
  certificates: Certificates | undefined,
): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'serinus',
          cluster: {
            server: url,
            ...(certificates && {
              'certificate-authority-data': base64(certificates.authority),
            }),
          },
        },
      ],
      contexts: [
        {
          name: 'serinus',
          context: { cluster: 'serinus', user: 'serinus-admin', namespace: 'default' },
        },
      ],
      'current-context': 'serinus',
      users: [
        {
          name: 'serinus-admin',
          user: {
            ...(certificates && {
              'client-certificate-data': base64(certificates.admin.certificate),
              'client-key-data': base64(certificates.admin.key),
            }),
            token,
          },
        },
      ],
    },
    { lineWidth: 0 },
  )
}
