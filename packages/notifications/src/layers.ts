import { catalogue } from './catalogue.ts'
import {
  type Condition,
  type NotificationConfig,
  type NotificationTemplate,
  parseConfig,
  type ServiceEntry,
} from './config.ts'
import { normalizeName } from './service-names.ts'

/** The configurations that an object may use, nearest first (spec notifications 11.2). */
export interface Layers {
  /** The ConfigMap of the object's namespace, where there is one and it may be read. */
  readonly own: NotificationConfig | null
  /** That of the controller's namespace. */
  readonly central: NotificationConfig
}

/** Something found, with the configuration it stands in. */
export interface Found<T> {
  readonly value: T
  readonly config: NotificationConfig
}

/** The lowest layer: triggers and templates that need no ConfigMap (spec notifications 8). */
export const builtinConfig = parseConfig(
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'built-in' }, data: catalogue },
  undefined,
).config

function all({ own, central }: Layers): readonly NotificationConfig[] {
  return own ? [own, central, builtinConfig] : [central, builtinConfig]
}

/** The conditions of a trigger from the nearest layer that has it, with that layer. */
export function findTrigger(layers: Layers, name: string): Found<readonly Condition[]> | undefined {
  return find(layers, (config) => config.triggers.get(name))
}

/** The template of that name from the nearest layer that has it. */
export function findTemplate(layers: Layers, name: string): NotificationTemplate | undefined {
  return find(layers, (config) => config.templates.get(name))?.value
}

/** By its exact name first, then as names are compared (spec notifications 7.0). */
export function findService(layers: Layers, name: string): Found<ServiceEntry> | undefined {
  const plain = normalizeName(name)
  return (
    find(layers, (config) => config.services.get(name)) ??
    find(layers, (config) => {
      for (const [written, entry] of config.services) {
        if (normalizeName(written) === plain) return entry
      }
      return undefined
    })
  )
}

export function triggerNames(layers: Layers): ReadonlySet<string> {
  return new Set(all(layers).flatMap((config) => [...config.triggers.keys()]))
}

export function serviceNames(layers: Layers): ReadonlySet<string> {
  return new Set(all(layers).flatMap((config) => [...config.services.keys()]))
}

/** What a subscription without a trigger means for a service (spec notifications 3.1). */
export function defaultTriggers(layers: Layers, service: string): readonly string[] {
  const ofService = find(layers, (config) => {
    for (const [written, triggers] of config.defaultTriggersOf) {
      if (normalizeName(written) === normalizeName(service)) return triggers
    }
    return undefined
  })
  return (ofService ?? find(layers, (config) => config.defaultTriggers ?? undefined))?.value ?? []
}

function find<T>(
  layers: Layers,
  pick: (config: NotificationConfig) => T | undefined,
): Found<T> | undefined {
  for (const config of all(layers)) {
    const value = pick(config)
    if (value !== undefined) return { value, config }
  }
  return undefined
}
