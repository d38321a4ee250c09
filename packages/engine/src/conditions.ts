import type { RolloutCondition } from '@serinus/api'
import { formatInstant } from './instant.ts'

type ConditionFacts = Omit<RolloutCondition, 'lastUpdateTime' | 'lastTransitionTime'>

/**
 * Sets a condition by upstream's rules (spec rollout-controller 6.4): the same status and reason keep all times
 * (the message is refreshed all the same), the same status keeps `lastTransitionTime`, a changed condition moves to the end.
 * `renew` also moves `lastUpdateTime`, which restarts the progress deadline.
 */
export function withCondition(
  conditions: readonly RolloutCondition[],
  facts: ConditionFacts,
  options: { readonly now: number; readonly renew?: boolean },
): readonly RolloutCondition[] {
  const present = conditions.find((condition) => condition.type === facts.type)
  const same = present?.status === facts.status && present.reason === facts.reason
  if (same && !options.renew) {
    if (present.message === facts.message) return conditions
    return conditions.map((c) => (c === present ? { ...present, message: facts.message } : c))
  }
  const at = formatInstant(options.now)
  const condition: RolloutCondition = {
    type: facts.type,
    status: facts.status,
    lastUpdateTime: at,
    lastTransitionTime: present?.status === facts.status ? present.lastTransitionTime : at,
    reason: facts.reason,
    message: facts.message,
  }
  if (same && present.lastUpdateTime === at && present.message === facts.message) return conditions
  return [...conditions.filter((c) => c !== present), condition]
}

export function withoutCondition(
  conditions: readonly RolloutCondition[],
  type: string,
): readonly RolloutCondition[] {
  return conditions.some((c) => c.type === type)
    ? conditions.filter((c) => c.type !== type)
    : conditions
}

export function conditionOf(
  conditions: readonly RolloutCondition[] | undefined,
  type: string,
): RolloutCondition | undefined {
  return conditions?.find((condition) => condition.type === type)
}
