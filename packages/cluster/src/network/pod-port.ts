import { createServer } from 'node:http'
import { type Duplex, duplexPair } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { UnknownObject } from '@serinus/kube'
import type { Pods } from '../pods/pods.ts'

/** Opens a connection to a pod, which answers HTTP on whichever port it declares (`kubectl port-forward`). */
export async function connectToPod(
  pods: Pods,
  target: { readonly namespace: string; readonly pod: UnknownObject },
): Promise<Duplex> {
  const key = `${target.namespace}/${target.pod.metadata.name}`
  const listener = getRequestListener(
    (request) => {
      const { pathname, search } = new URL(request.url)
      const answer = pods.answer(key, {
        method: request.method,
        path: pathname + search,
        headers: Object.fromEntries(request.headers),
      })
      return new Response(answer.body, { status: answer.status, headers: { ...answer.headers } })
    },
    { overrideGlobalObjects: false },
  )
  const [near, far] = duplexPair()
  createServer(listener).emit('connection', far)
  return near
}
