import { conditionOf, type Rollout } from '@serinus/api'
import { labelText, type SeriesText } from './series-text.ts'

/** Gauges of Rollouts, under upstream's names (spec operations 4.1). */
export function printRollouts(text: SeriesText, rollouts: readonly Rollout[], now: number): void {
  const facts = rollouts.map((rollout) => {
    const { namespace = '', name } = rollout.metadata
    return {
      rollout,
      object: labelText({ namespace, name }),
      strategy: strategyOf(rollout),
      phase: phaseOf(rollout),
    }
  })
  text.family('rollout_info', 'gauge', 'Information about the Rollout.')
  for (const { rollout, object, strategy, phase } of facts) {
    const labels = {
      strategy,
      traffic_router: trafficRouterOf(rollout),
      phase,
      status_phase: rollout.status?.phase ?? '',
    }
    text.line('rollout_info', `${object},${labelText(labels)}`, 1)
  }
  for (const [name, help, value] of replicaGauges) {
    text.family(name, 'gauge', help)
    for (const { rollout, object } of facts) text.line(name, object, value(rollout))
  }
  text.family('rollout_phase', 'gauge', 'State of the Rollout (deprecated, use rollout_info).')
  for (const { object, strategy, phase } of facts) {
    for (const possible of phases) {
      const labels = labelText({ strategy, phase: possible })
      text.line('rollout_phase', `${object},${labels}`, phase === possible ? 1 : 0)
    }
  }
  text.family('rollout_pause_seconds', 'gauge', 'How long the Rollout has been paused.')
  for (const { rollout, object } of facts) {
    const since = Date.parse(rollout.status?.pauseConditions?.[0]?.startTime ?? '')
    if (since >= 0) text.line('rollout_pause_seconds', object, Math.max(0, now - since) / 1000)
  }
}

const phases = [
  'Completed',
  'Progressing',
  'Paused',
  'Timeout',
  'Error',
  'Abort',
  'InvalidSpec',
] as const

const replicaGauges: readonly (readonly [string, string, (rollout: Rollout) => number])[] = [
  [
    'rollout_info_replicas_available',
    'The number of available replicas per Rollout.',
    ({ status }) => status?.availableReplicas ?? 0,
  ],
  [
    'rollout_info_replicas_unavailable',
    'The number of unavailable replicas per Rollout.',
    ({ status }) => Math.max(0, (status?.replicas ?? 0) - (status?.availableReplicas ?? 0)),
  ],
  [
    'rollout_info_replicas_desired',
    'The number of desired replicas per Rollout.',
    ({ spec }) => spec?.replicas ?? 1,
  ],
  [
    'rollout_info_replicas_updated',
    'The number of updated replicas per Rollout.',
    ({ status }) => status?.updatedReplicas ?? 0,
  ],
]

const phaseByReason: Readonly<Record<string, (typeof phases)[number]>> = {
  NewReplicaSetAvailable: 'Completed',
  RolloutPaused: 'Paused',
  ReplicaSetCreateError: 'Error',
  ProgressDeadlineExceeded: 'Timeout',
  RolloutAborted: 'Abort',
}

/** Not the phase of the status: dashboards know these words, which come from the Progressing condition. */
function phaseOf({ status }: Rollout): (typeof phases)[number] {
  if (conditionOf(status?.conditions, 'InvalidSpec')) return 'InvalidSpec'
  const reason = conditionOf(status?.conditions, 'Progressing')?.reason ?? ''
  return phaseByReason[reason] ?? 'Progressing'
}

function strategyOf({ spec }: Rollout): 'canary' | 'blueGreen' | 'none' {
  if (spec?.strategy?.canary) return 'canary'
  return spec?.strategy?.blueGreen ? 'blueGreen' : 'none'
}

/** Upstream names the last of several and none of the three at the end. */
const routers = [
  ['alb', 'ALB'],
  ['ambassador', 'Ambassador'],
  ['istio', 'Istio'],
  ['nginx', 'Nginx'],
  ['smi', 'SMI'],
  ['appMesh', 'AppMesh'],
] as const

const furtherRouters = [
  ['traefik', 'Traefik'],
  ['apisix', 'Apisix'],
  ['gatewayAPI', 'GatewayAPI'],
  ['plugins', 'Plugin'],
] as const

function trafficRouterOf({ spec }: Rollout): string {
  const routing = spec?.strategy?.canary?.trafficRouting
  if (!routing) return ''
  const known = routers.findLast(([field]) => routing[field] !== undefined)
  return (known ?? furtherRouters.find(([field]) => routing[field] !== undefined))?.[1] ?? ''
}
