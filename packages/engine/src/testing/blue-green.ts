import { type AnalysisRun, type AnalysisTemplate, hashLabel, type Rollout } from '@serinus/api'
import type { Service } from '../snapshot.ts'
import { canaryRollout, type Pass, World } from './world.ts'

export type BlueGreen = NonNullable<NonNullable<Rollout['spec']['strategy']>['blueGreen']>

/** A blue-green Rollout named `app` with the Services `active` and `preview`. */
export function blueGreenRollout(
  blueGreen: Partial<BlueGreen> = {},
  facts: { readonly replicas?: number } = {},
): Rollout {
  const rollout = canaryRollout({}, { replicas: facts.replicas ?? 5 })
  const strategy = {
    blueGreen: { activeService: 'active', previewService: 'preview', ...blueGreen },
  }
  return { ...rollout, spec: { ...rollout.spec, strategy } } as Rollout
}

/** A Service that selects the pods of every revision. */
export function service(name: string): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { selector: { app: 'app' }, ports: [{ port: 80 }] },
  }
}

export const blueGreenTemplates = ['pre', 'post'].map(
  (name) =>
    ({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'AnalysisTemplate',
      metadata: { name, namespace: 'default' },
      spec: { metrics: [{ name, provider: { web: { url: 'http://x' } } }] },
    }) as AnalysisTemplate,
)

export const asksBefore = { prePromotionAnalysis: { templates: [{ templateName: 'pre' }] } }
export const asksAfter = { postPromotionAnalysis: { templates: [{ templateName: 'post' }] } }

/** A cluster with both Services and the first revision just applied. */
export function blueGreenStart(
  blueGreen: Partial<BlueGreen> = {},
  facts: {
    readonly replicas?: number
    readonly spec?: Partial<Rollout['spec']>
    readonly observe?: (pass: Pass) => void
  } = {},
): World {
  const rollout = blueGreenRollout(blueGreen, facts)
  return new World({ ...rollout, spec: { ...rollout.spec, ...facts.spec } } as Rollout, {
    services: [service('active'), service('preview')],
    analysisTemplates: blueGreenTemplates,
    ...(facts.observe ? { observe: facts.observe } : {}),
  })
}

/** The same with revision 1 healthy and active; what happened until then is forgotten. */
export function blueGreenWorld(...how: Parameters<typeof blueGreenStart>): World {
  const world = blueGreenStart(...how)
  world.pass(10_000)
  world.forget()
  return world
}

/** Image that a Service leads to; null: it names no revision that exists. */
export function servedBy(world: World, service: string): string | null {
  const hash = world.services.find((one) => one.metadata.name === service)?.spec?.selector?.[
    hashLabel
  ]
  const set = world.replicaSets.find((one) => one.metadata.labels?.[hashLabel] === hash)
  return set?.spec.template.spec?.containers?.[0]?.image ?? null
}

export function endRun(world: World, name: string, phase: string): void {
  if (!world.analysisRuns.some((run) => run.metadata.name === name)) {
    throw new Error(`no AnalysisRun ${name}: ${world.analysisRuns.map((run) => run.metadata.name)}`)
  }
  world.analysisRuns = world.analysisRuns.map((run) =>
    run.metadata.name === name ? ({ ...run, status: { phase } } as AnalysisRun) : run,
  )
  world.settle()
}

export function deadlineOf(world: World, image: string): string | undefined {
  return world.setOf(image).metadata.annotations?.['scale-down-deadline']
}
