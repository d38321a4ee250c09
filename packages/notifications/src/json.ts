/** A JSON object that nobody has narrowed yet. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A member by its name in any case, as Go's decoder finds it. */
export function member(object: JsonObject, name: string): unknown {
  if (Object.hasOwn(object, name)) return object[name]
  const lower = name.toLowerCase()
  const key = Object.keys(object).find((written) => written.toLowerCase() === lower)
  return key === undefined ? undefined : object[key]
}

/** Text as the YAML decoder of upstream accepts it: numbers and booleans count too; anything else is undefined. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}
