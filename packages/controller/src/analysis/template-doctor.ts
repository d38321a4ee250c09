import { labelKeys, parseAnalysisTemplate } from '@serinus/api'
import { examineTemplate } from '@serinus/engine'
import { type EventRecorder, type Informer, type KubeObject, keyOf } from '@serinus/kube'
import type { AnalysisCaches } from '../rollout/caches.ts'

export interface TemplateDoctorOptions {
  readonly caches: Pick<AnalysisCaches, 'analysisTemplates' | 'clusterAnalysisTemplates'>
  readonly recorder: EventRecorder
  readonly signal: AbortSignal
  readonly instanceId?: string
  readonly onError?: (key: string, error: unknown) => void
}

type Template = KubeObject & { readonly spec?: unknown }

/**
 * Tells what the query doctor finds in templates that are made or changed while this process leads: one Warning Event
 * for each finding and generation. Those that were there before are taken as told, so that a restart repeats nothing
 * and needs no mark on any object; `lint` tells of them at any time.
 */
export function startTemplateDoctor(options: TemplateDoctorOptions): void {
  const { analysisTemplates, clusterAnalysisTemplates } = options.caches
  void watch(analysisTemplates, options)
  void watch(clusterAnalysisTemplates, options)
}

/** Ends with the cache, whose owner ends it; never rejects. */
async function watch(cache: Informer<Template>, options: TemplateDoctorOptions): Promise<void> {
  try {
    await cache.synced
  } catch {
    // It ended before it began, or may not be read: the owner of the cache tells so.
    return
  }
  const present = new Map(cache.list().map((template) => [keyOf(template), revisionOf(template)]))
  cache.subscribe((change) => {
    const { object } = change
    const key = keyOf(object)
    const before = change.type === 'modified' ? revisionOf(change.previous) : present.get(key)
    present.delete(key)
    if (change.type === 'deleted' || options.signal.aborted) return
    if (before !== revisionOf(object)) examine(object, options)
  })
}

function examine(
  template: Template,
  { recorder, instanceId, onError }: TemplateDoctorOptions,
): void {
  if (template.metadata.labels?.[labelKeys.instanceId] !== instanceId) return
  try {
    for (const finding of examineTemplate(parseAnalysisTemplate(template).value.spec)) {
      if (finding.severity === 'hint') continue
      const message = `${finding.path}: ${finding.message}`
      recorder.record(template, { type: 'Warning', reason: finding.reason, message })
    }
  } catch (error) {
    onError?.(keyOf(template), error)
  }
}

/** Changes with every change of what the template says, and with a new one of the same name. */
function revisionOf({ metadata, spec }: Template): string {
  return `${metadata.uid ?? ''}/${metadata.generation ?? JSON.stringify(spec)}`
}
