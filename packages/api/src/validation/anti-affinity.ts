import { invalid, type Problem } from '../problem.ts'
import type { CanaryStrategy } from '../types.ts'

export function antiAffinityProblems(
  antiAffinity: CanaryStrategy['antiAffinity'],
  path: string,
): readonly Problem[] {
  if (!antiAffinity) return []
  const preferred = antiAffinity.preferredDuringSchedulingIgnoredDuringExecution
  const required = antiAffinity.requiredDuringSchedulingIgnoredDuringExecution
  const problems: Problem[] = []
  if (Boolean(preferred) === Boolean(required)) {
    const value = `antiAffinity.PreferredDuringSchedulingIgnoredDuringExecution: ${Boolean(preferred)} antiAffinity.RequiredDuringSchedulingIgnoredDuringExecution: ${Boolean(required)}`
    problems.push(invalid(path, value, 'AntiAffinity must have exactly one strategy listed'))
  }
  if (preferred && (preferred.weight < 1 || preferred.weight > 100)) {
    problems.push(
      invalid(
        `${path}.preferredDuringSchedulingIgnoredDuringExecution.weight`,
        preferred.weight,
        'AntiAffinity weight must be between 1-100',
      ),
    )
  }
  return problems
}
