/** Requests of one side between two looks, or in all. `bad` is at most `total`; both are finite and >= 0. */
export interface Requests {
  readonly bad: number
  readonly total: number
}

/** What one look, or a part of one, adds: the requests since the one before. `stable` is needed for a relative bound. */
export interface Look {
  readonly canary: Requests
  readonly stable?: Requests
}

/**
 * What is tested. With both bounds the canary is bad only where it breaks both: worse than the stable side allows, and
 * worse than is worth an abort.
 */
export interface SequentialTest {
  /** Largest share of bad requests that a healthy canary has, above 0 and below 1. */
  readonly bound?: number
  /** How many times the stable side's share of bad requests a healthy canary may have; above 0. */
  readonly relativeBound?: number
  /** Largest probability that a healthy canary is ever rejected, however often one looks. */
  readonly alpha: number
  /** Largest probability that a canary at the bound is ever accepted. */
  readonly beta: number
  /** Requests of the canary before which nothing is decided. */
  readonly minimumSample: number
}

/** All that is kept between two looks; plain JSON. What was counted in it needs to be kept nowhere else. */
export interface Evidence {
  /** Looks, or parts of them, that saw requests of the canary. */
  readonly looks: number
  readonly canary: Requests
  readonly stable: Requests
  /** What each strategy of betting against the canary holds, of the one unit that all of them got. */
  readonly against: readonly number[]
  /** The same for the canary, one entry per kind of bound. */
  readonly inFavour: { readonly absolute: InFavour; readonly relative: InFavour }
}

interface InFavour {
  readonly wealth: number
  /** Looks that are too small to bet on, joined until they are not. */
  readonly waiting: Required<Look>
}

const none: Requests = { bad: 0, total: 0 }
const unbet: InFavour = { wealth: 1, waiting: { canary: none, stable: none } }

/** Before the first look. */
export const noEvidence: Evidence = {
  looks: 0,
  canary: none,
  stable: none,
  against: [],
  inFavour: { absolute: unbet, relative: unbet },
}

interface Strategy {
  /** The regression that it waits for, in odds of a request to be bad: 5 is five times the bound. */
  readonly odds: number
  /** Most of its wealth that it risks on one look. */
  readonly mostRisk: number
  /** Its share of the unit. */
  readonly share: number
}

/**
 * A bold strategy finds what is plainly broken within few looks; the careful ones find small regressions, and those
 * whose errors come in bursts with quiet looks between them, which would ruin the bold one.
 */
export const strategies: readonly Strategy[] = [
  { odds: 5, mostRisk: 0.95, share: 0.85 },
  { odds: 2.5, mostRisk: 0.6, share: 0.1 },
  { odds: 1.5, mostRisk: 0.25, share: 0.05 },
]

/**
 * The part of the unit that enters the game at look `n` (1 is the first). The rest is held back, so that a canary that
 * turns bad later is found as well: a strategy that has lost nearly all on a healthy hour could not win it back in time.
 * All parts add up to one. Example: 0.9 at the first look, 0.05 at the second, 0.0167 at the third.
 */
export function entering(n: number): number {
  return n === 1 ? firstEntry : (1 - firstEntry) / ((n - 1) * n)
}

const firstEntry = 0.9

/** What is not in the game yet after look `n`. */
function heldBack(n: number): number {
  return n === 0 ? 1 : (1 - firstEntry) / n
}

/** Adds a look that has no parts. */
export function withLook(test: SequentialTest, before: Evidence, look: Look): Evidence {
  return look.canary.total <= 0 ? before : endOfLook(test, withPart(test, before, look))
}

/**
 * Adds a look, or a part of one, to the bets against the canary; those in its favour wait for `endOfLook`. Betting: each
 * strategy stakes part of its wealth on the canary being worse than the bound, at odds that are fair for a canary
 * exactly at the bound, and unfair for a better one. Whoever holds 1/alpha times the unit has done what a healthy canary
 * lets happen with a probability of alpha at most, whenever one looks (Ville's inequality). Nothing is assumed of the
 * requests within what is added at once: they may all share one fate.
 *
 * Source of the method: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting.
 */
export function withPart(test: SequentialTest, before: Evidence, look: Look): Evidence {
  if (look.canary.total <= 0) return before
  const looks = before.looks + 1
  const chances = chancesOf(test, look)
  return {
    looks,
    canary: sum(before.canary, look.canary),
    stable: sum(before.stable, look.stable ?? none),
    against: strategies.map((strategy, index) => {
      const staked = (before.against[index] ?? 0) + entering(looks) * strategy.share
      return kept(staked * Math.min(...chances.map((chance) => gain(strategy, chance))))
    }),
    inFavour: {
      absolute: joined(before.inFavour.absolute, look),
      relative: joined(before.inFavour.relative, look),
    },
  }
}

