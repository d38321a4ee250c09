import type { MeasureInput } from './provider.ts'

/**
 * The values of a Secret by key. Everything but `open` is hidden from what is stored and logged; a line end after a value
 * (`echo key | base64`) belongs to no key. Rejects in the API's words: `secrets "newrelic" not found`.
 */
export async function readCredentials(
  input: MeasureInput,
  reference: { readonly namespace: string; readonly name: string },
  open: readonly string[] = [],
): Promise<Readonly<Record<string, string>>> {
  const values = Object.entries(await input.readSecret(reference)).map(
    ([key, value]) => [key, value.trim()] as const,
  )
  for (const [key, value] of values) if (value !== '' && !open.includes(key)) input.hide(value)
  return Object.fromEntries(values)
}
