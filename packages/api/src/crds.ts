import { type JsonSchema, structuralSchema } from '@serinus/kinds'
import { type Kind, kinds } from './resources.ts'
import { analysisRun, analysisTemplate } from './schema/analysis.ts'
import { experiment } from './schema/experiment.ts'
import { rollout } from './schema/rollout.ts'
import type { CelRule, SchemaNode } from './schema/typed-schema.ts'

/** The JSON Schema of a CRD: what `JsonSchema` says, with rules. */
export interface CrdSchema
  extends Omit<JsonSchema, 'properties' | 'items' | 'additionalProperties'> {
  readonly properties?: Readonly<Record<string, CrdSchema>>
  readonly items?: CrdSchema
  readonly additionalProperties?: CrdSchema | boolean
  readonly 'x-kubernetes-validations'?: readonly CelRule[]
}

/** The definition of one of our kinds, as `kubectl apply --server-side` takes it. */
export interface CustomResourceDefinition {
  readonly apiVersion: 'apiextensions.k8s.io/v1'
  readonly kind: 'CustomResourceDefinition'
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly group: string
    readonly names: {
      readonly kind: string
      readonly listKind: string
      readonly plural: string
      readonly singular: string
      readonly shortNames: readonly string[]
    }
    readonly scope: 'Namespaced' | 'Cluster'
    readonly versions: readonly {
      readonly name: string
      readonly served: true
      readonly storage: true
      readonly schema: { readonly openAPIV3Schema: CrdSchema }
      readonly additionalPrinterColumns: readonly PrinterColumn[]
      readonly subresources: {
        readonly status?: Readonly<Record<string, never>>
        readonly scale?: {
          readonly specReplicasPath: string
          readonly statusReplicasPath: string
          readonly labelSelectorPath: string
        }
      }
    }[]
  }
}

/** A column of `kubectl get`. */
export interface PrinterColumn {
  readonly name: string
  readonly type: 'integer' | 'string' | 'date'
  readonly jsonPath: string
  readonly description?: string
}

interface KindFacts {
  readonly shortName: string
  readonly node: SchemaNode
  readonly columns: readonly PrinterColumn[]
}

const age: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since the object was created',
}
const phase: PrinterColumn = {
  name: 'Status',
  type: 'string',
  jsonPath: '.status.phase',
  description: 'State of the object',
}

const facts: Readonly<Record<string, KindFacts>> = {
  Rollout: {
    shortName: 'ro',
    node: rollout.node,
    columns: [
      replicaColumn('Desired', '.spec.replicas', 'Pods wanted'),
      replicaColumn('Current', '.status.replicas', 'Pods that exist'),
      replicaColumn('Up-to-date', '.status.updatedReplicas', 'Pods of the new revision'),
      replicaColumn('Available', '.status.availableReplicas', 'Pods that are available'),
      age,
    ],
  },
  AnalysisTemplate: { shortName: 'at', node: analysisTemplate.node, columns: [age] },
  ClusterAnalysisTemplate: { shortName: 'cat', node: analysisTemplate.node, columns: [age] },
  AnalysisRun: { shortName: 'ar', node: analysisRun.node, columns: [phase, age] },
  Experiment: { shortName: 'exp', node: experiment.node, columns: [phase, age] },
}

function replicaColumn(name: string, jsonPath: string, description: string): PrinterColumn {
  return { name, type: 'integer', jsonPath, description }
}

/**
 * The CustomResourceDefinition of one of our kinds: everything upstream's accepts, with the same
 * defaults, and what Serinus adds (spec api 1). It is made anew at each call, which takes some
 * milliseconds; nothing of it is made when the package is loaded.
 */
export function crd(kind: Kind): CustomResourceDefinition {
  const fact = facts[kind.kind]
  if (!fact) throw new TypeError(`no such kind: ${kind.kind}`)
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${kind.group}` },
    spec: {
      group: kind.group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        shortNames: [fact.shortName],
        singular: kind.kind.toLowerCase(),
      },
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      versions: [
        {
          name: kind.version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schemaOf(fact.node) },
          additionalPrinterColumns: fact.columns,
          subresources: kind.kind === kinds.rollouts.kind ? { status: {}, scale } : {},
        },
      ],
    },
  }
}

const scale = {
  specReplicasPath: '.spec.replicas',
  statusReplicasPath: '.status.HPAReplicas',
  labelSelectorPath: '.status.selector',
}

function schemaOf(node: SchemaNode): CrdSchema {
  switch (node.kind) {
    case 'string':
      return {
        type: 'string',
        ...(node.format && { format: node.format }),
        ...(node.values && { enum: node.values }),
        ...(node.default !== undefined && { default: node.default }),
      }
    case 'integer':
      return { type: 'integer', format: node.format }
    case 'boolean':
      return { type: 'boolean' }
    case 'intOrString':
      return {
        anyOf: [{ type: 'integer' }, { type: 'string' }],
        'x-kubernetes-int-or-string': true,
      }
    case 'numberOrString':
      // Kubernetes knows no type for it; an untyped place must keep what it holds.
      return { 'x-kubernetes-preserve-unknown-fields': true }
    case 'any':
      return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
    case 'metadata':
      return { type: 'object' }
    case 'list':
      return { type: 'array', items: schemaOf(node.items) }
    case 'map':
      return { type: 'object', additionalProperties: schemaOf(node.values) }
    case 'object':
      return node.isOpenInCrd ? schemaOf({ kind: 'any' }) : objectSchema(node)
    case 'kubernetes':
      return { ...kubernetesSchema(node.ref), ...validations(node.rules) }
    default:
      throw new TypeError(`unknown node: ${JSON.stringify(node satisfies never)}`)
  }
}

function objectSchema(node: Extract<SchemaNode, { kind: 'object' }>): CrdSchema {
  const entries = Object.entries(node.fields)
  const required = entries.filter(([, field]) => field.required).map(([name]) => name)
  return {
    type: 'object',
    ...(entries.length > 0 && {
      properties: Object.fromEntries(
        entries.map(([name, field]) => [
          name,
          // An API server refuses a word about its own metadata.
          field.node.kind === 'metadata'
            ? schemaOf(field.node)
            : { description: field.description, ...schemaOf(field.node) },
        ]),
      ),
    }),
    ...(required.length > 0 && { required }),
    ...validations(node.rules),
  }
}

function validations(
  rules: readonly CelRule[] | undefined,
): Pick<CrdSchema, 'x-kubernetes-validations'> {
  return rules ? { 'x-kubernetes-validations': rules } : {}
}

/** Where unknown fields of a pod template survive (spec api 1.1). */
const preservedInPods = [
  'spec.volumes',
  ...['containers', 'initContainers', 'ephemeralContainers'].flatMap((list) => [
    `spec.${list}[].resources.limits`,
    `spec.${list}[].resources.requests`,
  ]),
]

function kubernetesSchema(ref: string): JsonSchema {
  switch (ref) {
    case 'core/v1.PodTemplateSpec':
      return podSchema(ref, '')
    case 'batch/v1.JobSpec':
      return podSchema(ref, 'template.')
    default:
      return structuralSchema(ref)
  }
}

function podSchema(ref: string, prefix: string): JsonSchema {
  return structuralSchema(ref, {
    preserveUnknownFieldsAt: preservedInPods.map((path) => prefix + path),
    labelsAndAnnotationsAt: [`${prefix}metadata`],
    defaults: true,
  })
}
