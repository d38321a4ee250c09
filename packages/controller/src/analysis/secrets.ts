import type { AnalysisRun } from '@serinus/api'
import { ApiError } from '@serinus/kube'
import type { RunReads } from './kept-reads.ts'

/** The secret values of a run's arguments; they are never stored. */
export type Secrets = {
  /** By argument reference; empty where it could not be read. */
  readonly value: (reference: { readonly name: string; readonly key: string }) => string
  /** Replaces every secret value by `*****`. */
  readonly mask: (text: string) => string
} & ({ readonly ok: true } | { readonly ok: false; readonly message: string })

/**
 * Reads the secrets that arguments name, from the run's own namespace (spec analysis-and-experiments 2.9). A missing one is
 * an answer that ends the run; an API that is away for a while is none, and rejects, so that the pass is tried again.
 */
export async function secretsOf(reads: RunReads, run: AnalysisRun): Promise<Secrets> {
  const references = (run.spec.args ?? []).flatMap((arg) =>
    // A value written out wins over the secret, which then need not exist.
    arg.value === undefined && arg.valueFrom?.secretKeyRef ? [arg.valueFrom.secretKeyRef] : [],
  )
  const values = new Map<string, string>()
  let problem: string | null = null
  for (const { name, key } of references) {
    try {
      const namespace = run.metadata.namespace ?? 'default'
      const value = (await reads.readSecret({ namespace, name }))[key]
      if (value === undefined) problem ??= `key '${key}' does not exist in secret '${name}'`
      else values.set(`${name}/${key}`, value)
    } catch (error) {
      if (!(error instanceof ApiError) || error.code === 429 || error.code >= 500) throw error
      problem ??= error.message
    }
  }
  return {
    value: ({ name, key }) => values.get(`${name}/${key}`) ?? '',
    mask: maskOf([...values.values()]),
    ...(problem === null ? { ok: true } : { ok: false, message: problem }),
  }
}

/** Replaces each of the values, however it is spelt, by `*****`. */
export function maskOf(values: readonly string[]): (text: string) => string {
  const longestFirst = [...new Set(values.flatMap(spellings))]
    .filter((text) => text !== '')
    .sort((a, b) => b.length - a.length)
  return (text) => longestFirst.reduce((masked, secret) => masked.replaceAll(secret, '*****'), text)
}

/** A secret as it may stand in a stored text: as it is, in a URL of ours or of the server's making, in a form, in JSON. */
function spellings(secret: string): readonly string[] {
  const inForm = new URLSearchParams({ '': secret }).toString().slice(1)
  const inJson = JSON.stringify(secret).slice(1, -1)
  const inHtmlSafeJson = inJson.replace(
    /[<>&]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return [
    secret,
    new URL(`http://host/?${secret.replaceAll('#', '%23')}`).search.slice(1),
    encodeURIComponent(secret),
    inForm.replaceAll('%7E', '~').replaceAll('*', '%2A'),
    inJson,
    inHtmlSafeJson,
  ]
}