/**
 * Bets in favour of the canary, on whole looks: in a part of one even a short burst exceeds what these bets
 * take for the worst.
 */
export function endOfLook(test: SequentialTest, before: Evidence): Evidence {
  const { absolute, relative } = before.inFavour
  return {
    ...before,
    inFavour: {
      absolute: favoured(absolute, absoluteChance(test, absolute.waiting)),
      relative: favoured(relative, relativeChance(test, relative.waiting)),
    },
  }
}

/**
 * Wealth is stored as JSON, which knows no infinity: a canary that is clean for a day, or that fails for long before its
 * minimum sample, would have none of it left after the next look. To forgo what exceeds this decides nothing.
 */
const mostWealth = 1e300

function kept(wealth: number): number {
  return Math.min(wealth, mostWealth)
}

/** How many times the unit the bets against the canary have come to; 1000 is what alpha 0.001 asks for. */
export function evidenceAgainst({ looks, against }: Evidence): number {
  return heldBack(looks) + against.reduce((total, wealth) => total + wealth, 0)
}

/** The same for the bets on the canary being better than the bound: than one of the two, where both are set. */
export function evidenceInFavour(test: SequentialTest, { inFavour }: Evidence): number {
  const { absolute, relative } = inFavour
  if (test.relativeBound === undefined) return absolute.wealth
  if (test.bound === undefined) return relative.wealth
  return (absolute.wealth + relative.wealth) / 2
}

export type Decision = 'reject' | 'accept' | 'continue'

/** What the evidence says now. A decision once taken stands: later looks must not be asked again. */
export function decide(test: SequentialTest, evidence: Evidence): Decision {
  if (evidence.canary.total < test.minimumSample) return 'continue'
  if (evidenceAgainst(evidence) >= 1 / test.alpha) return 'reject'
  if (evidenceInFavour(test, evidence) >= 1 / test.beta) return 'accept'
  return 'continue'
}

/** A number in 0 to 1 that was seen, of so many tries, and its largest mean while the canary is healthy. */
interface Chance {
  readonly seen: number
  readonly mean: number
  readonly tries: number
}

function chancesOf(test: SequentialTest, look: Look): readonly Chance[] {
  return [
    ...(test.bound === undefined ? [] : [absoluteChance(test, look)]),
    ...(test.relativeBound === undefined ? [] : [relativeChance(test, look)]),
  ]
}

/** The share of bad requests among those of the canary. */
function absoluteChance({ bound = 1 }: SequentialTest, { canary }: Look): Chance {
  return {
    seen: canary.total > 0 ? canary.bad / canary.total : 0,
    mean: bound,
    tries: canary.total,
  }
}

/**
 * The share of the canary in the bad requests of both sides: an incident that hits both alike says nothing.
 * Example: bound 1.5, 100 requests of the canary and 900 of the stable side: 150/(150 + 900) = 0.143 at most.
 */
function relativeChance({ relativeBound = 1 }: SequentialTest, look: Look): Chance {
  const { canary, stable = none } = look
  const bad = canary.bad + stable.bad
  const allowed = relativeBound * canary.total
  return {
    seen: bad > 0 ? canary.bad / bad : 0,
    mean: allowed / (allowed + stable.total),
    tries: bad,
  }
}

/**
 * What one unit staked becomes. The stake is what a likelihood ratio would lose on a look without a bad request, so
 * that small looks are worth as much as they are to a test of single requests.
 */
function gain({ odds, mostRisk }: Strategy, { seen, mean, tries }: Chance): number {
  if (tries <= 0 || !(mean < 1)) return 1
  const risk = Math.min(mostRisk, 1 - (1 + mean * (odds - 1)) ** -tries)
  return 1 + risk * (seen / mean - 1)
}

/**
 * A canary at the bound could show any number of clean looks if all its errors came in one burst. So that it can be
 * accepted at all, one bet takes it that no look is worse than this many times the bound; a worse one loses all.
 */
const worstBurst = 10

const largestBet = 0.95

/** Fewer bad requests than this, expected of a canary at the bound, could exceed `worstBurst` by chance alone. */
const fewestExpected = 0.5

function joined(before: InFavour, { canary, stable = none }: Look): InFavour {
  const { waiting } = before
  return {
    ...before,
    waiting: { canary: sum(waiting.canary, canary), stable: sum(waiting.stable, stable) },
  }
}

function favoured(before: InFavour, { seen, mean, tries }: Chance): InFavour {
  if (!(1 / mean > 1) || tries * mean < fewestExpected) return before
  const worst = Math.min(worstBurst, 1 / mean)
  const factor = 1 + (largestBet / (worst - 1)) * (1 - seen / mean)
  return { ...unbet, wealth: kept(before.wealth * Math.max(0, factor)) }
}

function sum(a: Requests, b: Requests): Requests {
  return { bad: a.bad + b.bad, total: a.total + b.total }
}
