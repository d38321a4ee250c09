import type { Rollout } from '@serinus/api'
import type { EngineOptions, Plan } from '@serinus/engine'
import { type Clock, EventRecorder, type KubeClient } from '@serinus/kube'
import type { MeasureInput } from '@serinus/metrics'
import { startAnalysisController } from './analysis/analysis-controller.ts'
import {
  type RolloutController,
  type RolloutControllerOptions,
  startRolloutController,
} from './rollout/rollout-controller.ts'

export interface ControllerOptions {
  readonly client: KubeClient
  readonly clock: Clock
  /** Ends everything; await `stopped` afterwards. */
  readonly signal: AbortSignal
  /** How providers reach their servers; names resolve as in the cluster. */
  readonly fetch: MeasureInput['fetch']
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly engine?: Partial<EngineOptions>
  /** Absent: the whole cluster. */
  readonly namespace?: string
  readonly instanceId?: string
  readonly onError?: (key: string, error: unknown) => void
  /** What the notifier found wrong with a Rollout's subscriptions; null while it has not looked. */
  readonly notificationProblems?: RolloutControllerOptions['notificationProblems']
  readonly onStored?: (rollout: Rollout) => void
  readonly onPlan?: (rollout: Rollout, plan: Plan) => void
}

export interface Controller extends Pick<RolloutController, 'caches' | 'snapshot' | 'enqueue'> {
  /** Writes Events under upstream's component name. */
  readonly recorder: EventRecorder
  /** Resolves once all caches hold the cluster's state. */
  readonly synced: Promise<void>
  readonly stopped: Promise<void>
}

/** All controllers of Serinus over one API (design 2). Leader election is the caller's, since tests need none. */
export function startController(options: ControllerOptions): Controller {
  const recorder = new EventRecorder({
    client: options.client,
    clock: options.clock,
    signal: options.signal,
    component: 'rollouts-controller',
  })
  const common = {
    client: options.client,
    clock: options.clock,
    signal: options.signal,
    recorder,
    ...(options.namespace ? { namespace: options.namespace } : {}),
    ...(options.instanceId ? { instanceId: options.instanceId } : {}),
    ...(options.onError ? { onError: options.onError } : {}),
  }
  const rollouts = startRolloutController({
    ...common,
    engine: { zeroPause: 'gate', routerSettleMs: 10_000, ...options.engine },
    ...(options.onStored ? { onStored: options.onStored } : {}),
    ...(options.notificationProblems ? { notificationProblems: options.notificationProblems } : {}),
    ...(options.onPlan ? { onPlan: options.onPlan } : {}),
  })
  const analysis = startAnalysisController({
    ...common,
    caches: rollouts.caches,
    fetch: options.fetch,
    env: options.env ?? {},
  })
  return {
    caches: rollouts.caches,
    recorder,
    synced: rollouts.caches.synced,
    stopped: Promise.all([rollouts.stopped, analysis.stopped]).then(() => {}),
    snapshot: rollouts.snapshot,
    enqueue: rollouts.enqueue,
  }
}
