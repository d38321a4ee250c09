import { existsSync, readFileSync, statSync } from 'node:fs'
import { type AnalysisRun, annotationKeys, hashLabel, kinds, type Rollout } from '@serinus/api'
import type { Clock, KubeObject } from '@serinus/kube'
import {
  type Delivery,
  findService,
  findTemplate,
  type Layers,
  renderNotification,
  resolveSubscriptions,
  type Service,
  type ServiceType,
  type Subject,
  services,
} from '@serinus/notifications'
import { parse, stringify } from 'yaml'
import { readRollout } from '../access.ts'
import { readConfiguration, type Source } from './source.ts'

interface Wanted {
  readonly template: string
  /** A file, or the name of a Rollout. */
  readonly resource: string
  /** `service:recipient`; none: the console. */
  readonly recipients: readonly string[]
}

/** Renders one template for a Rollout and, where a recipient is named, sends it (spec cli 10, api 15.1 A10). */
export async function notify(source: Source, wanted: Wanted): Promise<void> {
  const { terminal } = source
  const { layers } = await explained('failed to create API', () => readConfiguration(source))
  const rollout = await explained('failed to load resource', () =>
    loadRollout(source, wanted.resource),
  )
  const subject = subjectOf(rollout, await readRuns(source, rollout), terminal.clock.now())
  for (const recipient of recipientsOf(wanted, { rollout, layers })) {
    await explained(`failed to notify '${recipient}'`, async () => {
      const [service = '', address] = splitOnce(recipient)
      const request = { template: wanted.template, address, layers, subject, source }
      if (service !== 'console') return send(request, service)
      terminal.out(stringify(consoleText(request)))
      terminal.err('not sent; add --recipient slack:<channel> to send\n')
    })
  }
}

async function explained<T>(problem: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`${problem}: ${why}`, { cause: error })
  }
}

async function loadRollout(source: Source, resource: string): Promise<Rollout> {
  if (existsSync(resource) && statSync(resource).isFile()) {
    return parse(readFileSync(resource, 'utf8')) as Rollout
  }
  return readRollout(source.access, resource)
}

/** The runs of the present revision, which templates see as `.analysisRuns`; upstream's command has none. */
async function readRuns({ access }: Source, rollout: Rollout): Promise<readonly AnalysisRun[]> {
  const hash = rollout.status?.currentPodHash
  if (!hash) return []
  const { items } = await access.client.list<AnalysisRun & KubeObject>(kinds.analysisRuns, {
    namespace: rollout.metadata.namespace ?? access.namespace,
    labelSelector: `${hashLabel}=${hash}`,
  })
  return items
}

/** There was no change: templates see an event that says so. */
function subjectOf(rollout: Rollout, runs: readonly AnalysisRun[], now: number): Subject {
  return {
    rollout,
    previous: null,
    runs,
    trigger: '',
    now,
    event: {
      id: `by-hand-${now}`,
      reason: 'NotifiedByHand',
      type: 'Normal',
      message: 'Notification requested on the command line',
      triggers: [],
      revision: Number(rollout.metadata.annotations?.[annotationKeys.revision] ?? 0),
      stepCount: rollout.spec.strategy?.canary?.steps?.length ?? 0,
      weight: { previous: null, current: rollout.status?.canary?.weights?.canary?.weight ?? null },
      initial: false,
      failedMetrics: [],
    },
  }
}

function recipientsOf(
  wanted: Wanted,
  facts: { readonly rollout: Rollout; readonly layers: Layers },
): readonly string[] {
  const named = wanted.recipients.flatMap((recipient) =>
    recipient === 'subscribed'
      ? resolveSubscriptions(facts.rollout, facts.layers).subscriptions.map(
          (subscription) => `${subscription.service}:${subscription.recipient}`,
        )
      : [recipient],
  )
  return wanted.recipients.length === 0 ? ['console:stdout'] : [...new Set(named)]
}

/** A recipient may contain colons itself. */
function splitOnce(text: string): [service: string, address: string] {
  const at = text.indexOf(':')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

interface Task {
  readonly template: string
  readonly address: string
  readonly layers: Layers
  readonly subject: Subject
  readonly source: Source
}

/** The message and the block of each service, rendered but not yet in the form of the vendor. */
function consoleText(request: Task): object {
  const { template, layers } = request
  const found = findTemplate(layers, template)
  if (!found) throw new Error(`template '${template}' is not supported`)
  const types = [...found.blocks.keys()].flatMap((type) => services[type] ?? [])
  const shown: Service = {
    recipients: null,
    urls: [],
    render: ({ block }) => ({ ok: true, payload: block ?? {} }),
    send: () => Promise.resolve({ kind: 'delivered', receipt: 'console' }),
  }
  const plain: ServiceType = { ...emptyType, configure: () => ({ ok: true, service: shown }) }
  const { message } = render(request, { name: 'console', type: plain, service: shown })
  const blocks = types.map((type) => {
    const { payload } = render(request, { name: type.type, type, service: shown })
    return [type.type, payload] as const
  })
  return { message, ...Object.fromEntries(blocks) }
}

/** A service that takes the message alone. */
const emptyType = {
  type: 'console',
  fields: {},
  blockPerService: false,
  splitsCommas: false,
  idempotent: true,
  rate: { perSecond: 1, burst: 1 },
} as const

function render(
  { template, address, layers, subject, source }: Task,
  service: { readonly name: string; readonly type: ServiceType; readonly service: Service },
) {
  const config = findService(layers, service.name)?.config ?? layers.own ?? layers.central
  const rendered = renderNotification({
    layers,
    config,
    templates: [template],
    service,
    recipient: address,
    subject,
    random: () => 0.5,
  })
  for (const problem of rendered.problems) source.terminal.err(`${problem}\n`)
  return rendered
}

async function send(request: Task, name: string): Promise<void> {
  const { address, layers, template, source } = request
  if (!findTemplate(layers, template)) throw new Error(`template '${template}' is not supported`)
  const found = findService(layers, name)?.value
  if (!found) throw new Error(`notification service '${name}' is not supported`)
  if (found.kind === 'broken') throw new Error(found.reason)
  const { payload } = render(request, found)
  const { clock } = source.terminal
  const now = clock.now()
  const outcome = await found.service.send({
    id: request.subject.event.id,
    recipient: address,
    payload,
    since: now,
    now,
    exchange: exchangeWithin(found.policy.timeoutMs, clock, source.terminal.fetch ?? fetch),
  })
  if (outcome.kind !== 'delivered') throw new Error(outcome.error)
  source.terminal.out(`sent to ${name}:${address}\n`)
}

function exchangeWithin(
  timeoutMs: number,
  clock: Clock,
  ask: (request: Request) => Promise<Response>,
): Delivery['exchange'] {
  return async (url, init) => {
    const answered = new AbortController()
    const late = new AbortController()
    clock.until(clock.now() + timeoutMs, answered.signal).then(
      () => late.abort(new Error(`no answer within ${timeoutMs / 1000} s`)),
      () => {},
    )
    try {
      const response = await ask(new Request(url, { ...init, signal: late.signal }))
      const { status, headers } = response
      return { kind: 'answered', status, headers, body: await response.text() }
    } catch (error) {
      return { kind: 'silent', error: error instanceof Error ? error.message : String(error) }
    } finally {
      answered.abort()
    }
  }
}
