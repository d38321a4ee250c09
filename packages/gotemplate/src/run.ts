import { UTC, type Zone } from './time/zone.ts'

/**
 * How JSON numbers behave (spec notifications 6.6). `upstream`: exactly as in Argo Rollouts, floats.
 * `default`: a whole number also prints and works as an integer, and numbers compare by value.
 */
export type Mode = 'default' | 'upstream'

/** What one rendering may use and how much of it is left. */
export interface Run {
  readonly mode: Mode
  readonly localZone: Zone
  /** Nanoseconds since 1970; fails when no clock was given. */
  now(): bigint
  /** 0 (inclusive) to 1 (exclusive); fails when no source was given. */
  random(): number
  /** Pays for work before it is done; fails when the budget is used up. */
  spend(steps: number): void
}

/** An error of a called function; the evaluator adds where and `error calling NAME`. */
export class FunctionFailure extends Error {
  override readonly name = 'FunctionFailure'
}

/** The budget is used up. Unlike other failures no function may swallow it. */
export class BudgetExceeded extends Error {
  override readonly name = 'BudgetExceeded'
}

/** Characters one step pays for. Total text made in a rendering is thus at most 16 × the budget. */
const CHARACTERS_PER_STEP = 16

export function spendText(run: Run, characters: number): void {
  run.spend(Math.ceil(characters / CHARACTERS_PER_STEP))
}

export function createRun(options: {
  mode: Mode
  now: number | undefined
  random: (() => number) | undefined
  timeZone: Zone | undefined
  budget: number
}): Run {
  let left = options.budget
  return {
    mode: options.mode,
    localZone: options.timeZone ?? UTC,
    now() {
      if (options.now === undefined)
        throw new FunctionFailure('no clock was given to this rendering')
      return BigInt(Math.round(options.now * 1000)) * 1000n
    },
    random() {
      if (!options.random) {
        throw new FunctionFailure('no random source was given to this rendering')
      }
      return options.random()
    },
    spend(steps) {
      left -= steps
      if (!(left >= 0))
        throw new BudgetExceeded('the rendering takes more work than its budget allows')
    },
  }
}
