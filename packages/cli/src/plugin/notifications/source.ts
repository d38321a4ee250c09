import { readFileSync } from 'node:fs'
import { ApiError, type KubeObject, type Resource, resources } from '@serinus/kube'
import {
  aliasName,
  type ConfigMap,
  configMapName,
  type Layers,
  parseConfig,
  type Secret,
  secretName,
  withAlias,
} from '@serinus/notifications'
import { parseAllDocuments } from 'yaml'
import type { Access } from '../access.ts'
import type { Terminal } from '../terminal.ts'

/** Where the commands look for the notification configuration. */
export interface Source {
  readonly access: Access
  readonly terminal: Terminal
  /** The controller's namespace; its configuration counts after that of the command's own namespace. */
  readonly configNamespace: string
  /** A file, `-` for stdin; empty: the cluster. */
  readonly configMap: string
  /** Also `:empty`. */
  readonly secret: string
}

/** What was found, and where. */
export interface Configuration {
  readonly layers: Layers
  /** The ConfigMap that is listed; its texts are shown as they were written. */
  readonly configMap: ConfigMap
}

/**
 * Reads the configuration as the controller does: first that of the namespace, then the controller's; upstream
 * knows only the first, and so finds none where articles put it. Says on stderr what it used.
 */
export async function readConfiguration(source: Source): Promise<Configuration> {
  const { access, terminal, configNamespace } = source
  if (source.configMap !== '') {
    const configMap = fromFile<ConfigMap>(source.configMap, 'ConfigMap', configMapName)
    const secret = await secretOf(source, access.namespace)
    return { layers: { own: null, central: parseConfig(configMap, secret).config }, configMap }
  }
  const own = await readConfigMap(access, access.namespace)
  const central =
    configNamespace === access.namespace ? undefined : await readConfigMap(access, configNamespace)
  const configMap = own ?? central
  if (!configMap) {
    throw new Error(
      `configmaps "${configMapName}" not found in the namespaces ${access.namespace} and ${configNamespace}`,
    )
  }
  const { metadata } = configMap
  terminal.err(`configuration: ConfigMap ${metadata.name} in ${metadata.namespace}\n`)
  return {
    layers: {
      own: own ? parseConfig(own, await secretOf(source, access.namespace)).config : null,
      central: parseConfig(central, central && (await secretOf(source, configNamespace))).config,
    },
    configMap,
  }
}

async function readConfigMap(
  { client }: Access,
  namespace: string,
): Promise<ConfigMap | undefined> {
  const read = (name: string) =>
    readIfAllowed<ConfigMap>(client, resources.configMaps, { namespace, name })
  return withAlias(await read(configMapName), await read(aliasName))
}

async function secretOf(source: Source, namespace: string): Promise<Secret | undefined> {
  const { client } = source.access
  if (source.secret === ':empty') return undefined
  if (source.secret !== '') return fromFile<Secret>(source.secret, 'Secret', secretName)
  return readIfAllowed<Secret>(client, resources.secrets, { namespace, name: secretName })
}

/** Undefined also without the permission: users may often read only one of the two namespaces. */
async function readIfAllowed<T extends KubeObject>(
  client: Access['client'],
  resource: Resource,
  key: { readonly namespace: string; readonly name: string },
): Promise<T | undefined> {
  try {
    return await client.get<T>(resource, key)
  } catch (error) {
    if (error instanceof ApiError && (error.code === 403 || error.code === 404)) return undefined
    throw error
  }
}

function fromFile<T extends KubeObject>(file: string, kind: string, name: string): T {
  const text = readFileSync(file === '-' ? 0 : file, 'utf8')
  for (const document of parseAllDocuments(text)) {
    const object = document.toJS() as T | null
    if (object?.kind === kind && object.metadata?.name === name) return object
  }
  throw new Error(`${file} holds no ${kind} with the name ${name}`)
}
