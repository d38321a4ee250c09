import { SeededRandom } from '@serinus/kube'
import {
  decide,
  type Look,
  minimumDetectableRegression,
  noEvidence,
  type SequentialTest,
  withLook,
} from '@serinus/statistics'
import { type Figure, quantile } from './figure.ts'

const releases = 100_000
const requestsPerSecond = 20
const intervalSeconds = 5
const requestsPerLook = requestsPerSecond * intervalSeconds
const bound = 0.01
const alpha = 0.001
const absolute: SequentialTest = { bound, alpha, beta: 0.05, minimumSample: 30 }
const relative: SequentialTest = { relativeBound: 1.5, alpha, beta: 0.05, minimumSample: 30 }

/** The looks of one release, in turn. */
type Release = (random: SeededRandom) => () => Look

/** How often the sequential test fails healthy canaries, and how soon it finds bad ones. */
export async function sequential(): Promise<readonly Figure[]> {
  return [
    ...falseAborts(),
    ...[undefined, 1, 2].flatMap(regressionOfFiveTimes),
    ...regressionOfThreeTimes(),
    ...[undefined, 1].map(foretold),
  ]
}

interface Healthy {
  readonly name: string
  readonly how: SequentialTest
  /** Looks, or parts of looks. */
  readonly looks: number
  readonly release: Release
  readonly traffic: string
}

function falseAborts(): readonly Figure[] {
  const cases: readonly Healthy[] = [
    {
      name: 'independent-at-the-bound',
      how: absolute,
      looks: 120,
      release: independent(bound),
      traffic: 'independent requests, each bad with probability 1 %',
    },
    {
      name: 'independent-below',
      how: absolute,
      looks: 60,
      release: independent(bound / 2),
      traffic: 'independent requests, each bad with probability 0.5 %',
    },
    {
      name: 'bursty-at-the-bound',
      how: absolute,
      looks: 120,
      release: bursts(intervalSeconds),
      traffic:
        'one look in 20 has 15 % errors, the others 0.26 %, so 1 % on average; the number of requests varies as much as its mean',
    },
    {
      name: 'outages-at-the-bound',
      how: absolute,
      looks: 120,
      release: outages(intervalSeconds),
      traffic: 'in one look of 100 every request fails, in the others none',
    },
    {
      name: 'bursty-below',
      how: absolute,
      looks: 60,
      release: correlated(1, 3),
      traffic:
        'bursts of 5 % errors, 0.2 % between them; one begins in every 100 looks of 5 s on average and lasts 5, 10 or 15 s',
    },
    {
      name: 'long-bursts-seldom-looked-at',
      how: absolute,
      looks: 60,
      release: correlated(12, 12),
      traffic: 'the same with bursts of up to a minute, looked at every minute',
    },
    {
      name: 'daily-at-the-bound',
      how: absolute,
      looks: 96,
      release: day(() => bound),
      traffic:
        'a day with a look every 15 minutes, from 5 to 35 requests per second, 1 % errors all day',
    },
    {
      name: 'daily-below',
      how: absolute,
      looks: 96,
      release: day((load) => bound * (0.2 + 0.8 * load)),
      traffic: 'the same with errors that follow the load, up to 1 % at noon',
    },
    {
      name: 'relative-at-the-bound',
      how: relative,
      looks: 120,
      release: besideStable,
      traffic:
        'a tenth of the traffic, exactly 1.5 times the errors of the stable side, whose own go from 0.2 % to 2 % and, in incidents that hit both, to 20 %',
    },
    ...[1, 2].flatMap(ofParts),
  ]
  return cases.map(({ name, how, looks, release, traffic }) => {
    const random = new SeededRandom(`sequential/${name}`)
    let rejected = 0
    for (let n = 0; n < releases; n++)
      if (looksToRejection(how, release(random), looks) <= looks) rejected++
    return {
      name: `false-aborts-${name}`,
      value: rejected / releases,
      unit: 'of all releases',
      target: alpha,
      better: 'lower',
      method: `share of ${releases} healthy releases that are ever rejected in ${looks} looks: ${traffic}`,
    }
  })
}

