import type { Clock, WorkQueueEvent } from '@serinus/kube'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** client-go's: ten steps from 10 ns by ten. */
const buckets = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10]

/** The work queues under client-go's metric names; label `name` is upstream's queue name (spec operations 4.2). */
export class QueueMetrics {
  readonly #clock: Clock
  readonly #queues = new Map<string, QueueState>()
  readonly #adds: Counter<'name'>
  readonly #retries: Counter<'name'>
  readonly #waited: Histogram<'name'>
  readonly #worked: Histogram<'name'>

  constructor(registry: Registry, clock: Clock) {
    this.#clock = clock
    const common = { labelNames: ['name'] as const, registers: [registry] }
    const counter = (name: string, help: string) => new Counter({ name, help, ...common })
    const histogram = (name: string, help: string) =>
      new Histogram({ name, help, buckets, ...common })
    this.#adds = counter('workqueue_adds_total', 'Total number of adds handled by the queue')
    this.#retries = counter('workqueue_retries_total', 'Total number of retries')
    this.#waited = histogram(
      'workqueue_queue_duration_seconds',
      'How long an item stays in the queue before it is worked on',
    )
    this.#worked = histogram(
      'workqueue_work_duration_seconds',
      'How long processing an item from the queue takes',
    )
    const gauge = (name: string, help: string, value: (state: QueueState) => number) => {
      const metric = new Gauge({
        name,
        help,
        ...common,
        collect: () => {
          for (const [queue, state] of this.#queues) metric.set({ name: queue }, value(state))
        },
      })
    }
    gauge('workqueue_depth', 'Current depth of the queue', ({ waiting }) => waiting.size)
    gauge(
      'workqueue_unfinished_work_seconds',
      'Seconds of work in progress that has not been observed by work_duration',
      ({ working }) => this.#ages(working).reduce((sum, age) => sum + age, 0),
    )
    gauge(
      'workqueue_longest_running_processor_seconds',
      'How long the longest running item has been worked on',
      ({ working }) => Math.max(0, ...this.#ages(working)),
    )
  }

  /** A queue begins under this name; what an earlier one of that name still held is forgotten. */
  begin(name: string): (event: WorkQueueEvent) => void {
    const state: QueueState = {
      waiting: new Map(),
      working: new Map(),
      lastEndAt: this.#clock.now(),
    }
    this.#queues.set(name, state)
    this.#adds.inc({ name }, 0)
    this.#retries.inc({ name }, 0)
    return (event) => this.#note(name, state, event)
  }

  /** All queues have stopped: nothing waits in them any more. */
  endAll(): void {
    for (const { waiting, working } of this.#queues.values()) {
      waiting.clear()
      working.clear()
    }
  }

  /** How long each key of a queue has been waiting for a worker, seconds. */
  *queueAges(name: string): Iterable<readonly [key: string, seconds: number]> {
    const now = this.#clock.now()
    for (const [key, since] of this.#queues.get(name)?.waiting ?? []) {
      yield [key, (now - since) / 1000]
    }
  }

  /** A queue in which keys wait and nothing has ended for this long; null: none. */
  stuck(longerThanMs: number): string | null {
    const now = this.#clock.now()
    for (const [name, { waiting, working, lastEndAt }] of this.#queues) {
      const [since] = waiting.values()
      const [busySince] = working.values()
      const oldest = Math.min(since ?? now, busySince ?? now)
      if (now - Math.max(oldest, lastEndAt) > longerThanMs) return name
    }
    return null
  }

  #note(name: string, state: QueueState, event: WorkQueueEvent): void {
    const now = this.#clock.now()
    switch (event.kind) {
      case 'added':
        this.#adds.inc({ name })
        if (!state.waiting.has(event.key)) state.waiting.set(event.key, now)
        return
      case 'started':
        state.waiting.delete(event.key)
        state.working.set(event.key, now)
        this.#waited.observe({ name }, event.waitedMs / 1000)
        return
      case 'finished':
        state.working.delete(event.key)
        state.lastEndAt = now
        this.#worked.observe({ name }, event.tookMs / 1000)
        return
      case 'retried':
        this.#retries.inc({ name })
        return
      default:
        event satisfies never
    }
  }

  #ages(since: ReadonlyMap<string, number>): number[] {
    const now = this.#clock.now()
    return [...since.values()].map((at) => (now - at) / 1000)
  }
}

interface QueueState {
  readonly waiting: Map<string, number>
  readonly working: Map<string, number>
  lastEndAt: number
}
