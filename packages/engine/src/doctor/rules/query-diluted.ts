import type { MetricCase } from '../metric-case.ts'
import { percent } from '../percent.ts'
import { queryShape } from '../query-shape.ts'
import { queryField, type Rule } from '../rule.ts'
import { tellsVersions } from '../tells-versions.ts'

/** A query over both versions: the old one hides what the new one does. */
export const queryDiluted: Rule = {
  id: 'QueryDiluted',
  severity: 'warning',
  examine(facts) {
    if (tellsVersions(facts)) return []
    const stages = facts.use?.stages.filter(({ share }) => share < 1) ?? []
    if (facts.use && stages.length === 0) return []
    const share = facts.use ? Math.min(...stages.map((stage) => stage.share)) : exampleShare
    const message = `the query counts the requests of both versions together: no label and no argument tells the new version from the old one; ${missedText(facts, share)}; select the new version's series by its hash (an argument with podTemplateHashValue: Latest) or by its Service`
    return [{ field: queryField, message }]
  },
}

/** Many updates begin with it. */
const exampleShare = 0.1

/** What would go unnoticed, in numbers where the metric allows it. Assumes that the old version has no faults. */
function missedText(facts: MetricCase, share: number): string {
  if (share === 0) return 'the new version gets no traffic yet, so this measures the old one'
  const weight = `at ${percent(share)} % weight`
  const shape = queryShape(facts)
  switch (shape.kind) {
    case 'rate': {
      const missed = shape.allowed / share
      if (missed > nearlyOne) {
        return `${weight} even a new version that fails every request meets ${shape.condition}`
      }
      return `${weight} a new version that fails ${percent(missed * justBelow)} % of its requests still meets ${shape.condition}`
    }
    case 'quantile': {
      const missed = (1 - shape.quantile) / share
      const name = `p${Number((shape.quantile * 100).toPrecision(4))}`
      if (missed > nearlyOne)
        return `${weight} ${name} stays that of the old version, however slow the new one is`
      return `${weight} ${name} does not move though ${percent(missed * justBelow)} % of the new version's requests are too slow`
    }
    case 'other':
      return `${weight} only ${percent(share)} % of what it measures is the new version`
    default:
      throw new TypeError(`unknown shape: ${JSON.stringify(shape satisfies never)}`)
  }
}

/** What 1 may come to in floating point. */
const nearlyOne = 1 - 1e-9
/** At the bound itself conditions differ; a little below it all agree. */
const justBelow = 0.999
