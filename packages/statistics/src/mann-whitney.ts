import { normalQuantile } from './normal.ts'
import { orderedDifferences } from './pair-differences.ts'
import { ascending, rankSumOf, summaryOf } from './sample.ts'

/** By how much one sample lies above another: an interval at some confidence, and the Hodges-Lehmann estimate. */
export interface LocationShift {
  readonly lower: number
  readonly upper: number
  readonly estimate: number
}

/**
 * Shift of `experiment` against `control` as Kayenta finds it, so that its verdicts repeat: roots of the normal
 * approximation with continuity correction, to an absolute tolerance of 1e-4, which is coarse for values near it.
 * null: every value is tied, and there is no answer (spec analysis-and-experiments 6.3).
 */
export function kayentaShift(
  experiment: readonly number[],
  control: readonly number[],
  confidence: number,
): LocationShift | null {
  const [e, c] = [summaryOf(experiment), summaryOf(control)]
  const least = e.min - c.max
  const most = e.max - c.min
  const sorted = { experiment: ascending(experiment), control: ascending(control) }
  const root = (q: number): number => {
    const statistic = (shift: number) => standardised(sorted, shift) - q
    const [atLeast, atMost] = [statistic(least), statistic(most)]
    if (Number.isNaN(atLeast) || Number.isNaN(atMost)) return Number.NaN
    if (atLeast <= 0) return least
    if (atMost >= 0) return most
    return brentRoot(statistic, { low: least, high: most, atLow: atLeast, atHigh: atMost })
  }
  const z = normalQuantile(1 - (1 - confidence) / 2)
  const shift = { lower: root(z), upper: root(-z), estimate: root(0) }
  return Object.values(shift).some(Number.isNaN) ? null : shift
}

/** The rank statistic of the samples with the shift taken away; NaN where all values are tied. */
function standardised(
  { experiment, control }: { readonly experiment: Float64Array; readonly control: Float64Array },
  shift: number,
): number {
  if (Number.isNaN(shift)) return Number.NaN
  const [nE, nC] = [experiment.length, control.length]
  const n = nE + nC
  const { rankSum, ties } = rankSumOf(
    experiment.map((value) => value - shift),
    control,
  )
  const distance = rankSum - (nE * (nE + 1)) / 2 - (nE * nC) / 2
  const variance = ((nE * nC) / 12) * (n + 1 - ties / (n * (n - 1)))
  return variance <= 0 ? Number.NaN : (distance - 0.5 * Math.sign(distance)) / Math.sqrt(variance)
}

const rootTolerance = 1e-4
const mostIterations = 1000

/** A root between two points of opposite sign, by Brent's method (Algorithms for Minimization without Derivatives, 1973). */
function brentRoot(
  f: (x: number) => number,
  start: { low: number; high: number; atLow: number; atHigh: number },
): number {
  let [a, fa, b, fb] = [start.low, start.atLow, start.high, start.atHigh]
  let [c, fc] = [a, fa]
  for (let iteration = 0; iteration < mostIterations; iteration++) {
    const previous = b - a
    // b is the best so far, c lies on the other side of the root.
    if (Math.abs(fc) < Math.abs(fb)) [a, b, c, fa, fb, fc] = [b, c, b, fb, fc, fb]
    const tolerance = 2 * Number.EPSILON * Math.abs(b) + rootTolerance / 2
    const half = (c - b) / 2
    if (Math.abs(half) <= tolerance || fb === 0) return b
    let step = half
    if (Math.abs(previous) >= tolerance && Math.abs(fa) > Math.abs(fb)) {
      const { p, q } = interpolated({ a, fa, b, fb, c, fc })
      const bold = 0.75 * 2 * half * q - Math.abs(tolerance * q) / 2
      if (p < bold && p < Math.abs((previous * q) / 2)) step = p / q
    }
    if (Math.abs(step) < tolerance) step = step > 0 ? tolerance : -tolerance
    ;[a, fa] = [b, fb]
    b += step
    fb = f(b)
    if (fb > 0 === fc > 0) [c, fc] = [a, fa]
  }
  return b
}

/** The step p / q that a secant or an inverse parabola suggests, with p >= 0. */
function interpolated(at: {
  a: number
  fa: number
  b: number
  fb: number
  c: number
  fc: number
}): { readonly p: number; readonly q: number } {
  const { a, fa, b, fb, c, fc } = at
  const width = c - b
  const s = fb / fa
  let [p, q] = [width * s, 1 - s]
  if (a !== c) {
    const [t, r] = [fa / fc, fb / fc]
    p = s * (width * t * (t - r) - (b - a) * (r - 1))
    q = (t - 1) * (r - 1) * (s - 1)
  }
  return p > 0 ? { p, q: -q } : { p: -p, q }
}

/**
 * The same shift without a search: the interval ends at two of the ordered differences between all pairs, whatever the
 * scale of the values. null: so few samples show nothing at this confidence.
 */
export function exactShift(
  experiment: readonly number[],
  control: readonly number[],
  confidence: number,
): LocationShift | null {
  const pairs = experiment.length * control.length
  const left = pairsLeftOut(experiment.length, control.length, (1 - confidence) / 2)
  if (left < 1) return null
  const at = orderedDifferences(ascending(experiment), ascending(control))
  return {
    lower: at(left - 1),
    upper: at(pairs - left),
    estimate: (at(Math.floor((pairs - 1) / 2)) + at(Math.ceil((pairs - 1) / 2))) / 2,
  }
}

/** Counting all arrangements beyond this many pairs is slow, and the normal approximation good. */
const mostCountedPairs = 2500

/** The largest k for which the statistic U falls below k with probability `tail` at most when nothing is shifted. */
function pairsLeftOut(nE: number, nC: number, tail: number): number {
  const pairs = nE * nC
  if (pairs > mostCountedPairs) {
    const deviation = Math.sqrt((pairs * (nE + nC + 1)) / 12)
    return Math.floor(pairs / 2 - normalQuantile(1 - tail) * deviation - 0.5) + 1
  }
  const probabilities = distributionOfU(nE, nC)
  let below = 0
  let k = 0
  while (k < probabilities.length && below + (probabilities[k] ?? 0) <= tail) {
    below += probabilities[k] ?? 0
    k++
  }
  return k
}

/**
 * Probability of each value of U up to its middle, among all equally likely orders. A value of the experiment that comes
 * last of e and c values lies above all c of the control:
 * P(e, c, u) = e/(e+c) P(e-1, c, u-c) + c/(e+c) P(e, c-1, u).
 */
function distributionOfU(nE: number, nC: number): Float64Array {
  const middle = Math.floor((nE * nC) / 2)
  const certain = Float64Array.of(1)
  let row = Array.from({ length: nC + 1 }, () => certain)
  for (let e = 1; e <= nE; e++) {
    const next = [certain]
    for (let c = 1; c <= nC; c++) {
      const [fewerE, fewerC] = [row[c], next[c - 1]]
      const probabilities = new Float64Array(Math.min(e * c, middle) + 1)
      for (let u = 0; u < probabilities.length; u++) {
        const last = u >= c ? (fewerE?.[u - c] ?? 0) : 0
        probabilities[u] = (e * last + c * (fewerC?.[u] ?? 0)) / (e + c)
      }
      next.push(probabilities)
    }
    row = next
  }
  return row[nC] ?? certain
}
