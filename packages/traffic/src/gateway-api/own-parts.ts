import { annotationKeys, textHash } from '@serinus/api'
import type { RolloutFacts } from '../router.ts'
import type { Route, Rule } from './objects.ts'

/** What a Rollout has put into a route, as an annotation of the route records it. */
export interface OwnParts {
  /** Digest of the content by the name of the rule: API servers of old versions drop the name. */
  readonly rules: Readonly<Record<string, string>>
  /** Names of Services that belong to Experiments. */
  readonly backends: readonly string[]
}

const nothing: OwnParts = { rules: {}, backends: [] }

export function ownPartsOf(route: Route, facts: RolloutFacts): OwnParts {
  return recorded(route)[keyOf(facts)] ?? nothing
}

/** The annotations of the route with these parts on record; without the record where there is nothing to tell. */
export function withOwnParts(
  route: Route,
  facts: RolloutFacts,
  { rules, backends }: OwnParts,
): Readonly<Record<string, string>> {
  const { [annotationKeys.managedRules]: _, ...others } = route.metadata.annotations ?? {}
  const { [keyOf(facts)]: __, ...records } = recorded(route)
  const isEmpty = Object.keys(rules).length + backends.length === 0
  const all = isEmpty ? records : { ...records, [keyOf(facts)]: { rules, backends } }
  if (Object.keys(all).length === 0) return others
  return { ...others, [annotationKeys.managedRules]: JSON.stringify(all, sortedKeys) }
}

/** Whether the Rollout, or Argo Rollouts for it, has put the rule there; those on record of others are theirs. */
export function isOwnRule(rule: Rule, route: Route, facts: RolloutFacts): boolean {
  const own = ownPartsOf(route, facts)
  if (rule.name === undefined) return Object.values(own.rules).includes(digestOf(rule))
  if (Object.hasOwn(own.rules, rule.name)) return true
  const { name } = rule
  if (Object.values(recorded(route)).some(({ rules }) => Object.hasOwn(rules, name))) return false
  return facts.managedRoutes.some(
    (managed) =>
      name === managed ||
      (name.startsWith(`${managed}-`) && /^\d+$/.test(name.slice(managed.length + 1))),
  )
}

/** Of all but the name. */
export function digestOf({ name: _, ...content }: Rule): string {
  return textHash(JSON.stringify(content, sortedKeys))
}

function keyOf({ rollout }: RolloutFacts): string {
  return `${rollout.namespace}/${rollout.name}`
}

/** A record that somebody has spoilt tells nothing; rules are then known by their names. */
function recorded({ metadata }: Route): Readonly<Record<string, OwnParts>> {
  const text = metadata.annotations?.[annotationKeys.managedRules]
  if (!text) return {}
  try {
    const value: unknown = JSON.parse(text)
    const entries = Object.entries((value ?? {}) as Record<string, Partial<OwnParts> | null>)
    return Object.fromEntries(
      entries.map(([key, parts]) => [
        key,
        {
          rules: typeof parts?.rules === 'object' ? (parts.rules ?? {}) : {},
          backends: Array.isArray(parts?.backends) ? parts.backends : [],
        },
      ]),
    )
  } catch {
    return {}
  }
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
