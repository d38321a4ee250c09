import { durationProblem, parseDuration } from '@serinus/api'
import { fromJson } from '@serinus/expr'
import { askVendor, objectAt, parseJsonBody, readAnswer, sourceOf } from './answer.ts'
import { excerptOf, type Reply } from './http.ts'
import type { Provider } from './provider.ts'
import { tlsMaterial } from './tls.ts'
import { goJson, nothingMeasured, verdictOn } from './verdict.ts'

/** Apache SkyWalking, by a GraphQL query over the last minutes (spec metric-providers 10). */
export const skywalking: Provider = {
  type: 'skywalking',
  async run(input) {
    const config = input.metric.provider.skywalking ?? {}
    const { address = '', query = '', interval = '' } = config
    const now = input.clock.now()
    const lookBackMs = parseDuration(interval)
    if (lookBackMs === undefined) throw new Error(durationProblem(interval))
    const url = urlOf(address)
    const { tls: settings } = config.authentication ?? {}
    const tls = await tlsMaterial(input, 'provider.skywalking.authentication.tls', settings)
    const duration = { start: minute(now - lookBackMs), end: minute(now), step: 'MINUTE' }
    const reply = await askVendor(input, 'SkyWalking', {
      url,
      method: 'POST',
      headers: [
        ['Content-Type', 'application/json; charset=utf-8'],
        ['Accept', 'application/json; charset=utf-8'],
      ],
      body: JSON.stringify({ query, variables: { duration } }),
      isRead: true,
      tls,
    })
    const from = { provider: 'SkyWalking', url }
    const data = readAnswer(from, () => dataIn(reply))
    if (data == null) {
      const cause = `no results returned from SkyWalking query (${sourceOf(from)})`
      return nothingMeasured(input.metric, cause)
    }
    const verdict = verdictOn(input.metric, fromJson(data), {
      now: () => input.clock.now(),
      whyEmpty: sourceOf(from),
    })
    return { kind: 'done', value: goJson(data), ...verdict }
  },
}

function urlOf(address: string): string {
  const url = `${address}/graphql`
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) return url
  throw new Error(
    `skywalking address ${JSON.stringify(address)} is not a URL; it looks like http://skywalking-oap:12800`,
  )
}

/** `2026-08-17 1118`. In UTC: upstream writes the time of wherever its process runs. */
function minute(at: number): string {
  const text = new Date(at).toISOString()
  return `${text.slice(0, 10)} ${text.slice(11, 16).replace(':', '')}`
}

function dataIn(reply: Reply): unknown {
  const { errors, data } = answerIn(reply)
  const [first] = Array.isArray(errors) ? errors : []
  if (first !== undefined) throw new Error(`graphql: ${objectAt(first, 'an error')['message']}`)
  // Upstream judges what comes with any status.
  if (reply.status !== 200) throw new Error(statusText(reply))
  return data
}

function answerIn(reply: Reply): Readonly<Record<string, unknown>> {
  try {
    return objectAt(parseJsonBody(reply, 'decoding response'), 'the body')
  } catch (error) {
    throw reply.status === 200 ? error : new Error(statusText(reply), { cause: error })
  }
}

function statusText({ status, text }: Reply): string {
  return `graphql: server returned a non-200 status code: ${status} ${excerptOf(text)}`
}
