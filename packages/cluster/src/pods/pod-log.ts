import type { Clock } from '@serinus/kube'
import type { ContainerLog, LogLine } from './container-log.ts'
import type { Pod } from './pod.ts'
import type { Pods } from './pods.ts'

/** The parameters of `kubectl logs` (core/v1 PodLogOptions). */
interface LogQuery {
  readonly container: string | null
  readonly follow: boolean
  readonly previous: boolean
  readonly timestamps: boolean
  readonly tail: number | undefined
  /** Epoch milliseconds. */
  readonly since: number | undefined
  readonly limitBytes: number | undefined
}

/**
 * Answers `GET pods/<name>/log`: for the `pods/log` hook of the API server. With `follow` the body goes on until the
 * container ends or the client goes away. Failures are Status objects with kubelet's texts.
 */
export function answerLog(input: {
  readonly pods: Pods
  readonly clock: Clock
  readonly pod: Pod
  readonly query: URLSearchParams
  readonly signal?: AbortSignal
}): Response {
  const { pods, clock, pod, signal } = input
  const query = parseQuery(input.query, clock.now())
  const chosen = chooseContainer(pod, query.container)
  if (!chosen.ok) return refuse(chosen.detail)
  const { name, namespace } = pod.metadata
  const log = pods.log(`${namespace}/${name}`, chosen.container, query.previous)
  if (!log) return refuse(whyNoLog(pod, chosen.container, query.previous))
  return new Response(body(log, query, signal), {
    headers: { 'content-type': 'text/plain; charset=utf-8' },
  })
}

function parseQuery(query: URLSearchParams, now: number): LogQuery {
  const flag = (name: string) => query.get(name) === 'true' || query.get(name) === '1'
  const number = (name: string) => {
    const text = query.get(name)
    return text !== null && /^\d+$/.test(text) ? Number(text) : undefined
  }
  const sinceSeconds = number('sinceSeconds')
  const sinceTime = Date.parse(query.get('sinceTime') ?? '')
  const since = sinceSeconds !== undefined ? now - sinceSeconds * 1000 : sinceTime
  return {
    container: query.get('container') || null,
    follow: flag('follow'),
    previous: flag('previous'),
    timestamps: flag('timestamps'),
    tail: number('tailLines'),
    since: Number.isNaN(since) ? undefined : since,
    limitBytes: number('limitBytes'),
  }
}

function chooseContainer(
  pod: Pod,
  wanted: string | null,
): { ok: true; container: string } | { ok: false; detail: string } {
  const { name } = pod.metadata
  const main = pod.spec.containers.map((container) => container.name)
  const init = (pod.spec.initContainers ?? []).map((container) => container.name)
  if (wanted !== null) {
    if (main.includes(wanted) || init.includes(wanted)) return { ok: true, container: wanted }
    return { ok: false, detail: `container ${wanted} is not valid for pod ${name}` }
  }
  if (main.length === 1 && main[0] !== undefined) return { ok: true, container: main[0] }
  const inits = init.length > 0 ? ` or one of the init containers: [${init.join(' ')}]` : ''
  return {
    ok: false,
    detail: `a container name must be specified for pod ${name}, choose one of: [${main.join(' ')}]${inits}`,
  }
}

function whyNoLog(pod: Pod, container: string, previous: boolean): string {
  const { name } = pod.metadata
  if (previous) return `previous terminated container "${container}" in pod "${name}" not found`
  const statuses = [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []),
  ]
  const waiting = statuses.find((status) => status.name === container)?.state.waiting
  if (waiting?.reason === 'ImagePullBackOff' || waiting?.reason === 'ErrImagePull') {
    const why =
      waiting.reason === 'ErrImagePull'
        ? "image can't be pulled"
        : 'trying and failing to pull image'
    return `container "${container}" in pod "${name}" is waiting to start: ${why}`
  }
  return `container "${container}" in pod "${name}" is waiting to start: ${waiting?.reason ?? 'ContainerCreating'}`
}

function refuse(message: string): Response {
  return Response.json(
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason: 'BadRequest',
      code: 400,
    },
    { status: 400 },
  )
}

function body(
  log: ContainerLog,
  query: LogQuery,
  signal: AbortSignal | undefined,
): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  const past = log.lines({
    ...(query.tail !== undefined && { tail: query.tail }),
    ...(query.since !== undefined && { since: query.since }),
  })
  const text = past.map((line) => rendered(line, query.timestamps)).join('')
  const encoder = new TextEncoder()
  if (!query.follow) return encoder.encode(text).slice(0, query.limitBytes)

  let following: Disposable | undefined
  return new ReadableStream({
    start(controller) {
      let open = true
      const end = () => {
        if (!open) return
        open = false
        following?.[Symbol.dispose]()
        controller.close()
      }
      // A first chunk at once, else clients wait for headers until the first line.
      if (text !== '') controller.enqueue(encoder.encode(text))
      following = log.follow((line) => {
        if (line === null) end()
        else if (open) controller.enqueue(encoder.encode(rendered(line, query.timestamps)))
      })
      signal?.addEventListener('abort', end, { once: true })
    },
    cancel() {
      following?.[Symbol.dispose]()
    },
  })
}

function rendered(line: LogLine, timestamps: boolean): string {
  if (!timestamps) return `${line.text}\n`
  const time = Temporal.Instant.fromEpochMilliseconds(Math.floor(line.at)).toString({
    smallestUnit: 'nanosecond',
  })
  return `${time} ${line.text}\n`
}
