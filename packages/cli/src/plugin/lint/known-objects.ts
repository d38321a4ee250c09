import {
  type AnalysisTemplate,
  type AnalysisTemplateSpec,
  analysisUses,
  type Parsed,
  parseAnalysisTemplate,
  parseClusterAnalysisTemplate,
  parseRollout,
  type ReferencedObjects,
  type Rollout,
  resolveTemplates,
} from '@serinus/api'
import type { ManifestDocument } from './documents.ts'

/** The objects of all documents, as far as others are checked against them. */
export interface KnownObjects {
  readonly rollouts: ReadonlyMap<ManifestDocument, Parsed<Rollout>>
  readonly templates: ReadonlyMap<ManifestDocument, Parsed<AnalysisTemplate>>
  /**
   * What a document refers to. Of several objects of one name the one in its own file counts, else none: a folder may
   * hold the same application more than once.
   */
  besides(document: ManifestDocument): ReferencedObjects
  /** Whether a Rollout among the documents runs the template with this spec. */
  isUsed(spec: AnalysisTemplateSpec): boolean
}

export function knownObjects(documents: readonly ManifestDocument[]): KnownObjects {
  const rollouts = parsedOf(documents, 'Rollout', parseRollout)
  const templates = new Map([
    ...parsedOf(documents, 'AnalysisTemplate', parseAnalysisTemplate),
    ...parsedOf(documents, 'ClusterAnalysisTemplate', parseClusterAnalysisTemplate),
  ])
  const namesakes = Map.groupBy(documents, nameOf)
  const besides = ({ file }: ManifestDocument): ReferencedObjects => {
    const visible = [...namesakes.values()].flatMap((each) => {
      const own = each.filter((document) => document.file === file)
      const [only, ...others] = own.length > 0 ? own : each
      return only && others.length === 0 ? [only] : []
    })
    const plain = <T>(kind: string) =>
      visible
        .filter(({ object }) => object.kind === kind)
        .map(({ object }) => object as unknown as T)
    const ofKind = (kind: string) =>
      visible.flatMap((document) => {
        const template = templates.get(document)
        return template && document.object.kind === kind ? [template.value] : []
      })
    return {
      services: plain<ReferencedObjects['services'][number]>('Service'),
      ingresses: plain<ReferencedObjects['ingresses'][number]>('Ingress'),
      analysisTemplates: ofKind('AnalysisTemplate'),
      clusterAnalysisTemplates: ofKind('ClusterAnalysisTemplate'),
    }
  }
  const used = new Set(
    [...rollouts].flatMap(([document, { value }]) => {
      const namespace = value.metadata.namespace ?? 'default'
      const objects = besides(document)
      return analysisUses(value).flatMap(({ refs }) =>
        resolveTemplates(refs, { namespace, ...objects }).templates.map(({ spec }) => spec),
      )
    }),
  )
  return { rollouts, templates, besides, isUsed: (spec) => used.has(spec) }
}

function parsedOf<T>(
  documents: readonly ManifestDocument[],
  kind: string,
  parse: (object: unknown) => Parsed<T>,
): ReadonlyMap<ManifestDocument, Parsed<T>> {
  const wanted = documents.filter(
    ({ object }) => object.kind === kind && object.apiVersion === 'argoproj.io/v1alpha1',
  )
  return new Map(wanted.map((document) => [document, parse(document.object)]))
}

function nameOf({ object }: ManifestDocument): string {
  const group = object.apiVersion.split('/').slice(0, -1).join('/')
  const { namespace = '', name } = object.metadata
  return [group, object.kind, namespace, name].join(' ')
}
