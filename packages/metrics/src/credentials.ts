import type { MeasureInput } from './provider.ts'

/**
 * The values of a Secret by key. Everything but `open` is hidden from what is stored and logged; a line end after a value
 * (`echo key | base64`) belongs to no key. Rejects in the API's words and with the place:
 * `secrets "newrelic" not found (in namespace argo-rollouts)`.
 */
export async function readCredentials(
  input: MeasureInput,
  reference: { readonly namespace: string; readonly name: string },
  open: readonly string[] = [],
): Promise<Readonly<Record<string, string>>> {
  const stored = await input.readSecret(reference).catch((error: unknown) => {
    const cause = error instanceof Error ? error.message : String(error)
    throw new Error(`${cause} (in namespace ${reference.namespace})`, { cause: error })
  })
  const values = Object.entries(stored).map(([key, value]) => [key, value.trim()] as const)
  for (const [key, value] of values) if (value !== '' && !open.includes(key)) input.hide(value)
  return Object.fromEntries(values)
}
