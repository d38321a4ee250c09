import type { Transition, Write } from '@serinus/engine'
import type { RouterPlan } from './router.ts'

export function failed(detail: string): RouterPlan {
  return { ok: false, reason: 'TrafficRoutingError', detail }
}

/** An Event that becomes true with a write. */
export type Told = readonly [reason: string, message: string]

/** What one routing object needs; null: nothing. */
export function planOf(write: Write | null, told?: Told): RouterPlan {
  if (!write) return { ok: true, writes: [], transitions: [] }
  const transitions: readonly Transition[] = told
    ? [{ type: 'Normal', reason: told[0], message: told[1], after: write.id }]
    : []
  return { ok: true, writes: [write], transitions }
}
