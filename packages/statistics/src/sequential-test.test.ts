import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decide,
  type Evidence,
  endOfLook,
  entering,
  evidenceAgainst,
  evidenceInFavour,
  type Look,
  noEvidence,
  type SequentialTest,
  withLook,
  withPart,
} from './sequential-test.ts'

const percent: SequentialTest = { bound: 0.01, alpha: 0.001, beta: 0.05, minimumSample: 30 }
const relative: SequentialTest = {
  relativeBound: 1.5,
  alpha: 0.001,
  beta: 0.05,
  minimumSample: 30,
}

function looking(how: SequentialTest, look: Look, times: number): Evidence {
  return Array.from({ length: times }).reduce<Evidence>(
    (evidence) => withLook(how, evidence, look),
    noEvidence,
  )
}

/** Looks until the same look, again and again, decides. */
function looksUntil(how: SequentialTest, look: Look): readonly [decision: string, looks: number] {
  let evidence = noEvidence
  for (let n = 1; n <= 1000; n++) {
    evidence = withLook(how, evidence, look)
    const decision = decide(how, evidence)
    if (decision !== 'continue') return [decision, n]
  }
  return ['continue', 1000]
}

describe('the test of a canary against a bound', () => {
  test.each([
    ['5 % errors against 1 %, 100 requests a look', 5, 100, ['reject', 5]],
    ['3 % errors', 3, 100, ['reject', 7]],
    ['total failure', 100, 100, ['reject', 2]],
    ['total failure with 5 requests a look waits for the minimum sample', 5, 5, ['reject', 6]],
    ['not one error', 0, 100, ['accept', 30]],
    ['0.1 % errors', 1, 1000, ['accept', 34]],
    ['exactly the bound: neither', 1, 100, ['continue', 1000]],
  ] as const)('%s', (_, bad, total, expected) => {
    expect(looksUntil(percent, { canary: { bad, total } })).toEqual(expected)
  })

  test('a look that saw no request changes nothing', () => {
    const before = looking(percent, { canary: { bad: 2, total: 100 } }, 3)
    expect(withLook(percent, before, { canary: { bad: 0, total: 0 } })).toBe(before)
  })

  test('a canary that turns bad after an hour of health is still rejected within a minute', () => {
    let evidence = looking(percent, { canary: { bad: 0, total: 100 } }, 720)
    let looks = 0
    while (decide(percent, { ...evidence, inFavour: noEvidence.inFavour }) !== 'reject') {
      evidence = withLook(percent, evidence, { canary: { bad: 10, total: 100 } })
      looks++
    }
    expect(looks).toBeLessThanOrEqual(12)
  })

  test('one burst in which a whole look fails rejects nothing, and forbids an early end', () => {
    const healthy = looking(percent, { canary: { bad: 0, total: 100 } }, 5)
    const burst = withLook(percent, healthy, { canary: { bad: 100, total: 100 } })
    expect(decide(percent, burst)).toBe('continue')
    expect(evidenceInFavour(percent, burst)).toBe(0)
  })

  test('the evidence survives JSON to the last digit', () => {
    const evidence = looking(percent, { canary: { bad: 2, total: 77 } }, 9)
    const stored: Evidence = JSON.parse(JSON.stringify(evidence))
    const next = { canary: { bad: 3, total: 50 } }
    expect(withLook(percent, stored, next)).toEqual(withLook(percent, evidence, next))
  })
})

describe('the test of a canary against the stable side', () => {
  const look = (canaryBad: number, stableBad: number): Look => ({
    canary: { bad: canaryBad, total: 100 },
    stable: { bad: stableBad, total: 900 },
  })

  test('an incident that hits both sides alike rejects nothing', () => {
    expect(looksUntil(relative, look(10, 90))[0]).toBe('accept')
    expect(decide(relative, looking(relative, look(15, 90), 500))).toBe('continue')
  })

  test('five times the errors of the stable side are rejected', () => {
    expect(looksUntil(relative, look(5, 9))).toEqual(['reject', 9])
  })

  test('without a bad request on either side nothing is known', () => {
    expect(decide(relative, looking(relative, look(0, 0), 500))).toBe('continue')
  })

  test('while the stable side gets no traffic nothing is known', () => {
    const alone: Look = { canary: { bad: 50, total: 100 }, stable: { bad: 0, total: 0 } }
    expect(decide(relative, looking(relative, alone, 500))).toBe('continue')
  })

  test('with both bounds only a canary that breaks both is rejected', () => {
    const both = { ...relative, bound: 0.01 }
    expect(looksUntil(both, look(5, 9))[0]).toBe('reject')
    // Twenty times worse than the stable side, yet within the bound.
    const rare: Look = { canary: { bad: 4, total: 1000 }, stable: { bad: 1, total: 9000 } }
    expect(looksUntil(relative, rare)[0]).toBe('reject')
    expect(looksUntil(both, rare)[0]).toBe('accept')
    // Above the bound, as the stable side is.
    expect(looksUntil(both, look(5, 45))[0]).toBe('accept')
  })
})

