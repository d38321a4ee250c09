import type { RolloutCondition } from '@serinus/api'

export function conditionOf(
  conditions: readonly RolloutCondition[] | undefined,
  type: string,
): RolloutCondition | undefined {
  return conditions?.find((condition) => condition.type === type)
}

export function withoutCondition(
  conditions: readonly RolloutCondition[],
  type: string,
): readonly RolloutCondition[] {
  return conditionOf(conditions, type) ? conditions.filter((c) => c.type !== type) : conditions
}
