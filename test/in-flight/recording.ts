import { readFileSync } from 'node:fs'
import type { ClusterOptions } from '@serinus/cluster'
import type { UnknownObject } from '@serinus/kube'

/** What a controller left behind when it stopped. */
export interface Recording {
  /** Controller and API server with their versions. */
  readonly madeBy: string
  /** Epoch milliseconds. */
  readonly recordedAt: number
  /** Just as `kubectl get` showed them, without `managedFields`. */
  readonly objects: readonly UnknownObject[]
}

/** @throws where there is no recording of that release and state */
export function readRecording(release: string, state: string): Recording {
  const file = new URL(`../fixtures/in-flight/${release}/${state}.json`, import.meta.url)
  const stored = JSON.parse(readFileSync(file, 'utf8')) as Omit<Recording, 'recordedAt'> & {
    readonly recordedAt: string
  }
  return { ...stored, recordedAt: Date.parse(stored.recordedAt) }
}

/** What a cluster holds that begins at a recording. */
export function stateOf({ objects }: Recording): NonNullable<ClusterOptions['state']> {
  return {
    version: Math.max(...objects.map(({ metadata }) => Number(metadata.resourceVersion))),
    entries: objects.map((object) => ({ resource: resourceOf(object), object })),
  }
}

/** No kind that is recorded has a plural beyond these two rules. */
function resourceOf({ apiVersion, kind }: UnknownObject): { group: string; plural: string } {
  const group = apiVersion.includes('/') ? apiVersion.replace(/\/.*/, '') : ''
  return { group, plural: kind.toLowerCase() + (kind.endsWith('s') ? 'es' : 's') }
}

/** The text of a recording's file: one line for what is short, so that people can read it. */
export function recordingText({ madeBy, recordedAt, objects }: Recording): string {
  const stored = {
    madeBy,
    recordedAt: Temporal.Instant.fromEpochMilliseconds(recordedAt).toString(),
    objects: objects.map(withoutBulk),
  }
  // Through JSON, which knows no undefined.
  return `${lines(JSON.parse(JSON.stringify(stored)), '')}\n`
}

/** Without what nobody reads here: `managedFields`, and what admission adds to every pod. */
function withoutBulk(object: UnknownObject): object {
  const { apiVersion, kind, metadata, ...rest } = object
  const { managedFields: _, ...kept } = metadata
  const parts = kind === 'Pod' ? { ...rest, spec: withoutAdditions(rest['spec'] as PodSpec) } : rest
  return { apiVersion, kind, metadata: kept, ...parts }
}

interface PodSpec {
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly volumes?: readonly { readonly name: string }[]
  readonly tolerations?: unknown
}

interface Container {
  readonly volumeMounts?: readonly { readonly name: string }[]
}

function withoutAdditions({ tolerations: _, ...spec }: PodSpec): object {
  const isOwn = ({ name }: { readonly name: string }) => !name.startsWith('kube-api-access-')
  const trimmed = (container: Container) => ({
    ...container,
    volumeMounts: container.volumeMounts?.filter(isOwn),
  })
  return {
    ...spec,
    containers: spec.containers.map(trimmed),
    initContainers: spec.initContainers?.map(trimmed),
    volumes: spec.volumes?.filter(isOwn),
  }
}

const width = 140

function lines(value: unknown, indent: string): string {
  const short = JSON.stringify(value)
  if (typeof value !== 'object' || value === null || indent.length + short.length < width) {
    return short
  }
  const deeper = `${indent} `
  const parts = Array.isArray(value)
    ? value.map((one) => lines(one, deeper))
    : Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}:${lines(one, deeper)}`)
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}']
  return `${open}\n${parts.map((part) => deeper + part).join(',\n')}\n${indent}${close}`
}
