/** Probability that a standard normal variable is at most `x`. */
export function normalProbability(x: number): number {
  if (x > 8) return 1
  if (x < -8) return 0
  // Phi(x) = 1/2 + phi(x) (x + x^3/3 + x^5/(3 5) + ...), to the last digit in this range.
  let term = x
  let total = x
  for (let odd = 3; Math.abs(term) > 1e-17 * Math.abs(total); odd += 2) {
    term *= (x * x) / odd
    total += term
  }
  return 0.5 + total * Math.exp(-0.5 * x * x - 0.9189385332046727)
}

/** The `x` that a standard normal variable stays below with this probability (0 to 1, both excluded). Example: 0.99 gives 2.326348. */
export function normalQuantile(probability: number): number {
  let [low, high] = [-8, 8]
  for (let step = 0; step < 64; step++) {
    const middle = (low + high) / 2
    if (normalProbability(middle) < probability) low = middle
    else high = middle
  }
  return (low + high) / 2
}