/** Ten minutes of looks in parts of so many seconds. Bursts that two parts share are outside of what is promised. */
function ofParts(seconds: number): readonly Healthy[] {
  const part = { how: absolute, looks: 600 / seconds }
  const moments = 'which begin at any moment, so that two parts may share one'
  return [
    {
      name: 'independent-at-the-bound',
      release: independent(bound, seconds),
      traffic: 'independent requests, each bad with probability 1 %',
    },
    {
      name: 'bursts-inside-parts-at-the-bound',
      release: bursts(seconds),
      traffic:
        'one part in 20 has 15 % errors, the others 0.26 %, so 1 % on average; the number of requests varies as much as its mean',
    },
    {
      name: 'outages-inside-parts-at-the-bound',
      release: outages(seconds),
      traffic: 'in one part of 100 every request fails, in the others none',
    },
    {
      name: 'bursts-at-any-moment-at-the-bound',
      release: atAnyMoment({ seconds, mean: bound, errors: 0.15, share: 0.05 }),
      traffic: `bursts of 1 s with 15 % errors, a twentieth of the time, 1 % on average, ${moments}`,
    },
    {
      name: 'bursts-at-any-moment-below',
      release: atAnyMoment({ seconds, mean: bound / 2, errors: 0.15, share: 0.025 }),
      traffic: `half as many of these bursts, 0.5 % on average, ${moments}`,
    },
    {
      name: 'outages-at-any-moment-at-the-bound',
      release: atAnyMoment({ seconds, mean: bound, errors: 1, share: 0.008 }),
      traffic: `outages of 1 s in which every request fails, 1 % on average, ${moments}`,
    },
    {
      name: 'outages-at-any-moment-below',
      release: atAnyMoment({ seconds, mean: bound / 2, errors: 1, share: 0.004 }),
      traffic: `half as many of these outages, 0.5 % on average, ${moments}`,
    },
  ].map(({ name, release, traffic }) => ({
    ...part,
    name: `burst-${seconds}s-${name}`,
    release,
    traffic: `each a part of ${seconds} s; ${traffic}`,
  }))
}

/** Infinite where the canary is not rejected within `most` looks. */
function looksToRejection(how: SequentialTest, next: () => Look, most: number): number {
  let evidence = noEvidence
  for (let look = 1; look <= most; look++) {
    evidence = withLook(how, evidence, next())
    if (decide(how, evidence) === 'reject') return look
  }
  return Number.POSITIVE_INFINITY
}

function independent(share: number, seconds = intervalSeconds): Release {
  return (random) => () => {
    const total = random.poisson(requestsPerSecond * seconds)
    return { canary: { total, bad: random.binomial(total, share) } }
  }
}

function bursts(seconds: number): Release {
  return (random) => () => {
    const total = random.poisson(-requestsPerSecond * seconds * Math.log(1 - random.next()))
    const share = random.next() < 0.05 ? 0.15 : (bound - 0.05 * 0.15) / 0.95
    return { canary: { total, bad: random.binomial(total, share) } }
  }
}

function outages(seconds: number): Release {
  return (random) => () => {
    const total = random.poisson(requestsPerSecond * seconds)
    return { canary: { total, bad: random.next() < bound ? total : 0 } }
  }
}

/** Bursts of a second that fill such a share of the time, whatever the borders of the parts. */
function atAnyMoment(facts: {
  readonly seconds: number
  readonly mean: number
  readonly errors: number
  readonly share: number
}): Release {
  const { seconds, mean, errors, share } = facts
  const usual = (mean - share * errors) / (1 - share)
  return (random) => {
    const quiet = () => -Math.log(1 - random.next()) * (1 / share - 1)
    let now = 0
    let burstAt = quiet()
    return () => {
      const end = now + seconds
      let inBurst = 0
      while (burstAt < end) {
        inBurst += Math.min(burstAt + 1, end) - Math.max(burstAt, now)
        if (burstAt + 1 > end) break
        burstAt += 1 + quiet()
      }
      now = end
      const hit = random.poisson(requestsPerSecond * inBurst)
      const spared = random.poisson(requestsPerSecond * (seconds - inBurst))
      const bad = random.binomial(hit, errors) + random.binomial(spared, usual)
      return { canary: { total: hit + spared, bad } }
    }
  }
}

/** Looks of so many times 5 s over bursts of 1 to `longest` times 5 s. */
function correlated(slots: number, longest: number): Release {
  return (random) => {
    let left = 0
    return () => {
      let [total, bad] = [0, 0]
      for (let slot = 0; slot < slots; slot++) {
        if (left > 0) left--
        else if (random.next() < 0.01) left = 1 + random.int(longest)
        const requests = random.poisson(requestsPerLook)
        total += requests
        bad += random.binomial(requests, left > 0 ? 0.05 : 0.002)
      }
      return { canary: { total, bad } }
    }
  }
}

