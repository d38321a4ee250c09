import { conditionOf } from '@serinus/api'
import type { Violation } from './explore.ts'
import { versionOf } from './snapshot.ts'
import type { State } from './state.ts'

/** A violation as people read it: one line for each thing that happened, with the world after it. */
export function tell({ shape, law, story }: Violation): string {
  const lines = story.map(
    ({ label, state }, at) => `${String(at).padStart(3)}. ${label}\n       ${situation(state)}`,
  )
  return [`${shape}: ${law}`, ...lines].join('\n')
}

function situation(state: State): string {
  const { knobs, sets, services, router, runs, memory, fault, ghost, status } = state
  const { version, replicas, paused } = knobs.value
  const name = (of: number | null) => (of === null ? '-' : `h${of + 1}`)
  const { phase, message, stableRS, currentStepIndex, abort, promoteFull, pauseConditions } =
    status.value
  const progressing = conditionOf(status.value.conditions, 'Progressing')
  return [
    `spec ${name(version)} × ${replicas}${paused ? ' paused' : ''}`,
    ...sets.map((set, at) =>
      set
        ? `h${at + 1} ${set.value.ready}/${set.value.spec} r${set.value.revision}${set.value.deadline === null ? '' : ` deadline +${set.value.deadline}`}`
        : `h${at + 1} -`,
    ),
    ...services.value.map(
      ({ selects, behind }, at) =>
        `svc${at + 1}→${name(selects)} (${behind.map((one) => name(one)).join()})`,
    ),
    ...(router.value ? [`weight ${router.value.asked} in effect ${router.value.effective}`] : []),
    ...runs.value.map((run) => `${run.name} ${run.phase}`),
    `stable ${name(versionOf(stableRS))} step ${currentStepIndex}${abort ? ' abort' : ''}${promoteFull ? ' promoteFull' : ''}${pauseConditions ? ` ${pauseConditions.map(({ reason }) => reason)}` : ''}`,
    `${phase}: ${message ?? ''} [${progressing?.reason}]`,
    ...(memory.value.failures.length > 0 ? [`failed ${memory.value.failures}`] : []),
    ...(memory.value.deferred === null ? [] : ['counters deferred']),
    ...(fault.value ? [`fault ${fault.value}`] : []),
    `quiet ${ghost.value.quiet}${ghost.value.verdict ? ' verdict' : ''}`,
  ].join(' | ')
}
