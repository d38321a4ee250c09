import { SeededRandom } from '@serinus/kube'
import {
  decide,
  type Look,
  minimumDetectableRegression,
  noEvidence,
  type SequentialTest,
  withLook,
} from '@serinus/statistics'
import { describe, expect, test } from 'vitest'

// `npm run bench -- sequential` shows the same with the usual alpha, which takes 100,000 releases to see.
const alpha = 0.05
const bound: SequentialTest = { bound: 0.01, alpha, beta: 0.05, minimumSample: 30 }
const relative: SequentialTest = { relativeBound: 1.5, alpha, beta: 0.05, minimumSample: 30 }

type Traffic = (random: SeededRandom) => Look

/** The share of releases that come to a decision within so many looks. */
function share(
  facts: { readonly how: SequentialTest; readonly looks: number; readonly releases: number },
  decision: 'reject' | 'accept',
  traffic: Traffic,
): number {
  const random = new SeededRandom('promise')
  let decided = 0
  for (let release = 0; release < facts.releases; release++) {
    let evidence = noEvidence
    for (let look = 0; look < facts.looks; look++) {
      evidence = withLook(facts.how, evidence, traffic(random))
      if (decide(facts.how, evidence) !== decision) continue
      decided++
      break
    }
  }
  return decided / facts.releases
}

const independent =
  (bad: number, mean = 100): Traffic =>
  (random) => {
    const total = random.poisson(mean)
    return { canary: { total, bad: random.binomial(total, bad) } }
  }

const outages =
  (mean = 100): Traffic =>
  (random) => {
    const total = random.poisson(mean)
    return { canary: { total, bad: random.next() < 0.01 ? total : 0 } }
  }

const bursts: Traffic = (random) => {
  const total = random.poisson(-100 * Math.log(1 - random.next()))
  const rate = random.next() < 0.05 ? 0.15 : 0.0026
  return { canary: { total, bad: random.binomial(total, rate) } }
}

const sharedIncidents: Traffic = (random) => {
  const rate = random.next() < 0.03 ? 0.2 : 0.005
  const [canary, stable] = [random.poisson(100), random.poisson(900)]
  return {
    canary: { total: canary, bad: random.binomial(canary, 1.5 * rate) },
    stable: { total: stable, bad: random.binomial(stable, rate) },
  }
}

describe('of the canaries exactly at the bound, no more than alpha are ever rejected', () => {
  test.each([
    ['independent requests', bound, independent(0.01)],
    ['few requests a look', bound, independent(0.01, 3)],
    ['many requests a look', bound, independent(0.01, 5000)],
    ['looks that fail as a whole', bound, outages()],
    ['parts of looks that fail as a whole', bound, outages(20)],
    ['bursts and uneven traffic', bound, bursts],
    ['incidents that hit both sides', relative, sharedIncidents],
  ] as const)('%s', (_, how, traffic) => {
    expect(share({ how, looks: 100, releases: 3000 }, 'reject', traffic)).toBeLessThanOrEqual(alpha)
  })
})

test('of the canaries exactly at the bound, no more than beta are ever accepted', () => {
  for (const traffic of [independent(0.01), independent(0.01, 3)])
    expect(
      share({ how: bound, looks: 300, releases: 1000 }, 'accept', traffic),
    ).toBeLessThanOrEqual(0.05)
})

test('the regression that is said to be detectable is found in four releases of five', () => {
  for (const [requestsPerSecond, durationSeconds] of [
    [20, 60],
    [2, 300],
    [200, 120],
  ] as const) {
    const facts = { requestsPerSecond, durationSeconds, intervalSeconds: 5, bound: 0.01, alpha }
    const regression = minimumDetectableRegression(facts) ?? Number.NaN
    const traffic = independent(regression, requestsPerSecond * 5)
    const looks = durationSeconds / 5
    const found = share({ how: bound, looks, releases: 2000 }, 'reject', traffic)
    expect(found).toBeGreaterThan(0.78)
    expect(found).toBeLessThan(0.95)
  }
})
