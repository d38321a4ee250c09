import { isObject } from './json.ts'

/** Names are matched greedily, hyphens included; `$$` and `${…}` mean nothing upstream (spec notifications 2.3). */
const reference = /\$\$|\$\{([^}]+)\}|\$([\w-]+)/g

/** Options with their references to the Secret resolved, map keys included, and the keys that are missing. */
export function resolveReferences(
  value: unknown,
  secrets: ReadonlyMap<string, string>,
): { readonly value: unknown; readonly missing: readonly string[] } {
  const missing = new Set<string>()
  const inText = (text: string) =>
    text.replace(reference, (written: string, braced?: string, plain?: string) => {
      const name = braced ?? plain
      if (name === undefined) return '$'
      const secret = secrets.get(name)
      if (secret !== undefined) return secret
      missing.add(name)
      return written
    })
  const inValue = (part: unknown): unknown => {
    if (typeof part === 'string') return inText(part)
    if (Array.isArray(part)) return part.map(inValue)
    if (!isObject(part)) return part
    return Object.fromEntries(
      Object.entries(part).map(([key, item]) => [inText(key), inValue(item)]),
    )
  }
  return { value: inValue(value), missing: [...missing] }
}

/** The text without any value of the Secret; short ones are left, since they would blank out everything. */
export function redact(text: string, secrets: ReadonlyMap<string, string>): string {
  let clean = text
  for (const [name, secret] of secrets) {
    if (secret.length >= 4) clean = clean.replaceAll(secret, `$${name}`)
  }
  return clean
}
