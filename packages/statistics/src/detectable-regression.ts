import { normalQuantile } from './normal.ts'
import { entering, strategies } from './sequential-test.ts'

/** The traffic that a canary is expected to get while a metric with a sequential test watches it. */
export interface ExpectedTraffic {
  /** Requests of the canary per second: all requests times the weight of the step. */
  readonly requestsPerSecond: number
  /** How long the metric watches: the length of the step, or `interval` times `count - 1`, since the first look only starts the counting. */
  readonly durationSeconds: number
  /** Between two looks; with `test.burst` the length of their parts, each of which is a look then. */
  readonly intervalSeconds: number
  /** `test.bound`: largest share of bad requests that a healthy canary has. */
  readonly bound: number
  /** `test.alpha`, divided by the number of metrics of the run that carry a test. */
  readonly alpha: number
}

/**
 * The smallest share of bad requests (above the bound, 1 at most) that the sequential test finds with a probability of
 * 80 % while it watches, if bad requests are independent; null: not even a canary that fails every request would be
 * found. Bursts within a look make it larger. Example: 20 requests per second for a minute, looked at every 5 seconds,
 * against a bound of 1 % with alpha 0.001: about 0.034.
 *
 * Call it before an update starts (lint, events of templates, the message of a run): a metric for which it says null, or
 * a share that its user would not want to let through, cannot do what it is there for. Relative bounds: pass
 * `relativeBound` times the stable side's usual share of bad requests as `bound`; what it says is then a lower limit,
 * since the stable side's share is itself only seen through its requests.
 */
export function minimumDetectableRegression(traffic: ExpectedTraffic): number | null {
  const total = traffic.requestsPerSecond * traffic.durationSeconds
  // A look without a request is none: with little traffic, each request is a look of its own.
  const perLook = Math.max(1, Math.round(traffic.requestsPerSecond * traffic.intervalSeconds))
  const looks = Math.floor(
    Math.min(traffic.durationSeconds / traffic.intervalSeconds, total / perLook) + 1e-9,
  )
  if (looks < 1) return null
  const facts = { ...traffic, perLook, looks }
  if (!isFound(1, facts)) return null
  let [low, high] = [traffic.bound, 1]
  while (high - low > 1e-4 * high) {
    const middle = Math.sqrt(low * high)
    if (isFound(middle, facts)) high = middle
    else low = middle
  }
  return high
}

interface Facts {
  readonly bound: number
  readonly alpha: number
  readonly perLook: number
  readonly looks: number
}

const wantedProbability = 0.8

/** Whether some strategy alone has won enough by then; the logarithm of its wealth is a sum, so nearly normal. */
function isFound(share: number, { bound, alpha, perLook, looks }: Facts): boolean {
  const z = normalQuantile(wantedProbability)
  return strategies.some((strategy) => {
    const needed = -Math.log(alpha * entering(1) * strategy.share)
    const risk = Math.min(strategy.mostRisk, 1 - (1 + bound * (strategy.odds - 1)) ** -perLook)
    const { mean, variance } = momentsOf(perLook, share, (bad) =>
      Math.log1p(risk * (bad / perLook / bound - 1)),
    )
    return looks * mean - z * Math.sqrt(looks * variance) >= needed
  })
}

/** Mean and variance of a function of the number of bad requests among `n`. */
function momentsOf(
  n: number,
  share: number,
  of: (bad: number) => number,
): { readonly mean: number; readonly variance: number } {
  if (share >= 1) return { mean: of(n), variance: 0 }
  const centre = n * share
  const reach = 9 * Math.sqrt(centre * (1 - share)) + 9
  const first = Math.max(0, Math.floor(centre - reach))
  const last = Math.min(n, Math.ceil(centre + reach))
  // Relative weights from the first on; their scale cancels out.
  const odds = Math.log(share / (1 - share))
  let logWeight = 0
  let most = 0
  const logWeights = [0]
  for (let bad = first + 1; bad <= last; bad++) {
    logWeight += Math.log((n - bad + 1) / bad) + odds
    logWeights.push(logWeight)
    most = Math.max(most, logWeight)
  }
  let [weights, sum, squares] = [0, 0, 0]
  logWeights.forEach((log, index) => {
    const weight = Math.exp(log - most)
    const value = of(first + index)
    weights += weight
    sum += weight * value
    squares += weight * value * value
  })
  const mean = sum / weights
  return { mean, variance: Math.max(0, squares / weights - mean * mean) }
}
