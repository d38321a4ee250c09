import { Gauge } from 'prom-client'
import type { Service } from './service.ts'

/** What the notifier finds wrong with subscriptions, by Rollout (spec notifications 10). Belongs to no registry yet. */
export function notificationProblems(service: () => Service | null): Gauge<'namespace' | 'name'> {
  const problems = new Gauge({
    name: 'notification_subscription_problems',
    help: 'Subscriptions of a Rollout that tell nobody',
    labelNames: ['namespace', 'name'],
    registers: [],
    collect() {
      problems.reset()
      const working = service()
      for (const { metadata } of working?.caches.rollouts.list() ?? []) {
        const key = `${metadata.namespace}/${metadata.name}`
        const found = working?.notifier.problems(key) ?? []
        if (found.length === 0) continue
        problems.set({ namespace: metadata.namespace ?? '', name: metadata.name }, found.length)
      }
    },
  })
  return problems
}