test('however a look is cut into parts, its requests and the evidence in favour of the canary are the same', () => {
  const requests = fc.record({ good: fc.nat(60), bad: fc.nat(3) })
  const part = fc.tuple(requests, requests).map(([canary, stable]): Look => {
    const side = ({ good, bad }: typeof canary) => ({ bad, total: good + bad + 1 })
    return { canary: side(canary), stable: side(stable) }
  })
  const looks = fc.array(fc.array(part, { minLength: 1, maxLength: 6 }), { maxLength: 8 })
  const whole = (parts: readonly Look[]) => {
    const side = (name: 'canary' | 'stable') => ({
      bad: parts.reduce((sum, one) => sum + (one[name]?.bad ?? 0), 0),
      total: parts.reduce((sum, one) => sum + (one[name]?.total ?? 0), 0),
    })
    return { canary: side('canary'), stable: side('stable') }
  }
  fc.assert(
    fc.property(looks, fc.constantFrom(percent, relative), (releases, how) => {
      const inParts = releases.reduce<Evidence>(
        (evidence, parts) =>
          endOfLook(
            how,
            parts.reduce<Evidence>((sofar, one) => withPart(how, sofar, one), evidence),
          ),
        noEvidence,
      )
      const inLooks = releases.reduce<Evidence>(
        (evidence, parts) => withLook(how, evidence, whole(parts)),
        noEvidence,
      )
      const { canary, stable, inFavour } = inLooks
      expect(inParts).toMatchObject({ canary, stable, inFavour, looks: releases.flat().length })
    }),
    { seed: 6, numRuns: 200 },
  )
})

describe('what the promise rests on', () => {
  const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
    minLength: 1,
    maxLength: 6,
  })
  const sizes = fc.integer({ min: 1, max: 400 })

  test('no bet gains on average from any look of a canary at the bound, whatever its requests share', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.001, max: 0.5, noNaN: true }),
        sizes,
        shares,
        (bound, total, past) => {
          const how = { ...percent, bound }
          const before = past.reduce<Evidence>(
            (evidence, share) =>
              withLook(how, evidence, { canary: { bad: Math.round(share * total), total } }),
            noEvidence,
          )
          // The worst that keeps the mean at the bound: all requests of a look fail together, or none does.
          const after = (bad: number) => withLook(how, before, { canary: { bad, total } })
          const mean = (of: (evidence: Evidence) => number) =>
            bound * of(after(total)) + (1 - bound) * of(after(0))
          expect(mean(evidenceAgainst)).toBeLessThanOrEqual(evidenceAgainst(before) * (1 + 1e-9))
        },
      ),
      { seed: 6, numRuns: 500 },
    )
  })

  test('no bet against the stable side gains on average when each bad request falls on either side by traffic', () => {
    fc.assert(
      fc.property(
        sizes,
        sizes,
        fc.integer({ min: 1, max: 30 }),
        fc.double({ min: 0.5, max: 4, noNaN: true }),
        (canary, stable, bad, relativeBound) => {
          const how = { ...relative, relativeBound }
          const q = (relativeBound * canary) / (relativeBound * canary + stable)
          const after = (canaryBad: number) =>
            evidenceAgainst(
              withLook(how, noEvidence, {
                canary: { bad: canaryBad, total: canary },
                stable: { bad: bad - canaryBad, total: stable },
              }),
            )
          expect(q * after(bad) + (1 - q) * after(0)).toBeLessThanOrEqual(1 + 1e-9)
        },
      ),
      { seed: 6, numRuns: 500 },
    )
  })

  test('the parts of the unit that enter over time add up to one', () => {
    const total = Array.from({ length: 100_000 }, (_, index) => entering(index + 1)).reduce(
      (sum, part) => sum + part,
      0,
    )
    expect(total).toBeCloseTo(1, 5)
    expect(total).toBeLessThanOrEqual(1)
  })
})

describe('evidence that is kept as text', () => {
  const counts = fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.constant(Number.MAX_SAFE_INTEGER))
  const requests = fc
    .tuple(counts, fc.constantFrom(0, 0.001, 0.5, 1))
    .map(([total, share]) => ({ bad: total * share, total }))
  const looks = fc.record({ canary: requests, stable: requests })
  const share = fc.constantFrom(1e-300, 1e-17, 0.01, 0.5, 1 - 1e-9)
  const tests = fc.record({
    bound: share,
    relativeBound: fc.constantFrom(1e-12, 1.5, 1e12),
    alpha: share,
    beta: share,
    minimumSample: fc.constantFrom(0, Number.MAX_SAFE_INTEGER),
  })

  test('is made of finite numbers, short, and the same after it was stored, whatever is seen', () => {
    fc.assert(
      fc.property(tests, fc.array(looks, { minLength: 1, maxLength: 8 }), (how, seen) => {
        let evidence = noEvidence
        // A canary of which minimumSample is never seen is looked at for as long as its run goes on.
        for (let n = 0; n < 400; n++) {
          const look = seen[n % seen.length] as Look
          evidence = withLook(how, evidence, look)
        }
        const text = JSON.stringify(evidence)
        expect(text).not.toContain('null')
        expect(text.length).toBeLessThan(1000)
        expect(JSON.parse(text)).toEqual(evidence)
        expect(
          [...evidence.against, evidenceAgainst(evidence)].every((wealth) => wealth >= 0),
        ).toBe(true)
      }),
      { seed: 7, numRuns: 300 },
    )
  })

  test('does not vanish where a broken canary is looked at long before its minimum sample', () => {
    const how = { ...percent, minimumSample: 100_000 }
    const evidence = looking(how, { canary: { bad: 50, total: 50 } }, 2000)
    const stored: Evidence = JSON.parse(JSON.stringify(evidence))
    expect(decide(how, withLook(how, stored, { canary: { bad: 50, total: 50 } }))).toBe('reject')
  })

  test('of a million looks still finds what turns bad at the end', () => {
    let evidence = looking(percent, { canary: { bad: 0, total: 100 } }, 1_000_000)
    expect(evidence.against.every((wealth) => wealth > 0)).toBe(true)
    for (let n = 0; n < 20; n++) {
      evidence = withLook(percent, evidence, { canary: { bad: 10, total: 100 } })
    }
    expect(evidenceAgainst(evidence)).toBeGreaterThan(1000)
    expect(JSON.stringify(evidence)).not.toContain('null')
  })
})
