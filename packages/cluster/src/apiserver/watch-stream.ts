import type { Clock, SeededRandom, UnknownObject } from '@serinus/kube'
import { ApiError, apiVersionOf } from '@serinus/kube'
import type { Form } from './content.ts'
import type { ServedResource } from './served.ts'
import { failureStatus } from './status-error.ts'
import type { Store } from './store.ts'
import { metadataOf, tableOf } from './tables.ts'
import { startWatch, type WatchMessage, type WatchQuery } from './watches.ts'

/** A client that lets this many events pile up is cut off and lists again. */
const backlogLimit = 20_000
const bookmarkEveryMs = 60_000

const encoder = new TextEncoder()

/** The bytes of recent events, made once for all watchers that see the same object. */
export class EventBytes {
  readonly #recent = new Map<object, Map<string, Uint8Array>>()

  of(type: string, object: UnknownObject): Uint8Array {
    let types = this.#recent.get(object)
    if (!types) {
      types = new Map()
      this.#recent.set(object, types)
      if (this.#recent.size > 64) {
        const oldest = this.#recent.keys().next().value
        if (oldest) this.#recent.delete(oldest)
      }
    }
    let bytes = types.get(type)
    if (!bytes) {
      bytes = encoder.encode(`{"type":"${type}","object":${JSON.stringify(object)}}\n`)
      types.set(type, bytes)
    }
    return bytes
  }
}

export interface WatchStreamOptions {
  readonly store: Store
  readonly clock: Clock
  readonly random: SeededRandom
  readonly bytes: EventBytes
  readonly served: ServedResource
  readonly query: WatchQuery
  readonly form: Form
  readonly timeoutSeconds: number | undefined
  /** Ends the stream when the server closes. */
  readonly signal: AbortSignal
}

/** A watch as a body of JSON lines; it ends by its timeout, the client or the server's end. */
export function watchStream(options: WatchStreamOptions): ReadableStream<Uint8Array> {
  const { clock, served, query } = options
  const ended = new AbortController()
  const end = () => ended.abort()
  let watch: Disposable | undefined
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const frame = framer(options)
        const close = () => {
          if (ended.signal.aborted) return
          end()
          watch?.[Symbol.dispose]()
          try {
            controller.close()
          } catch {
            // The client went first.
          }
        }
        const send = (message: WatchMessage) => {
          if (ended.signal.aborted) return
          controller.enqueue(frame(message))
          if ((controller.desiredSize ?? 0) < -backlogLimit) close()
        }
        try {
          watch = startWatch(options.store, served, query, send)
        } catch (error) {
          if (!(error instanceof ApiError)) throw error
          const status = { type: 'ERROR', object: failureStatus(error) }
          controller.enqueue(encoder.encode(`${JSON.stringify(status)}\n`))
          close()
          return
        }
        if (options.signal.aborted) close()
        else options.signal.addEventListener('abort', close, { signal: ended.signal })
        const seconds = options.timeoutSeconds ?? 1800 + options.random.int(1800)
        const bookmark = () => {
          if (query.allowBookmarks) {
            send({ type: 'BOOKMARK', version: options.store.version, initialEnd: false })
          }
        }
        void runTimers(clock, {
          endAt: clock.now() + seconds * 1000,
          signal: ended.signal,
          bookmark,
          close,
        })
      },
      cancel() {
        end()
        watch?.[Symbol.dispose]()
      },
    },
    { highWaterMark: 0 },
  )
}

async function runTimers(
  clock: Clock,
  options: {
    readonly endAt: number
    readonly signal: AbortSignal
    readonly bookmark: () => void
    readonly close: () => void
  },
): Promise<void> {
  const { endAt, signal, bookmark, close } = options
  try {
    while (clock.now() < endAt) {
      await clock.until(Math.min(endAt, clock.now() + bookmarkEveryMs), signal)
      bookmark()
    }
    close()
  } catch {
    // The signal aborted: the stream is over already.
  }
}

/** Bytes of one event in the form the client asked for. */
function framer(options: WatchStreamOptions): (message: WatchMessage) => Uint8Array {
  const { served, form, clock } = options
  let first = true
  return (message) => {
    const object = message.type === 'BOOKMARK' ? bookmarkOf(served, message) : message.object
    switch (form.kind) {
      case 'object':
        return message.type === 'BOOKMARK'
          ? encoder.encode(`${JSON.stringify({ type: message.type, object })}\n`)
          : options.bytes.of(message.type, object)
      case 'metadata':
        return encoder.encode(
          `${JSON.stringify({ type: message.type, object: metadataOf(object) })}\n`,
        )
      case 'table': {
        const table = tableOf(served, [object], {
          now: clock.now(),
          includeObject: form.includeObject,
          withColumns: first,
          listMetadata: { resourceVersion: object.metadata.resourceVersion },
        })
        first = false
        return encoder.encode(`${JSON.stringify({ type: message.type, object: table })}\n`)
      }
      default:
        throw new TypeError(`unknown form: ${JSON.stringify(form satisfies never)}`)
    }
  }
}

function bookmarkOf(
  served: ServedResource,
  message: { readonly version: number; readonly initialEnd: boolean },
): UnknownObject {
  return {
    kind: served.resource.kind,
    apiVersion: apiVersionOf(served.resource),
    metadata: {
      resourceVersion: String(message.version),
      creationTimestamp: null,
      ...(message.initialEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }),
    },
  } as unknown as UnknownObject
}
