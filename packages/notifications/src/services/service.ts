import type { DerivedEvent } from '../derive.ts'
import type { Answer } from '../http.ts'
import type { JsonObject } from '../json.ts'

/** What became of one attempt. Whether to retry is part of the type. */
export type Outcome =
  | {
      readonly kind: 'delivered'
      /** The vendor's name of the message: a Slack ts, a dedup key. */
      readonly receipt: string
      readonly thread?: Thread
    }
  | {
      readonly kind: 'retryable'
      readonly error: string
      /** Milliseconds that the vendor asks to wait. */
      readonly retryAfterMs?: number
    }
  | {
      readonly kind: 'dead'
      readonly error: string
      /** `config`: a change of configuration may mend it. */
      readonly cause: 'config' | 'refused'
    }

/** The first message of a conversation that later ones join. */
export interface Thread {
  readonly channel: string
  readonly ts: string
}

/** What a message says, before a service gives it its form. */
export interface Content {
  readonly message: string
  /** The rendered block of the service; null: the template has none. */
  readonly block: JsonObject | null
  readonly event: Pick<DerivedEvent, 'reason' | 'type' | 'message' | 'revision' | 'failedMetrics'>
  readonly trigger: string
  readonly rollout: { readonly namespace: string; readonly name: string }
  readonly images: readonly string[]
}

/** A payload to store and send, or the field that cannot become one. */
export type Rendered =
  | { readonly ok: true; readonly payload: JsonObject }
  | { readonly ok: false; readonly field: string; readonly detail: string }

/** One attempt. */
export interface Delivery {
  readonly id: string
  readonly recipient: string
  readonly payload: JsonObject
  readonly thread?: Thread
  /** When the entry was first tried, epoch milliseconds. */
  readonly since: number
  /** The present instant, epoch milliseconds. */
  readonly now: number
  /** Sends within the service's time limit; never rejects. */
  readonly exchange: (url: string, init: RequestInit) => Promise<Answer>
}

/** A service with its options. */
export interface Service {
  /** Recipients that exist; null: the service cannot tell. */
  readonly recipients: readonly string[] | null
  /** Where requests go; tenants may not choose every address. */
  readonly urls: readonly string[]
  /** Retry settings of the service's own options; absent: the common ones. */
  readonly retry?: {
    readonly attempts?: number
    readonly firstMs?: number
    readonly maxMs?: number
  }
  /** Whether the vendor takes back what was opened when the Rollout is healthy again. */
  readonly autoResolve?: boolean | undefined
  render(content: Content): Rendered
  send(delivery: Delivery): Promise<Outcome>
  /** Whether an attempt of unknown outcome arrived; absent: a repetition is harmless or cannot be told. */
  find?(delivery: Delivery): Promise<'arrived' | 'absent' | 'unknown'>
  /** Key of a thing that stays open at the vendor and its closing payload; null: nothing stays open. */
  closing?(payload: JsonObject): { readonly key: string; readonly payload: JsonObject } | null
}

/** One problem of a service's options. */
export interface OptionProblem {
  readonly code: 'ServiceOptionsInvalid' | 'ServiceShapeMismatch'
  /** Below the service's key: `.token`. */
  readonly path: string
  readonly message: string
}

/** A service that can send, or every problem of its options. */
export type Configured =
  | { readonly ok: true; readonly service: Service }
  | { readonly ok: false; readonly problems: readonly OptionProblem[] }

/** A kind of service: one file, one line in the registry, one run of the contract suite. */
export interface ServiceType {
  readonly type: string
  /** Fields of its template block; `raw` ones are no templates. */
  readonly fields: Readonly<Record<string, 'template' | 'raw'>>
  /** The block has one entry per service name (`webhook.<service name>`). */
  readonly blockPerService: boolean
  /** `,` separates recipients too, since no recipient can contain one (spec notifications 3.1). */
  readonly splitsCommas: boolean
  /** The vendor recognizes a repetition of the same delivery. */
  readonly idempotent: boolean
  /** Per recipient. */
  readonly rate: { readonly perSecond: number; readonly burst: number }
  configure(options: JsonObject): Configured
}
