import type { AnalysisRun } from '@serinus/api'
import { type KubeClient, type KubeObject, resources } from '@serinus/kube'

/** The secret values of a run's arguments; they are read for one pass and never stored. */
export type Secrets = {
  /** By argument reference; empty where it could not be read. */
  readonly value: (reference: { readonly name: string; readonly key: string }) => string
  /** Replaces every secret value by `*****`. */
  readonly mask: (text: string) => string
} & ({ readonly ok: true } | { readonly ok: false; readonly message: string })

/** Reads the secrets that arguments name, from the run's own namespace (spec analysis-and-experiments 2.9). */
export async function secretsOf(client: KubeClient, run: AnalysisRun): Promise<Secrets> {
  const references = (run.spec.args ?? []).flatMap((arg) =>
    arg.valueFrom?.secretKeyRef ? [arg.valueFrom.secretKeyRef] : [],
  )
  const values = new Map<string, string>()
  let problem: string | null = null
  for (const { name, key } of references) {
    try {
      const secret = await client.get<KubeObject & { data?: Readonly<Record<string, string>> }>(
        resources.secrets,
        {
          namespace: run.metadata.namespace ?? 'default',
          name,
        },
      )
      const data = secret.data?.[key]
      if (data === undefined) problem ??= `key '${key}' does not exist in secret '${name}'`
      else values.set(`${name}/${key}`, Buffer.from(data, 'base64').toString('utf8'))
    } catch (error) {
      problem ??= error instanceof Error ? error.message : String(error)
    }
  }
  const longestFirst = [...new Set(values.values())]
    .filter((text) => text !== '')
    .sort((a, b) => b.length - a.length)
  return {
    value: ({ name, key }) => values.get(`${name}/${key}`) ?? '',
    mask: (text) =>
      longestFirst.reduce((masked, secret) => masked.replaceAll(secret, '*****'), text),
    ...(problem === null ? { ok: true } : { ok: false, message: problem }),
  }
}
