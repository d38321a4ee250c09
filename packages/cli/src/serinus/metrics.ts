import { createServer, type Server } from 'node:http'
import { Gauge, Registry } from 'prom-client'
import type { Service } from './service.ts'

/** What Prometheus reads of the controller (spec notifications 10; the rest of operations 4 is not carried yet). */
export function metricsOf(service: Service): Registry {
  const registry = new Registry()
  const problems = new Gauge({
    name: 'notification_subscription_problems',
    help: 'Subscriptions of a Rollout that tell nobody',
    labelNames: ['namespace', 'name'],
    registers: [registry],
    collect() {
      problems.reset()
      for (const { metadata } of service.caches.rollouts.list()) {
        const found = service.notifier.problems(`${metadata.namespace}/${metadata.name}`) ?? []
        if (found.length === 0) continue
        problems.set({ namespace: metadata.namespace ?? '', name: metadata.name }, found.length)
      }
    },
  })
  return registry
}

/** Serves `/metrics`. A port that is taken is reported and costs nothing but the metrics. */
export function serveMetrics(
  registry: Registry,
  options: { readonly port: number; readonly onError: (error: Error) => void },
): Server {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    registry.metrics().then(
      (text) => response.setHeader('content-type', registry.contentType).end(text),
      (error: Error) => response.writeHead(500).end(error.message),
    )
  })
  server.once('error', options.onError)
  return server.listen(options.port)
}
