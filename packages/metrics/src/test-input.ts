import type { AnalysisRun, Metric } from '@serinus/api'
import { type KubeClient, VirtualClock } from '@serinus/kube'
import { createKept } from './kept.ts'
import type { MeasureInput } from './provider.ts'

/** One request as the vendor saw it. */
export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly insecure: boolean
}

/** A vendor: answers each request in turn, the last answer again and again; remembers what it was asked. */
export interface Vendor {
  readonly requests: readonly SeenRequest[]
  readonly fetch: MeasureInput['fetch']
}

export type VendorAnswer = (seen: SeenRequest, signal: AbortSignal) => Response | Promise<Response>

export function vendor(...answers: readonly VendorAnswer[]): Vendor {
  const requests: SeenRequest[] = []
  return {
    requests,
    async fetch(request, options) {
      const { 'user-agent': _, ...headers } = Object.fromEntries(request.headers)
      const seen = {
        method: request.method,
        url: request.url,
        headers,
        body: await request.text(),
        insecure: options?.insecure === true,
      }
      requests.push(seen)
      const answer = answers[Math.min(requests.length, answers.length) - 1]
      if (!answer) throw new Error(`the vendor expects no request, got ${seen.url}`)
      return answer(seen, request.signal)
    },
  }
}

export function json(body: unknown, init: ResponseInit = {}): VendorAnswer {
  return () => Response.json(body, init)
}

export function text(body: string, init: ResponseInit = {}): VendorAnswer {
  return () => new Response(body, { headers: { 'content-type': 'text/html' }, ...init })
}

/** Nobody listens, as undici says it. */
export function refused(): never {
  const cause = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:9090'), {
    code: 'ECONNREFUSED',
    address: '10.0.0.7',
    port: 9090,
  })
  throw new TypeError('fetch failed', { cause })
}

/** Takes the request and never answers. */
export function silent(_: SeenRequest, signal: AbortSignal): Promise<Response> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}

/** 2026-08-17T10:41:11.25Z */
export const testNow = 1786963271250

export const testRun: AnalysisRun = {
  metadata: { name: 'web-1', namespace: 'app', uid: '6f3c0000-1111-2222-3333-444455556666' },
  spec: {},
} as unknown as AnalysisRun

const noClient = new Proxy({} as KubeClient, {
  get(_, method) {
    throw new Error(`no call to the Kubernetes API is expected, got ${String(method)}`)
  },
})

export function measureInput(
  metric: Omit<Metric, 'name'> & { readonly name?: string },
  facts: Partial<MeasureInput> = {},
): MeasureInput {
  const clock = facts.clock ?? new VirtualClock(testNow)
  return {
    run: testRun,
    metric: { name: 'm', ...metric },
    serial: 1,
    clock,
    kept: createKept(clock),
    fetch: vendor().fetch,
    client: noClient,
    controllerNamespace: 'argo-rollouts',
    readSecret: async ({ name }) => {
      throw new Error(`secrets "${name}" not found`)
    },
    readConfigMap: async ({ name }) => {
      throw new Error(`configmaps "${name}" not found`)
    },
    hide: () => {},
    env: {},
    signal: new AbortController().signal,
    ...facts,
  }
}
