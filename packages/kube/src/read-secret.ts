import type { KubeClient } from './client.ts'
import type { KubeObject } from './objects.ts'
import { resources } from './resources.ts'

type Stored = KubeObject & { readonly data?: Readonly<Record<string, string>> }

interface Reference {
  readonly namespace: string
  readonly name: string
}

/** The decoded values of a Secret, by key. */
export async function readSecret(
  client: KubeClient,
  reference: Reference,
): Promise<Readonly<Record<string, string>>> {
  const secret = await client.get<Stored>(resources.secrets, reference)
  return Object.fromEntries(
    Object.entries(secret.data ?? {}).map(([key, data]) => [
      key,
      Buffer.from(data, 'base64').toString('utf8'),
    ]),
  )
}

/** The texts of a ConfigMap, by key. */
export async function readConfigMap(
  client: KubeClient,
  reference: Reference,
): Promise<Readonly<Record<string, string>>> {
  return (await client.get<Stored>(resources.configMaps, reference)).data ?? {}
}
