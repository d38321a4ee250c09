import type { Rollout } from '@serinus/api'
import { type Controller, type ControllerOptions, startController } from '@serinus/controller'
import type { SeededRandom } from '@serinus/kube'
import { type Attempt, type Notifier, startNotifier } from '@serinus/notifications'

export interface ServiceOptions extends ControllerOptions {
  /** Where the central notification configuration and the outboxes are. */
  readonly controllerNamespace: string
  readonly random: SeededRandom
  /** Names this process. */
  readonly holder: string
  /** Whether namespaces configure notifications of their own. Absent: where the API lets us read it. */
  readonly selfService?: boolean
}

export interface Service extends Controller {
  readonly notifier: Notifier
}

/** The controller and, beside it, the notifier that tells people what the controller stored. */
export function startService(options: ServiceOptions): Service {
  let notifier: Notifier | null = null
  const { metrics } = options
  const controller = startController({
    ...options,
    notificationProblems: (key) => notifier?.problems(key) ?? null,
    onStored: (rollout: Rollout) => {
      notifier?.observe(rollout)
      options.onStored?.(rollout)
    },
  })
  // A Role reaches one namespace: to ask for the configuration of all would be refused (spec operations 3.1).
  const selfService = options.namespace === undefined ? options.selfService : false
  notifier = startNotifier({
    client: options.client,
    clock: options.clock,
    signal: options.signal,
    controllerNamespace: options.controllerNamespace,
    fetch: (request) => options.fetch(request),
    random: options.random,
    recorder: controller.recorder,
    holder: options.holder,
    ...(options.instanceId ? { instanceId: options.instanceId } : {}),
    ...(selfService === undefined ? {} : { selfService }),
    rollouts: controller.caches.rollouts,
    analysisRuns: controller.caches.analysisRuns,
    onError: (error) => options.onError?.('notifications', error),
    onProblems: (key) => controller.enqueue(key),
    ...(metrics
      ? {
          onAttempt: ({ rollout, ...facts }: Attempt) =>
            metrics.onNotification({ key: `${rollout.namespace}/${rollout.name}`, ...facts }),
        }
      : {}),
  })
  return { ...controller, notifier }
}
