import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AnalysisRun, kinds, type Rollout } from '@serinus/api'
import type { Received } from '@serinus/cluster'
import type { ReplicaSet } from '@serinus/engine'
import { type KubeObject, resources, ScaledClock, sleep, VirtualClock } from '@serinus/kube'
import type { Pod } from '../view/pod-status.ts'
import { rolloutInfo } from '../view/rollout-info.ts'
import { rolloutText } from '../view/rollout-text.ts'
import { painter } from '../view/table.ts'
import {
  controllerNamespace,
  type LocalCluster,
  startLocalCluster,
  writePrivate,
} from './local-cluster.ts'
import { applyManifests, readManifests } from './manifests.ts'
import type { Process } from './up.ts'

const examples = fileURLToPath(new URL('../../../../examples/articles/', import.meta.url))
const minute = 60_000
const key = { namespace: 'default', name: 'my-app' }

type StoredRollout = Rollout & KubeObject

/** The time of the story: virtual time for tests, accelerated time for people. */
interface Stage {
  readonly local: LocalCluster
  readonly now: () => number
  readonly pass: (ms: number) => Promise<void>
  readonly say: (text: string) => void
  /** Shows the live tree on a terminal; prints nothing where lines are wanted. */
  readonly show: () => Promise<void>
}

/**
 * The product in two minutes (spec embedded-cluster 7): a healthy release, then a bad one that is caught, rolled back and
 * told. Returns the exit code of `--fast`: 0 when the story went as told.
 */
export async function demo(options: { readonly fast: boolean }, process: Process): Promise<number> {
  const { out, signal } = process
  const virtual = options.fast ? new VirtualClock(Date.parse('2026-01-01T00:00:00Z')) : null
  const clock = virtual ?? new ScaledClock({ factor: 30 })
  const began = clock.now()
  const say = (text: string) => out(`${clockText(clock.now() - began)}  ${text}\n`)
  const local = await startLocalCluster({
    clock,
    signal,
    seed: 'serinus',
    listen: { host: '127.0.0.1', port: 0 },
    insecureHttp: false,
    useInbox: true,
    withController: true,
    onError: (where, error) => {
      const message = error instanceof Error ? error.message : String(error)
      if (!signal.aborted && !/modified|conflict/i.test(message)) say(`! ${where}: ${message}`)
    },
  })
  local.cluster.inbox.subscribe((received) => say(messageLine(received)))
  const isTerminal = !options.fast && globalThis.process.stdout.isTTY === true
  const stage: Stage = {
    local,
    now: () => clock.now(),
    pass: (ms) => (virtual ? virtual.advance(ms) : sleep(clock, ms, signal)),
    say,
    show: async () => {
      if (isTerminal) out(`\n${await page(local, clock.now())}\n`)
    },
  }
  try {
    const problems = await story(stage)
    if (options.fast) return problems.length === 0 ? 0 : 1
    await stayUp(local, process)
    return 0
  } finally {
    await local.close()
  }
}

