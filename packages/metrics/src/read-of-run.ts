import type { MeasureInput } from './provider.ts'

interface Place {
  /** Of the field that names it. */
  readonly path: string
  readonly name: string
}

/** The values of a Secret or ConfigMap in the namespace of the run; a rejection names the field and the namespace. */
export async function readOfRun(
  input: MeasureInput,
  kind: 'secret' | 'configMap',
  { path, name }: Place,
): Promise<Readonly<Record<string, string>>> {
  const namespace = namespaceOf(input)
  const read = kind === 'secret' ? input.readSecret : input.readConfigMap
  return read({ namespace, name }).catch((error: unknown) => {
    const cause = error instanceof Error ? error.message : String(error)
    throw new Error(`${path}: ${cause} (in namespace ${namespace})`, { cause: error })
  })
}

/** One of these values. */
export async function readKeyOfRun(
  input: MeasureInput,
  kind: 'secret' | 'configMap',
  { path, name, key }: Place & { readonly key: string },
): Promise<string> {
  const value = (await readOfRun(input, kind, { path, name }))[key]
  if (value !== undefined) return value
  const object = `${kind.toLowerCase()} '${name}' (in namespace ${namespaceOf(input)})`
  throw new Error(`${path}: key '${key}' does not exist in ${object}`)
}

function namespaceOf({ run }: MeasureInput): string {
  return run.metadata.namespace ?? 'default'
}
