import type { JsonSchema } from './json-schema.ts'

export function openApiSchemas(): Readonly<Record<string, JsonSchema>> {
  throw new Error('openApiSchemas: not yet')
}
