// A metric plugin: is this an hour in which releases are wanted? Explained in docs/plugins.md.

/** Called once for each start. `host.name` is the name in the ConfigMap, `host.args` its args. */
export default function create(host) {
  return {
    type: 'ReleaseCalendar',

    /** Takes one measurement. What it returns is stored as it is: a plugin judges by itself. */
    run(run, metric) {
      const { frozen = [], at = new Date().toISOString() } = metric.provider.plugin[host.name]
      const freeze = frozen.find((span) => isWithin(at, span))
      if (freeze) return { phase: 'Failed', value: 'frozen', message: `no releases during ${freeze}` }
      return { phase: 'Successful', value: 'open' }
    },

    /** Optional: kept with the metric's result. */
    metadata(metric) {
      const { frozen = [] } = metric.provider.plugin[host.name]
      return { freezes: String(frozen.length) }
    },
  }
}

/** `2026-12-20/2027-01-06`: from the beginning of the first day to the beginning of the second. */
function isWithin(at, span) {
  const [from, to] = span.split('/').map((day) => Date.parse(day))
  if (Number.isNaN(from) || Number.isNaN(to)) throw new Error(`frozen: ${span} is not FROM/TO, such as 2026-12-20/2027-01-06`)
  return Date.parse(at) >= from && Date.parse(at) < to
}
