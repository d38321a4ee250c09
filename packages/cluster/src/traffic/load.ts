import type { KubeObject } from '@serinus/kube'
import { durationMs } from '../pods/wishes.ts'

/** Requests that the cluster makes by itself towards an Ingress or a Service (spec embedded-cluster 5). */
export interface Load {
  readonly requestsPerSecond: number
  readonly headers: Headers
}

const prefix = 'sim.serinus.dev'

/** How often the cluster's Prometheus scrapes where nobody asks for another pace, milliseconds. */
export const usualScrapeMs = 5_000

/**
 * `scrape-interval: 1s`, how often the cluster's Prometheus scrapes at least as long as the object is there; infinite where
 * it asks for nothing that can be read.
 */
export function scrapeMsOf({ metadata }: KubeObject): number {
  return (
    durationMs(metadata.annotations?.[`${prefix}/scrape-interval`] ?? '') ||
    Number.POSITIVE_INFINITY
  )
}

/** `requests-per-second: "200"`, `request-headers: "X-Canary-User: true; Cookie: beta=always"`; what cannot be read counts as absent. */
export function loadOf(object: KubeObject): Load {
  const annotations = object.metadata.annotations ?? {}
  const rate = Number(annotations[`${prefix}/requests-per-second`])
  const headers = new Headers()
  for (const line of (annotations[`${prefix}/request-headers`] ?? '').split(';')) {
    const [, name, value] = /^\s*([\w-]+)\s*:\s*(.*?)\s*$/.exec(line) ?? []
    if (name && value !== undefined) headers.append(name, value)
  }
  return { requestsPerSecond: rate > 0 && Number.isFinite(rate) ? rate : 0, headers }
}
