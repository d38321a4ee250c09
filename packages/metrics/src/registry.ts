import type { Metric } from '@serinus/api'
import { cloudWatch } from './cloud-watch.ts'
import { counts } from './counts.ts'
import { datadog } from './datadog.ts'
import { graphite } from './graphite.ts'
import { influxdb } from './influxdb.ts'
import { job } from './job.ts'
import { judge } from './judge.ts'
import { kayenta } from './kayenta.ts'
import { newRelic } from './new-relic.ts'
import { plugin } from './plugin.ts'
import { prometheus } from './prometheus.ts'
import type { Provider } from './provider.ts'
import { skywalking } from './skywalking.ts'
import { wavefront } from './wavefront.ts'
import { web } from './web.ts'

/** One line per provider, keyed as `metrics[].provider` is. */
const asking: Readonly<Record<string, Provider>> = {
  prometheus,
  job,
  web,
  datadog,
  newRelic,
  wavefront,
  graphite,
  skywalking,
  cloudWatch,
  influxdb,
  kayenta,
  plugin,
}

/** The last two let the others ask, and judge what these measure. */
const providers: Readonly<Record<string, Provider>> = {
  ...asking,
  counts: counts(asking),
  judge: judge(asking),
}

/** The provider of a metric; throws where there is none, naming what was asked for. */
export function providerOf(metric: Metric): Provider {
  const [key] = Object.entries(metric.provider).find(([, config]) => config != null) ?? []
  if (key === undefined) throw new Error(`no valid provider in metric '${metric.name}'`)
  const provider = Object.hasOwn(providers, key) ? providers[key] : undefined
  if (provider) return provider
  throw new Error(
    `provider ${key} of metric '${metric.name}' is not carried by this version of Serinus; it has ${Object.keys(providers).join(', ')}`,
  )
}
