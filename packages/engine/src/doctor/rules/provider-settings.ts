import { nearest, parseDuration } from '@serinus/api'
import { evaluateTime } from '@serinus/expr'
import { hasTag } from '../metric-case.ts'
import type { Found, Rule } from '../rule.ts'

/** A deadline that is over before the question is asked. */
export const prometheusTimeout: Rule = {
  id: 'PrometheusTimeoutZero',
  severity: 'error',
  examine({ metric }) {
    const timeout = metric.provider.prometheus?.timeout
    if (timeout === undefined || timeout > 0) return []
    const message = `timeout ${timeout} ends every measurement in Error before it begins; write the seconds to wait, or leave it out for 30`
    return [{ field: 'provider.prometheus.timeout', message }]
  },
}

/** A range query needs its three parts, two of them instants. */
export const prometheusRange: Rule = {
  id: 'PrometheusRangeIncomplete',
  severity: 'error',
  examine({ metric }) {
    const range = metric.provider.prometheus?.rangeQuery
    if (!range) return []
    const found: Found[] = []
    const report = (part: string, message: string) =>
      found.push({ field: `provider.prometheus.rangeQuery.${part}`, message })
    for (const part of ['start', 'end'] as const) {
      const text = range[part]
      const example = part === 'start' ? `now() - duration("5m")` : 'now()'
      if (!text) report(part, `is missing; write ${example}`)
      else if (!hasTag(text)) {
        const time = evaluateTime(text, { now: () => 0 })
        if (!time.ok)
          report(part, `${text} is no instant (${time.problem.message}); write ${example}`)
      }
    }
    if (!range.step) report('step', 'is missing; write the time between points, such as 1m')
    else if (!hasTag(range.step) && !(Number(parseDuration(range.step)) > 0)) {
      report('step', `${range.step} is no duration above 0; write such as 1m`)
    }
    return found
  },
}

/** Without braces a path is text, and the text is the result. */
export const webJsonPath: Rule = {
  id: 'WebJsonPathWithoutBraces',
  severity: 'warning',
  examine({ metric }) {
    const path = metric.provider.web?.jsonPath
    if (!path || hasTag(path) || path.includes('{')) return []
    const better = /^[$.]/.test(path) ? `{${path}}` : `{$.${path}}`
    const message = `without braces the result is the text ${JSON.stringify(path)} itself, whatever the answer; write "${better}"`
    return [{ field: 'provider.web.jsonPath', message }]
  },
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** A method that no server knows is sent all the same, and refused at each measurement. */
export const webMethod: Rule = {
  id: 'WebMethodUnknown',
  severity: 'error',
  examine({ metric }) {
    const method = metric.provider.web?.method
    if (!method || hasTag(method) || methods.includes(method.toUpperCase())) return []
    const close = nearest(method.toUpperCase(), methods)
    const better = close === undefined ? methods.join(', ') : close
    const message = `${JSON.stringify(method)} is no method of HTTP; write ${better}`
    return [{ field: 'provider.web.method', message }]
  },
}

/** Only the first target of a Graphite query is judged. */
export const graphiteTargets: Rule = {
  id: 'GraphiteSeveralTargets',
  severity: 'warning',
  examine({ metric }) {
    const query = metric.provider.graphite?.query ?? ''
    const targets = query.match(/(?:^|&)\s*target\s*=/g) ?? []
    if (targets.length < 2) return []
    const message = `only the first of ${targets.length} targets is judged; make a metric for each`
    return [{ field: 'provider.graphite.query', message }]
  },
}