async function story(stage: Stage): Promise<readonly string[]> {
  const { local, say } = stage
  const { client } = local
  const problems: string[] = []
  const expectThat = (holds: boolean, what: string) => {
    if (holds) return
    problems.push(what)
    say(`✖ not as told: ${what}`)
  }

  say(
    'An empty Kubernetes is up. Applying the notification set-up and the production example of two articles, as they wrote them.',
  )
  await applyManifests(
    client,
    readManifests(join(examples, 'notifications/argo-rollouts-notification-configmap.yaml')),
    controllerNamespace,
  )
  await applyManifests(
    client,
    readManifests(join(examples, 'notifications/argo-rollouts-notification-secret.yaml')),
    controllerNamespace,
  )
  const complete = readManifests(join(examples, 'production/complete.yaml'))
  await applyManifests(
    client,
    readManifests(join(examples, 'production/surroundings.yaml')),
    'default',
  )
  await applyManifests(
    client,
    complete.map((object) =>
      object.kind === 'Rollout' ? withRelease(object, { image: 'my-app:v1' }) : object,
    ),
    'default',
  )
  await until(stage, 'my-app:v1 is healthy', (rollout) => rollout.status?.phase === 'Healthy')
  const lostBefore = local.cluster.traffic.truth('').lost
  say('✔ my-app:v1 runs on 10 pods behind nginx, 100 requests a second.')
  await stage.show()

  say('── Release 1: my-app:v2, a healthy one ──')
  await release(stage, { image: 'my-app:v2' })
  await until(
    stage,
    'the gate at 30 %',
    (rollout) => rollout.status?.currentStepIndex === 4 && isPaused(rollout),
  )
  say(
    `Weight 10 for ten minutes was fine; at 30 the release waits for a person: ${await weights(stage)}.`,
  )
  await stage.show()
  say('$ kubectl argo rollouts promote my-app')
  await client.patch(
    kinds.rollouts,
    key,
    { kind: 'merge', body: { status: { pauseConditions: null } } },
    { subresource: 'status' },
  )
  await until(
    stage,
    'weight 60',
    (rollout) => rollout.status?.currentStepIndex === 6 && isPaused(rollout),
  )
  say(`Promoted: ${await weights(stage)}.`)
  await until(stage, 'my-app:v2 is stable', (rollout) => rollout.status?.phase === 'Healthy')
  say('✔ my-app:v2 is stable: every step done, every measurement good.')
  await stage.show()

  say('── Release 2: my-app:v3, where 30 % of the requests fail ──')
  say(
    'The rule of the article looks at the whole service: at weight 10 that is 3 % and passes, at 30 it is 9 % and does not.',
  )
  const releasedAt = stage.now()
  await release(stage, { image: 'my-app:v3', errorRate: '0.3' })
  const bad = await until(
    stage,
    'the bad release is aborted',
    (rollout) => rollout.status?.abort === true,
    90 * minute,
  )
  say(`✖ ${bad.status?.message}`)
  await until(
    stage,
    'all traffic is back on stable',
    (rollout) => (rollout.status?.canary?.weights?.canary?.weight ?? 0) === 0,
  )
  const backAfter = stage.now() - releasedAt
  await stage.pass(5_000)
  say(
    `✔ All traffic is on my-app:v2 again, ${Math.round(backAfter / 1000)} s after the release began.`,
  )
  await stage.show()

  const truth = local.cluster.traffic.truth(bad.status?.currentPodHash ?? '')
  const messages = local.cluster.inbox.received.filter((one) => one.at >= releasedAt)
  const paged = messages.filter((one) => one.service === 'pagerduty')
  const slack = messages.filter((one) => one.service === 'slack')
  say('── Summary ──')
  say(
    `Requests that the bad version answered: ${truth.requests}, of which failed: ${truth.errors}. Requests lost: ${local.cluster.traffic.truth('').lost - lostBefore}.`,
  )
  say(`Told about it: ${slack.length} Slack message(s), ${paged.length} PagerDuty event(s).`)
  const delays = messages.map((one) => one.at - (Date.parse(bad.status?.abortedAt ?? '') || one.at))
  if (delays.length > 0)
    say(
      `Latest message: ${Math.max(...delays)} ms after the abort was stored (times are stored in whole seconds).`,
    )
  expectThat(bad.status?.canary?.weights?.stable?.weight !== undefined, 'weights are recorded')
  expectThat(truth.errors > 0, 'the bad version failed requests')
  expectThat(
    truth.requests > 0 && backAfter < 60 * minute,
    'the bad release was caught within an hour',
  )
  expectThat(paged.length === 1, `PagerDuty was told once (${paged.length} times)`)
  expectThat(
    slack.some((one) => /abort|rollback/i.test(one.text)),
    'Slack was told of the abort',
  )
  return problems
}

function isPaused(rollout: StoredRollout): boolean {
  return (rollout.status?.pauseConditions?.length ?? 0) > 0
}

/** The same Rollout with another image, and where asked with requests that fail. */
function withRelease<T extends { readonly metadata: object }>(
  object: T,
  change: { readonly image: string; readonly errorRate?: string },
): T {
  const rollout = object as unknown as StoredRollout
  const template = rollout.spec.template
  return {
    ...rollout,
    metadata: {
      ...rollout.metadata,
      annotations: {
        ...rollout.metadata.annotations,
        'notifications.argoproj.io/subscribe.on-rollout-aborted.pagerduty-v2': 'production',
      },
    },
    spec: {
      ...rollout.spec,
      template: {
        ...template,
        metadata: {
          ...template?.metadata,
          ...(change.errorRate
            ? { annotations: { 'sim.serinus.dev/error-rate': change.errorRate } }
            : {}),
        },
        spec: {
          ...template?.spec,
          containers: template?.spec?.containers?.map((container) => ({
            ...container,
            image: change.image,
          })),
        },
      },
    },
  } as unknown as T
}

async function release(
  stage: Stage,
  change: { readonly image: string; readonly errorRate?: string },
): Promise<void> {
  stage.say(`$ kubectl argo rollouts set image my-app app=${change.image}`)
  const { template } = withRelease(await read(stage), change).spec
  await stage.local.client.patch(kinds.rollouts, key, {
    kind: 'merge',
    body: { spec: { template } },
  })
}

