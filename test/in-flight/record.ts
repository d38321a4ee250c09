/**
 * Records what a released controller of Argo Rollouts leaves behind when it stops in the middle of its work; see
 * ../fixtures/in-flight/README.md. Speaks to the cluster of KUBECONFIG through kubectl.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { labelKeys } from '@serinus/api'
import { RealClock, type UnknownObject } from '@serinus/kube'
import { recordingText } from './recording.ts'
import { type InFlightState, inFlightStates, type Seen } from './states.ts'

const usage =
  "usage: KUBECONFIG=… node test/in-flight/record.ts --release 1.9 --controller 'rollouts-controller --leader-elect=false' --made-by 'Argo Rollouts v1.9.1 on kube-apiserver v1.34.1'"

interface Found extends UnknownObject {
  readonly status?: Seen['status']
  readonly spec?: { readonly replicas?: number }
}

const clock = new RealClock()
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    release: { type: 'string' },
    controller: { type: 'string' },
    'made-by': { type: 'string' },
  },
})
const { release, controller, 'made-by': madeBy } = values
if (!release || !controller || !madeBy) throw new Error(usage)
const states = positionals.length
  ? inFlightStates.filter(({ name }) => positionals.includes(name))
  : inFlightStates
await record({ release, controller, madeBy })

async function record(facts: {
  readonly release: string
  readonly controller: string
  readonly madeBy: string
}): Promise<void> {
  const [program = '', ...flags] = facts.controller.split(' ')
  const running = spawn(program, flags, { stdio: 'inherit' })
  try {
    for (const state of states) kubectl('apply', '-f', manifest(state))
    await until('the first revision is healthy', (seen) => seen.status.phase === 'Healthy')
    for (const state of states) releaseSecondRevision(state)
    await until('the update to abort is there', (seen, state) =>
      (state.isAbortedOnceReached ?? state.isReached)(seen),
    )
    for (const { isAbortedOnceReached, rollout } of states) {
      if (isAbortedOnceReached) abort(rollout)
    }
    await until('every state is reached', (seen, state) => state.isReached(seen))
  } finally {
    running.kill('SIGTERM')
  }
  await clock.until(clock.now() + 2_000)
  const folder = new URL(`../fixtures/in-flight/${facts.release}/`, import.meta.url)
  mkdirSync(folder, { recursive: true })
  const recordedAt = clock.now()
  const seen = observe()
  for (const state of states) {
    if (!state.isReached(seen(state))) throw new Error(`${state.name} was left: record again`)
    const text = recordingText({ madeBy: facts.madeBy, recordedAt, objects: objectsOf(state) })
    writeFileSync(new URL(`${state.name}.json`, folder), text)
  }
}

async function until(
  what: string,
  holds: (seen: Seen, state: InFlightState) => boolean,
): Promise<void> {
  const latest = clock.now() + 300_000
  for (;;) {
    const seen = observe()
    const missing = states.filter((state) => !holds(seen(state), state))
    if (missing.length === 0) return
    if (clock.now() > latest) {
      const names = missing.map((state) => `${state.name}: ${JSON.stringify(seen(state))}`)
      throw new Error(`${what} within five minutes; not so:\n${names.join('\n')}`)
    }
    await clock.until(clock.now() + 500)
  }
}

function observe(): (state: InFlightState) => Seen {
  const found = list('rollouts,replicasets')
  return ({ rollout }) => {
    const status = found.find(
      ({ kind, metadata }) => kind === 'Rollout' && metadata.name === rollout,
    )?.status
    const sets = found
      .filter(({ metadata }) =>
        metadata.ownerReferences?.some(({ kind, name }) => kind === 'Rollout' && name === rollout),
      )
      .toSorted((a, b) => revisionOf(a) - revisionOf(b))
      .map(({ metadata, spec, status }) => ({
        hash: metadata.labels?.[labelKeys.podTemplateHash] ?? '',
        replicas: spec?.replicas ?? 0,
        available: (status as { availableReplicas?: number } | undefined)?.availableReplicas ?? 0,
        deadline: metadata.annotations?.['scale-down-deadline'] ?? null,
      }))
    return { status: status ?? {}, sets }
  }
}

function revisionOf({ metadata }: Found): number {
  return Number(metadata.annotations?.['rollout.argoproj.io/revision'])
}

function objectsOf({ rollout }: InFlightState): readonly UnknownObject[] {
  const labelled = list(
    'services,ingresses,deployments,rollouts,replicasets,pods,analysistemplates,analysisruns',
    '-l',
    `app=${rollout}`,
  )
  const uids = new Set(labelled.map(({ metadata }) => metadata.uid))
  // What controllers made for a Rollout or a run may lack the label.
  const owned = (kinds: string) => {
    const objects = list(kinds).filter(
      ({ metadata }) =>
        !uids.has(metadata.uid) && metadata.ownerReferences?.some(({ uid }) => uids.has(uid)),
    )
    for (const { metadata } of objects) uids.add(metadata.uid)
    return objects
  }
  return [...labelled, ...owned('ingresses'), ...owned('jobs'), ...owned('pods')]
}

function releaseSecondRevision({ released, rollout, name }: InFlightState): void {
  const path = '/spec/template/spec/containers/0/image'
  const value = `registry.example.com/${name}:v2`
  const patch = JSON.stringify([{ op: 'replace', path, value }])
  kubectl('patch', released, rollout, '--type', 'json', '-p', patch)
}

function abort(rollout: string): void {
  const patch = JSON.stringify({ status: { abort: true } })
  kubectl('patch', 'rollout', rollout, '--subresource', 'status', '--type', 'merge', '-p', patch)
}

function manifest({ name }: InFlightState): string {
  return new URL(`${name}.yaml`, import.meta.url).pathname
}

function list(kinds: string, ...flags: readonly string[]): readonly Found[] {
  const text = kubectl('get', kinds, ...flags, '-o', 'json')
  return (JSON.parse(text) as { readonly items: readonly Found[] }).items
}

function kubectl(...words: readonly string[]): string {
  return execFileSync('kubectl', ['-n', 'default', ...words], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
}
