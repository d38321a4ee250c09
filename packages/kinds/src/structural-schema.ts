import type { JsonSchema } from './json-schema.ts'
import type { TypeRef } from './types.ts'

export interface StructuralSchemaOptions {
  /**
   * Paths below which unknown fields survive, as dotted field names with `[]` behind a list:
   * `spec.volumes`, `spec.containers[].resources.limits`. What stands there is reduced to
   * `x-kubernetes-preserve-unknown-fields`.
   */
  readonly preserveUnknownFieldsAt?: readonly string[]
  /** Write the defaults of `+default` markers, as spec api 1.2 lists them for pod templates. */
  readonly defaults?: boolean
  /** Fields kept of an embedded ObjectMeta; absent: `type: object` alone. */
  readonly metadataFields?: readonly string[]
}
export function structuralSchema(
  _ref: TypeRef,
  _options: StructuralSchemaOptions = {},
): JsonSchema {
  throw new Error('structuralSchema: not yet')
}
