import { durationProblem, parseDuration } from '@serinus/api'

/** Milliseconds of a duration that a user typed; throws one line that says what is wrong with it. */
export function durationFlag(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new Error(durationProblem(text))
  return ms
}
