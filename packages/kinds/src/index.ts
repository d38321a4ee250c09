export { type CanonicalJsonOptions, canonicalJson } from './canonical-json.ts'
export { applyDefaults, applyPodTemplateDefaults } from './defaults.ts'
export type { JsonSchema } from './json-schema.ts'
export { openApiSchemas } from './open-api.ts'
export {
  addQuantities,
  canonicalQuantity,
  parseQuantity,
  type Quantity,
  type QuantityFormat,
  quantityToNumber,
} from './quantity.ts'
export { type DecodeProblem, decodeProblems, unknownFields } from './strict-decoding.ts'
export { type StructuralSchemaOptions, structuralSchema } from './structural-schema.ts'
export {
  type Field,
  type FieldType,
  type GroupVersionKind,
  kindType,
  type StringEnum,
  type StructType,
  structType,
  type TypeRef,
} from './types.ts'
