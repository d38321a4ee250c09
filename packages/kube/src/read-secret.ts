import type { KubeClient } from './client.ts'
import type { KubeObject } from './objects.ts'
import { resources } from './resources.ts'

/** The decoded values of a Secret, by key. */
export async function readSecret(
  client: KubeClient,
  reference: { readonly namespace: string; readonly name: string },
): Promise<Readonly<Record<string, string>>> {
  const secret = await client.get<KubeObject & { data?: Readonly<Record<string, string>> }>(
    resources.secrets,
    reference,
  )
  return Object.fromEntries(
    Object.entries(secret.data ?? {}).map(([key, data]) => [
      key,
      Buffer.from(data, 'base64').toString('utf8'),
    ]),
  )
}
