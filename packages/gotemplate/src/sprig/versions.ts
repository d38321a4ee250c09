import { FunctionFailure } from '../run.ts'
import { checkVersion, parseVersion, type Version } from '../semver.ts'
import { type GoFunction, goFunction } from '../value.ts'

export const VERSION_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  semver: goFunction(['string'], ([text]) => versionOf(text)),
  semverCompare: goFunction(['string', 'string'], ([constraint, text], run) => {
    run.spend(constraint.length)
    // The constraint is judged first, so a bad one is reported even with a bad version.
    const probe = checkVersion(constraint, versionOf('0.0.0'))
    if (!probe.ok) throw new FunctionFailure(probe.problem)
    const checked = checkVersion(constraint, versionOf(text))
    if (!checked.ok) throw new FunctionFailure(checked.problem)
    return checked.holds
  }),
}

function versionOf(text: string): Version {
  const parsed = parseVersion(text)
  if (!parsed.ok) throw new FunctionFailure(parsed.problem)
  return parsed.version
}
