/**
 * Random numbers that a seed repeats exactly, on every machine (sfc32). Not for secrets.
 */
export class SeededRandom {
  readonly #seed: number | string
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number | string) {
    this.#seed = seed
    const text = String(seed)
    this.#a = hash(text, 0x9e3779b9)
    this.#b = hash(text, 0x243f6a88)
    this.#c = hash(text, 0xb7e15162)
    for (let round = 0; round < 12; round++) this.#word()
  }

  /** A generator of its own: what is drawn here does not move what is drawn there. */
  fork(label: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${label}`)
  }

  /** Uniform in [0, 1), with 53 random bits. */
  next(): number {
    const high = this.#word() >>> 5
    const low = this.#word() >>> 6
    return (high * 67108864 + low) / 9007199254740992
  }

  /** Uniform over the integers 0 to `max` - 1; 0 when `max` is 0. */
  int(max: number): number {
    return Math.floor(this.next() * max)
  }

  /** `length` lower-case hexadecimal digits. */
  hex(length: number): string {
    let digits = ''
    while (digits.length < length) digits += this.#word().toString(16).padStart(8, '0')
    return digits.slice(0, length)
  }

  /** Count of independent events when `mean` are expected (>= 0). */
  poisson(mean: number): number {
    if (!(mean > 0)) return 0
    return mean < 30 ? this.#poissonByProduct(mean) : this.#poissonByRejection(mean)
  }

  /** Successes among `n` tries that each succeed with probability `p` (values outside 0 to 1 count as 0 or 1). */
  binomial(n: number, p: number): number {
    if (!(n > 0) || !(p > 0)) return 0
    if (p >= 1) return n
    if (p > 0.5) return n - this.binomial(n, 1 - p)
    return n * p < 10 ? this.#binomialByGaps(n, p) : this.#binomialByRejection(n, p)
  }

  #word(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (this.#c << 21) | (this.#c >>> 11)
    this.#c = (this.#c + sum) | 0
    return sum >>> 0
  }

  /** Knuth: multiply uniforms until they fall below e^-mean. */
  #poissonByProduct(mean: number): number {
    const limit = Math.exp(-mean)
    let count = 0
    for (let product = this.next(); product > limit; product *= this.next()) count++
    return count
  }

  /** Hoermann 1993, algorithm PTRS: constant time for any mean from 10. */
  #poissonByRejection(mean: number): number {
    const b = 0.931 + 2.53 * Math.sqrt(mean)
    const a = -0.059 + 0.02483 * b
    const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4)
    const vr = 0.9277 - 3.6224 / (b - 2)
    for (;;) {
      const u = this.next() - 0.5
      const v = this.next()
      const us = 0.5 - Math.abs(u)
      const k = Math.floor(((2 * a) / us + b) * u + mean + 0.43)
      if (us >= 0.07 && v <= vr) return k
      if (k < 0 || (us < 0.013 && v > us)) continue
      const accepted = Math.log((v * inverseAlpha) / (a / (us * us) + b))
      if (accepted <= -mean + k * Math.log(mean) - logFactorial(k)) return k
    }
  }

  /** Jumps from success to success by geometric gaps: as many steps as successes. */
  #binomialByGaps(n: number, p: number): number {
    const logFailure = Math.log1p(-p)
    let successes = 0
    for (let tries = 0; ; successes++) {
      tries += Math.floor(Math.log(1 - this.next()) / logFailure) + 1
      if (tries > n) return successes
    }
  }

  /** Hoermann 1993, algorithm BTRS: constant time when n*p is at least 10 and p at most one half. */
  #binomialByRejection(n: number, p: number): number {
    const spread = Math.sqrt(n * p * (1 - p))
    const b = 1.15 + 2.53 * spread
    const a = -0.0873 + 0.0248 * b + 0.01 * p
    const c = n * p + 0.5
    const alpha = (2.83 + 5.1 / b) * spread
    const vr = 0.92 - 4.2 / b
    const logOdds = Math.log(p / (1 - p))
    const mode = Math.floor((n + 1) * p)
    const atMode = logFactorial(mode) + logFactorial(n - mode)
    for (;;) {
      const u = this.next() - 0.5
      let v = this.next()
      const us = 0.5 - Math.abs(u)
      const k = Math.floor(((2 * a) / us + b) * u + c)
      if (k < 0 || k > n) continue
      if (us >= 0.07 && v <= vr) return k
      v = Math.log((v * alpha) / (a / (us * us) + b))
      if (v <= atMode - logFactorial(k) - logFactorial(n - k) + (k - mode) * logOdds) return k
    }
  }
}

/** FNV-1a with a final avalanche, so that seeds that differ in one digit share nothing. */
function hash(text: string, start: number): number {
  let h = start ^ 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    h = Math.imul(h ^ text.charCodeAt(index), 0x01000193)
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) | 0
}

/** Stirling's series; its error below is under 1e-9 from 10 on, and small numbers are summed. */
function logFactorial(n: number): number {
  if (n < 10) {
    let sum = 0
    for (let factor = 2; factor <= n; factor++) sum += Math.log(factor)
    return sum
  }
  const x = n + 1
  return (x - 0.5) * Math.log(x) - x + 0.9189385332046727 + 1 / (12 * x) - 1 / (360 * x ** 3)
}