function read(stage: Stage): Promise<StoredRollout> {
  return stage.local.client.get<StoredRollout>(kinds.rollouts, key)
}

/** Lets the story go on until something is so; measurements and weights are told as they come. */
async function until(
  stage: Stage,
  what: string,
  holds: (rollout: StoredRollout) => boolean,
  patience = 60 * minute,
): Promise<StoredRollout> {
  const giveUpAt = stage.now() + patience
  let told = ''
  const seen = new Map<string, number>()
  for (;;) {
    const rollout = await read(stage)
    const line = stepLine(rollout)
    if (line !== told) stage.say(line)
    told = line
    await tellMeasurements(stage, seen)
    if (holds(rollout)) return rollout
    if (stage.now() > giveUpAt)
      throw new Error(
        `the story waits for ${what} and it does not come: ${rollout.status?.phase} ${rollout.status?.message ?? ''}`,
      )
    await stage.pass(1_000)
  }
}

function stepLine(rollout: StoredRollout): string {
  const { status } = rollout
  const steps = rollout.spec.strategy?.canary?.steps?.length ?? 0
  const weight = status?.canary?.weights?.canary?.weight ?? 0
  const message =
    status?.message && !status.message.includes('replicas') ? ` (${status.message})` : ''
  return `  ${status?.phase ?? 'Progressing'}${message}, step ${status?.currentStepIndex ?? 0}/${steps}, canary weight ${weight} %`
}

async function tellMeasurements(stage: Stage, seen: Map<string, number>): Promise<void> {
  const runs = await stage.local.client.list<AnalysisRun & KubeObject>(kinds.analysisRuns, {
    namespace: key.namespace,
  })
  for (const run of runs.items) {
    for (const result of run.status?.metricResults ?? []) {
      const id = `${run.metadata.name}/${result.name}`
      const taken = (result.count ?? 0) + (result.error ?? 0)
      const last = result.measurements?.at(-1)
      if (!last || taken <= (seen.get(id) ?? 0)) continue
      seen.set(id, taken)
      if (Date.parse(last.finishedAt ?? '') < stage.now() - 2_000) continue
      const sign = last.phase === 'Successful' ? '✔' : '✖'
      stage.say(`  ${sign} ${result.name} = ${last.value ?? last.message ?? ''}`)
    }
  }
}

/** Asked-for weight against what the traffic really did. */
async function weights(stage: Stage): Promise<string> {
  const rollout = await read(stage)
  const share = stage.local.cluster.traffic.canaryShare(key.namespace, 'my-app-ingress')
  const measured = share === null ? 'nothing measured' : `measured ${(share * 100).toFixed(0)} %`
  return `weight ${rollout.status?.canary?.weights?.canary?.weight ?? 0} %, ${measured}`
}

function messageLine(received: Received): string {
  const sign = received.service === 'pagerduty' ? '☎ PagerDuty' : '✉ Slack'
  return `  ${sign} ${received.service === 'pagerduty' ? '' : `${received.to}: `}${received.text.trim().replaceAll('\n', ' · ')}`
}

async function page(local: LocalCluster, now: number): Promise<string> {
  const { client } = local
  const [rollout, replicaSets, pods, analysisRuns] = await Promise.all([
    client.get<StoredRollout>(kinds.rollouts, key),
    client.list<ReplicaSet>(resources.replicaSets, { namespace: key.namespace }),
    client.list<Pod & KubeObject>(resources.pods, { namespace: key.namespace }),
    client.list<AnalysisRun & KubeObject>(kinds.analysisRuns, { namespace: key.namespace }),
  ])
  const info = rolloutInfo(
    { rollout, replicaSets: replicaSets.items, pods: pods.items, analysisRuns: analysisRuns.items },
    now,
  )
  return rolloutText(info, { now, paint: painter(true) })
}

async function stayUp(local: LocalCluster, { out, signal }: Process): Promise<void> {
  const kubeconfig = join(mkdtempSync(join(tmpdir(), 'serinus-')), 'kubeconfig')
  writePrivate(kubeconfig, local.addresses.kubeconfig)
  out(`
The cluster stays up, its clock still runs 30 times as fast. Try it in another terminal:

  export KUBECONFIG=${kubeconfig}
  kubectl argo rollouts get rollout my-app --watch
  kubectl argo rollouts retry rollout my-app
  kubectl describe rollout my-app
  node packages/cli/bin/serinus.mjs inbox --url ${local.addresses.inbox}

Ctrl-C ends it.
`)
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function clockText(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`
}
