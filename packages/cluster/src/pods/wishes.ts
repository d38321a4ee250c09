import type { Container, Pod } from './pod.ts'

/** What manifests may wish for (spec embedded-cluster 4): the part after `sim.serinus.dev/`. */
type Wish =
  | 'error-rate'
  | 'error-status'
  | 'error-rate-after'
  | 'latency'
  | 'latency-p95'
  | 'startup'
  | 'ready'
  | 'ready-after'
  | 'crash'
  | 'exit-code'
  | 'duration'
  | 'cpu-per-request'
  | 'memory'
  | 'stop-after'
  | 'ignore-sigterm'
  | 'answer'
  | 'answers'
  | 'answer-status'
  | 'answer-type'

const prefix = 'sim.serinus.dev/'

/**
 * The text wished for: annotation of the container, annotation of the pod, environment of the container
 * (`SIM_ERROR_RATE`). Undefined: nobody wished anything.
 */
export function wishOf(pod: PodMeta, container: Container, wish: Wish): string | undefined {
  const annotations = pod.metadata.annotations
  return (
    annotations?.[`${prefix}${container.name}.${wish}`] ??
    annotations?.[prefix + wish] ??
    container.env?.find((entry) => entry.name === environmentName(wish))?.value
  )
}

type PodMeta = { readonly metadata: Pick<Pod['metadata'], 'annotations'> }

function environmentName(wish: Wish): string {
  return `SIM_${wish.toUpperCase().replaceAll('-', '_')}`
}

export function durationWish(pod: PodMeta, container: Container, wish: Wish): number | undefined {
  const text = wishOf(pod, container, wish)
  return text === undefined ? undefined : durationMs(text)
}

/** A share: `0.05` or `5%`; clamped to 0 to 1. Undefined for anything else. */
export function share(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*$/.exec(text)
  if (!match) return undefined
  return Math.min(1, Number(match[1]) / (match[2] ? 100 : 1))
}

const unitMs: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Go's duration notation (`1m30s`, `120ms`); a bare number is seconds, as for `sleep`. Undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const trimmed = text.trim()
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1000
  if (!/^(\d+(\.\d+)?(us|ms|s|m|h|d))+$/.test(trimmed)) return undefined
  let total = 0
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h|d)/g)) {
    total += Number(amount) * (unitMs[unit ?? ''] ?? 0)
  }
  return total
}

/** `docker.io/argoproj/rollouts-demo:bad-red@sha256:...` → `bad-red`; without a tag `latest`. */
export function imageTag(image: string): string {
  const name = image.split('@')[0] ?? ''
  const last = name.slice(name.lastIndexOf('/') + 1)
  const colon = last.indexOf(':')
  return colon < 0 ? 'latest' : last.slice(colon + 1)
}

export function cannotPull(image: string): boolean {
  return /^missing(-|$)/.test(imageTag(image)) || image.startsWith('invalid')
}