/** A release at any time of the day, watched for a whole one; load is 0 at night and 1 at noon. */
function day(shareAt: (load: number) => number): Release {
  return (random) => {
    let quarter = random.int(96)
    return () => {
      const load = 0.5 + 0.5 * Math.sin((2 * Math.PI * quarter++) / 96)
      const total = random.poisson(900 * (5 + 30 * load))
      return { canary: { total, bad: random.binomial(total, shareAt(load)) } }
    }
  }
}

const besideStable: Release = (random) => {
  let hour = random.next()
  return () => {
    hour += 0.01
    const calm = 0.002 * 10 ** (0.5 + 0.5 * Math.sin(2 * Math.PI * hour))
    const share = random.next() < 0.03 ? 0.2 : calm
    const [canary, stable] = [random.poisson(requestsPerLook), random.poisson(9 * requestsPerLook)]
    return {
      canary: { total: canary, bad: random.binomial(canary, 1.5 * share) },
      stable: { total: stable, bad: random.binomial(stable, share) },
    }
  }
}

const regressions = 20_000

/** Seconds until the look that rejects. Each has parts of so many seconds, on one grid for all looks. */
function secondsToAbort(share: number, partSeconds = intervalSeconds): readonly number[] {
  const random = new SeededRandom(`sequential/regression/${share}`)
  return Array.from({ length: regressions }, () => {
    const parts = looksToRejection(absolute, independent(share, partSeconds)(random), 1000)
    return Math.ceil((parts * partSeconds) / intervalSeconds) * intervalSeconds
  })
}

function regressionOfFiveTimes(burst?: number): readonly Figure[] {
  const seconds = secondsToAbort(0.05, burst)
  const prefix = burst ? `burst-${burst}s-` : ''
  const parts = burst ? ` in parts of ${burst} s` : ''
  const method = `5 % errors against a bound of 1 %, ${requestsPerSecond} requests per second, a look every ${intervalSeconds} s${parts}, from the first request to the rejection; ${regressions} releases`
  const figure = (name: string, value: number): Figure => ({
    name: `${prefix}seconds-to-abort-${name}`,
    value,
    unit: 's',
    target: 30,
    better: 'lower',
    method,
  })
  return [
    figure('median', quantile(seconds, 0.5)),
    figure('p95', quantile(seconds, 0.95)),
    {
      name: `${prefix}aborted-within-30-s`,
      value: seconds.filter((each) => each <= 30).length / seconds.length,
      unit: 'of all releases',
      target: burst ? 0.95 : 0.5,
      better: 'higher',
      method,
    },
  ]
}

function regressionOfThreeTimes(): readonly Figure[] {
  const ours = quantile(secondsToAbort(3 * bound), 0.5) * requestsPerSecond
  const random = new SeededRandom('sequential/threshold-rule')
  const theirs = quantile(
    Array.from({ length: regressions }, () => thresholdRuleExposure(random)),
    0.5,
  )
  return [
    {
      name: 'exposure-at-three-times-the-bound',
      value: ours / theirs,
      unit: "of the threshold rule's",
      target: 0.2,
      better: 'lower',
      method: `median requests that a canary with 3 % errors gets before it is rejected, ${ours}, by those of the article's rule, ${theirs}: failureCondition result[0] >= 0.02 over rate(...[5m]), interval 5m, failureLimit 1, asked of the canary alone and first answered after 10 s, which favours the rule; ${regressions} releases each`,
    },
  ]
}

/** Requests until the second measurement at or above 2 %; each looks back over five minutes, or to the start. */
function thresholdRuleExposure(random: SeededRandom): number {
  let failed = 0
  for (let second = 10; ; second += 300) {
    const total = requestsPerSecond * Math.min(second, 300)
    if (random.binomial(total, 3 * bound) / total >= 0.02) failed++
    if (failed > 1) return second * requestsPerSecond
  }
}

/** What lint says beforehand must come true: the regression that it names is found four times in five. */
function foretold(burst?: number): Figure {
  const durationSeconds = 60
  const traffic = { requestsPerSecond, durationSeconds, bound, alpha }
  const intervals = { intervalSeconds: burst ?? intervalSeconds }
  const share = minimumDetectableRegression({ ...traffic, ...intervals }) ?? Number.NaN
  const found = secondsToAbort(share, burst).filter((seconds) => seconds <= durationSeconds)
  return {
    name: `${burst ? `burst-${burst}s-` : ''}detectable-regression-found`,
    value: found.length / regressions,
    unit: 'of all releases',
    target: 0.8,
    better: 'higher',
    method: `share of ${regressions} releases with ${(share * 100).toFixed(2)} % errors, the smallest regression that is said to be detectable within a minute, that are rejected within it`,
  }
}
