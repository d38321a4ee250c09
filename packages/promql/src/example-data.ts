import type { Labels } from './labels.ts'
import { SeriesStore } from './store.ts'

/** The start of the example data: 2023-11-14T22:13:20Z. */
export const EXAMPLE_START = 1_700_000_000_000
/** The instant at which the recorded answers were taken: 20 minutes after the start. */
export const EXAMPLE_AT = EXAMPLE_START + 1_200_000

/**
 * Twenty minutes of two services as a scraper sees them every 15 s, with counter resets, gaps and odd values.
 * No sample lies on the bound of a window of the recorded queries: windows of Prometheus 2 were closed on the
 * left, so such a sample would count there and not in Prometheus 3.
 */
export function exampleStore(): SeriesStore {
  const store = new SeriesStore()
  for (const { labels, samples } of exampleSeries()) {
    const ref = store.ref(labels)
    for (const [at, value] of samples) store.appendTo(ref, at, value)
  }
  return store
}

function exampleSeries(): { labels: Labels; samples: [at: number, value: number][] }[] {
  const series: { labels: Labels; samples: [number, number][] }[] = []
  const add = (labels: Labels, value: (step: number) => number | undefined): void => {
    const samples: [number, number][] = []
    for (let step = 0; step < 80; step++) {
      const sample = value(step)
      if (sample !== undefined) samples.push([EXAMPLE_START + 7000 + step * 15_000, sample])
    }
    series.push({ labels, samples })
  }
  const pods = ['checkout-6d4-a', 'checkout-6d4-b', 'cart-77f-a']
  pods.forEach((pod, index) => {
    const service = pod.split('-')[0] as string
    for (const status of ['200', '404', '500']) {
      const perStep = status === '200' ? 30 + 7 * index : status === '404' ? 2 : index
      add({ __name__: 'http_requests_total', namespace: 'shop', service, pod, status }, (step) =>
        // The first pod restarts after step 50 and counts from zero again.
        index === 0 && step >= 50 ? (step - 50) * perStep : 100 * index + step * perStep,
      )
    }
    for (const le of ['5', '25', '100', '+Inf']) {
      const share = { '5': 0.2, '25': 0.7, '100': 0.96, '+Inf': 1 }[le] as number
      add({ __name__: 'request_duration_milliseconds_bucket', service, pod, le }, (step) =>
        Math.floor(step * (10 + index) * share),
      )
    }
    add({ __name__: 'memory_bytes', service, pod }, (step) =>
      index === 1 && step % 9 === 4 ? undefined : 1e8 + 1e6 * ((step * (3 + index)) % 11) + index,
    )
    add({ __name__: 'pod_ready', pod }, (step) => (index === 2 && step > 70 ? 0 : 1))
    add({ __name__: 'pod_info', pod, node: `node-${index % 2}` }, () => 1)
  })
  add({ __name__: 'weird', kind: 'nan' }, () => Number.NaN)
  add({ __name__: 'weird', kind: 'infinite' }, () => Number.POSITIVE_INFINITY)
  add({ __name__: 'weird', kind: 'tiny' }, (step) => step * 1e-9)
  add({ __name__: 'weird', kind: 'huge' }, (step) => step * 1e21)
  add({ __name__: 'weird', kind: 'negative' }, (step) => -step / 3)
  add({ __name__: 'gone' }, (step) => (step < 40 ? step : undefined))
  return series
}
